// Package measure compares Syncline with a reference that does the same work, and says
// whether it is fast enough and how much of the difference is noise.
//
// A benchmark is a Go test:
//
//	func TestMain(m *testing.M) { testserver.Main(m, measure.Report("transfer")) }
//
//	func TestCopy(t *testing.T) {
//		measure.Compare(t, measure.Comparison{
//			Name: "copy of 1 M rows", Against: "cp", Unit: "rows/s", Bar: 0.9,
//			Ours: func(t testing.TB) measure.Sample {
//				reset(t) // not timed: the clock is the side's own
//				took, rss := measure.Run(t, exec.Command(syncline, "sync", in, out))
//				return measure.Sample{Count: 1e6, Took: took, RSS: rss}
//			},
//			Theirs: func(t testing.TB) measure.Sample { ... },
//		})
//		measure.Bound(t, measure.Limit{Name: "longest wait", Unit: "ms", Value: worst, Bar: 50, AtMost: true})
//	}
//
// Work that needs no process of its own is timed in the side itself. Report prints the
// table when the package's tests have run; with -save it also keeps the figures in
// bench/results/NAME.json and draws them into docs/benchmarks.md, between the comments
// "<!-- results: NAME -->" and "<!-- end -->". A figure that was measured again takes the
// place of the older one with its name, so a run of some of the tests keeps the others.
//
// A bar that is missed is reported and fails nothing: on a busy machine it means little.
// A test fails when the work was done wrong.
package measure

import (
	"flag"
	"testing"
	"time"
)

var rounds = flag.Int("rounds", 3, "rounds of each comparison")

// Comparison is one piece of work, done by Syncline and by a reference.
type Comparison struct {
	Name    string // what is done: the row's name in the table, unique in its suite
	Against string // what the reference is
	Unit    string // of Sample.Rate: "rows/s"
	Bar     float64
	MaxRSS  int64 // the most memory our side may take, in bytes; 0: not asked
	Rounds  int   // at most this many, for work that takes long; 0: as -rounds says

	Ours, Theirs Side
}

// Side does the work once. It prepares, starts its clock, works, stops it, and looks at
// what came out; only what lies between counts.
type Side func(t testing.TB) Sample

// Sample is what one go of a side took.
type Sample struct {
	Count int64
	Took  time.Duration
	RSS   int64 // peak resident memory in bytes, where it was measured
}

// Rate is how much was done in a second.
func (s Sample) Rate() float64 { return float64(s.Count) / s.Took.Seconds() }

// Compare lets both sides work in turn and reports the outcome. In each round the
// reference works twice: how far it is from itself is the noise of this machine at this
// hour. The order turns with each round, so that nobody is always first.
func Compare(t testing.TB, c Comparison) Row {
	t.Helper()
	n := *rounds
	if c.Rounds > 0 {
		n = min(n, c.Rounds)
	}
	sides := [3]Side{c.Ours, c.Theirs, c.Theirs}
	var got [3][]Sample
	for round := range n {
		for i := range sides {
			who := (i + round) % len(sides)
			s := sides[who](t)
			got[who] = append(got[who], s)
			t.Logf("round %d: %-9s %s, %.0f %s%s", round+1, [...]string{"Syncline", "reference", "again"}[who], s.Took.Round(time.Millisecond), s.Rate(), c.Unit, memory(s.RSS))
		}
	}
	row := c.row(got)
	add(row)
	t.Log(row)
	return row
}

func (c Comparison) row(got [3][]Sample) Row {
	ours, theirs, again := rates(got[0]), rates(got[1]), rates(got[2])
	noise := quotients(again, theirs)
	r := Row{
		Name: c.Name, Against: c.Against, Unit: c.Unit, Bar: c.Bar, MaxRSS: c.MaxRSS,
		Ours: median(ours), Theirs: median(append(theirs, again...)),
		Floor: median(noise), Spread: spread(noise), Rounds: len(ours), At: time.Now().UTC().Truncate(time.Second),
	}
	r.Ratio = r.Ours / r.Theirs
	for _, s := range got[0] {
		r.RSS = max(r.RSS, s.RSS)
	}
	r.Met = r.Ratio >= r.Bar && (r.MaxRSS == 0 || r.RSS <= r.MaxRSS)
	return r
}

// Limit is a figure that has a bar of its own and no reference.
type Limit struct {
	Name, Unit string
	Value, Bar float64
	AtMost     bool    // the bar is the most it may be, not the least
	Noise      float64 // the same figure where there was nothing to measure; 0: not known
}

// Bound reports a figure and whether it keeps within its bar.
func Bound(t testing.TB, l Limit) Row {
	t.Helper()
	r := Row{Name: l.Name, Unit: l.Unit, Ours: l.Value, Bar: l.Bar, AtMost: l.AtMost, Floor: l.Noise, At: time.Now().UTC().Truncate(time.Second)}
	r.Met = l.Value >= l.Bar
	if l.AtMost {
		r.Met = l.Value <= l.Bar
	}
	add(r)
	t.Log(r)
	return r
}
