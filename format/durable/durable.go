// Package durable changes files so that after a crash there is either the old content or
// the new one, whole.
package durable

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/synclinehq/syncline/format/tree"
)

// WriteFile puts data under path: a file of its own is synced, then renamed over it. What
// writers of this path left that were killed on the way is removed; one that is still at
// it, stopped and overtaken, is refused when it goes on.
func WriteFile(t *tree.Tree, path string, data []byte) error {
	dir := filepath.Dir(path)
	name := sha256.Sum256([]byte(filepath.Base(path))) // itself it could be too long for two
	prefix := fmt.Sprintf(".new-%x-", name[:8])
	f, fresh, err := t.CreateTemp(dir, prefix)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = Rename(t, fresh, path)
	} else {
		err = errors.Join(err, t.Remove(fresh))
	}
	return errors.Join(err, sweep(t, dir, prefix))
}

// sweep removes the files of a folder whose names begin with prefix.
func sweep(t *tree.Tree, dir, prefix string) error {
	files, err := t.ReadDir(dir)
	for _, f := range files {
		if strings.HasPrefix(f.Name(), prefix) {
			if gone := t.Remove(filepath.Join(dir, f.Name())); !errors.Is(gone, fs.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
	}
	return err
}

// Rename moves a synced file to path, replacing what is there, and makes that last.
func Rename(t *tree.Tree, from, path string) error {
	if err := t.Rename(from, path); err != nil {
		return err
	}
	return SyncDir(t, filepath.Dir(path))
}

// SyncDir makes the names in a folder last.
func SyncDir(t *tree.Tree, dir string) error {
	d, err := t.Open(dir)
	if err != nil {
		return err
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}
