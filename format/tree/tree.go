// Package tree is the file system as an endpoint may use it: all of it, or one folder that
// nothing leads out of, neither .. nor links, whoever changes them meanwhile.
package tree

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"github.com/synclinehq/syncline"
)

// Tree opens files by their absolute paths. A nil one is the whole file system.
type Tree struct {
	dir  string
	root *os.Root
}

// Below is the folder dir and what is in it; "" is everything. Links in it may be relative
// ones that stay inside.
func Below(dir string) (*Tree, error) {
	if dir == "" {
		return nil, nil
	}
	if !filepath.IsAbs(dir) {
		return nil, syncline.Errorf(syncline.InvalidArgument, "the root %q is not absolute", dir).Of(syncline.ClassConfig).Try("give the whole path, from / on")
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, syncline.Errorf(syncline.FailedPrecondition, "open the root %s: %w", dir, cause(err)).Of(syncline.ClassConfig).
			Try("make the folder, and let the user that Syncline runs as read it")
	}
	return &Tree{filepath.Clean(dir), root}, nil
}

// Close lets go of the folder. Files that are open stay so.
func (t *Tree) Close() error {
	if t == nil {
		return nil
	}
	return t.root.Close()
}

// Dir is the folder, "" of the whole file system.
func (t *Tree) Dir() string {
	if t == nil {
		return ""
	}
	return t.dir
}

// Open opens a file for reading.
func (t *Tree) Open(path string) (*os.File, error) {
	return t.OpenFile(path, os.O_RDONLY, 0)
}

// OpenFile opens a file as os.OpenFile does.
func (t *Tree) OpenFile(path string, flag int, perm fs.FileMode) (*os.File, error) {
	if t == nil {
		return os.OpenFile(path, flag, perm)
	}
	name, err := t.name(path)
	if err != nil {
		return nil, err
	}
	f, err := t.root.OpenFile(name, flag, perm)
	return f, t.said(path, err)
}

// ReadFile reads a whole file.
func (t *Tree) ReadFile(path string) ([]byte, error) {
	if t == nil {
		return os.ReadFile(path)
	}
	name, err := t.name(path)
	if err != nil {
		return nil, err
	}
	data, err := t.root.ReadFile(name)
	return data, t.said(path, err)
}

// Stat looks at what a path leads to.
func (t *Tree) Stat(path string) (fs.FileInfo, error) {
	if t == nil {
		return os.Stat(path)
	}
	name, err := t.name(path)
	if err != nil {
		return nil, err
	}
	info, err := t.root.Stat(name)
	return info, t.said(path, err)
}

// ReadDir lists a folder in the order of names.
func (t *Tree) ReadDir(path string) ([]fs.DirEntry, error) {
	if t == nil {
		return os.ReadDir(path)
	}
	name, err := t.name(path)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(t.root.FS(), name)
	return entries, t.said(path, err)
}

// WalkDir walks a folder as filepath.WalkDir does, with absolute paths.
func (t *Tree) WalkDir(dir string, fn fs.WalkDirFunc) error {
	if t == nil {
		return filepath.WalkDir(dir, fn)
	}
	name, err := t.name(dir)
	if err != nil {
		return fn(dir, nil, err)
	}
	return fs.WalkDir(t.root.FS(), name, func(name string, d fs.DirEntry, err error) error {
		path := filepath.Join(t.dir, name)
		return fn(path, d, t.said(path, err))
	})
}

// MkdirAll makes a folder and those it is in.
func (t *Tree) MkdirAll(path string, perm fs.FileMode) error {
	return t.do(path, func(name string) error { return t.root.MkdirAll(name, perm) }, func() error { return os.MkdirAll(path, perm) })
}

// Remove removes a file.
func (t *Tree) Remove(path string) error {
	return t.do(path, func(name string) error { return t.root.Remove(name) }, func() error { return os.Remove(path) })
}

// Chmod changes the rights of a file.
func (t *Tree) Chmod(path string, mode fs.FileMode) error {
	return t.do(path, func(name string) error { return t.root.Chmod(name, mode) }, func() error { return os.Chmod(path, mode) })
}

// Rename moves a file over another.
func (t *Tree) Rename(from, to string) error {
	return t.do(to, func(name string) error {
		old, err := t.name(from)
		if err != nil {
			return err
		}
		return t.root.Rename(old, name)
	}, func() error { return os.Rename(from, to) })
}

// do is for what has no other result than an error.
func (t *Tree) do(path string, below func(name string) error, everywhere func() error) error {
	if t == nil {
		return everywhere()
	}
	name, err := t.name(path)
	if err != nil {
		return err
	}
	return t.said(path, below(name))
}

// CreateTemp makes a file of its own in a folder, its name beginning with prefix.
func (t *Tree) CreateTemp(dir, prefix string) (f *os.File, path string, err error) {
	const tries = 10_000
	for range tries {
		path = filepath.Join(dir, prefix+strconv.FormatUint(rand.Uint64(), 36))
		f, err = t.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return f, path, err
}

// name is a path as seen from the folder.
func (t *Tree) name(path string) (string, error) {
	name, err := filepath.Rel(t.dir, path)
	if err != nil || !filepath.IsLocal(name) {
		return "", t.outside(path)
	}
	return name, nil
}

// said gives an error the path that the caller knows, and a link out of the folder words.
func (t *Tree) said(path string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*syncline.Error](err); ok {
		return err
	}
	why := cause(err)
	if why.Error() == escapes {
		return t.outside(path)
	}
	return &fs.PathError{Op: "open", Path: path, Err: why}
}

// escapes is how package os says that a path leads out of an os.Root; it has no name for it.
const escapes = "path escapes from parent"

func (t *Tree) outside(path string) error {
	return syncline.Errorf(syncline.PermissionDenied, "%s leads out of the folder %s", path, t.dir).Of(syncline.ClassConfig).Because("outside_root").
		Try("name a file in it; links may only lead to other places in it, by relative paths")
}

// cause is an error without the paths that package os gave it.
func cause(err error) error {
	for {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		} else if e, ok := errors.AsType[*os.LinkError](err); ok {
			err = e.Err
		} else {
			return err
		}
	}
}
