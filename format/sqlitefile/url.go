package sqlitefile

import (
	"encoding/json"
	"net/url"
	"path/filepath"

	"github.com/synclinehq/syncline"
)

// Settings are what a pipeline says about a SQLite file, at either end.
type Settings struct {
	Path string `json:"path"`
}

// FromURL reads sqlite:///abs/file.db, sqlite://rel/file.db and sqlite:rel/file.db. What
// is relative is so to the folder the program runs in, and becomes absolute.
func FromURL(u *url.URL) (json.RawMessage, error) {
	wrong := func(format string, args ...any) error {
		return syncline.Errorf(syncline.InvalidArgument, format, args...).Of(syncline.ClassConfig).Try("write it as sqlite:///path/to/file.db")
	}
	path := u.Host + u.Path
	if u.Opaque != "" {
		plain, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return nil, wrong("the path of the sqlite URL: %w", err)
		}
		path = plain
	}
	switch {
	case u.User != nil:
		return nil, wrong("a sqlite URL has no user and no password")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, wrong("a sqlite URL is only a path; ? and # in a name are written %%3F and %%23")
	case path == "" || path == "/":
		return nil, wrong("the sqlite URL names no file")
	case path == ":memory:":
		return nil, wrong("a database in memory ends with the program that made it")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, wrong("the sqlite URL's path %q: %w", path, err)
	}
	return json.Marshal(Settings{Path: abs})
}

// Show draws settings as sqlite:///path, "" when they name no file.
func Show(settings json.RawMessage) string {
	var s Settings
	if err := json.Unmarshal(settings, &s); err != nil || s.Path == "" {
		return ""
	}
	if abs, err := filepath.Abs(s.Path); err == nil {
		s.Path = abs
	}
	return (&url.URL{Scheme: "sqlite", Path: filepath.ToSlash(s.Path)}).String()
}
