package sourcetest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

func entities(t *testing.T, f Fixture) {
	s := open(t, f)
	var want []string
	for _, name := range []string{"orders", "accounts", "mixed case ünïcode"} {
		want = append(want, s.place.Create(t, name, []string{"id"}, table(1, 3)))
	}
	slices.Sort(want)
	es, err := s.src.Entities(s.ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range es {
		names = append(names, e.Name)
	}
	if !slices.Equal(names, want) {
		t.Errorf("entities %q, want %q", names, want)
	}
	for _, name := range want {
		e := s.entity(name)
		if e.Rows < 0 != (e.EstimateFrom == "") && e.Bytes < 0 {
			t.Errorf("%s: %d rows, %d bytes by %q", name, e.Rows, e.Bytes, e.EstimateFrom)
		}
		g := s.readAll(s.src, s.full(e), s.plan(s.full(e)))
		s.sameRows(name, g.lines, lines(table(1, 3)))
	}
}

func missingPattern(t *testing.T, f Fixture) {
	s := open(t, f)
	entity := s.place.Create(t, "orders", []string{"id"}, table(1, 1))
	wrong := strings.Replace(entity, "orders", "ordesr", 1)
	_, err := s.src.Entities(s.ctx, []string{wrong})
	if syncline.CodeOf(err) != syncline.NotFound {
		t.Fatalf("%q: %v", wrong, err)
	}
	e := err.(*syncline.Error)
	if !strings.Contains(e.Message, wrong) || !strings.Contains(e.Message+e.Hint, entity) {
		t.Errorf("names neither the pattern nor what there is: %s %s", e.Message, e.Hint)
	}
}

func types(t *testing.T, f Fixture) {
	s := open(t, f)
	rec := zooRecord(t, f)
	e := s.create("zoo", []string{"id"}, rec)
	for i, field := range rec.Schema().Fields() {
		if got, want := e.Schema.Field(i), f.Reads(field); !sameType(got.Type, want) || got.Name != field.Name {
			t.Errorf("%s came back as %s, want %s", field.Name, got, want)
		}
	}
	g := s.readAll(s.src, s.full(e), s.plan(s.full(e)))
	for _, r := range g.rejects {
		t.Errorf("reject %s: %s", r.Code, r.Message)
	}
	s.sameRows("zoo", g.lines, lines(rec))
}

// sameType compares types, not what the metadata of a list's element says.
func sameType(a, b arrow.DataType) bool {
	la, ok := a.(*arrow.ListType)
	lb, too := b.(*arrow.ListType)
	if ok && too {
		return sameType(la.Elem(), lb.Elem())
	}
	return arrow.TypeEqual(a, b)
}

func wholeTable(t *testing.T, f Fixture, n int) {
	s := open(t, f)
	rec := table(1, n)
	e := s.create("rows", []string{"id"}, rec)
	g := s.readAll(s.src, s.full(e), s.plan(s.full(e)))
	s.sameRows("full", g.lines, lines(rec))
	if c, ok := s.src.(source.Counter); ok {
		if got, err := c.Count(s.ctx, s.full(e)); err == nil && got != int64(n) {
			t.Errorf("counted %d of %d", got, n)
		}
	}
}

func sameParts(t *testing.T, f Fixture) {
	s := open(t, f)
	e := s.create("rows", []string{"id"}, table(1, 20_000))
	first := s.plan(s.full(e))
	again := s.again(nil)
	second, err := again.Plan(s.ctx, s.full(e))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := ids(first), ids(second); !slices.Equal(a, b) {
		t.Errorf("parts %q, then %q", a, b)
	}
}

func ids(p source.Plan) (ids []string) {
	for _, part := range p.Parts {
		ids = append(ids, part.ID)
	}
	return ids
}

// resume: what a Next had behind it and what a later source reads from there is the
// whole, each row once.
func resume(t *testing.T, f Fixture) {
	s := open(t, f)
	rec := table(1, 140_000)
	want := lines(rec)
	e := s.create("rows", []string{"id"}, rec)
	q := s.full(e)
	p := s.plan(q)
	if p.Resume == source.ResumeRestart {
		if !f.Restarts || p.Why == "" {
			t.Fatalf("restarts: %q", p.Why)
		}
		t.Skip(p.Why)
	}
	stored := s.stored(p)
	for _, part := range p.Parts {
		g, err := s.readPart(s.ctx, s.src, q, p, part, mark{})
		if err != nil {
			t.Fatal(err)
		}
		if len(g.nexts) == 0 {
			t.Fatalf("part %s has no Next in %d rows", part.ID, len(g.lines))
		}
		for _, m := range g.nexts {
			rest, err := s.readPart(s.ctx, s.again(nil), q, stored, part, m)
			if err != nil {
				t.Fatalf("from %q: %v", m.next, err)
			}
			s.sameRows(fmt.Sprintf("from row %d", m.rows), rest.lines, g.lines[m.rows:])
		}
		want = without(want, g.lines)
	}
	s.sameRows("all parts", nil, want)
}

// stored is a plan as a later attempt has it.
func (s *session) stored(p source.Plan) source.Plan {
	s.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		s.Fatal(err)
	}
	var q source.Plan
	if err := json.Unmarshal(b, &q); err != nil {
		s.Fatal(err)
	}
	return q
}

func without(all, gone []string) []string {
	count := make(map[string]int, len(gone))
	for _, l := range gone {
		count[l]++
	}
	return slices.DeleteFunc(all, func(l string) bool { count[l]--; return count[l] >= 0 })
}

func twoReads(t *testing.T, f Fixture) {
	s := open(t, f)
	rec := table(1, 20_000)
	want := lines(rec)
	e := s.create("rows", []string{"id"}, rec)
	q := s.full(e)
	p := s.plan(q)
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			g, err := s.readPart(s.ctx, s.src, q, p, p.Parts[0], mark{})
			if err != nil {
				t.Error(err)
				return
			}
			if len(p.Parts) == 1 {
				s.sameRows("at once", g.lines, want)
			}
		})
	}
	wait.Wait()
}

// givenTypes: a pipeline may say that a column is text, or that text is a number.
func givenTypes(t *testing.T, f Fixture) {
	s := open(t, f)
	e := s.create("rows", []string{"id"}, table(1, 10))
	fields := e.Schema.Fields()
	fields[0] = arrow.Field{Name: "id", Type: arrow.BinaryTypes.String, Nullable: true}
	fields[1] = arrow.Field{Name: "label", Type: arrow.PrimitiveTypes.Int64, Nullable: true}
	e.Schema = arrow.NewSchema(fields, nil)
	q := s.full(e)
	g := s.readAll(s.src, q, s.plan(q))
	if len(g.lines) != 1 || !strings.HasPrefix(g.lines[0], "3|∅|") {
		t.Errorf("%d rows: %q", len(g.lines), g.lines)
	}
	if len(g.rejects) != 9 || g.rejects[0].Code != rows.CodeType || !strings.Contains(g.rejects[0].Message, "label") {
		t.Errorf("%d rejects: %+v", len(g.rejects), g.rejects)
	}
}

// largeRows: a row over the limit is a reject, and its neighbours arrive.
func largeRows(t *testing.T, f Fixture) {
	s := open(t, f)
	const mib = 1 << 20
	e := s.create("large", []string{"id"}, big(10, 15*mib, 10, 17*mib, 10, 15*mib, 20*mib, 10))
	q := s.full(e)
	g := s.readAll(s.src, q, s.plan(q))
	var arrived []string
	for _, l := range g.lines {
		id, body, _ := strings.Cut(l, "|")
		arrived = append(arrived, fmt.Sprint(id, ":", len(body)))
	}
	slices.Sort(arrived)
	want := []string{"1:10", fmt.Sprint("2:", 15*mib), "3:10", "5:10", fmt.Sprint("6:", 15*mib), "8:10"}
	if !slices.Equal(arrived, want) {
		t.Errorf("arrived %q, want %q", arrived, want)
	}
	if len(g.rejects) != 2 || g.rejects[0].Code != rows.CodeTooLarge || g.rejects[1].Code != rows.CodeTooLarge {
		t.Errorf("rejects %+v", g.rejects)
	}
}

// seeded is a source of random numbers whose seed the test prints.
func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
