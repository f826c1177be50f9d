package record

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"pgregory.net/rapid"

	"github.com/synclinehq/syncline/format/typename"
	"github.com/synclinehq/syncline/rows"
)

var schema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "u", Type: typename.UUID, Nullable: true},
	{Name: "l", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	{Name: "j", Type: typename.JSON, Nullable: true},
}, nil)

// fill appends row n up to, not including, column upTo.
func fill(b *Builder, n int64, upTo int) {
	for _, put := range []func(){
		func() { b.Columns[0].(*array.Int64Builder).Append(n) },
		func() { b.Columns[1].(*extensions.UUIDBuilder).AppendBytes([16]byte{byte(n)}) },
		func() {
			l := b.Columns[2].(*array.ListBuilder)
			l.Append(true)
			for range n % 3 {
				l.ValueBuilder().(*array.StringBuilder).Append(fmt.Sprint(n))
			}
		},
		func() { b.Columns[3].AppendNull() },
	}[:upTo] {
		put()
	}
}

func TestDroppedRowsLeaveNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, want := New(schema), New(schema)
		defer b.Release()
		defer want.Release()
		var rejects int
		for n := range rapid.Int64Range(0, 20).Draw(t, "rows") {
			upTo := rapid.IntRange(0, len(b.Columns)).Draw(t, "columns")
			fill(b, n, upTo)
			if rapid.Bool().Draw(t, "drop") || upTo < len(b.Columns) {
				b.Drop(1, rows.Reject{Row: n})
				rejects++
				continue
			}
			b.End(1)
			fill(want, n, upTo)
			want.End(1)
		}
		got, err := b.Take()
		if err != nil {
			t.Fatal(err)
		}
		defer got.Record.Release()
		expected, err := want.Take()
		if err != nil {
			t.Fatal(err)
		}
		defer expected.Record.Release()
		if len(got.Rejects) != rejects || !array.RecordEqual(got.Record, expected.Record) {
			t.Fatalf("%d rejects and %v, want %d and %v", len(got.Rejects), got.Record, rejects, expected.Record)
		}
		if !b.Empty() {
			t.Fatal("not empty after Take")
		}
	})
}

func TestFull(t *testing.T) {
	for name, grow := range map[string]func(*Builder){
		"bytes": func(b *Builder) { fill(b, 0, 4); b.End(rows.MaxBatchBytes) },
		"rows": func(b *Builder) {
			for range rows.MaxBatchRows {
				fill(b, 0, 4)
				b.End(1)
			}
		},
		"rejects": func(b *Builder) {
			for range maxRejects {
				b.Drop(0, rows.Reject{})
			}
		},
	} {
		b := New(schema)
		if b.Full() {
			t.Error("full from the start")
		}
		if grow(b); !b.Full() {
			t.Errorf("not full by its %s", name)
		}
		b.Release()
	}
}
