// Package postgres reads tables, views, materialised views and foreign tables of a
// PostgreSQL database by binary COPY, under one snapshot for every attempt.
package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgurl"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/spec"
)

const kind = "postgres"

// Kind is the source for the registry.
var Kind = source.Kind{Spec: described, Open: open}

var described = spec.Spec{
	Kind:    kind,
	Summary: "Tables, views and foreign tables of a PostgreSQL database",
	Fields:  pgurl.Fields,
	Schemes: pgurl.Schemes,
	FromURL: func(u *url.URL) (json.RawMessage, error) { return pgurl.FromURL(kind, pgurl.Fields, u) },
	Show:    pgurl.Show,
	Local:   pgurl.Local,
}

// Source reads one database.
type Source struct {
	settings pgurl.Settings
	dial     pgurl.Dial
	log      *slog.Logger
	schemas  []string // the search path, for names without a schema
	version  int

	life  context.Context // ends with Close
	close context.CancelCauseFunc

	mu   sync.Mutex // guards meta: one question at a time
	meta *pgx.Conn  // for the catalog and for planning; in no transaction between two questions

	spare chan []byte // memory for batches of tuples as they came

	holding sync.Mutex
	holders map[string]*holder // of snapshots, by entity
}

var (
	_ source.Source    = (*Source)(nil)
	_ source.Resumer   = (*Source)(nil)
	_ source.Formatter = (*Source)(nil)
	_ source.Counter   = (*Source)(nil)
	_ source.Checker   = (*Source)(nil)
)

var errClosed = errors.New("the source was closed")

func open(ctx context.Context, env source.Env, settings json.RawMessage) (source.Source, error) {
	s := &Source{dial: env.Dial, log: env.Log, spare: newSpare(), holders: map[string]*holder{}}
	if err := described.Decode(settings, &s.settings); err != nil {
		return nil, err
	}
	s.life, s.close = context.WithCancelCause(context.Background())
	err := s.ask(ctx, "look at the server", func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, "select current_setting('server_version_num')::int, current_schemas(false)").Scan(&s.version, &s.schemas)
	})
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends every read that is under way and lets go of all connections.
func (s *Source) Close() error {
	s.close(errClosed)
	s.holding.Lock()
	for _, h := range s.holders {
		hangUp(h.conn)
	}
	clear(s.holders)
	s.holding.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.meta != nil {
		hangUp(s.meta)
		s.meta = nil
	}
	return nil
}

// alive is ctx, ended also by Close.
func (s *Source) alive(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(s.life, func() { cancel(errClosed) })
	return ctx, func(cause error) { stop(); cancel(cause) }
}

// connect opens a connection of its own for a read or a snapshot.
func (s *Source) connect(ctx context.Context) (*pgx.Conn, error) {
	return pgurl.ConnectVia(ctx, s.dial, s.settings, nil, func(c net.Conn) net.Conn { return newShortMessages(c) })
}

// hangUp ends a connection; a server that does not answer is not waited for.
func hangUp(c *pgx.Conn) {
	ctx, stop := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer stop()
	_ = c.Close(ctx)
	select {
	case <-c.PgConn().CleanupDone():
	case <-ctx.Done():
		_ = c.PgConn().Conn().Close()
	}
}

// ask puts questions to the catalog in one transaction, in which names of types are
// qualified unless they are the server's own.
func (s *Source) ask(ctx context.Context, what string, questions func(context.Context, *pgx.Conn) error) error {
	ctx, done := s.alive(ctx)
	defer done(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.meta == nil || s.meta.IsClosed() {
		c, err := s.connect(ctx)
		if err != nil {
			return err
		}
		s.meta = c
	}
	err := inTransaction(ctx, s.meta, "", func() error { return questions(ctx, s.meta) })
	return s.explain(ctx, err, what)
}

// explain turns what went wrong into what a person may see.
func (s *Source) explain(ctx context.Context, err error, what string, args ...any) error {
	if err == nil {
		return nil
	}
	if errors.Is(context.Cause(ctx), errClosed) {
		return syncline.Errorf(syncline.Canceled, "the source was closed while it was read").Of(syncline.ClassSource)
	}
	return pgurl.Error(ctx, syncline.ClassSource, err, what, args...)
}
