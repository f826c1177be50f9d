package sourcetest

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/source"
)

func cursorRefused(t *testing.T, f Fixture) {
	s := open(t, f)
	e := s.create("rows", []string{"id"}, table(1, 10))
	_, err := s.src.Plan(s.ctx, s.incremental(e, "nope", nil, 0))
	if syncline.CodeOf(err) != syncline.InvalidArgument {
		t.Fatalf("a cursor that is not there: %v", err)
	}
	se := err.(*syncline.Error)
	if !strings.Contains(se.Message, "nope") || !strings.Contains(se.Message+se.Hint, "at") {
		t.Errorf("names neither the column nor the candidates: %s %s", se.Message, se.Hint)
	}
}

// incremental: the first run reads all and fixes the mark; a later one reads what is at
// the mark or after it, and as far behind it as the overlap says.
func incremental(t *testing.T, f Fixture) {
	s := open(t, f)
	e := s.create("rows", []string{"id"}, table(1, 1000))
	q := s.incremental(e, "at", nil, 0)
	p := s.plan(q)
	s.sameRows("first", s.readAll(s.src, q, p).lines, lines(table(1, 1000)))
	if p.Until == nil {
		t.Fatal("no mark")
	}
	tie := rowAt(1001, epoch.Add(1000*step), true) // the same time as the mark's
	s.place.Insert(t, e.Name, tie)
	s.place.Insert(t, e.Name, table(1002, 1100))

	later := &session{TB: t, fixture: f, place: s.place, ctx: s.ctx, src: s.again(nil)}
	q = later.incremental(e, "at", p.Until, 0)
	p2 := later.plan(q)
	want := append(lines(table(1000, 1000)), append(lines(tie), lines(table(1002, 1100))...)...)
	later.sameRows("from the mark", later.readAll(later.src, q, p2).lines, want)

	q = later.incremental(e, "at", p.Until, 10*step)
	want = append(want, lines(table(990, 999))...)
	later.sameRows("with overlap", later.readAll(later.src, q, later.plan(q)).lines, want)

	q = later.incremental(e, "at", p2.Until, 0)
	p3 := later.plan(q)
	later.sameRows("nothing new", later.readAll(later.src, q, p3).lines, lines(table(1100, 1100)))
	if !bytes.Equal(p2.Until, p3.Until) {
		t.Errorf("the mark moved without a row, from %s to %s", p2.Until, p3.Until)
	}
}

// afterMark: what is written once the mark is fixed is the next run's; a full read has a
// mark too.
func afterMark(t *testing.T, f Fixture) {
	s := open(t, f)
	e := s.create("rows", []string{"id"}, table(1, 100))
	for _, mode := range []syncline.Mode{syncline.ModeFull, syncline.ModeIncremental} {
		q := s.incremental(e, "at", nil, 0)
		q.Mode = mode
		if p := s.plan(q); p.Until == nil {
			t.Errorf("%s: no mark", mode)
		}
	}
	q := s.incremental(e, "at", s.plan(s.incremental(e, "at", nil, 0)).Until, 0)
	s.place.Insert(t, e.Name, table(101, 150))
	src := s.again(nil)
	p, err := src.Plan(s.ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	s.place.Insert(t, e.Name, table(151, 200))
	// Another attempt goes on with the stored plan: still only up to its mark.
	again := s.again(nil)
	for _, r := range []struct {
		src  source.Source
		plan source.Plan
	}{{src, p}, {again, s.stored(p)}} {
		s.sameRows("up to the mark", s.readAll(r.src, q, r.plan).lines, lines(table(100, 150)))
	}
}

// nullCursor: rows without a cursor are read in full mode and counted in incremental.
func nullCursor(t *testing.T, f Fixture) {
	s := open(t, f)
	e := s.create("rows", []string{"id"}, table(1, 100))
	mark := s.plan(s.incremental(e, "at", nil, 0)).Until
	s.place.Insert(t, e.Name, rowAt(101, time.Time{}, false))
	s.place.Insert(t, e.Name, rowAt(102, time.Time{}, false))
	src := s.again(nil)
	q := s.full(e)
	q.Cursor = "at"
	p, err := src.Plan(s.ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	if g := s.readAll(src, q, p); len(g.lines) != 102 || g.filtered != 0 {
		t.Errorf("full: %d rows, %d filtered", len(g.lines), g.filtered)
	}
	q = s.incremental(e, "at", mark, 0)
	if p, err = src.Plan(s.ctx, q); err != nil {
		t.Fatal(err)
	}
	if g := s.readAll(src, q, p); len(g.lines) != 1 || g.filtered != 2 {
		t.Errorf("incremental: %d rows, %d filtered", len(g.lines), g.filtered)
	}
}

// window: a backfill reads [From, To).
func window(t *testing.T, f Fixture) {
	s := open(t, f)
	e := s.create("rows", []string{"id"}, table(1, 100))
	q := s.incremental(e, "at", nil, 0)
	q.Window = &syncline.Window{From: epoch.Add(20 * step), To: epoch.Add(30 * step)}
	s.sameRows("window", s.readAll(s.src, q, s.plan(q)).lines, lines(table(20, 29)))
}
