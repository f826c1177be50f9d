// Package sqlite reads the tables and views of a SQLite file. Each read is one
// transaction on a connection of its own, so it sees one state of the file, whoever
// writes to it meanwhile.
package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/source"
)

// Kind reads SQLite files.
var Kind = source.Kind{
	Spec: sqlitefile.Spec("tables and views of a SQLite file"),
	Open: open,
}

// Source is one file.
type Source struct {
	path string
	at   sqlitefile.Settings
	log  *slog.Logger
	// closed ends reads that are under way.
	closed context.Context
	close  context.CancelFunc
}

var (
	_ source.Source  = (*Source)(nil)
	_ source.Counter = (*Source)(nil)
	_ source.Checker = (*Source)(nil)
)

var errClosed = errors.New("the source was closed")

func open(ctx context.Context, env source.Env, settings json.RawMessage) (source.Source, error) {
	set, err := sqlitefile.Decode(sqlitefile.Spec(""), settings)
	if err != nil {
		return nil, err
	}
	s := &Source{path: set.Path, at: set, log: env.Log}
	s.closed, s.close = context.WithCancel(context.Background())
	if err := s.view(ctx, func(*sqlitefile.Conn) error { return nil }); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// Close ends what is under way.
func (s *Source) Close() error {
	s.close()
	return nil
}

// view runs fn in a read transaction of its own, which ends with ctx or the source.
func (s *Source) view(ctx context.Context, fn func(*sqlitefile.Conn) error) (err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(s.closed, func() { stop(errClosed) })()
	c, err := s.at.OpenRead()
	if err != nil {
		return err
	}
	defer func() {
		if closing := c.Close(); err == nil {
			err = closing
		}
	}()
	defer c.Watch(ctx)()
	return c.View(func() error {
		// The snapshot is taken by the first read, not by begin.
		if _, err := c.Int("select count(*) from sqlite_schema"); err != nil {
			return err
		}
		return fn(c)
	})
}

// failed gives an error of the engine's that explains nothing by itself its entity.
func failed(entity string, err error) error {
	if e, ok := errors.AsType[*sqlitefile.Error](err); ok && syncline.CodeOf(err) == syncline.Internal {
		return syncline.Errorf(syncline.FailedPrecondition, "read %s: %w", entity, e).Of(syncline.ClassSource).
			Try("if the table was changed meanwhile, run again; else ask SQLite: sqlite3 FILE 'select * from %s limit 1'", sqlitefile.Quote(entity))
	}
	return err
}
