package fault_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/synclinehq/syncline/testserver"
)

// previous builds the program of the commit before.
func previous(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := `git -C .. archive HEAD~1 | tar -x -C "$0" && cd "$0" && go build -o before ./cmd/syncline`
	if out, err := exec.Command("git", "-C", "..", "rev-parse", "-q", "--verify", "HEAD~1").CombinedOutput(); err != nil {
		t.Skipf("no history to build the previous commit from: %v %s", err, out)
	}
	cmd := exec.Command("bash", "-o", "pipefail", "-c", build, dir)
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("the previous commit does not build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "before")
}

// TestPreviousVersion: a worker of the previous commit and one of this share a ledger while
// runs are under way, and take each other's over. No run fails.
func TestPreviousVersion(t *testing.T) {
	if testing.Short() {
		t.Skip("many processes: not under the race detector, which does not see into them")
	}
	const runs = 6
	s := newSite(t, random(t), "postgres", 4000, 40)
	now := newProgram(t, "--ledger", testserver.Database(t), "--i-accept-data-loss")
	before := &program{t: t, data: t.TempDir(), flags: now.flags, binary: previous(t)}
	before.run(0, "apply", "-f", pipeline(t, s.from, s.to))
	s.proxy.arm(nil)
	for n := range runs {
		s.change()
		one, other := before, now
		if n%2 == 1 {
			one, other = now, before
		}
		here, leave := make(chan struct{}), make(chan struct{})
		s.proxy.arm(&trap{on: func(m message, _ int64) bool { return m.front && m.kind == 'd' }, spring: func(m message) verdict {
			close(here)
			select {
			case <-leave:
			case <-m.gone:
			}
			return cut
		}})
		now.run(0, "run", "disturbed")
		first := one.start("worker")
		<-here
		_ = first.Process.Signal(syscall.SIGTERM)
		next := other.start("worker")
		close(leave)
		r := now.until("the run ends", time.Minute, ended)
		books(t, "beside the previous version", *r, s.rows())
		if len(r.Attempts) < 2 {
			t.Errorf("run %d was not taken over: %+v", n, r.Attempts)
		}
		_ = next.Process.Signal(syscall.SIGTERM)
		next.wait(t, time.Minute)
		first.wait(t, time.Minute)
		s.check("beside the previous version")
	}
}
