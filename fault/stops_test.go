package fault_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/synclinehq/syncline/testserver"
)

// lease of the workers that are stopped.
const lease = time.Second

// TestStops: workers that share a ledger are stopped past their lease, one after the
// other, and go on when their successor is in the middle of the same load. Whoever was
// stopped is refused, and what the successors wrote is right. In every second PostgreSQL
// the successors may not end sessions: there nothing but the token stands between an
// awakened worker and its successor's rows.
func TestStops(t *testing.T) {
	for kind, full := range map[string]int{"postgres": 350, "sqlite": 100, "files": 100} {
		t.Run(kind, func(t *testing.T) {
			ledgers := testserver.NewPostgres(t, "max_connections=600")
			l := each(t, wanted(full), func(t *testing.T, l *loop, r *rand.Rand, n int) {
				s := newSite(t, r, kind, size(n), wide(n))
				s.proxy.unending = n%2 == 1
				stopped(t, l, s, ledgers.Database(t))
			})
			if l.fenced == 0 {
				t.Error("no stale worker was refused: that proves nothing")
			}
		})
	}
}

// crew is two workers that share a ledger, and the site they work on.
type crew struct {
	*site
	p       *program
	l       *loop
	workers []*process
	owners  sync.Map // of connections, by the address of their client's end

	mu    sync.Mutex
	down  *process      // the worker that is stopped
	since time.Time     // when it was
	awake chan struct{} // closed when it goes on
	left  int           // stops that this run is still to see
}

func stopped(t *testing.T, l *loop, s *site, ledger string) {
	c := &crew{site: s, l: l, p: newProgram(t, "--ledger", ledger, "--lease", lease.String(), "--i-accept-data-loss")}
	c.p.run(0, "apply", "-f", pipeline(t, s.from, s.to))
	for range 2 {
		c.workers = append(c.workers, c.p.start("worker"))
	}
	for n := 0; !l.enough(); n++ {
		if n%3 == 2 {
			s.target.drop()
		}
		s.change()
		c.disturb()
		s.check(fmt.Sprintf("load %d", n))
		books(t, fmt.Sprintf("load %d", n), c.p.runs()[0], s.rows())
	}
	time.Sleep(lease) // the last one to be refused says so
	l.ended(c.p.runs()...)
}

// pipeline is a configuration of one that bears many deaths.
func pipeline(t *testing.T, from, to string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disturbed.yaml")
	yaml := fmt.Sprintf("pipelines:\n  - name: disturbed\n    source: %s\n    destination: %s\n    entities: ['public.*']\n    max_tries: 50\n", from, to)
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// disturb runs the pipeline while its workers are stopped in turn.
func (c *crew) disturb() {
	c.left = 2 + c.r.IntN(5)
	c.arm()
	c.p.run(0, "run", "disturbed")
	watch := c.p.start("runs", "watch", c.p.runs()[0].ID)
	for end := time.Now().Add(time.Minute); !watch.ended(); time.Sleep(50 * time.Millisecond) {
		c.mu.Lock()
		// One that holds what cannot be taken from it, a lock on a file, is waited for.
		if c.down != nil && time.Since(c.since) > 2*lease+2*time.Second {
			c.wake()
		}
		c.mu.Unlock()
		if time.Now().After(end) {
			c.t.Fatalf("the run has not ended: %+v", c.p.newest())
		}
	}
	if code := watch.wait(c.t, time.Second); code != 0 {
		c.t.Fatalf("the run: exit %d\n%s%s", code, &watch.out, &watch.err)
	}
	c.proxy.arm(nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = 0
	c.wake()
}

// arm waits for the next moment in the work of somebody who is not stopped.
func (c *crew) arm() {
	later, point := c.later(), ""
	but := func(m message) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		w := c.owner(m.client)
		return w == nil || w == c.down
	}
	point, tr := draw(c.r, c.points, but, func(m message) verdict {
		if later > 0 {
			time.AfterFunc(later, func() { c.stop(point+" and a moment", m) })
			return pass
		}
		awake := c.stop(point, m)
		select {
		case <-awake:
			return pass
		case <-m.gone:
			return cut
		}
	})
	c.proxy.arm(tr)
}

// stop stops the worker that a message comes from or goes to, and lets the one go on that
// was stopped before: it now meets its successor at work.
func (c *crew) stop(point string, m message) (awake chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.owner(m.client)
	if c.left == 0 || w == nil || w == c.down {
		awake = make(chan struct{})
		close(awake)
		return awake
	}
	c.wake()
	_ = w.Process.Signal(syscall.SIGSTOP)
	c.down, c.since, c.awake = w, time.Now(), make(chan struct{})
	c.l.strike(point)
	if c.left--; c.left > 0 {
		c.arm()
	}
	return c.awake
}

// wake lets the stopped worker go on.
func (c *crew) wake() {
	if c.down == nil {
		return
	}
	_ = c.down.Process.Signal(syscall.SIGCONT)
	close(c.awake)
	c.down = nil
}

// owner is the worker whose end of a connection has this address; nil when it is none.
func (c *crew) owner(client net.Addr) *process {
	if w, ok := c.owners.Load(client.String()); ok {
		return w.(*process)
	}
	inode := socketAt(client.(*net.TCPAddr))
	for _, w := range c.workers {
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", w.Process.Pid))
		for _, fd := range fds {
			if to, _ := os.Readlink(fd); inode != "" && to == "socket:["+inode+"]" {
				c.owners.Store(client.String(), w)
				return w
			}
		}
	}
	return nil
}

// socketAt is the number of the socket that is bound to an address.
func socketAt(a *net.TCPAddr) string {
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	ip := a.IP.To4()
	local := fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], a.Port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if field := strings.Fields(lines.Text()); len(field) > 9 && field[1] == local && field[9] != "0" {
			return field[9]
		}
	}
	return ""
}
