package fault_test

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTwoCommands: two commands that want the same at once. One runs; the other says so
// and exits 4.
func TestTwoCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("many processes: not under the race detector, which does not see into them")
	}
	s, p := newSite(t, random(t), "postgres", 500, 2), newProgram(t)
	args := []string{"sync", s.from, s.to, "--entities", "public.*"}
	here, on := make(chan struct{}), make(chan struct{})
	s.proxy.arm(&trap{on: func(m message, _ int64) bool { return m.is("commit") }, spring: func(message) verdict {
		close(here)
		<-on
		return pass
	}})
	first := p.start(args...)
	<-here
	second := p.start(args...)
	code := second.wait(t, time.Minute)
	close(on)
	if said := second.out.String() + second.err.String(); code != 4 || !strings.Contains(said, "run") {
		t.Errorf("the second exits with %d and says %s", code, said)
	}
	if code := first.wait(t, time.Minute); code != 0 {
		t.Fatalf("the first: exit %d\n%s%s", code, &first.out, &first.err)
	}
	if all := p.runs(); len(all) != 1 {
		t.Errorf("%d runs of two commands at once", len(all))
	}
	s.check("two commands")
	books(t, "two commands", p.runs()[0], s.rows())
}

// TestTwoServers: a second server on the same ledger file is refused with the name of the
// first; when that one is killed the next may start.
func TestTwoServers(t *testing.T) {
	if testing.Short() {
		t.Skip("many processes: not under the race detector, which does not see into them")
	}
	p := newProgram(t)
	first := p.start("serve")
	for end := time.Now().Add(30 * time.Second); !strings.Contains(first.err.String(), "serving"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the first server does not serve")
		}
	}
	second := p.start("serve")
	if code := second.wait(t, time.Minute); code != 4 || !strings.Contains(second.err.String(), "syncline serve") {
		t.Errorf("the second: exit %d\n%s", code, &second.err)
	}
	_ = first.Process.Signal(syscall.SIGKILL)
	<-first.done
	third := p.start("serve")
	time.Sleep(time.Second)
	if third.ended() {
		t.Fatalf("after the first was killed: %s", &third.err)
	}
	_ = third.Process.Signal(syscall.SIGTERM)
	if code := third.wait(t, time.Minute); code != 143 {
		t.Errorf("exit %d after SIGTERM", code)
	}
}
