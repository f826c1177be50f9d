package sqlitefile

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/synclinehq/syncline"
)

func TestURL(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	must(t, err)
	for in, want := range map[string]string{
		"sqlite:///var/lib/w.db":      "/var/lib/w.db",
		"sqlite://w.db":               filepath.Join(here, "w.db"),
		"sqlite://sub/dir/w.db":       filepath.Join(here, "sub/dir/w.db"),
		"sqlite:w.db":                 filepath.Join(here, "w.db"),
		"sqlite:../w.db":              filepath.Join(here, "../w.db"),
		"sqlite:///a%20b/%3F%23.db":   "/a b/?#.db",
		"sqlite:/abs.db":              "/abs.db",
		"sqlite:///caf%C3%A9/../x.db": "/x.db",
	} {
		u, err := url.Parse(in)
		must(t, err)
		settings, err := FromURL(u)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		shown, err := url.Parse(Show(settings))
		must(t, err)
		again, err := FromURL(shown)
		if err != nil || string(again) != string(settings) || shown.Path != want {
			t.Errorf("%s: settings %s, shown %s, want %s (%v)", in, settings, shown, want, err)
		}
	}
}

func TestURLRefused(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"sqlite:", "sqlite://", "sqlite:///", "sqlite::memory:", "sqlite:///x.db?mode=ro", "sqlite:///x.db#y", "sqlite://me:secret@host/x.db"} {
		u, err := url.Parse(in)
		must(t, err)
		if _, err := FromURL(u); syncline.CodeOf(err) != syncline.InvalidArgument {
			t.Errorf("%s: %v", in, err)
		}
	}
}
