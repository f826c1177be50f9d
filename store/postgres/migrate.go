package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/synclinehq/syncline/store/sqlstore"
)

const migrateTimeout = 10 * time.Minute

// migrate brings the schema up to date while nobody else does. The lock lives in a
// transaction of its own, beside those of the migrations: a session's would be lost
// behind a pooler. The limits of a pool's connections are not for migrations.
func (s *Store) migrate(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, migrateTimeout)
	defer stop()
	lock, err := s.beats.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = lock.Rollback(context.WithoutCancel(ctx)) }()
	for _, stmt := range []string{
		"set local statement_timeout = 0", "set local lock_timeout = 0", "set local idle_in_transaction_session_timeout = 0",
		"select pg_advisory_xact_lock(5297, 1)",
	} {
		if _, err := lock.Exec(ctx, stmt); err != nil {
			return err
		}
	}
	if err := s.makeSchema(ctx); err != nil {
		return err
	}
	db := stdlib.OpenDB(*s.pool.Config().ConnConfig)
	defer func() { _ = db.Close() }()
	return sqlstore.Migrate(ctx, db, flavor, goose.DialectPostgres, func(int64) error { return nil })
}

// makeSchema asks first: one who may not create schemas may be given one.
func (s *Store) makeSchema(ctx context.Context) error {
	var there bool
	err := s.pool.QueryRow(ctx, "select exists (select from pg_namespace where nspname = 'syncline')").Scan(&there)
	if err == nil && !there {
		_, err = s.pool.Exec(ctx, "create schema syncline")
	}
	return err
}
