package fault_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var scale = flag.Float64("scale", 0.02, "how much of the faults of make faults happens: 1 is all of them")

// sites work side by side: they wait for processes and leases more than they compute.
const sites = 12

// wanted is how many faults a loop is to see.
func wanted(full int) int64 { return max(1, int64(float64(full)*(*scale))) }

// loop is a number of faults that sites share.
type loop struct {
	t      *testing.T
	want   int64
	faults atomic.Int64

	mu     sync.Mutex
	points tally
	fenced int64
	loads  int
}

// each runs work on every site until the wanted faults have happened.
func each(t *testing.T, want int64, work func(t *testing.T, l *loop, r *rand.Rand, n int)) *loop {
	if testing.Short() {
		t.Skip("many processes: not under the race detector, which does not see into them")
	}
	random(t)
	l := &loop{t: t, want: want, points: tally{}}
	t.Run("sites", func(t *testing.T) {
		for n := range min(sites, want) {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				work(t, l, rand.New(rand.NewPCG(*seed, uint64(n+1))), int(n))
			})
		}
	})
	t.Logf("%d faults in %d loads (%s), %d stale workers refused", l.faults.Load(), l.loads, l.points, l.fenced)
	if got := l.faults.Load(); got < want && !t.Failed() {
		t.Errorf("%d faults, %d were wanted", got, want)
	}
	return l
}

func (l *loop) enough() bool { return l.faults.Load() >= l.want || l.t.Failed() }

// strike enters a fault.
func (l *loop) strike(point string) {
	l.faults.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.points[point]++
}

func (l *loop) ended(runs ...shown) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loads += len(runs)
	for _, r := range runs {
		l.fenced += r.Facts.Fenced
	}
}

// books fails unless a run has ended well and its counts are those of the content.
func books(t *testing.T, what string, r shown, rows int64) {
	t.Helper()
	if r.State != "succeeded" {
		t.Fatalf("%s: run %s is %s: %+v, attempts %+v", what, r.ID, r.State, r.Error, r.Attempts)
	}
	for i, a := range r.Attempts {
		if last := i == len(r.Attempts)-1; (a.Cause == "succeeded") != last {
			t.Fatalf("%s: run %s ended once, but has attempts %+v", what, r.ID, r.Attempts)
		}
	}
	if n := r.Totals.Inserted + r.Totals.Updated + r.Totals.Unchanged; n != rows || r.Totals.Rejected != 0 {
		t.Fatalf("%s: run %s counts %+v, the tables have %d rows", what, r.ID, r.Totals, rows)
	}
	for _, task := range r.Tasks {
		if task.State != "succeeded" {
			t.Fatalf("%s: task %+v of a run that succeeded", what, task)
		}
	}
}

// TestKills: a sync is killed again and again, between any two messages to PostgreSQL, at
// moments that have names, and at random. The same command again ends it: no row is lost
// or there twice, the books are right, and nothing is left behind.
func TestKills(t *testing.T) {
	for kind, full := range map[string]int{"postgres": 400, "sqlite": 100, "files": 100} {
		t.Run(kind, func(t *testing.T) {
			each(t, wanted(full), func(t *testing.T, l *loop, r *rand.Rand, n int) {
				killed(t, l, newSite(t, r, kind, size(n), wide(n)))
			})
		})
	}
}

// size and wide make loads of one checkpoint in most sites, and of several in some.
func size(n int) int { return []int{800, 800, 800, 10_000}[n%4] }
func wide(n int) int { return []int{2, 2, 2, 40}[n%4] }

func killed(t *testing.T, l *loop, s *site) {
	p := newProgram(t)
	args := []string{"sync", s.from, s.to, "--entities", "public.*"}
	for n := 0; !l.enough(); n++ {
		if n%3 == 2 {
			s.target.drop()
		}
		s.change()
		changed := false
		for range 3 {
			if !s.kill(l, p, args) {
				break
			}
			// What is published stays as the source was then.
			if s.r.IntN(2) == 0 && s.unpublished() {
				s.change()
				changed = true
			}
		}
		p.run(0, args...)
		// Only PostgreSQL corrects what an earlier attempt of the same run read whole: into
		// the others the change comes with the next run.
		if changed && !strings.HasPrefix(s.to, "postgres:") {
			p.run(0, args...)
		}
		s.check(fmt.Sprintf("load %d", n))
		run := p.runs()[0]
		books(t, fmt.Sprintf("load %d", n), run, s.rows())
		l.ended(run)
	}
}

// later is how long after its point a fault happens: mostly at once. What goes on in the
// process itself is met only then.
func (s *site) later() time.Duration {
	if s.r.IntN(3) > 0 {
		return 0
	}
	return time.Duration(s.r.Int64N(int64(150*time.Millisecond))) + 1
}

// kill runs a command and kills it at a random point; false when it ended first.
func (s *site) kill(l *loop, p *program, args []string) bool {
	c := p.command(args...)
	end, later := []verdict{cut, cutOff}[s.r.IntN(2)], s.later()
	point, tr := draw(s.r, s.points, nil, func(message) verdict {
		if later > 0 {
			time.AfterFunc(later, c.kill)
			return pass
		}
		c.kill()
		return end
	})
	if later > 0 {
		point = "a moment after " + point
	}
	s.proxy.arm(tr)
	defer s.proxy.arm(nil)
	c.begin(s.t)
	if code := c.wait(s.t, time.Minute); code != -1 {
		if code != 0 {
			s.t.Fatalf("exit %d\n%s%s", code, &c.out, &c.err)
		}
		return false
	}
	l.strike(point)
	return true
}
