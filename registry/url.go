package registry

import (
	"encoding/json"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/spec"
)

// ParseURL finds the kind of one side that raw means, and its settings. A plain path
// means a SQLite file when it ends like one, else files; relative paths, also those of
// file:// and sqlite:// URLs, count from cwd. No error repeats what could be a password.
func (r *Registry) ParseURL(side Side, raw, cwd string) (kind string, settings json.RawMessage, err error) {
	u, err := r.parse(side, raw, cwd)
	if err != nil {
		return "", nil, err
	}
	s, err := r.speaks(side, u.Scheme)
	if err != nil {
		return "", nil, err
	}
	settings, err = s.FromURL(u)
	return s.Kind, settings, err
}

var (
	schemeOf = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.-]*):`)
	// A libpq connection string: the only form in which a plain path could hold a password.
	keyValues = regexp.MustCompile(`(?i)(^|\s)(host|hostaddr|dbname|user|password|service)\s*=`)
)

func (r *Registry) parse(side Side, raw, cwd string) (*url.URL, error) {
	raw = strings.TrimSpace(raw)
	if raw == "" {
		return nil, syncline.Errorf(syncline.InvalidArgument, "the %s is empty", side).Of(syncline.ClassConfig).
			Try("give a URL or a path: %s", r.examples(side))
	}
	name := ""
	if m := schemeOf.FindStringSubmatch(raw); m != nil {
		name = strings.ToLower(m[1])
	}
	isURL := strings.Contains(raw, "://") || slices.Contains(r.schemes(side), name)
	switch {
	case name == "" && keyValues.MatchString(raw):
		return nil, syncline.Errorf(syncline.InvalidArgument, "the %s is a connection string of key=value pairs", side).
			Of(syncline.ClassConfig).Try("write it as a URL: postgres://user:password@host:5432/database")
	case name == "" || !isURL:
		return fromPath(raw, cwd), nil
	case name == "file" || name == "sqlite":
		return fromFileURL(side, name, raw, cwd)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Fragment != "" {
		return nil, unreadable(side, name)
	}
	return u, nil
}

// unreadable says nothing of what url.Parse says: its errors quote the URL, and a password
// with a slash, a colon or a # ends up in what it takes for host, port or fragment.
func unreadable(side Side, scheme string) error {
	return syncline.Errorf(syncline.InvalidArgument, "the %s URL %s://… cannot be read", side, scheme).Of(syncline.ClassConfig).
		Try(`write special characters in user, password and path as %%XX: "@" is %%40, ":" is %%3A, "/" is %%2F, "#" is %%23, "%%" is %%25`)
}

// fromPath takes a path as it is typed: "?", "#" and "%" are part of it.
func fromPath(path, cwd string) *url.URL {
	u := &url.URL{Scheme: "file", Path: resolve(path, cwd)}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".db", ".sqlite", ".sqlite3":
		u.Scheme = "sqlite"
	}
	return u
}

// fromFileURL reads sqlite://x.db and file:data/*.csv, whose path counts from cwd: to
// url.Parse x.db would be a host, and no file is on another one.
func fromFileURL(side Side, name, raw, cwd string) (*url.URL, error) {
	_, rest, _ := strings.Cut(raw, ":")
	path, query, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "?")
	if after, ok := strings.CutPrefix(path, "localhost/"); ok {
		path = "/" + after
	}
	path, err := url.PathUnescape(path)
	if err != nil {
		return nil, unreadable(side, name)
	}
	return &url.URL{Scheme: name, Path: resolve(path, cwd), RawQuery: query}, nil
}

// resolve keeps a slash at the end: it says that the path is a folder.
func resolve(path, cwd string) string {
	folder := strings.HasSuffix(path, "/")
	if !filepath.IsAbs(path) {
		path = filepath.Join(cwd, path)
	}
	path = filepath.ToSlash(filepath.Clean(path))
	if folder && !strings.HasSuffix(path, "/") {
		path += "/"
	}
	return path
}

func (r *Registry) speaks(side Side, scheme string) (spec.Spec, error) {
	s, ok := find(r.Specs(side), func(s spec.Spec) bool { return slices.Contains(s.Schemes, scheme) })
	if ok && s.FromURL != nil {
		return s, nil
	}
	err := syncline.Errorf(syncline.InvalidArgument, "no %s speaks %s://", side, scheme).Of(syncline.ClassConfig)
	other := Source
	if side == Source {
		other = Destination
	}
	if slices.Contains(r.schemes(other), scheme) {
		err = syncline.Errorf(syncline.InvalidArgument, "%s:// can only be a %s, not a %s", scheme, other, side).Of(syncline.ClassConfig)
	}
	return s, err.Try("known here: %s", r.examples(side))
}

func (r *Registry) schemes(side Side) []string {
	var all []string
	for _, s := range r.Specs(side) {
		all = append(all, s.Schemes...)
	}
	return all
}

func (r *Registry) examples(side Side) string {
	var all []string
	for _, s := range r.schemes(side) {
		all = append(all, s+"://")
	}
	return strings.Join(all, ", ") + " or a plain path"
}
