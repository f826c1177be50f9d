package secret_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/synclinehq/syncline/secret"
)

// FuzzOpen: what was sealed opens as the same in its own place only, and nothing else
// opens at all.
func FuzzOpen(f *testing.F) {
	box, err := secret.Load(filepath.Join(f.TempDir(), "key"), "")
	if err != nil {
		f.Fatal(err)
	}
	good, err := box.Seal("hunter2", "pipeline", "p1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("hunter2", good)
	f.Add("", good[:len(good)/2])
	f.Add("\x00ü", "not sealed")
	f.Fuzz(func(t *testing.T, plain, forged string) {
		sealed, err := box.Seal(plain, "pipeline", "p1")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := box.Open(sealed, "pipeline", "p1"); err != nil || got != plain {
			t.Fatalf("%q opened as %q, %v", plain, got, err)
		}
		if _, err := box.Open(sealed, "pipeline", "p2"); err == nil {
			t.Fatalf("%q opened in another place", sealed)
		}
		if _, err := box.Open(forged, "pipeline", "p3"); err == nil {
			t.Fatalf("%q opened", forged)
		}
	})
}

// FuzzScrub: a value that is to be kept out does not come through, whatever stands around
// it, and what has no secret in it stays as it is.
func FuzzScrub(f *testing.F) {
	f.Add("before ", "hunter2-canary", " after")
	f.Add("hunter2", "aaaaaaaaaa", "aaaa")
	f.Add("%", "p@ss w0rd/?", "%20")
	f.Fuzz(func(t *testing.T, before, value, after string) {
		var s secret.Scrubber
		if text := before + after; s.Scrub(text) != text {
			t.Fatalf("%q was changed without a secret", text)
		}
		s.Add(value)
		if len(value) < 8 || strings.Contains("[redacted]", value) {
			return
		}
		if clean := s.Scrub(before + value + after); strings.Contains(clean, value) {
			t.Fatalf("%q comes through in %q", value, clean)
		}
	})
}
