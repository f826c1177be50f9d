package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, dir string, server bool) *App {
	t.Helper()
	a, err := Open(t.Context(), Options{Data: dir, Server: server, Command: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func about(t *testing.T, a *App) client.About {
	t.Helper()
	got, err := a.Client().About(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func holds(a *App) bool { return a.held() != nil }

func TestTheFirstHoldsAndTheOthersReachIt(t *testing.T) {
	dir := t.TempDir()
	first, second := open(t, dir, false), open(t, dir, false)
	about(t, first)
	about(t, second)
	if !holds(first) || holds(second) {
		t.Error("not the first one holds the ledger, or both do")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	about(t, second) // the connection it had is gone
	if !holds(second) {
		t.Error("nobody took the ledger over")
	}
	if _, err := os.Stat(filepath.Join(dir, socketName)); err != nil {
		t.Errorf("the second holder has no socket: %v", err)
	}
}

// Calls go on without an error while the ledger changes hands.
func TestCallsFollowTheLedger(t *testing.T) {
	dir := t.TempDir()
	steady := open(t, dir, false)
	ctx, stop := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			for ctx.Err() == nil {
				// A POST: what the HTTP library never repeats by itself.
				if _, err := steady.Client().Claim(ctx, steady.self, 1); err != nil && ctx.Err() == nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 10 {
		server := open(t, dir, true)
		time.Sleep(50 * time.Millisecond)
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}
	stop()
	calls.Wait()
}

func TestAServerTakesTheLedgerFromACommand(t *testing.T) {
	dir := t.TempDir()
	command := open(t, dir, false)
	about(t, command)
	server := open(t, dir, true)
	if !holds(server) {
		t.Fatal("the server does not hold the ledger")
	}
	if got := about(t, command); !got.Server {
		t.Errorf("the command is answered by %+v", got)
	}
	if left, err := command.LeftToServer(t.Context()); err != nil || left {
		// Both are this process, and a server's own runs are its own.
		t.Errorf("left to server: %v, %v", left, err)
	}
}

func TestASecondServerIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, true)
	_, err := Open(t.Context(), Options{Data: dir, Server: true, Command: "syncline serve"})
	var e *syncline.Error
	if !errors.As(err, &e) || e.Code != syncline.FailedPrecondition || !strings.Contains(e.Message, t.Name()) || e.Hint == "" {
		t.Errorf("%+v", err)
	}
}

func TestADeadHoldersSocketIsNoHindrance(t *testing.T) {
	dir := t.TempDir()
	l, err := listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // the file stays, as after kill -9
	about(t, open(t, dir, false))
}

func TestALedgerThatCannotBeOpenedIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ledger.db"), []byte(strings.Repeat("this is no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	_, err := open(t, dir, false).Client().Pipelines(t.Context())
	var e *syncline.Error
	if !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("%+v", err)
	}
	if time.Since(start) > 5*time.Second {
		t.Error("it was tried again and again")
	}
}

func TestTheKeyIsPrivate(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, false)
	about(t, a)
	for _, name := range []string{"master.key", "lock", socketName, "ledger.db"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}
