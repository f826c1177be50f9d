package sqlitefile

import (
	"encoding/json"
	"errors"
	"net/url"
	"path/filepath"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/spec"
)

// Settings are what a pipeline says about a SQLite file, at either end.
type Settings struct {
	Path string `json:"path"`
	Root string `json:"root,omitempty"`
}

// Spec describes the settings of a kind that reads or writes SQLite files.
func Spec(summary string) spec.Spec {
	return spec.Spec{
		Kind:    "sqlite",
		Summary: summary,
		Fields: []spec.Field{
			{Name: "path", Label: "File", Type: spec.String, Required: true, File: true, Help: "path of the database file"},
			{Name: "root", Label: "Root", Type: spec.String, Help: "a folder that the file must lie in, reached without links"},
		},
		Root:    "root",
		Schemes: []string{"sqlite"},
		FromURL: FromURL,
		Show:    Show,
		Local:   func(json.RawMessage) bool { return true }, // a file is on one machine
	}
}

// Decode checks settings against s.
func Decode(s spec.Spec, settings json.RawMessage) (Settings, error) {
	var got Settings
	err := s.Decode(settings, &got)
	if wrong, ok := errors.AsType[*spec.Error](err); ok {
		return got, syncline.Invalid(wrong.Field, "%w", err).Try("%s", wrong.Hint)
	}
	return got, err
}

// FromURL reads sqlite:///abs/file.db, sqlite://rel/file.db and sqlite:rel/file.db. What
// is relative is so to the folder the program runs in, and becomes absolute.
func FromURL(u *url.URL) (json.RawMessage, error) {
	path := u.Host + u.Path
	if u.Opaque != "" {
		plain, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return nil, wrongURL("the path of the sqlite URL: %w", err)
		}
		path = plain
	}
	switch {
	case u.User != nil:
		return nil, wrongURL("a sqlite URL has no user and no password")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, wrongURL("a sqlite URL is only a path; ? and # in a name are written %%3F and %%23")
	case path == "" || path == "/":
		return nil, wrongURL("the sqlite URL names no file")
	case path == ":memory:":
		return nil, wrongURL("a database in memory ends with the program that made it")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, wrongURL("the sqlite URL's path %q: %w", path, err)
	}
	return json.Marshal(Settings{Path: abs})
}

func wrongURL(format string, args ...any) error {
	return syncline.Errorf(syncline.InvalidArgument, format, args...).Of(syncline.ClassConfig).Try("write it as sqlite:///path/to/file.db")
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
