package sqlitefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/synclinehq/syncline"
)

// folder checks that the file's folder is there: the engine's own words for it
// ("unable to open database file") name nothing.
func folder(path string) error {
	dir := filepath.Dir(path)
	at, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return syncline.Errorf(syncline.NotFound, "there is no folder %s for %s", dir, filepath.Base(path)).Of(syncline.ClassConfig).Try("make it: mkdir -p %s", dir)
	case err != nil:
		return syncline.Errorf(syncline.PermissionDenied, "look at the folder %s: %w", dir, err).Of(syncline.ClassConfig).Try("let this user read and write it")
	case !at.IsDir():
		return syncline.Errorf(syncline.InvalidArgument, "%s is not a folder", dir).Of(syncline.ClassConfig).Try("name a file in a folder")
	}
	return nil
}
