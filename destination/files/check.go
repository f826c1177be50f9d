package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/source"
)

// Check says whether files can be written.
func (d *Destination) Check(context.Context) ([]source.Finding, error) {
	dir := d.settings.dir()
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return []source.Finding{{Level: source.OK, What: "folder", Text: fmt.Sprintf("%s is not there yet and will be made", dir)}}, nil
	}
	f, err := os.CreateTemp(dir, ".syncline-check-*")
	if err == nil {
		err = errors.Join(f.Close(), os.Remove(f.Name()))
	}
	if wrong, ok := errors.AsType[*syncline.Error](failed("write to", dir, err)); ok {
		return []source.Finding{{Level: source.Fail, What: "folder", Text: wrong.Message, Remedy: wrong.Hint}}, nil
	}
	return []source.Finding{{Level: source.OK, What: "folder", Text: fmt.Sprintf("%s can be written to", dir)}}, nil
}
