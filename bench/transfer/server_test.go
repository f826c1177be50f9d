package transfer_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline/bench/measure"
	"github.com/synclinehq/syncline/testserver"
)

// server is the PostgreSQL server of all benchmarks, with one database to read from and
// one to write to.
type server struct {
	pg   *testserver.Postgres
	made map[string]bool // tables there already
}

const (
	src = "src"
	dst = "dst"
)

// settings differ from PostgreSQL's own, for both sides: nothing but what is measured
// starts a checkpoint or a vacuum. What is acknowledged is on the disk, and the buffers are
// those with which other tools were measured.
var settings = []string{
	"shared_buffers=1GB", "fsync=on", "full_page_writes=on", "synchronous_commit=on",
	"max_wal_size=32GB", "checkpoint_timeout=1h", "autovacuum=off", "max_connections=100",
}

func newServer(t *testing.T) *server {
	s := &server{pg: testserver.NewPostgres(t, settings...), made: map[string]bool{}}
	for _, db := range []string{src, dst} {
		s.exec(t, "postgres", "create database "+db)
	}
	measure.Version(fmt.Sprintf("PostgreSQL %s, %s", value[string](t, s, src, "show server_version"), strings.Join(settings, " ")))
	return s
}

func (s *server) url(db string) string { return s.pg.URL(db) }

// psql is a shell word that runs psql in a database.
func (s *server) psql(db string) string {
	return "psql -qX -v ON_ERROR_STOP=1 '" + s.url(db) + "' "
}

func (s *server) exec(t testing.TB, db, sql string) {
	t.Helper()
	s.session(t, db, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, sql)
		return err
	})
}

// value asks for one value.
func value[T any](t testing.TB, s *server, db, sql string, args ...any) (v T) {
	t.Helper()
	s.session(t, db, func(ctx context.Context, c *pgx.Conn) error { return c.QueryRow(ctx, sql, args...).Scan(&v) })
	return v
}

func (s *server) session(t testing.TB, db string, do func(context.Context, *pgx.Conn) error) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Minute)
	defer stop()
	c, err := pgx.Connect(ctx, s.url(db))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if err := do(ctx, c); err != nil {
		t.Fatal(err)
	}
}

// settle leaves nothing for the next piece of work that the last one began: pages to
// write, files to remove.
func (s *server) settle(t testing.TB) {
	t.Helper()
	s.exec(t, dst, "checkpoint")
	syscall.Sync()
}

// clean fails when a sync left something behind in a database: a stage, a temporary table,
// a session or a lock.
func (s *server) clean(t testing.TB, db string) {
	t.Helper()
	left := value[[]string](t, s, db, `
		select array(
			select 'table ' || oid::regclass from pg_class where relkind = 'r' and (relname like '\_syncline\_stage%' or relpersistence = 't')
			union all select 'session ' || pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
			union all select 'lock ' || locktype || ' of ' || pid from pg_locks
				where database = (select oid from pg_database where datname = current_database()) and pid is distinct from pg_backend_pid())`)
	if len(left) > 0 {
		t.Errorf("left behind in %s: %s", db, strings.Join(left, ", "))
	}
}

// reader reads a table every millisecond, and tells the longest that it had to wait.
type reader struct {
	stop chan struct{}
	done sync.WaitGroup
	max  time.Duration
	n    int
	err  error
}

func (s *server) reader(t testing.TB, db, table string) *reader {
	t.Helper()
	c, err := pgx.Connect(context.Background(), s.url(db))
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{stop: make(chan struct{})}
	r.done.Go(func() {
		defer c.Close(context.Background())
		r.read(c, "select 1 from "+table+" limit 1")
	})
	return r
}

func (r *reader) read(c *pgx.Conn, sql string) {
	for tick := time.Tick(time.Millisecond); ; {
		select {
		case <-r.stop:
			return
		case <-tick:
		}
		begun, one := time.Now(), 0
		// Unnamed: a statement that was kept would be planned again after the swap, and that is not waiting.
		if r.err = c.QueryRow(context.Background(), sql, pgx.QueryExecModeSimpleProtocol).Scan(&one); r.err != nil {
			return
		}
		r.max, r.n = max(r.max, time.Since(begun)), r.n+1
	}
}

// longest ends the reader.
func (r *reader) longest(t testing.TB) time.Duration {
	t.Helper()
	close(r.stop)
	r.done.Wait()
	if r.err != nil {
		t.Errorf("a reader of the table failed: %v", r.err)
	}
	if r.n < 10 {
		t.Errorf("the reader read %d times only", r.n)
	}
	return r.max
}
