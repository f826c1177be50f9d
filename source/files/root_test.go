package files

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/source"
)

// layRoot makes a root, and beside it files that are not to be read.
func layRoot(t testing.TB) (root, outside string) {
	t.Helper()
	dir := lay(t, map[string]string{"root/a.csv": "id\n1\n", "root/sub/b.csv": "id\n2\n", "outside/secret.csv": "id\n42\n", "outside/sub/c.csv": "id\n43\n"})
	root, outside = filepath.Join(dir, "root"), filepath.Join(dir, "outside")
	for name, to := range map[string]string{
		"far.csv": "../outside/secret.csv", "fardir": "../outside", "absolute.csv": filepath.Join(outside, "secret.csv"), "near.csv": "sub/b.csv",
	} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root, outside
}

func TestNothingOutsideTheRootIsRead(t *testing.T) {
	root, outside := layRoot(t)
	for path, want := range map[string][]string{
		root: {"a.csv", "near.csv"}, root + "/*.csv": {"a.csv", "near.csv"}, root + "/**/*.csv": {"a.csv", "near.csv", "sub/b.csv"}, root + "/*/*": {"sub/b.csv"},
	} {
		s := start(t, map[string]any{"path": path, "root": root})
		all := entities(t, s)
		if got := namesOf(all); !slices.Equal(got, want) {
			t.Errorf("%s: %q", path, got)
		}
		for _, e := range all {
			if got := readAll(t, s, full(e), plan(t, s, full(e))); got != "|1\n" && got != "|2\n" {
				t.Errorf("%s: read %q", path, got)
			}
		}
	}
	for _, path := range []string{
		outside, outside + "/secret.csv", root + "/far.csv", root + "/absolute.csv", root + "/fardir", root + "/fardir/secret.csv", root + "/fardir/*.csv",
		root + "/../outside/*.csv", filepath.Dir(root), filepath.Dir(root) + "/**", "/", "/etc/passwd",
	} {
		s, err := tryStart(t, map[string]any{"path": path, "root": root, "format": "csv"})
		if err == nil {
			_, err = s.Entities(t.Context(), nil)
		}
		coded(t, err, syncline.PermissionDenied, "leads out of", root)
	}
	_, err := tryStart(t, map[string]any{"path": root, "root": filepath.Join(root, "missing")})
	coded(t, err, syncline.FailedPrecondition, "missing")
}

// TestAPlanCannotLeadOut: a part names a path, and what was a file may be a link by now.
func TestAPlanCannotLeadOut(t *testing.T) {
	root, outside := layRoot(t)
	free := start(t, map[string]any{"path": filepath.Join(outside, "secret.csv")})
	there := entities(t, free)[0]
	forged := plan(t, free, full(there))
	s := start(t, map[string]any{"path": root, "root": root})
	coded(t, readErr(s, t.Context(), full(there), forged, nil), syncline.PermissionDenied, "leads out of")

	e := entities(t, s, "a.csv")[0]
	p := plan(t, s, full(e))
	if err := os.Remove(filepath.Join(root, "a.csv")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret.csv"), filepath.Join(root, "a.csv")); err != nil {
		t.Fatal(err)
	}
	coded(t, readErr(s, t.Context(), full(e), p, nil), syncline.PermissionDenied, "leads out of")
	_, err := s.Plan(t.Context(), full(e))
	if syncline.CodeOf(err) != syncline.NotFound {
		t.Errorf("a link out of the root is a file: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// FuzzRootedPath: whatever the path, no row comes from outside the root.
func FuzzRootedPath(f *testing.F) {
	root, _ := layRoot(f)
	for _, p := range []string{"", "/*", "/**", "/../**", "/fardir/**", "/../outside/*.csv", "/[a-z]*.csv", "/sub/../../*/*"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		raw, err := json.Marshal(map[string]any{"path": root + path, "root": root, "format": "csv"})
		if err != nil {
			return
		}
		s, err := Kind.Open(t.Context(), env, raw)
		if err != nil {
			return
		}
		defer func() { _ = s.Close() }()
		all, err := s.Entities(t.Context(), nil)
		if err != nil {
			return
		}
		for _, e := range all {
			for b, err := range s.Read(t.Context(), full(e), source.Plan{}, plan(t, s, full(e)).Parts[0], nil) {
				if err != nil {
					t.Fatal(err)
				}
				if text := b.Record.Column(0).String(); strings.Contains(text, "4") {
					t.Fatalf("%q reads %s", path, text)
				}
				b.Release()
			}
		}
	})
}
