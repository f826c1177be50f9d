package fault_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
)

// point is a moment in a load's life that has a name.
type point struct {
	name string
	// most is how many such moments a load is thought to have: one of them is drawn.
	most int
	hit  func(m message) bool
}

// intoPostgres are the moments of a load that goes into PostgreSQL.
var intoPostgres = []point{
	{"mid-copy", 12, func(m message) bool { return m.front && m.kind == 'd' }},
	{"before commit", 16, func(m message) bool { return m.is("commit") }},
	{"after commit", 16, func(m message) bool { return m.completes("COMMIT") }},
	{"checkpoint", 6, func(m message) bool { return m.says("set seq =") }},
	{"mid-publish", 6, func(m message) bool { return m.says(" rename to ") || m.says("drop table") || m.says("not done") }},
	{"any message", 400, func(message) bool { return true }},
}

// outOfPostgres are the moments of a load that comes out of PostgreSQL.
var outOfPostgres = []point{
	{"mid-copy", 20000, func(m message) bool { return !m.front && m.kind == 'd' }},
	{"copy ends", 4, func(m message) bool { return !m.front && m.kind == 'c' }},
	{"source commits", 3, func(m message) bool { return m.says("commit") || m.says("rollback") }},
	{"any message", 3000, func(message) bool { return true }},
}

// draw makes a trap at a random one of the points; spring says what happens there. A
// message of a process that but refuses is passed over.
func draw(r *rand.Rand, points []point, but func(m message) bool, spring func(m message) verdict) (string, *trap) {
	p := points[r.IntN(len(points))]
	nth, met := 1+r.Int64N(int64(p.most)), atomic.Int64{}
	on := func(m message, _ int64) bool {
		return p.hit(m) && !(but != nil && but(m)) && met.Add(1) >= nth
	}
	return p.name, &trap{on: on, spring: spring}
}

// tally counts faults by the point they happened at.
type tally map[string]int

func (t tally) String() string {
	s := ""
	for name, n := range t {
		s += fmt.Sprintf("%s %d, ", name, n)
	}
	return s[:max(0, len(s)-2)]
}
