package fault_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/synclinehq/syncline/testserver"
)

// TestRestarts: the server of source and destination crashes at points of a load, and the
// command goes on by itself when it is back.
func TestRestarts(t *testing.T) {
	if testing.Short() {
		t.Skip("many processes: not under the race detector, which does not see into them")
	}
	r, pg, points := random(t), testserver.NewPostgres(t), tally{}
	s := &site{t: t, r: r, from: pg.Database(t), target: postgresTarget(t, pg.Database(t)), points: intoPostgres}
	s.fill(4000, 80)
	s.proxy, s.to = newProxy(t, s.target.url)
	p, want := newProgram(t), int(wanted(12))
	for n, restarts := 0, 0; restarts < want; n++ {
		if n > 5*want {
			t.Fatalf("%d restarts in %d loads", restarts, n)
		}
		if n%2 == 0 {
			s.target.drop()
		}
		s.change()
		what := fmt.Sprintf("load %d", n)
		if point := s.crash(pg, p, what); point != "" {
			points[point]++
			restarts++
		}
		s.check(what)
		books(t, what, p.runs()[0], s.rows())
	}
	t.Logf("%d restarts: %s", want, points)
}

// crash crashes the server at a point of a load and starts it again; the answer is "" when
// the load had ended before.
func (s *site) crash(pg *testserver.Postgres, p *program, what string) string {
	here, back := make(chan struct{}), make(chan struct{})
	point, tr := draw(s.r, s.points, nil, func(m message) verdict {
		close(here)
		<-back
		return cut
	})
	s.proxy.arm(tr)
	defer s.proxy.arm(nil)
	c := p.start("sync", s.from, s.to, "--entities", "public.*")
	select {
	case <-c.done:
		point = ""
	case <-here:
		pg.Stop(s.t, syscall.SIGQUIT)
		time.Sleep(time.Duration(s.r.Int64N(int64(time.Second))))
		pg.Start(s.t)
		close(back)
		s.db, s.target = connect(s.t, s.from), postgresTarget(s.t, s.target.url)
	}
	if code := c.wait(s.t, 2*time.Minute); code != 0 {
		s.t.Fatalf("%s, crash at %q: exit %d\n%s%s", what, point, code, &c.out, &c.err)
	}
	return point
}
