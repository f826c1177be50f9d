package fault_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/synclinehq/syncline/testserver"
)

const bigTable = 1_500_000

// bigSync is a pipeline that takes long enough to be disturbed, in a YAML file.
func bigSync(t *testing.T, from, to string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "big.yaml")
	yaml := fmt.Sprintf("pipelines:\n  - name: big\n    source: %s\n    destination: %s\n    entities: [public.t]\n", from, to)
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func reading(r *shown) bool { return r.State == "running" && r.Totals.Read > 0 }

func ended(r *shown) bool { return r.State == "succeeded" || r.State == "failed" }

// same fails the test unless both tables hold the same.
func same(t *testing.T, from, to string) {
	t.Helper()
	a, b := one[string](t, connect(t, from), digest), one[string](t, connect(t, to), digest)
	if a != b {
		t.Fatalf("source %s, target %s", a, b)
	}
}

// shared is two workers and a server on one PostgreSQL ledger, with a big run under way.
type shared struct {
	*program
	from, to string
	workers  [2]*process
}

func newShared(t *testing.T) *shared {
	if testing.Short() {
		t.Skip("many processes: not under the race detector, which does not see into them")
	}
	from, to, led := testserver.Database(t), testserver.Database(t), testserver.Database(t)
	execute(t, connect(t, from), makeTable(bigTable), "vacuum analyze public.t")
	s := &shared{program: newProgram(t, "--ledger", led, "--i-accept-data-loss"), from: from, to: to}
	s.run(0, "apply", "-f", bigSync(t, from, to))
	for i := range s.workers {
		s.workers[i] = s.start("worker")
	}
	s.run(0, "run", "big")
	return s
}

// holder is the worker process that holds the newest run.
func (s *shared) holder(r *shown) (holds, other *process) {
	s.t.Helper()
	at := r.Attempts[len(r.Attempts)-1].Worker
	for i, w := range s.workers {
		if strings.Contains(at+"/", fmt.Sprintf("/%d/", w.Process.Pid)) {
			return w, s.workers[1-i]
		}
	}
	s.t.Fatalf("worker %q is none of ours", at)
	return nil, nil
}

// TestStoppedWorker: a worker that is stopped past its lease is replaced; when it wakes up
// it is refused, and what its successor wrote stays.
func TestStoppedWorker(t *testing.T) {
	s := newShared(t)
	r := s.until("a worker reads", time.Minute, reading)
	stopped, other := s.holder(r)
	_ = stopped.Process.Signal(syscall.SIGSTOP)
	began := time.Now()
	r = s.until("the other worker takes over", 40*time.Second, func(r *shown) bool { return len(r.Attempts) == 2 })
	t.Logf("taken over %s after the stop", time.Since(began).Round(100*time.Millisecond))
	if took := time.Since(began); took > 17*time.Second+time.Second {
		t.Errorf("takeover took %s, lease + 2 s is 17 s", took)
	}
	if holds, _ := s.holder(r); holds != other {
		t.Errorf("the second attempt is held by %s", r.Attempts[1].Worker)
	}
	_ = stopped.Process.Signal(syscall.SIGCONT)
	r = s.until("the run ends", time.Minute, ended)
	if r.State != "succeeded" || r.Attempts[0].Cause != "lease_lost" || r.Totals.Read != bigTable {
		t.Fatalf("the run is %+v", r)
	}
	s.until("the stale worker is refused and counted", 30*time.Second, func(r *shown) bool { return r.Facts.Fenced > 0 })
	same(t, s.from, s.to)
}

// TestKilledWorker: a worker that is killed is replaced within the lease and two seconds.
func TestKilledWorker(t *testing.T) {
	s := newShared(t)
	r := s.until("a worker reads", time.Minute, reading)
	killed, _ := s.holder(r)
	_ = killed.Process.Kill()
	began := time.Now()
	s.until("the other worker takes over", 18*time.Second, func(r *shown) bool { return len(r.Attempts) == 2 })
	t.Logf("taken over %s after the kill", time.Since(began).Round(100*time.Millisecond))
	if r = s.until("the run ends", time.Minute, ended); r.State != "succeeded" || r.Totals.Read != bigTable {
		t.Fatalf("the run is %+v", r)
	}
	same(t, s.from, s.to)
}

// TestTerminatedWorker: SIGTERM hands the run over at once and costs no try.
func TestTerminatedWorker(t *testing.T) {
	s := newShared(t)
	r := s.until("a worker reads", time.Minute, reading)
	leaving, _ := s.holder(r)
	_ = leaving.Process.Signal(syscall.SIGTERM)
	if code := leaving.wait(t, 12*time.Second); code != 143 {
		t.Errorf("exit %d after SIGTERM, want 143", code)
	}
	r = s.until("the run ends", time.Minute, ended)
	if r.State != "succeeded" || len(r.Attempts) != 2 || r.Attempts[0].Cause != "shutdown" {
		t.Fatalf("the run is %+v", r)
	}
	same(t, s.from, s.to)
}

// TestPostgresRestart: the database of source and destination crashes under a run, and the
// run goes on when it is back.
func TestPostgresRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("many processes: not under the race detector, which does not see into them")
	}
	pg := testserver.NewPostgres(t)
	pg.Exec(t, "postgres", "create database a")
	pg.Exec(t, "postgres", "create database b")
	from, to := pg.URL("a"), pg.URL("b")
	pg.Exec(t, "a", makeTable(bigTable))
	pg.Exec(t, "a", "checkpoint")
	s := newProgram(t)
	c := s.start("sync", from, to, "--entities", "public.t")
	s.until("rows are durable", time.Minute, reading)
	pg.Stop(t, syscall.SIGQUIT)
	if c.ended() {
		t.Fatal("the sync ended before the crash")
	}
	time.Sleep(500 * time.Millisecond)
	pg.Start(t)
	if code := c.wait(t, 2*time.Minute); code != 0 {
		t.Fatalf("exit %d\n%s%s", code, c.out.String(), c.err.String())
	}
	r := s.newest()
	if len(r.Attempts) < 2 || r.Attempts[0].Cause != "retry" {
		t.Errorf("attempts %+v", r.Attempts)
	}
	same(t, from, to)
}
