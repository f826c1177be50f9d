package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/sqlite"
	"github.com/synclinehq/syncline/store/sqlstore"
	"github.com/synclinehq/syncline/store/storetest"
)

func TestStore(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	storetest.Run(t, func(t *testing.T) syncline.Store { return open(t, filepath.Join(t.TempDir(), "ledger.db")) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) syncline.Store { return open(b, filepath.Join(b.TempDir(), "ledger.db")) })
}

func open(t testing.TB, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// raw opens the file beside the store.
func raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// last runs a statement and answers with the first column of its last row.
func last(t testing.TB, db *sql.DB, statement string) (s string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return s
}

func event(n int) syncline.Event { return syncline.Event{RunID: "r", Seq: int64(n)} }

func put(ctx context.Context, db *sqlite.DB, n int) error {
	return db.Update(ctx, func(tx syncline.Tx) error { return tx.AppendEvents(event(n)) })
}

func count(t testing.TB, db *sqlite.DB) (n int) {
	t.Helper()
	err := db.View(t.Context(), func(tx syncline.Tx) error {
		es, err := tx.Events("r", -1, 1_000_000)
		n = len(es)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNewerDocuments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	db := open(t, path)
	file := raw(t, path)
	storetest.Newer(t, db, func(s string) string { return last(t, file, s) }, func(table string) string { return table })
}

// The WAL-reset bug of SQLite corrupts files of versions before 3.51.3.
func TestVersion(t *testing.T) {
	var major, minor, patch int
	if _, err := fmt.Sscanf(last(t, raw(t, ":memory:"), "select sqlite_version()"), "%d.%d.%d", &major, &minor, &patch); err != nil {
		t.Fatal(err)
	}
	if major*1_000_000+minor*1000+patch < 3_051_003 {
		t.Fatalf("SQLite %d.%d.%d can corrupt a ledger", major, minor, patch)
	}
}

func TestFileIsPrivateAndItsNameMayBeOdd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder? 100% #1 & ü=x", "ledger.db")
	if _, err := sqlite.Open(t.Context(), path); syncline.CodeOf(err) != syncline.FailedPrecondition || !strings.Contains(err.Error(), path) {
		t.Fatalf("a folder that is not there: %v", err)
	}
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	db := open(t, path)
	if err := put(t.Context(), db, 1); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s", info.Name(), info.Mode())
		}
	}
}

func TestOpenAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	db := open(t, path)
	if err := put(t.Context(), db, 1); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, path)
	if n := count(t, db); n != 1 {
		t.Fatalf("%d events after it was opened again", n)
	}
	if err := db.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(path + "*.bak"); len(found) > 0 {
		t.Fatalf("a ledger of this version was copied: %s", found)
	}
}

// A ledger that a newer program has changed is opened as long as that program says that
// older ones may.
func TestNewerLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	file := raw(t, path)
	last(t, file, "insert into migrations (version_id, is_applied) values (7, true)")
	if err := put(t.Context(), open(t, path), 1); err != nil {
		t.Fatal(err)
	}
	last(t, file, "update ledger set min_reader = 5")
	_, err := sqlite.Open(t.Context(), path)
	if syncline.CodeOf(err) != syncline.FailedPrecondition || !strings.Contains(err.Error(), fmt.Sprintf("version %d;", sqlstore.Schema)) || !strings.Contains(err.Error(), "version 7") {
		t.Fatalf("got %v, want a refusal that names both versions", err)
	}
}

// A file that was damaged while nobody looked is found out by Check.
func TestDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	db := open(t, path)
	for n := range 500 {
		if err := put(t.Context(), db, n); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup // every reader is busy, and Check has to wait for one
	for range 16 {
		wg.Go(func() { count(t, db) })
	}
	if err := db.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(make([]byte, 3000), info.Size()-4096)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if err := open(t, path).Check(t.Context()); syncline.CodeOf(err) != syncline.DataLoss {
		t.Fatalf("got %v", err)
	}
}

func TestNoLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is not a database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), path); syncline.CodeOf(err) != syncline.DataLoss || !strings.Contains(err.Error(), path) {
		t.Fatalf("got %v", err)
	}
}

// Another program that holds the write lock makes changes wait, and fail when it does not
// let go; nothing is stuck afterwards.
func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	db := open(t, path)
	conn, err := raw(t, path).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "begin immediate"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	begun := time.Now()
	if err := put(ctx, db, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if d := time.Since(begun); d > 2*time.Second {
		t.Fatalf("a change gave up after %s, its context after 200 ms", d)
	}
	if count(t, db) != 0 {
		t.Fatal("readers do not wait")
	}
	if _, err := conn.ExecContext(t.Context(), "rollback"); err != nil {
		t.Fatal(err)
	}
	if err := put(t.Context(), db, 2); err != nil {
		t.Fatal(err)
	}
}
