package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/sqlstore"
)

func openHere(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// together makes changes that share a commit: they queue up behind one that waits.
func together(t *testing.T, db *DB, changes ...func(*session) error) []error {
	t.Helper()
	begun, release := make(chan struct{}), make(chan struct{})
	var once sync.Once // it may be made again with the others
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = db.writer.do(t.Context(), func(*session) error {
			once.Do(func() { close(begun) })
			<-release
			return nil
		})
	})
	<-begun
	errs := make([]error, len(changes))
	for i, c := range changes {
		wg.Go(func() { errs[i] = db.writer.do(t.Context(), c) })
		time.Sleep(2 * time.Millisecond) // so that they queue up in their order
	}
	close(release)
	wg.Wait()
	return errs
}

func insert(n int) func(*session) error {
	return func(s *session) error {
		_, err := s.Exec(`insert into {events} (run_id, seq, doc) values ('r', $1, '{}')`, n)
		return err
	}
}

// SQLite may give up a whole transaction because one statement in it failed: a disk is
// full, a file cannot be read. The others' changes are made again.
func TestLostTransaction(t *testing.T) {
	mine := errors.New("mine")
	for name, broken := range map[string]func(*session) error{
		"and the caller fails":    func(s *session) error { return errors.Join(s.run("rollback"), mine) },
		"and the caller does not": func(s *session) error { return s.run("rollback") },
	} {
		t.Run(name, func(t *testing.T) {
			db := openHere(t)
			var changes []func(*session) error
			for i := range 10 {
				changes = append(changes, insert(i))
			}
			changes[4] = broken
			for i, err := range together(t, db, changes...) {
				if broke := i == 4; (err != nil) != broke {
					t.Errorf("change %d: %v", i, err)
				}
			}
			err := db.View(t.Context(), func(tx syncline.Tx) error {
				es, err := tx.Events("r", -1, 100)
				if len(es) != 9 {
					t.Errorf("%d of 9 changes are there", len(es))
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A commit that fails fails for all whose changes it had, and for nobody else.
func TestLostCommit(t *testing.T) {
	db := openHere(t)
	if err := db.writer.do(t.Context(), func(s *session) error {
		_, err := s.Exec(`create table pair (a integer primary key, b integer references pair (a) deferrable initially deferred)`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	broken := func(s *session) error { // is noticed at the commit only
		_, err := s.Exec(`insert into pair values (1, 2)`)
		return err
	}
	for i, err := range together(t, db, broken, insert(1), insert(2)) {
		if err == nil || !strings.Contains(err.Error(), "commit") {
			t.Errorf("change %d: %v", i, err)
		}
	}
	for i, err := range together(t, db, insert(1), insert(2)) {
		if err != nil {
			t.Errorf("change %d after that: %v", i, err)
		}
	}
}

// A change that has been made, but whose commit does not come, is not called undone: it
// may yet become durable.
func TestSlowCommit(t *testing.T) {
	db := openHere(t)
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	release, second := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	err := db.writer.do(ctx, func(s *session) error {
		once.Do(func() {
			go func() { // shares the commit, and keeps it from coming
				second <- db.writer.do(t.Context(), func(*session) error { <-release; return nil })
			}()
			time.Sleep(groupTime / 2)
		})
		return insert(1)(s)
	})
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok || e.Code != syncline.Unavailable || e.Reason != "commit_unknown" || !e.Retryable {
		t.Errorf("got %v", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Error(err)
	}
	if err := db.writer.do(t.Context(), insert(1)); err == nil {
		t.Error("the change had become durable, and was made again")
	}
}

// What durability rests on, as each connection has it.
func TestPragmas(t *testing.T) {
	db := openHere(t)
	want := map[string]string{
		"busy_timeout": "10000", "journal_mode": "wal", "synchronous": "2", "foreign_keys": "1",
		"journal_size_limit": "67108864", "temp_store": "2", "mmap_size": "0",
	}
	for pragma, want := range want {
		var got string
		err := db.writer.do(t.Context(), func(s *session) error {
			return s.Query(func(scan sqlstore.Scan) error { return scan(&got) }, "pragma "+pragma)
		})
		if pragma == "mmap_size" && got == "" { // built without it
			got = want
		}
		if err != nil || got != want {
			t.Errorf("%s is %s, want %s (%v)", pragma, got, want, err)
		}
	}
}

// Close waits for the changes that have begun.
func TestCloseWaits(t *testing.T) {
	db := openHere(t)
	begun, release := make(chan struct{}), make(chan struct{})
	done := make(chan error, 2)
	go func() {
		done <- db.writer.do(t.Context(), func(s *session) error { close(begun); <-release; return insert(1)(s) })
	}()
	<-begun
	closed := make(chan error, 1)
	go func() { closed <- db.Close() }()
	select {
	case <-closed:
		t.Fatal("closed under a change")
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	if err := errors.Join(<-done, <-closed); err != nil {
		t.Fatal(err)
	}
}

// An older ledger is copied before it is migrated, over the copy of an attempt before.
func TestBackup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.writer.do(t.Context(), insert(1)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := sql.Open("sqlite", dsn(path, "_txlock=immediate"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for range 2 {
		if err := backup(t.Context(), file, path)(1); err != nil {
			t.Fatal(err)
		}
	}
	old, err := Open(t.Context(), path+".1.bak")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close() }()
	if err := old.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = old.View(t.Context(), func(tx syncline.Tx) error {
		es, err := tx.Events("r", 0, 10)
		if len(es) != 1 {
			t.Errorf("the copy has %d events", len(es))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
