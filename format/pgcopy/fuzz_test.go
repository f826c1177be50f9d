package pgcopy_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/pgcopy"
)

// binaryZoo are the columns of the zoo that go both ways in the same binary form.
func binaryZoo() (columns []pgcopy.Column, targets []string) {
	for _, z := range zoo {
		c := pgcopy.Column{Name: z.column, Type: z.typ, Nullable: true}
		f := pgcopy.Field(c)
		if pgcopy.Encodable(f, c.Type) && pgcopy.SelectExpr(f, c.Name) == c.Name {
			columns, targets = append(columns, c), append(targets, c.Type)
		}
	}
	return columns, targets
}

// FuzzDecode: whatever comes, the decoder answers with rows or an error, never holds more
// than it may, and what it took for a row is written and read back as the same.
func FuzzDecode(f *testing.F) {
	columns, targets := binaryZoo()
	schema := schemaOf(columns)
	f.Add([]byte{}, 1)
	f.Add(append(bytes.Clone(pgcopy.Header), pgcopy.Trailer...), 3)
	empty := append(bytes.Clone(pgcopy.Header), 0, byte(len(columns)))
	f.Add(append(append(empty, bytes.Repeat([]byte{0xff}, 4*len(columns))...), pgcopy.Trailer...), 5)
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		rec, _, err := decode(schema, stream, max(1, min(piece, 1<<16)))
		if err != nil {
			if !errors.Is(err, pgcopy.ErrMalformed) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
			return
		}
		again(t, rec, targets)
	})
}

// FuzzTuple begins inside of a tuple, where FuzzDecode seldom comes.
func FuzzTuple(f *testing.F) {
	columns, targets := binaryZoo()
	schema := schemaOf(columns)
	f.Add([]byte{0, 0, 0, 2, 0, 1}, 0)
	f.Add([]byte{0, 0, 0, 12, 0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 19, 136}, 6)
	f.Fuzz(func(t *testing.T, fields []byte, at int) {
		// The fuzzed fields start at some column; the ones around them are NULL.
		at = max(0, min(at, len(columns)-1))
		stream := append(bytes.Clone(pgcopy.Header), 0, byte(len(columns)))
		for range at {
			stream = append(stream, 0xff, 0xff, 0xff, 0xff)
		}
		stream = append(stream, fields...)
		for range len(columns) - at - 1 {
			stream = append(stream, 0xff, 0xff, 0xff, 0xff)
		}
		rec, _, err := decode(schema, append(stream, pgcopy.Trailer...), 1<<16)
		if err == nil {
			again(t, rec, targets)
		}
	})
}

// again writes a batch and reads it back.
func again(t *testing.T, rec arrow.RecordBatch, targets []string) {
	e, err := pgcopy.NewEncoder(rec.Schema(), targets)
	if err != nil {
		t.Fatal(err)
	}
	e.Bind(rec)
	stream := bytes.Clone(pgcopy.Header)
	var kept []arrow.RecordBatch
	for i := range int(rec.NumRows()) {
		next, err := e.AppendTuple(stream, i)
		var bad *pgcopy.ValueError
		if err != nil && !errors.As(err, &bad) {
			t.Fatal(err)
		}
		if err == nil {
			kept = append(kept, rec.NewSlice(int64(i), int64(i+1)))
		} else if len(next) != len(stream) {
			t.Fatal("a refused row left something behind")
		}
		stream = next
	}
	back, rejects, err := decode(rec.Schema(), append(stream, pgcopy.Trailer...), 1<<20)
	if err != nil || len(rejects) > 0 || back.NumRows() != int64(len(kept)) {
		t.Fatalf("%v %v: %d rows of %d", err, rejects, back.NumRows(), len(kept))
	}
	for i, row := range kept {
		for c, column := range row.Columns() {
			if !sameValue(column, back.Column(c), i) {
				t.Fatalf("%s: %s came back as %s", rec.ColumnName(c), column, back.Column(c).ValueStr(i))
			}
		}
	}
}

// sameValue compares by text form: NaN is NaN.
func sameValue(one, all arrow.Array, i int) bool {
	if one.IsNull(0) || all.IsNull(i) {
		return one.IsNull(0) && all.IsNull(i)
	}
	return bytes.Equal(pgcopy.AppendValue(nil, one, 0), pgcopy.AppendValue(nil, all, i))
}
