package sqlitefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/synclinehq/syncline"
)

// The engine opens by name and looks names up for itself. So a file in a root is opened by
// a path in which no link is left, opening fails on a link, and what was opened is held
// against what the root has: names may have changed meanwhile, and changed back.

// OpenRead opens an existing file. It is never created; nothing can be written.
func (s Settings) OpenRead() (*Conn, error) { return s.opened(OpenRead, openRead) }

// OpenWrite opens a file and makes it when it is missing. Its folder must be there.
func (s Settings) OpenWrite() (*Conn, error) { return s.opened(OpenWrite, openWrite) }

func (s Settings) opened(free func(string) (*Conn, error), linkless func(string, bool) (*Conn, error)) (*Conn, error) {
	if s.Root == "" {
		return free(s.Path)
	}
	path, err := s.Real()
	if err != nil {
		return nil, err
	}
	c, err := linkless(path, true)
	if err != nil {
		return nil, err
	}
	if err := s.has(c); err != nil {
		return nil, c.abandon(err)
	}
	return c, nil
}

// has looks once more, at the names and at the file that was opened: a folder of the path
// may have been a link while the engine looked.
func (s Settings) has(c *Conn) error {
	if again, err := s.Real(); err != nil || again != c.path {
		return errors.Join(err, s.outside())
	}
	root, err := os.OpenRoot(s.Root)
	if err != nil {
		return s.rootless(err)
	}
	defer func() { _ = root.Close() }()
	name, err := filepath.Rel(s.Root, s.Path)
	if err != nil {
		return s.outside()
	}
	there, err := root.Lstat(name) // which opens folders, never the file: see Conn
	if err != nil || !c.holds(there) {
		return s.outside()
	}
	return nil
}

// Writable says why there cannot be a database file, as far as can be told without opening
// or making it.
func (s Settings) Writable() error {
	path, err := s.Real()
	if err != nil {
		return err
	}
	return Writable(path)
}

// Real is the path to open: with a root, one that leads to no place outside by any link.
func (s Settings) Real() (string, error) {
	if s.Root == "" {
		return s.Path, nil
	}
	root, err := filepath.EvalSymlinks(s.Root)
	if err != nil {
		return "", s.rootless(err)
	}
	name, err := filepath.Rel(s.Root, s.Path)
	if err != nil || !filepath.IsLocal(name) {
		return "", s.outside()
	}
	return filepath.Join(root, name), s.linkless(root, name)
}

func (s Settings) linkless(root, name string) error {
	path := root
	for element := range strings.SplitSeq(name, string(filepath.Separator)) {
		path = filepath.Join(path, element)
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // what is not there is no link; whether it may be missing is decided elsewhere
		case err != nil:
			return fmt.Errorf("look at %s: %w", path, reason(err))
		case info.Mode()&fs.ModeSymlink != 0:
			return s.outside()
		}
	}
	return nil
}

func (s Settings) rootless(err error) error {
	return syncline.Errorf(syncline.FailedPrecondition, "open the root %s: %w", s.Root, reason(err)).Of(syncline.ClassConfig).
		Try("make the folder, and let the user that Syncline runs as read it")
}

func (s Settings) outside() error {
	return syncline.Errorf(syncline.PermissionDenied, "%s leads out of the folder %s, or is a link in it", s.Path, s.Root).Of(syncline.ClassConfig).
		Because("outside_root").Try("name a file in it by a path without links")
}

// reason is an error without the path that package os gave it.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
