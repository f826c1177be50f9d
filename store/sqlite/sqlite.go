// Package sqlite keeps the ledger in one SQLite file that one process holds: one writer
// connection that commits whatever waits together, and a pool of readers beside it.
package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/sqlstore"
)

// DB is a ledger in a file.
type DB struct {
	opened  time.Time // with the monotonic clock
	write   *sql.DB
	read    *sql.DB
	writer  *writer
	readers chan *conn // nil: not opened yet
}

var _ syncline.Store = (*DB)(nil)

// openTimeout leaves time for a migration of a big ledger.
const openTimeout = 10 * time.Minute

// Open opens the ledger at path, making or migrating it first. An older ledger is copied
// to <path>.<version>.bak before. That nobody else opens it is for the caller to see to.
func Open(ctx context.Context, path string) (*DB, error) {
	ctx, stop := context.WithTimeout(ctx, openTimeout)
	defer stop()
	if err := create(path); err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite", dsn(path, "_txlock=immediate"))
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	write.SetMaxOpenConns(1)
	if err := sqlstore.Migrate(ctx, write, flavor, goose.DialectSQLite3, backup(ctx, write, path)); err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger %s: %w", path, explain(err)), write.Close())
	}
	d := &DB{opened: time.Now(), write: write}
	if err := d.start(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger %s: %w", path, explain(err)), write.Close())
	}
	return d, nil
}

func (d *DB) start(ctx context.Context, path string) error {
	c, err := newConn(ctx, d.write, flavor.Write)
	if err != nil {
		return err
	}
	if d.read, err = sql.Open("sqlite", dsn(path, "_query_only=1")); err != nil {
		return errors.Join(err, c.Close())
	}
	n := max(4, runtime.NumCPU())
	d.read.SetMaxOpenConns(n)
	d.readers = make(chan *conn, n)
	for range n {
		d.readers <- nil
	}
	d.writer = newWriter(c)
	return nil
}

// create makes the file itself so that nobody else can read it: SQLite would ask the umask.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		return f.Close()
	}
	e := syncline.Errorf(syncline.FailedPrecondition, "open ledger: %w", err).Of(syncline.ClassConfig)
	if errors.Is(err, os.ErrNotExist) {
		return e.Try("make the folder %s first", filepath.Dir(path))
	}
	return e.Try("give this user the right to write %s", path)
}

// dsn is a connection to path with the pragmas that durability rests on. The driver
// applies busy_timeout first and the others by name: journal_mode before synchronous.
func dsn(path, more string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}
	u.RawQuery = strings.Join([]string{
		"_pragma=busy_timeout(10000)",
		"_pragma=journal_mode(WAL)",
		"_pragma=synchronous(FULL)", // a commit is on the disk when it is acknowledged
		"_pragma=foreign_keys(1)",
		"_pragma=journal_size_limit(67108864)",
		"_pragma=temp_store(MEMORY)",
		"_pragma=mmap_size(0)", // an I/O error under mmap is a SIGBUS, not an error
		"_dqs=0",
		more,
	}, "&")
	return u.String()
}

// backup copies the ledger beside itself before a migration changes it.
func backup(ctx context.Context, db *sql.DB, path string) func(int64) error {
	return func(version int64) error {
		to := fmt.Sprintf("%s.%d.bak", path, version)
		if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("replace the old backup: %w", err)
		}
		if _, err := db.ExecContext(ctx, "vacuum into $1", to); err != nil {
			return fmt.Errorf("copy the ledger to %s before migrating it: %w", to, err)
		}
		return nil
	}
}

// View runs fn in a snapshot on one of the readers.
func (d *DB) View(ctx context.Context, fn func(syncline.Tx) error) error {
	ctx, stop := sqlstore.Bound(ctx)
	defer stop()
	return d.snapshot(ctx, func(s *session) error {
		return sqlstore.Call(fn, sqlstore.NewTx(s, flavor, d.now))
	})
}

func (d *DB) snapshot(ctx context.Context, fn func(*session) error) error {
	c, err := d.reader(ctx)
	if err != nil {
		return err
	}
	s := &session{conn: c, ctx: ctx, stmtCtx: ctx}
	defer d.giveBack(s)
	if err := c.run("begin"); err != nil {
		return fmt.Errorf("begin to read the ledger: %w", explain(err))
	}
	return fn(s)
}

// giveBack ends a reader's transaction. A reader that cannot end it is replaced.
func (d *DB) giveBack(s *session) {
	s.end()
	c := s.conn
	if err := c.run("rollback"); err != nil {
		_ = c.Close()
		c = nil
	}
	d.readers <- c
}

func (d *DB) reader(ctx context.Context) (*conn, error) {
	select {
	case <-ctx.Done():
		return nil, sqlstore.Late(ctx)
	case <-d.writer.quit:
		return nil, errClosed
	case c := <-d.readers:
		if c != nil {
			return c, nil
		}
	}
	c, err := newConn(ctx, d.read, flavor.Read)
	if err != nil {
		d.readers <- nil
		return nil, fmt.Errorf("open a reader of the ledger: %w", explain(err))
	}
	return c, nil
}

// Update runs fn on the writer, durable when it returns nil.
func (d *DB) Update(ctx context.Context, fn func(syncline.Tx) error) error {
	ctx, stop := sqlstore.Bound(ctx)
	defer stop()
	return d.writer.do(ctx, func(s *session) error {
		return sqlstore.Call(fn, sqlstore.NewTx(s, flavor, d.now))
	})
}

// Now is the wall clock of the opening plus what has passed since: no jump moves it.
func (d *DB) Now(context.Context) (time.Time, error) { return d.now() }

func (d *DB) now() (time.Time, error) {
	return d.opened.Add(time.Since(d.opened)).UTC().Truncate(time.Microsecond), nil
}

// Started is zero: there is no server that could have been away.
func (d *DB) Started(context.Context) (time.Time, error) { return time.Time{}, nil }

// Shared is false: this process is the only one that writes.
func (d *DB) Shared() bool { return false }

// Check reads the whole file, which takes long when it is big, and answers with an error
// if it is damaged.
func (d *DB) Check(ctx context.Context) error {
	var said string
	err := d.snapshot(ctx, func(s *session) error {
		return s.Query(func(scan sqlstore.Scan) error { return scan(&said) }, "pragma integrity_check(1)")
	})
	if err != nil {
		return fmt.Errorf("check the ledger: %w", err)
	}
	if said != "ok" {
		return syncline.Errorf(syncline.DataLoss, "the ledger's file is damaged: %s", said).
			Because("ledger_damaged").Try("restore it from a backup")
	}
	return nil
}

// Close waits for the changes that have begun, then for those who read.
func (d *DB) Close() error {
	if !d.writer.close() {
		return nil
	}
	var err error
	for range cap(d.readers) {
		if c := <-d.readers; c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	return errors.Join(err, d.read.Close(), d.writer.conn.Close(), d.write.Close())
}

var flavor = &sqlstore.Flavor{
	Read:  words,
	Write: words,
	Types: sqlstore.Words("", "{text}", "text", "{doc}", "text", "{narrow}", "without rowid", "{keyed}", "without rowid", "{json}", "", "{index}", ""),
	List: func(all []string) any {
		b, _ := json.Marshal(all) // of strings: cannot fail
		return string(b)
	},
}

var words = sqlstore.Words("", "$", "?", "{any}", "in (select value from json_each(", "{end}", "))", "{lock}", "", "{lock p}", "", "{lock t}", "", "{skip}", "")
