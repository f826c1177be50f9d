package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/compress"
)

// file is one that matches the path.
type file struct {
	name string // below the part of the path without pattern; unique
	path string
}

// maxFiles bounds how many files one source may have: the mark of an incremental read
// names them all.
const maxFiles = 20_000

// errNoMatch says that nothing matches now, though the place to look in is there.
var errNoMatch = errors.New("no file matches")

// files lists what the path matches, in the order of names.
func (s *Source) files(ctx context.Context) ([]file, error) {
	p := filepath.Clean(s.settings.Path)
	info, err := s.tree.Stat(p)
	switch {
	case err == nil && !info.IsDir():
		return []file{{filepath.Base(p), p}}, nil
	case err == nil:
		return s.list(ctx, p, "*", true)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, unreadable(p, err)
	}
	dir, pattern := split(p)
	if pattern == "" {
		return nil, missing(p)
	}
	if _, err := s.tree.Stat(dir); err != nil {
		return nil, unreadable(dir, err)
	}
	return s.list(ctx, dir, pattern, false)
}

func missing(p string) error {
	err := syncline.Errorf(syncline.NotFound, "there is no file or folder %s", p).Of(syncline.ClassConfig)
	return err.Try("check the path; a pattern such as /data/*.csv belongs in quotes on a command line")
}

// unreadable says what is wrong with a path.
func unreadable(p string, err error) error {
	if e, ok := errors.AsType[*syncline.Error](err); ok {
		return e // it leads out of the root
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing(p)
	case errors.Is(err, fs.ErrPermission):
		return syncline.Errorf(syncline.PermissionDenied, "may not read %s", p).Of(syncline.ClassConfig).Try("give the user that Syncline runs as the right to read it")
	}
	return syncline.Errorf(syncline.Unavailable, "read %s: %w", p, err).Of(syncline.ClassSource).Again()
}

// split cuts a path before its first element with a pattern.
func split(p string) (dir, pattern string) {
	elements := strings.Split(p, "/")
	at := slices.IndexFunc(elements, func(e string) bool { return strings.ContainsAny(e, "*?[") })
	if at < 0 {
		return p, ""
	}
	return strings.Join(elements[:at], "/") + "/", strings.Join(elements[at:], "/")
}

// list walks dir. Hidden files are left out, and, when only known ones are wanted, files
// whose names do not tell a format.
func (s *Source) list(ctx context.Context, dir, pattern string, known bool) ([]file, error) {
	if err := checkPattern(pattern); err != nil {
		return nil, err
	}
	elements := strings.Split(pattern, "/")
	var found []file
	err := s.tree.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, p) // p is below dir
		switch {
		case err != nil && name == ".":
			return unreadable(p, err)
		case err != nil && !fits(elements, name, true):
			return fs.SkipDir
		case err != nil:
			return unreadable(p, err)
		case ctx.Err() != nil:
			return ctx.Err()
		case name == ".":
			return nil
		case d.IsDir():
			if strings.HasPrefix(d.Name(), ".") || !fits(elements, name, true) {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasPrefix(d.Name(), ".") || !fits(elements, name, false) || known && s.formatOf(p) == "" || !s.isFile(p) {
			return nil
		}
		if len(found) == maxFiles {
			return syncline.Invalid("path", "more than %d files match %s", maxFiles, s.settings.Path).Try("match fewer, with several pipelines if need be")
		}
		found = append(found, file{name, p})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		err := syncline.Errorf(syncline.NotFound, "%w %s", errNoMatch, s.settings.Path).Of(syncline.ClassConfig)
		return nil, err.Try("files are known by .csv, .tsv, .jsonl, .ndjson or .json, with .gz or .zst behind it; a pattern may match others when format is given")
	}
	slices.SortFunc(found, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return found, nil
}

func checkPattern(pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil {
		return syncline.Invalid("path", "the pattern %q has a [ without its ]", pattern).Try("close it, or write [[] for the sign itself")
	}
	return nil
}

// isFile follows links; a pipe or a device would be read for ever.
func (s *Source) isFile(p string) bool {
	info, err := s.tree.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

// fits matches a name against the elements of a pattern; as a folder, if something below
// it may match.
func fits(pattern []string, name string, folder bool) bool {
	return matches(pattern, strings.Split(name, "/"), folder)
}

func matches(pattern, name []string, folder bool) bool {
	switch {
	case len(name) == 0:
		return folder && len(pattern) > 0 || !folder && len(pattern) == 0
	case len(pattern) == 0:
		return false
	case pattern[0] == "**" && len(pattern) == 1:
		return true
	case pattern[0] == "**":
		return matches(pattern[1:], name, folder) || matches(pattern, name[1:], folder)
	}
	ok, _ := path.Match(pattern[0], name[0]) // checked before
	return ok && matches(pattern[1:], name[1:], folder)
}

// pick keeps the entities that patterns name: as they are called, as a pattern of it, or
// without the ending of the file's name.
func pick(names []string, patterns []string) (map[string]bool, error) {
	picked := map[string]bool{}
	for _, p := range patterns {
		hit := false
		for _, name := range names {
			if ok, _ := path.Match(p, name); ok || p == name || p == stem(name) {
				picked[name], hit = true, true
			}
		}
		if !hit {
			return nil, syncline.Errorf(syncline.NotFound, "no file %q", p).Of(syncline.ClassConfig).Try("there is %s", some(names))
		}
	}
	return picked, nil
}

func some(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func stem(name string) string {
	_, name = compress.ByName(name)
	return strings.TrimSuffix(name, path.Ext(name))
}
