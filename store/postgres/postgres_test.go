package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/postgres"
	"github.com/synclinehq/syncline/store/sqlstore"
	"github.com/synclinehq/syncline/store/storetest"
	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func TestStore(t *testing.T) {
	empty := databases(t)
	storetest.Run(t, func(t *testing.T) syncline.Store { return open(t, empty(t)) })
}

func TestStoreBehindPooler(t *testing.T) {
	if testing.Short() {
		t.Skip("the whole suite once more")
	}
	empty := databases(t)
	storetest.Run(t, func(t *testing.T) syncline.Store { return open(t, newPooler(t, empty(t))) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) syncline.Store { return open(b, testserver.Database(b)) })
}

// databases hands out a few databases again and again, emptied: making one takes longer
// than most tests.
func databases(t *testing.T) func(t *testing.T) string {
	free := make(chan string, 4)
	for range cap(free) {
		free <- testserver.Database(t)
	}
	return func(t *testing.T) string {
		dsn := <-free
		t.Cleanup(func() {
			exec(t, dsn, "drop schema if exists syncline cascade")
			free <- dsn
		})
		return dsn
	}
}

// open opens a ledger on the tests' server, which keeps nothing across a crash.
func open(t testing.TB, dsn string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), dsn, postgres.Options{AcceptDataLoss: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// exec runs a statement and answers with the first column of its last row.
func exec(t testing.TB, dsn, statement string) (last string) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	rows, err := c.Query(ctx, statement, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		if err := rows.Scan(&last); err != nil {
			t.Fatal(err)
		}
	}
	if rows.Err() != nil {
		t.Fatalf("%s: %v", statement, rows.Err())
	}
	return last
}

func TestNewerDocuments(t *testing.T) {
	dsn := testserver.Database(t)
	storetest.Newer(t, open(t, dsn), func(s string) string { return exec(t, dsn, s) }, func(table string) string { return "syncline." + table })
}

func TestNewerLedger(t *testing.T) {
	dsn := testserver.Database(t)
	open(t, dsn)
	exec(t, dsn, "insert into syncline.migrations (version_id, is_applied) values (7, true)")
	open(t, dsn)
	exec(t, dsn, "update syncline.ledger set min_reader = 5")
	_, err := postgres.Open(t.Context(), dsn, postgres.Options{AcceptDataLoss: true})
	if syncline.CodeOf(err) != syncline.FailedPrecondition || !strings.Contains(err.Error(), fmt.Sprintf("version %d;", sqlstore.Schema)) || !strings.Contains(err.Error(), "version 7") {
		t.Fatalf("got %v, want a refusal that names both versions", err)
	}
}

// TestOpenTogether has many servers start on an empty database at once.
func TestOpenTogether(t *testing.T) {
	dsn := testserver.Database(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := postgres.Open(t.Context(), dsn, postgres.Options{AcceptDataLoss: true})
			if err != nil {
				t.Error(err)
				return
			}
			_ = s.Close()
		})
	}
	wg.Wait()
}

// TestTwoStores holds that two processes on one database are no different from one.
func TestTwoStores(t *testing.T) {
	dsn := testserver.Database(t)
	storetest.Together(t, open(t, dsn), open(t, dsn))
}

func TestNothingIsLeftRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := open(t, testserver.Database(t))
	if _, err := s.Now(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestForgetfulServer(t *testing.T) {
	pg := testserver.NewPostgres(t, "fsync=on")
	pg.Exec(t, "postgres", "create database forgetful")
	pg.Exec(t, "postgres", "alter database forgetful set synchronous_commit = off")
	for setting, dsn := range map[string]string{"fsync": testserver.Database(t), "synchronous_commit": pg.URL("forgetful")} {
		_, err := postgres.Open(t.Context(), dsn, postgres.Options{})
		e, ok := errors.AsType[*syncline.Error](err)
		if !ok || e.Code != syncline.FailedPrecondition || !strings.Contains(e.Message, setting+" = off") || e.Hint == "" {
			t.Errorf("%s: %v", setting, err)
		}
	}
	s, err := postgres.Open(t.Context(), pg.Database(t), postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
}

// TestCannotOpen asks for places that are not there: each error says which and why, and
// none repeats the password.
func TestCannotOpen(t *testing.T) {
	const canary = "c4n4ry/p@ss"
	pg := testserver.NewPostgres(t)
	pg.Exec(t, "postgres", "create role app login password '"+canary+"x'; create role poor login")
	pg.Exec(t, "postgres", "create database closed")
	hba := filepath.Join(pg.Dir, "data", "pg_hba.conf")
	if err := os.WriteFile(hba, []byte("host all postgres all trust\nhost all poor all trust\nhost all all all scram-sha-256\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	pg.Exec(t, "postgres", "select pg_reload_conf()")
	secret := strings.NewReplacer("/", "%2F", "@", "%40").Replace(canary)
	at := fmt.Sprintf("127.0.0.1:%d", pg.Port)
	for name, c := range map[string]struct {
		dsn  string
		code syncline.Code
		says string
	}{
		"no URL":         {"postgres://app:" + secret + "@host:port:x/db", syncline.InvalidArgument, "URL"},
		"unescaped":      {"postgres://app:" + canary + "@" + at + "/postgres", syncline.InvalidArgument, "URL"},
		"bad parameter":  {"postgres://app:" + secret + "@" + at + "/postgres?sslmode=maybe", syncline.InvalidArgument, "URL"},
		"wrong password": {"postgres://app:" + secret + "@" + at + "/postgres?sslmode=disable", syncline.Unauthenticated, at},
		"no database":    {"postgres://postgres:" + secret + "@" + at + "/absent?sslmode=disable", syncline.NotFound, "absent"},
		"no server":      {"postgres://app:" + secret + "@127.0.0.1:1/postgres?sslmode=disable", syncline.Unavailable, "127.0.0.1:1"},
		"no host":        {"postgres://app:" + secret + "@absent.invalid/postgres?sslmode=disable", syncline.Unavailable, "absent.invalid"},
		"no TLS":         {"postgres://app:" + secret + "@" + at + "/postgres?sslmode=require", syncline.Unavailable, at},
		"no right":       {"postgres://poor:" + secret + "@" + at + "/closed?sslmode=disable", syncline.PermissionDenied, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := postgres.Open(t.Context(), c.dsn, postgres.Options{AcceptDataLoss: true})
			if err == nil {
				_ = s.Close()
				t.Fatal("it was opened")
			}
			e, ok := errors.AsType[*syncline.Error](err)
			if !ok || e.Code != c.code || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %#v", err)
			}
			b, _ := json.Marshal(e)
			everything := fmt.Sprintf("%v %+v %#v %s", err, err, e.Err, b)
			if e.Err != nil {
				everything += e.Err.Error()
			}
			if strings.Contains(everything, "c4n4ry") {
				t.Fatalf("the password is in %s", everything)
			}
		})
	}
}

// TestRestart restarts the server under writers: each call goes on by itself, what was
// acknowledged is there once, and what was called unknown is there once or not at all.
func TestRestart(t *testing.T) {
	pg := testserver.NewPostgres(t, "fsync=on")
	dsn := pg.Database(t)
	s := open(t, dsn)
	before, err := s.Started(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var acked, unknown sync.Map
	var n atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				i := n.Add(1)
				switch err := appendEvent(t.Context(), s, i); {
				case err == nil:
					acked.Store(i, true)
				case syncline.CodeOf(err) == syncline.Unavailable && strings.Contains(err.Error(), "confirm"):
					unknown.Store(i, true)
				default:
					t.Errorf("change %d: %v", i, err)
				}
			}
		})
	}
	for range 2 {
		time.Sleep(200 * time.Millisecond)
		pg.Stop(t, syscall.SIGQUIT)
		pg.Start(t)
	}
	time.Sleep(300 * time.Millisecond)
	close(stop)
	wg.Wait()
	after, err := s.Started(t.Context())
	if err != nil || !after.After(before) {
		t.Fatalf("started %v, before the restarts %v: %v", after, before, err)
	}
	there := seqs(t, s)
	lost, maybe := 0, 0
	acked.Range(func(k, _ any) bool {
		if !there[k.(int64)] {
			lost++
		}
		delete(there, k.(int64))
		return true
	})
	unknown.Range(func(k, _ any) bool {
		maybe++
		delete(there, k.(int64))
		return true
	})
	if lost > 0 || len(there) > 0 {
		t.Errorf("%d acknowledged changes were lost; %d that nobody knows of are there", lost, len(there))
	}
	t.Logf("%d changes, %d of them unknown", n.Load(), maybe)
}

func appendEvent(ctx context.Context, s syncline.Store, n int64) error {
	return s.Update(ctx, func(tx syncline.Tx) error { return tx.AppendEvents(syncline.Event{RunID: "r", Seq: n}) })
}

func seqs(t *testing.T, s syncline.Store) map[int64]bool {
	t.Helper()
	there := map[int64]bool{}
	err := s.View(t.Context(), func(tx syncline.Tx) error {
		es, err := tx.Events("r", -1, 1_000_000)
		for _, e := range es {
			there[e.Seq] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return there
}

// TestCut loses the connection while the answer to a commit is on its way: the change is
// there, and the caller was told to look, not that it failed or succeeded.
func TestCut(t *testing.T) {
	wire := newWire(t, testserver.Database(t))
	s := open(t, wire.dsn)
	if err := appendEvent(t.Context(), s, 0); err != nil { // what a connection says first it says in two steps
		t.Fatal(err)
	}
	err := s.Update(t.Context(), func(tx syncline.Tx) error {
		if err := tx.AppendEvents(syncline.Event{RunID: "r", Seq: 1}); err != nil {
			return err
		}
		wire.cut.Store(true)
		return nil
	})
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok || e.Code != syncline.Unavailable || e.Reason != "commit_unknown" || !e.Retryable {
		t.Fatalf("got %v", err)
	}
	if there := seqs(t, s); !there[1] {
		t.Fatal("the commit did not arrive: this proves nothing")
	}
	tries := 0 // one that is lost before its commit is made again without a word
	err = s.Update(t.Context(), func(tx syncline.Tx) error {
		tries++
		wire.cut.Store(tries == 1)
		if _, err := tx.Tasks("r"); err != nil { // an event alone would travel with its commit
			return err
		}
		return tx.AppendEvents(syncline.Event{RunID: "r", Seq: 2})
	})
	if err != nil || tries < 2 || !seqs(t, s)[2] {
		t.Fatalf("%d tries, %v", tries, err)
	}
}

// TestSwallowed hides the failure of a statement: PostgreSQL has ended the transaction, and
// nobody may be told that it succeeded.
func TestSwallowed(t *testing.T) {
	s := open(t, testserver.Database(t))
	err := s.Update(t.Context(), func(tx syncline.Tx) error {
		if err := tx.AppendEvents(syncline.Event{RunID: "r", Seq: 1}); err != nil {
			return err
		}
		_ = tx.AppendEvents(syncline.Event{RunID: "no \x00 text", Seq: 1})
		return nil
	})
	if err == nil || len(seqs(t, s)) > 0 {
		t.Fatalf("got %v, with %d events", err, len(seqs(t, s)))
	}
	// One that is only sent with the commit fails there.
	err = s.Update(t.Context(), func(tx syncline.Tx) error { return tx.DeleteLeases("no \x00 text") })
	if syncline.CodeOf(err) != syncline.InvalidArgument {
		t.Fatalf("got %v", err)
	}
}

// TestStuckServer has a server that does not answer: calls end with their context.
func TestStuckServer(t *testing.T) {
	dsn := testserver.Database(t)
	s := open(t, dsn)
	holder, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Close(context.Background()) }()
	if _, err := holder.Exec(t.Context(), "begin; lock table syncline.events in access exclusive mode"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	begun := time.Now()
	if err := appendEvent(ctx, s, 1); syncline.CodeOf(err) != syncline.DeadlineExceeded {
		t.Errorf("got %v", err)
	}
	if d := time.Since(begun); d > 1200*time.Millisecond {
		t.Errorf("it took %s", d)
	}
	waiting := exec(t, dsn, "select count(*)::text from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")
	if waiting != "0" {
		t.Errorf("%s statements still wait at the server", waiting)
	}
}
