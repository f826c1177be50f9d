package files

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/synclinehq/syncline"
)

// failed says what could not be done to a path.
func failed(doing, path string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*syncline.Error](err); ok {
		return err
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return syncline.Errorf(syncline.ResourceExhausted, "no space left to %s %s", doing, path).Of(syncline.ClassDestination).Because("no_space").
			Try("free space there; what was written so far is kept and gone on with").Again()
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return syncline.Errorf(syncline.PermissionDenied, "may not %s %s", doing, path).Of(syncline.ClassDestination).
			Try("give the user that Syncline runs as the right to write there")
	case errors.Is(err, syscall.ENAMETOOLONG):
		return syncline.Errorf(syncline.InvalidArgument, "the name of %s is too long for its file system", path).Of(syncline.ClassDestination).
			Try("give the entity a shorter table name")
	}
	return syncline.Errorf(syncline.Unavailable, "%s %s: %w", doing, path, err).Of(syncline.ClassDestination).Again()
}
