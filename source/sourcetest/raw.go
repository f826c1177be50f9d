package sourcetest

import (
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// undecoded: rows in a raw format are the very rows, whole, and a read of them goes on from
// every Next.
func undecoded(t *testing.T, f Fixture) {
	s := open(t, f)
	raw, ok := s.src.(source.Formatter)
	if !ok {
		t.Skip("the source has no raw format")
	}
	rec := table(1, 100_000)
	e := s.create("rows", []string{"id"}, rec)
	if !slices.Contains(raw.Formats(e), rows.PGCopy) {
		t.Skip("the source has no raw format that this suite reads")
	}
	for _, corrects := range []bool{false, true} {
		q := s.full(e)
		q.Format, q.Corrects = rows.PGCopy, corrects
		p := s.plan(q)
		s.sameRows("undecoded", s.readAll(s.src, q, p).lines, lines(rec))
		for _, part := range p.Parts {
			s.goesOn(q, p, part)
		}
	}
}

// goesOn reads what is left of a part after each of its positions.
func (s *session) goesOn(q source.Query, p source.Plan, part source.Part) {
	s.Helper()
	whole, err := s.readPart(s.ctx, s.src, q, p, part, mark{})
	if err != nil {
		s.Fatal(err)
	}
	for _, from := range whole.nexts {
		rest, err := s.readPart(s.ctx, s.src, q, p, part, from)
		if err != nil {
			s.Fatalf("from %s: %v", from.next, err)
		}
		s.sameRows("the rest", rest.lines, whole.lines[from.rows:])
	}
}

func (s *session) decode(schema *arrow.Schema, raw []byte) arrow.RecordBatch {
	s.Helper()
	d, err := pgcopy.NewDecoder(schema)
	if err != nil {
		s.Fatal(err)
	}
	ends, err := pgcopy.Ends(raw, schema.NumFields())
	if err != nil {
		s.Fatalf("not whole rows: %v", err)
	}
	from := 0
	for _, end := range ends {
		if err := d.Append(raw[from:end]); err != nil {
			s.Fatal(err)
		}
		from = end
	}
	record, _ := d.Take()
	return record
}
