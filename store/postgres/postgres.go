// Package postgres keeps the ledger in a PostgreSQL database that any number of servers
// and workers share. It keeps no state in a session, so it works behind a pooler in
// transaction mode, and it never reads a standby.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/sqlstore"
)

const schema = "syncline."

var flavor = &sqlstore.Flavor{
	Read:  sqlstore.Words(schema, "{lock}", "", "{lock t}", "", "{lock p}", "", "{skip}", "", "{any}", "= any(", "{end}", ")"),
	Write: sqlstore.Words(schema, "{lock}", " for update", "{lock t}", " for update of t", "{lock p}", " for update of p", "{skip}", " for update skip locked", "{any}", "= any(", "{end}", ")"),
	Types: sqlstore.Words(schema, "{text}", `text collate "C"`, "{doc}", "text", "{keyed}", "",
		"{narrow}", "with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)"),
	List:  func(all []string) any { return all },
	Lane:  `select pg_advisory_xact_lock(hashtextextended($1, 5297))`,
	Clock: `select (extract(epoch from clock_timestamp()) * 1000000)::bigint`,
}

// Options of a store.
type Options struct {
	// AcceptDataLoss opens a ledger on a server that answers before a commit is on the
	// disk (fsync or synchronous_commit off). For tests, and for those who say so.
	AcceptDataLoss bool
	MaxConns       int32 // for changes and views; default 10
}

// Store is a ledger in a shared database.
type Store struct {
	pool  *pgxpool.Pool
	beats *pgxpool.Pool // beats never wait behind changes for a connection
}

var _ syncline.Store = (*Store)(nil)

// Open connects to the database and brings its schema up to date. The DSN may name
// several hosts; the one that takes writes is used. No error repeats the password.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	cfg, err := configure(dsn)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	s := &Store{}
	if s.pool, err = open(ctx, cfg, max(o.MaxConns, 10)); err != nil {
		return nil, err
	}
	if s.beats, err = open(ctx, cfg, 2); err != nil {
		s.pool.Close()
		return nil, err
	}
	if err := s.prepare(ctx, o); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("open ledger on %s: %w", place(cfg), explain(err))
	}
	return s, nil
}

func configure(dsn string) (*pgxpool.Config, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// The error of the parser repeats what it could not parse, password and all.
		return nil, syncline.Errorf(syncline.InvalidArgument, "the ledger's URL is not a PostgreSQL URL").Of(syncline.ClassConfig).
			Try("write it as postgres://user:password@host:5432/database")
	}
	if cfg.ConnConfig.ValidateConnect == nil {
		cfg.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	// Statements are described once a connection but never prepared by name, which a
	// pooler in transaction mode would hand to somebody else.
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	cfg.ConnConfig.ConnectTimeout = 10 * time.Second
	cfg.HealthCheckPeriod = 5 * time.Second
	return cfg, nil
}

func open(ctx context.Context, cfg *pgxpool.Config, conns int32) (*pgxpool.Pool, error) {
	own := cfg.Copy()
	own.MaxConns = conns
	pool, err := pgxpool.NewWithConfig(ctx, own)
	if err != nil {
		return nil, syncline.Errorf(syncline.Unavailable, "connect to the ledger on %s", place(cfg)).Of(syncline.ClassNetwork).Again()
	}
	return pool, nil
}

// place is where a ledger is, without user and password.
func place(cfg *pgxpool.Config) string {
	return fmt.Sprintf("%s:%d/%s", cfg.ConnConfig.Host, cfg.ConnConfig.Port, cfg.ConnConfig.Database)
}

// prepare checks that the server keeps what it acknowledges, and migrates.
func (s *Store) prepare(ctx context.Context, o Options) error {
	if err := s.durable(ctx, o); err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// Two servers that start together must not migrate together.
	if _, err := conn.ExecContext(ctx, "select pg_advisory_lock(5297, 1)"); err != nil {
		return err
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "select pg_advisory_unlock(5297, 1)") }()
	var there bool
	if err := conn.QueryRowContext(ctx, "select exists (select 1 from pg_namespace where nspname = 'syncline')").Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := conn.ExecContext(ctx, "create schema syncline"); err != nil {
			return err
		}
	}
	return sqlstore.Migrate(ctx, db, flavor, goose.DialectPostgres, func(int64) error { return nil })
}

func (s *Store) durable(ctx context.Context, o Options) error {
	if o.AcceptDataLoss {
		return nil
	}
	for _, setting := range []string{"fsync", "synchronous_commit"} {
		var value string
		if err := s.pool.QueryRow(ctx, "select current_setting($1)", setting).Scan(&value); err != nil {
			return err
		}
		if value == "off" {
			return syncline.Errorf(syncline.FailedPrecondition, "the server of the ledger has %s = off: it would forget what it acknowledged", setting).
				Of(syncline.ClassConfig).Because("not_durable").Try("set %s = on, or give --i-accept-data-loss", setting)
		}
	}
	return nil
}

const (
	beginUpdate = `begin; set local statement_timeout = '10s'; set local lock_timeout = '8s'; set local idle_in_transaction_session_timeout = '15s'`
	beginBeat   = `begin; set local synchronous_commit = off; set local statement_timeout = '4s'; set local lock_timeout = '3s'`
	beginView   = `begin isolation level repeatable read read only; set local statement_timeout = '10s'`
)

// tries is how often a transaction is run that collides with others.
const tries = 10

// View runs fn in a snapshot.
func (s *Store) View(ctx context.Context, fn func(syncline.Tx) error) error {
	return run(ctx, s.pool, beginView, flavor.Read, func(ses *session) error { return sqlstore.Call(fn, sqlstore.NewTx(ses, flavor, nil)) })
}

// Update runs fn in a transaction, again when it collides with another.
func (s *Store) Update(ctx context.Context, fn func(syncline.Tx) error) error {
	return run(ctx, s.pool, beginUpdate, flavor.Write, func(ses *session) error { return sqlstore.Call(fn, sqlstore.NewTx(ses, flavor, nil)) })
}

// Beat extends the leases that are still held, on a connection of its own.
func (s *Store) Beat(ctx context.Context, held []syncline.Hold, ttl time.Duration) (answers []syncline.BeatAnswer, err error) {
	err = run(ctx, s.beats, beginBeat, flavor.Write, func(ses *session) error {
		good, err := extend(ses, held, ttl)
		answers = good.Answers(held)
		return err
	})
	return answers, err
}

// Report stores progress and extends the leases it belongs to.
func (s *Store) Report(ctx context.Context, reports []syncline.TaskReport, ttl time.Duration) (answers []syncline.BeatAnswer, err error) {
	err = run(ctx, s.pool, beginUpdate, flavor.Write, func(ses *session) error {
		answers, err = sqlstore.NewTx(ses, flavor, nil).Report(reports, func(held []syncline.Hold) (sqlstore.Held, error) {
			return extend(ses, held, ttl)
		})
		return err
	})
	return answers, err
}

// extend locks the rows in the order of their key, so that two beats cannot deadlock.
func extend(ses *session, held []syncline.Hold, ttl time.Duration) (sqlstore.Held, error) {
	const stmt = `with mine as (select l.run_id, l.part from {leases} l join unnest($1::text[], $2::text[], $3::bigint[]) u(id, part, token)
			on l.run_id = u.id and l.part = u.part and l.token = u.token order by l.run_id, l.part for update of l),
		now as (select (extract(epoch from clock_timestamp()) * 1000000)::bigint as us from (select count(*) from mine) locked)
		update {leases} l set seen_at = now.us, expires_at = now.us + $4::bigint
		from mine, now where l.run_id = mine.run_id and l.part = mine.part returning l.run_id, l.part, l.token, l.ask`
	ids, parts, tokens := make([]string, len(held)), make([]string, len(held)), make([]int64, len(held))
	for i, h := range held {
		ids[i], parts[i], tokens[i] = h.Run, h.Part, h.Token
	}
	good := sqlstore.Held{}
	err := ses.Query(func(scan sqlstore.Scan) error {
		var h syncline.Hold
		var ask syncline.Ask
		err := scan(&h.Run, &h.Part, &h.Token, &ask)
		good[h] = ask
		return err
	}, stmt, ids, parts, tokens, ttl.Microseconds())
	if err != nil {
		return nil, fmt.Errorf("extend %d leases: %w", len(held), err)
	}
	return good, nil
}

// Now is the database's clock.
func (s *Store) Now(ctx context.Context) (at time.Time, err error) {
	err = s.View(ctx, func(tx syncline.Tx) error {
		at, err = tx.Now()
		return err
	})
	return at, err
}

// Started is since when the server runs.
func (s *Store) Started(ctx context.Context) (at time.Time, err error) {
	ctx, stop := sqlstore.Bound(ctx)
	defer stop()
	err = s.pool.QueryRow(ctx, "select pg_postmaster_start_time()").Scan(&at)
	return at.UTC(), explain(err)
}

// Shared is true.
func (s *Store) Shared() bool { return true }

// Close ends all connections.
func (s *Store) Close() error {
	s.pool.Close()
	s.beats.Close()
	return nil
}

// run runs one transaction, again when that is sure to repeat nothing.
func run(ctx context.Context, pool *pgxpool.Pool, begin string, words *strings.Replacer, fn func(*session) error) (err error) {
	ctx, stop := sqlstore.Bound(ctx)
	defer stop()
	for try := range tries {
		if err = once(ctx, pool, begin, words, fn); !collided(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(time.Duration(try+1) * 5 * time.Millisecond)):
		}
	}
	return err
}

func once(ctx context.Context, pool *pgxpool.Pool, begin string, words *strings.Replacer, fn func(*session) error) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return explain(err)
	}
	defer conn.Release()
	// The simple protocol sends all of it in one message.
	if _, err := conn.Conn().PgConn().Exec(ctx, begin).ReadAll(); err != nil {
		return explain(err)
	}
	s := &session{ctx: ctx, conn: conn.Conn(), words: words}
	err = fn(s)
	s.over = true
	if err != nil {
		rollback(conn.Conn())
		return err
	}
	return commit(ctx, conn.Conn())
}

// commit ends a transaction. When the connection is lost on the way its fate is unknown,
// and only the caller can look.
func commit(ctx context.Context, conn *pgx.Conn) error {
	tag, err := conn.Exec(ctx, "commit")
	switch {
	case err == nil && tag.String() != "COMMIT":
		return errors.New("the transaction of the ledger had failed before its end")
	case err == nil:
		return nil
	}
	if _, answered := errors.AsType[*pgconn.PgError](err); answered {
		return explain(err)
	}
	return syncline.Errorf(syncline.Unavailable, "the connection to the ledger broke while it committed: %w", lost(err)).
		Of(syncline.ClassNetwork).Because("commit_unknown").Again()
}

func rollback(conn *pgx.Conn) {
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	if _, err := conn.Exec(ctx, "rollback"); err != nil {
		_ = conn.Close(ctx) // the pool makes another
	}
}
