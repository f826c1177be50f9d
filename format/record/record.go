// Package record builds record batches row by row from input that may turn out to be
// wrong in the middle of a row, and knows when a batch is full.
package record

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline/format/stream"
	"github.com/synclinehq/syncline/rows"
)

// Position is a row boundary of a stream and how many rows, rejects included, stand
// before it.
type Position struct {
	stream.Place
	Row int64 `json:"row"`
}

// Batch is a run of rows and where it ends.
type Batch struct {
	Record  arrow.RecordBatch
	Rejects []rows.Reject
	Bytes   int64 // of input that its rows took
	First   int64 // ordinal of its first row
	Next    Position
}

// maxCells bounds what narrow values make of a batch: eight bytes stand in an Arrow
// column where one or two stood in the text.
const maxCells = rows.MaxBatchBytes / 8

// maxRejects bounds how many rejects with their samples wait for one batch.
const maxRejects = 500

// Builder collects rows. Append to the Columns, then call End, or Drop when the row
// cannot be kept; Drop also mends a row that is filled in part.
type Builder struct {
	Columns []array.Builder
	Rejects []rows.Reject
	b       *array.RecordBuilder
	rows    int   // ended or dropped
	dropped []int // their ordinals in the builders
	bytes   int64
}

// New makes a Builder of the schema's columns.
func New(schema *arrow.Schema) *Builder {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	return &Builder{Columns: b.Fields(), b: b}
}

// End ends a row that took so many bytes of input.
func (b *Builder) End(bytes int64) {
	b.rows++
	b.bytes += bytes
}

// Drop takes the row back, for the reason given.
func (b *Builder) Drop(bytes int64, r rows.Reject) {
	b.Rejects = append(b.Rejects, r)
	b.bytes += bytes
	begun := false
	for _, c := range b.Columns {
		begun = begun || c.Len() > b.rows
	}
	if !begun {
		return
	}
	for _, c := range b.Columns {
		if c.Len() == b.rows {
			c.AppendNull()
		}
	}
	b.dropped = append(b.dropped, b.rows)
	b.rows++
}

// Full says that the batch is to be cut here.
func (b *Builder) Full() bool {
	return b.bytes >= rows.MaxBatchBytes || b.rows >= rows.MaxBatchRows ||
		b.rows*len(b.Columns) >= maxCells || len(b.Rejects) >= maxRejects
}

// Empty says that there is nothing to cut.
func (b *Builder) Empty() bool { return b.rows == 0 && len(b.Rejects) == 0 }

// Take returns the batch so far, whose First and Next are the caller's to know, and begins
// the next one.
func (b *Builder) Take() (Batch, error) {
	batch, dropped := Batch{Record: b.b.NewRecordBatch(), Rejects: b.Rejects, Bytes: b.bytes}, b.dropped
	b.rows, b.bytes, b.Rejects, b.dropped = 0, 0, nil, nil
	if len(dropped) == 0 {
		return batch, nil
	}
	all := batch.Record
	defer all.Release()
	var err error
	batch.Record, err = without(all, dropped)
	return batch, err
}

// Release lets go of the memory.
func (b *Builder) Release() { b.b.Release() }

// without copies rec but for some of its rows, given in order.
func without(rec arrow.RecordBatch, dropped []int) (arrow.RecordBatch, error) {
	var columns []arrow.Array
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	kept := rec.NumRows() - int64(len(dropped))
	for i, c := range rec.Columns() {
		var pieces []arrow.Array
		from := 0
		for _, at := range append(dropped, c.Len()) {
			pieces = append(pieces, array.NewSlice(c, int64(from), int64(at)))
			from = at + 1
		}
		column, err := array.Concatenate(pieces, memory.DefaultAllocator)
		for _, p := range pieces {
			p.Release()
		}
		if err != nil {
			return nil, fmt.Errorf("take rejected rows out of column %q: %w", rec.ColumnName(i), err)
		}
		columns = append(columns, column)
	}
	return array.NewRecordBatch(rec.Schema(), columns, kept), nil
}
