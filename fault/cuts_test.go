package fault_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

// TestCuts cuts the connection to the destination at every message of a load's life, in
// both directions, once so that the message is lost and once right behind it. The command
// goes on by itself: a commit whose answer was lost is looked up and not guessed.
func TestCuts(t *testing.T) {
	const full = 500
	var lost, landed, next atomic.Int64 // commits that did not arrive; that did, unanswered
	each(t, wanted(full), func(t *testing.T, l *loop, r *rand.Rand, n int) {
		cuts(t, l, newSite(t, r, "postgres", 100, 2), &next, &lost, &landed)
	})
	t.Logf("%d commits cut off before they arrived, %d after", lost.Load(), landed.Load())
	if lost.Load() == 0 || landed.Load() == 0 {
		t.Error("no commit was cut: that proves little")
	}
}

// cutsInLoad: with more of them and no progress in between, a run gives up.
const cutsInLoad = 3

func cuts(t *testing.T, l *loop, s *site, next, lost, landed *atomic.Int64) {
	p := newProgram(t)
	args := []string{"sync", s.from, s.to, "--entities", "public.*"}
	most := s.messages(p, args)
	for !l.enough() {
		// A short loop spreads its cuts over the life of the load.
		n := next.Add(1) * max(1, 2*cutsInLoad*most/l.want)
		at := 1 + n/2%most
		s.change()
		s.target.drop()
		c := &cutter{l: l, s: s, lost: lost, landed: landed, left: cutsInLoad}
		c.arm(func(_ message, n int64) bool { return n >= at }, verdict(1+n%2))
		run := p.start(args...)
		what := fmt.Sprintf("cut at message %d of %d", at, most)
		if code := run.wait(t, 2*time.Minute); code != 0 {
			t.Fatalf("%s: exit %d\n%s%s", what, code, &run.out, &run.err)
		}
		s.proxy.arm(nil)
		s.check(what)
		newest := p.runs()[0]
		books(t, what, newest, s.rows())
		l.ended(newest)
	}
}

// cutter cuts first at a message, and then, while the load is tried again, at commits.
type cutter struct {
	l            *loop
	s            *site
	lost, landed *atomic.Int64
	left         int
}

func (c *cutter) arm(on func(m message, n int64) bool, how verdict) {
	c.s.proxy.arm(&trap{on: on, spring: func(m message) verdict {
		switch {
		case m.is("commit") && how == cut:
			c.lost.Add(1)
		case m.is("commit"), m.completes("COMMIT") && how == cut:
			c.landed.Add(1)
		}
		c.l.strike(kindOf(m))
		if c.left--; c.left > 0 {
			c.armAtCommit()
		}
		return how
	}})
}

func (c *cutter) armAtCommit() {
	var met atomic.Int64
	nth, answer := 1+c.s.r.Int64N(8), c.s.r.IntN(2) == 0
	c.arm(func(m message, _ int64) bool {
		return (answer && m.completes("COMMIT") || !answer && m.is("commit")) && met.Add(1) >= nth
	}, cut)
}

// messages is how many there are in a load.
func (s *site) messages(p *program, args []string) int64 {
	s.proxy.arm(nil)
	p.run(0, args...)
	return s.proxy.seen.Load()
}

func kindOf(m message) string {
	switch {
	case m.kind == 0:
		return "startup"
	case m.front:
		return fmt.Sprintf("%c", m.kind)
	}
	return fmt.Sprintf("answer %c", m.kind)
}
