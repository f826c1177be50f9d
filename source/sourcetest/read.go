package sourcetest

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// got is what a read brought.
type got struct {
	lines    []string // rows in text form, in the order they came
	rejects  []rows.Reject
	filtered int64
	nexts    []mark
}

// mark is a Next, how many rows had come with it, and the ordinal in the part of the row
// after them. The zero mark is the start.
type mark struct {
	next    []byte
	rows    int
	ordinal int64
}

// readAll reads all parts of a plan.
func (s *session) readAll(src source.Source, q source.Query, p source.Plan) got {
	s.Helper()
	var g got
	for _, part := range p.Parts {
		one, err := s.readPart(s.ctx, src, q, p, part, mark{})
		if err != nil {
			s.Fatalf("read part %s: %v", part.ID, err)
		}
		g.lines = append(g.lines, one.lines...)
		g.rejects = append(g.rejects, one.rejects...)
		g.filtered += one.filtered
	}
	return g
}

// readPart reads one part and holds every batch to the contract.
func (s *session) readPart(ctx context.Context, src source.Source, q source.Query, p source.Plan, part source.Part, from mark) (got, error) {
	s.Helper()
	var g got
	ordinal := from.ordinal
	for b, err := range src.Read(ctx, q, p, part, from.next) {
		if err != nil {
			return g, err
		}
		if b.Format == rows.PGCopy {
			b.Record = s.decode(q.Entity.Schema, b.Raw)
		}
		s.check(q, b, ordinal)
		ordinal = b.First + b.Read()
		g.lines = append(g.lines, lines(b.Record)...)
		g.rejects = append(g.rejects, b.Rejects...)
		g.filtered += b.Filtered
		if b.Next != nil {
			g.nexts = append(g.nexts, mark{append([]byte{}, b.Next...), len(g.lines), ordinal})
		}
		b.Release()
	}
	return g, nil
}

func (s *session) check(q source.Query, b rows.Batch, ordinal int64) {
	s.Helper()
	switch {
	case b.Format != q.Format:
		s.Fatalf("format %q, want %q", b.Format, q.Format)
	case b.Record == nil || b.Release == nil:
		s.Fatal("a batch without Record or Release")
	case b.Rows != b.Record.NumRows():
		s.Fatalf("Rows is %d, the record has %d", b.Rows, b.Record.NumRows())
	case b.Rows > rows.MaxBatchRows:
		s.Fatalf("a batch of %d rows", b.Rows)
	case b.Bytes > rows.MaxBatchBytes+rows.MaxRowBytes:
		s.Fatalf("a batch of %d bytes", b.Bytes)
	case b.Rows > 0 && b.Bytes <= 0:
		s.Fatalf("%d rows of %d bytes", b.Rows, b.Bytes)
	case b.First != ordinal:
		s.Fatalf("First is %d after %d rows", b.First, ordinal)
	case b.Ops != nil && int64(len(b.Ops)) != b.Rows:
		s.Fatalf("%d ops for %d rows", len(b.Ops), b.Rows)
	case !b.Record.Schema().Equal(q.Entity.Schema):
		s.Fatalf("record of %s, entity of %s", b.Record.Schema(), q.Entity.Schema)
	}
	for _, r := range b.Rejects {
		if r.Code == "" || r.Message == "" || len(r.Sample) > rows.MaxSample || r.Row < b.First || r.Row >= b.First+b.Read() {
			s.Fatalf("reject %+v of rows from %d", r, b.First)
		}
	}
}

// lines draws the rows of a record: the text form of every value, ∅ for NULL.
func lines(rec arrow.RecordBatch) []string {
	out := make([]string, rec.NumRows())
	var line []byte
	for i := range out {
		line = line[:0]
		for c, column := range rec.Columns() {
			if c > 0 {
				line = append(line, '|')
			}
			if column.IsNull(i) {
				line = append(line, "∅"...)
				continue
			}
			line = text.Append(line, column, i)
		}
		out[i] = string(line)
	}
	return out
}

// sameRows compares two reads as bags of rows.
func (s *session) sameRows(what string, got, want []string) {
	s.Helper()
	count := make(map[string]int, len(want))
	for _, l := range want {
		count[l]++
	}
	var extra []string
	for _, l := range got {
		if count[l]--; count[l] < 0 {
			extra = append(extra, l)
		}
	}
	var missing []string
	for l, n := range count {
		for range n {
			missing = append(missing, l)
		}
	}
	if len(missing) > 0 || len(extra) > 0 {
		s.Errorf("%s: %d rows, want %d; missing %s; beyond it %s", what, len(got), len(want), some(missing), some(extra))
	}
}

func some(lines []string) string {
	n := len(lines)
	if n == 0 {
		return "nothing"
	}
	shown := strings.Join(lines[:min(n, 3)], "  ")
	return fmt.Sprintf("%d, such as %.300s", n, shown)
}
