package pgurl_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"github.com/synclinehq/syncline/format/pgurl"
)

// FuzzFromURL: what is shown of a URL has no password in it, and is the same text again
// when it is read itself.
func FuzzFromURL(f *testing.F) {
	for _, text := range []string{"postgres://u:canary@h:5433/db?sslmode=require", "postgres://u@a:1,b:2/d", "postgres:///d?host=/run/pg", "postgres://u@[::1]/d", "postgres://h/?dbname=x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.Parse(text)
		if err != nil {
			return
		}
		settings, err := pgurl.FromURL("postgres", pgurl.Fields, u)
		if err != nil {
			return
		}
		shown := pgurl.Show(settings)
		if password, _ := u.User.Password(); len(password) > 5 && strings.Contains(shown, password) && !bytes.Contains([]byte(strings.Replace(text, password, "", 1)), []byte(password)) {
			t.Fatalf("%q shows its password: %q", text, shown)
		}
		if again := pgurl.Show(settings); again != shown {
			t.Fatalf("%q is shown as %q and as %q", text, shown, again)
		}
	})
}
