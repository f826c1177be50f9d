package secret_test

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline/secret"
)

func load(t *testing.T, env string) *secret.Box {
	t.Helper()
	b, err := secret.Load(filepath.Join(t.TempDir(), "master.key"), env)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	b := load(t, "")
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		what, id := rapid.String().Draw(t, "what"), rapid.String().Draw(t, "id")
		sealed, err := b.Seal(text, what, id)
		if err != nil {
			t.Fatal(err)
		}
		if !secret.IsSealed(sealed) || secret.IsSealed(text) || len(text) > 3 && strings.Contains(sealed, text) {
			t.Fatalf("%q is sealed as %q", text, sealed)
		}
		if again, _ := b.Seal(text, what, id); again == sealed {
			t.Fatal("the same text is sealed alike twice")
		}
		if got, err := b.Open(sealed, what, id); err != nil || got != text {
			t.Fatalf("got %q, %v", got, err)
		}
		for _, other := range [][2]string{{what + "x", id}, {what, id + "x"}, {what + "|" + id, ""}, {"", what + "|" + id}} {
			if other == [2]string{what, id} {
				continue
			}
			if _, err := b.Open(sealed, other[0], other[1]); !errors.Is(err, secret.ErrTampered) {
				t.Fatalf("opened as %q: %v", other, err)
			}
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	b, other := load(t, ""), load(t, "")
	sealed, err := b.Seal("canary", "password", "p1")
	if err != nil {
		t.Fatal(err)
	}
	last := sealed[:len(sealed)-1] + map[bool]string{true: "A", false: "Q"}[sealed[len(sealed)-1] == 'Q']
	for name, c := range map[string]struct {
		box  *secret.Box
		text string
		want error
	}{
		"another key": {other, sealed, secret.ErrWrongKey},
		"changed":     {b, last, secret.ErrTampered},
		"cut":         {b, sealed[:len(sealed)-4], secret.ErrTampered},
		"only header": {b, "sealed:v1:", secret.ErrTampered},
		"not base64":  {b, "sealed:v1:!!!!!!!!!", secret.ErrTampered},
		"not sealed":  {b, "canary", secret.ErrTampered},
	} {
		_, err := c.box.Open(c.text, "password", "p1")
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		e, ok := errors.AsType[*secret.Error](err)
		if !ok || e.Hint == "" || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyFileIsMadeOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "master.key")
	sealed := make([]string, 8)
	var all sync.WaitGroup
	for i := range sealed {
		all.Go(func() {
			b, err := secret.Load(file, "")
			if err == nil {
				sealed[i], err = b.Seal("text", "what", "id")
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	b, err := secret.Load(file, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sealed {
		if got, err := b.Open(s, "what", "id"); err != nil || got != "text" {
			t.Errorf("got %q, %v", got, err)
		}
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".master*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestKeyFileIsRefused(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, c := range map[string]struct {
		text          string
		mode          os.FileMode
		message, hint string
	}{
		"group":  {key, 0o640, "can be read or written by others (mode 0640)", "chmod 600 "},
		"others": {key, 0o604, "mode 0604", "chmod 600 "},
		"empty":  {"", 0o600, "does not hold 32 bytes in base64", "restore it"},
		"short":  {"Y2FuYXJ5", 0o600, "does not hold", "backup"},
		"broken": {key + "\n???", 0o600, "does not hold", "backup"},
	} {
		file := filepath.Join(t.TempDir(), "master.key")
		if err := os.WriteFile(file, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, c.mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
		_, err := secret.Load(file, "")
		e, ok := errors.AsType[*secret.Error](err)
		if !ok || !strings.Contains(e.Message, c.message) || !strings.Contains(e.Message, file) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "Y2FuYXJ5") {
			t.Errorf("%s: the error shows the key", name)
		}
	}
	if _, err := secret.Load(filepath.Join(t.TempDir(), "no", "master.key"), ""); err == nil {
		t.Error("made a key in a folder that is not there")
	}
}

func TestKeyFromTheEnvironment(t *testing.T) {
	t.Parallel()
	first, second := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("a", 32))), base64.StdEncoding.EncodeToString([]byte(strings.Repeat("b", 32)))
	before := load(t, first)
	sealed, err := before.Seal("text", "what", "id")
	if err != nil {
		t.Fatal(err)
	}
	rotated := load(t, second+"\n"+first)
	if got, err := rotated.Open(sealed, "what", "id"); err != nil || got != "text" {
		t.Errorf("the old key does not open: %q, %v", got, err)
	}
	again, err := rotated.Seal("text", "what", "id")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.Open(again, "what", "id"); !errors.Is(err, secret.ErrWrongKey) {
		t.Errorf("the new key does not seal: %v", err)
	}
	file := filepath.Join(t.TempDir(), "master.key")
	if _, err := secret.Load(file, "short"); err == nil || !strings.Contains(err.Error(), secret.Env) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("made a file although the variable is set")
	}
}
