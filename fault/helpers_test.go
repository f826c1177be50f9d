package fault_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/synclinehq/syncline/testserver"
)

const (
	filesToShare = 40
	rowsToShare  = filesToShare * 40_000
)

// helped is a folder of files, a part each, moved into one table by three workers on a
// PostgreSQL ledger.
type helped struct {
	*program
	workers  []*process
	compare  func()
	from, to string
}

func newHelped(t *testing.T) *helped {
	dir, to, ledger := t.TempDir(), testserver.Database(t), testserver.Database(t)
	for n := range filesToShare {
		var text strings.Builder
		text.WriteString("id,label\n")
		for i := range rowsToShare / filesToShare {
			id := n*rowsToShare/filesToShare + i
			fmt.Fprintf(&text, "%d,row %d of many with a label of some length\n", id, id)
		}
		if err := os.WriteFile(fmt.Sprintf("%s/%03d.csv", dir, n), []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dst := connect(t, to)
	h := &helped{program: newProgram(t, "--ledger", ledger, "--i-accept-data-loss", "--lease", "2s"), from: "file://" + dir + "/*.csv?as=t", to: to}
	h.compare = func() {
		t.Helper()
		want := fmt.Sprintf("%d %d %d", rowsToShare, rowsToShare, int64(rowsToShare)*(rowsToShare-1)/2)
		got := one[string](t, dst, "select count(*) || ' ' || count(distinct id) || ' ' || sum(id) from t where label = 'row ' || id || ' of many with a label of some length'")
		if got != want {
			t.Fatalf("the table holds %s, want %s", got, want)
		}
	}
	for range 3 {
		h.workers = append(h.workers, h.start("worker"))
	}
	return h
}

// begin starts a run and waits until somebody helps with it.
func (h *helped) begin() *shown {
	h.t.Helper()
	h.workers = append(h.workers, h.start("sync", h.from, h.to))
	return h.until("a helper", time.Minute, func(r *shown) bool {
		if r.State == "failed" {
			h.t.Fatalf("the run failed: %+v", r.Error)
		}
		return len(r.Attempts) > 0 && len(r.Attempts[0].Helpers) > 0
	})
}

// worker finds the process that a run names "host/pid".
func (h *helped) worker(name string) *process {
	for _, w := range h.workers {
		if strings.HasSuffix(name, fmt.Sprintf("/%d", w.Process.Pid)) {
			return w
		}
	}
	return nil
}

// end waits for the run and checks that it ended once, with everything in place.
func (h *helped) end() *shown {
	h.t.Helper()
	r := h.until("the end", 2*time.Minute, func(r *shown) bool { return slices.Contains([]string{"succeeded", "failed"}, r.State) })
	if r.State != "succeeded" || r.Totals.Read != rowsToShare || r.Totals.Inserted != rowsToShare {
		h.t.Fatalf("the run is %s with %+v: %+v", r.State, r.Totals, r.Error)
	}
	h.compare()
	if n := len(h.runs()); n != 1 {
		h.t.Errorf("%d runs", n)
	}
	return r
}

// TestHelpers: three workers move one table; one that helps is killed, one is stopped beyond
// its lease and goes on afterwards. The run ends once, and names them.
func TestHelpers(t *testing.T) {
	if testing.Short() {
		t.Skip("many processes: not under the race detector, which does not see into them")
	}
	t.Parallel()
	h := newHelped(t)
	r := h.begin()
	killed := h.worker(r.Attempts[0].Helpers[0])
	if killed == nil {
		t.Fatalf("%s is none of the workers", r.Attempts[0].Helpers[0])
	}
	_ = killed.Process.Kill()
	var stopped *process
	r = h.until("another helper", time.Minute, func(r *shown) bool {
		for _, name := range r.Attempts[0].Helpers {
			if w := h.worker(name); w != nil && w != killed {
				stopped = w
			}
		}
		return stopped != nil || r.State != "running"
	})
	if stopped != nil {
		_ = stopped.Process.Signal(syscall.SIGSTOP)
		time.AfterFunc(5*time.Second, func() { _ = stopped.Process.Signal(syscall.SIGCONT) })
	}
	r = h.end()
	t.Logf("attempts %+v, fenced %d", r.Attempts, r.Facts.Fenced)
	if len(r.Attempts) != 1 {
		t.Errorf("%d attempts: the holder of the run was well", len(r.Attempts))
	}
	if stopped == nil {
		t.Error("no second helper could be stopped: that proves little")
	}
}

// TestHelpedRunLosesItsHolder: another worker takes the run over from the one that is
// killed, while helpers are at it.
func TestHelpedRunLosesItsHolder(t *testing.T) {
	if testing.Short() {
		t.Skip("many processes: not under the race detector, which does not see into them")
	}
	t.Parallel()
	h := newHelped(t)
	r := h.begin()
	holder := h.worker(r.Attempts[0].Worker)
	if holder == nil {
		t.Fatalf("%s holds the run, which is none of ours", r.Attempts[0].Worker)
	}
	_ = holder.Process.Kill()
	r = h.end()
	t.Logf("attempts %+v", r.Attempts)
	if len(r.Attempts) != 2 || r.Attempts[0].Cause != "lease_lost" {
		t.Errorf("attempts %+v", r.Attempts)
	}
}
