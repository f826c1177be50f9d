package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/source"
)

// Check says whether files can be written.
func (d *Destination) Check(context.Context) ([]source.Finding, error) {
	dir, tree := d.settings.dir(), d.settings.tree
	if _, err := tree.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return []source.Finding{{Level: source.OK, What: "folder", Text: fmt.Sprintf("%s is not there yet and will be made", dir)}}, nil
	}
	f, path, err := tree.CreateTemp(dir, ".syncline-check-")
	if err == nil {
		err = errors.Join(f.Close(), tree.Remove(path))
	}
	if wrong, ok := errors.AsType[*syncline.Error](failed("write to", dir, err)); ok {
		return []source.Finding{{Level: source.Fail, What: "folder", Text: wrong.Message, Remedy: wrong.Hint}}, nil
	}
	return []source.Finding{{Level: source.OK, What: "folder", Text: fmt.Sprintf("%s can be written to", dir)}}, nil
}
