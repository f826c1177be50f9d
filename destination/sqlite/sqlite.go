// Package sqlite writes tables of a SQLite file. Rows, positions and counts are durable
// in one transaction; all of a process that write to a file share one connection, one
// transaction after another, and none is left open between two calls.
package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/source"
)

// Kind writes SQLite files.
var Kind = destination.Kind{
	Spec: sqlitefile.Spec("tables of a SQLite file, which is made when it is missing"),
	Open: open,
}

// Destination is one file.
type Destination struct {
	file  *file
	ended sync.Once
}

var (
	_ destination.Destination = (*Destination)(nil)
	_ source.Checker          = (*Destination)(nil)
)

func open(ctx context.Context, _ source.Env, settings json.RawMessage) (destination.Destination, error) {
	set, err := sqlitefile.Decode(sqlitefile.Spec(""), settings)
	if err != nil {
		return nil, err
	}
	f, err := share(set)
	if err != nil {
		return nil, err
	}
	d := &Destination{file: f}
	if err := d.look(ctx, func(*sqlitefile.Conn) error { return nil }); err != nil {
		d.file.release()
		return nil, err
	}
	return d, nil
}

// look runs fn on what the file holds. A file that is not there is not made yet: fn is
// left out, and it is only checked that it can be made.
func (d *Destination) look(ctx context.Context, fn func(*sqlitefile.Conn) error) error {
	if err := d.file.at.Writable(); err != nil {
		return err
	}
	if !sqlitefile.Exists(d.file.path) {
		return nil
	}
	return d.file.use(ctx, func(c *sqlitefile.Conn) error { return c.View(func() error { return fn(c) }) })
}

// Close lets go of the file.
func (d *Destination) Close() error {
	d.ended.Do(d.file.release)
	return nil
}

// Check says whether the file can be written.
func (d *Destination) Check(ctx context.Context) ([]source.Finding, error) {
	found := source.Finding{Level: source.OK, What: "file", Text: d.file.path + " can be written"}
	if !sqlitefile.Exists(d.file.path) {
		found.Text = d.file.path + " will be made by the first run"
		return []source.Finding{found}, nil
	}
	err := d.file.use(ctx, func(c *sqlitefile.Conn) error {
		// Nothing is written, but the lock and the journal of a writer are had.
		return c.Update(func() error { return nil })
	})
	if said, ok := errors.AsType[*syncline.Error](err); ok {
		found.Level, found.Text, found.Remedy = source.Fail, said.Message, said.Hint
		return []source.Finding{found}, nil
	}
	return []source.Finding{found}, err
}
