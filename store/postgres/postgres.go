// Package postgres keeps the ledger in a PostgreSQL database that any number of servers
// and workers share. It relies on nothing a session remembers when a pooler stands
// between, and it never reads a standby.
package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/sqlstore"
)

// Options of a store.
type Options struct {
	// AcceptDataLoss opens a ledger on a server that answers before a commit is on the
	// disk (fsync or synchronous_commit off). For tests, and for those who say so.
	AcceptDataLoss bool
}

// Store is a ledger in a shared database.
type Store struct {
	pool  *pgxpool.Pool
	beats *pgxpool.Pool // beats never wait behind changes for a connection
	kinds kinds
}

var _ syncline.Store = (*Store)(nil)

// Open connects to the database and brings its schema up to date. The DSN may name
// several hosts; the one that takes writes is used. No error repeats the password.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	cfg, err := configure(dsn)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, cfg, o)
	if err != nil {
		return nil, failedAt(cfg.ConnConfig, err)
	}
	return s, nil
}

func open(ctx context.Context, cfg *pgxpool.Config, o Options) (*Store, error) {
	server, err := ask(ctx, cfg.ConnConfig)
	if err != nil {
		return nil, err
	}
	if err := server.durable(); err != nil && !o.AcceptDataLoss {
		return nil, err
	}
	s := &Store{kinds: server.adapt(cfg)}
	if s.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, err
	}
	few := cfg.Copy()
	few.MaxConns, few.MinConns = 2, 0
	if s.beats, err = pgxpool.NewWithConfig(ctx, few); err != nil {
		s.pool.Close()
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// View runs fn in a snapshot.
func (s *Store) View(ctx context.Context, fn func(syncline.Tx) error) error {
	return run(ctx, s.pool, s.kinds.view, func(ses *session) error {
		return sqlstore.Call(fn, sqlstore.NewTx(ses, flavor, nil))
	})
}

// Update runs fn in a transaction, again when another one, or the end of the connection,
// has undone it before it could commit.
func (s *Store) Update(ctx context.Context, fn func(syncline.Tx) error) error {
	var tx *sqlstore.Tx
	return run(ctx, s.pool, s.kinds.update, func(ses *session) error {
		if tx != nil {
			tx.Undone()
		}
		tx = sqlstore.NewTx(ses, flavor, nil)
		return sqlstore.Call(fn, tx)
	})
}

// Now is the database's clock.
func (s *Store) Now(ctx context.Context) (at time.Time, err error) {
	err = run(ctx, s.pool, s.kinds.bare, func(ses *session) error {
		at, err = sqlstore.NewTx(ses, flavor, nil).Now()
		return err
	})
	return at, err
}

// Started is since when the server runs.
func (s *Store) Started(ctx context.Context) (at time.Time, err error) {
	err = run(ctx, s.pool, s.kinds.bare, func(ses *session) error {
		return ses.Query(func(scan sqlstore.Scan) error { return scan(&at) }, `select pg_postmaster_start_time()`)
	})
	return at.UTC(), err
}

// Shared is true: that is what it is for.
func (s *Store) Shared() bool { return true }

// Close waits for the transactions that have begun and ends all connections.
func (s *Store) Close() error {
	s.pool.Close()
	s.beats.Close()
	return nil
}
