package postgres

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/rows"
)

// tuples are encoded rows, one after another.
type tuples struct {
	buf  []byte
	ends []int // where each ends
	rows []int // which row of the batch each is
}

func (t *tuples) len() int { return len(t.ends) }

// add takes over buf, to which row i was appended.
func (t *tuples) add(buf []byte, i int) {
	t.buf, t.ends, t.rows = buf, append(t.ends, len(buf)), append(t.rows, i)
}

// slice are the tuples from, …, to-1.
func (t *tuples) slice(from, to int) []byte {
	start := 0
	if from > 0 {
		start = t.ends[from-1]
	}
	return t.buf[start:t.ends[to-1]]
}

func (t *tuples) reset() { t.buf, t.ends, t.rows = t.buf[:0], t.ends[:0], t.rows[:0] }

// encoder turns batches into tuples of the columns that land.
type encoder struct {
	shape  *shape
	schema *arrow.Schema // of the tuples
	keys   *arrow.Schema
	rows   *pgcopy.Encoder
	key    *pgcopy.Encoder // nil without a key
	keyAt  []int           // the key's columns among the shape's, in the key's order
	marked bool            // ordinal and operation follow the columns
	rec    arrow.RecordBatch
	keyRec arrow.RecordBatch
}

// newEncoder makes an encoder; marks, if any, name the two columns in which the ordinal of
// a row and whether it is a delete come after its own.
func newEncoder(s *shape, entity *arrow.Schema, marks []string) (*encoder, error) {
	e := &encoder{shape: s, schema: s.schema(entity), marked: len(marks) > 0}
	types := s.targets()
	if e.marked {
		e.schema = arrow.NewSchema(append(e.schema.Fields(), arrow.Field{Name: marks[0], Type: arrow.PrimitiveTypes.Int64},
			arrow.Field{Name: marks[1], Type: arrow.FixedWidthTypes.Boolean}), nil)
		types = append(types, "bigint", "boolean")
	}
	var err error
	if e.rows, err = pgcopy.NewEncoder(e.schema, types); err != nil || len(s.key) == 0 {
		return e, err
	}
	var fields []arrow.Field
	var keyTypes []string
	for _, k := range s.key {
		i := slices.Index(s.names(), k)
		e.keyAt = append(e.keyAt, i)
		fields, keyTypes = append(fields, e.schema.Field(i)), append(keyTypes, types[i])
	}
	e.keys = arrow.NewSchema(fields, nil)
	e.key, err = pgcopy.NewEncoder(e.keys, keyTypes)
	return e, err
}

// bind takes the columns that land out of a batch, until release.
func (e *encoder) bind(b rows.Batch, ordinals []int64) {
	columns := make([]arrow.Array, 0, len(e.shape.columns)+2)
	for _, l := range e.shape.columns {
		columns = append(columns, b.Record.Column(l.field))
	}
	if e.marked {
		at, del := marks(b, ordinals)
		defer at.Release()
		defer del.Release()
		columns = append(columns, at, del)
	}
	e.rec = array.NewRecordBatch(e.schema, columns, b.Record.NumRows())
	e.rows.Bind(e.rec)
	if e.key == nil {
		return
	}
	keys := make([]arrow.Array, len(e.keyAt))
	for i, at := range e.keyAt {
		keys[i] = columns[at]
	}
	e.keyRec = array.NewRecordBatch(e.keys, keys, b.Record.NumRows())
	e.key.Bind(e.keyRec)
}

func (e *encoder) release() {
	e.rec.Release()
	if e.keyRec != nil {
		e.keyRec.Release()
	}
	e.rec, e.keyRec = nil, nil
}

// marks are the two columns that follow a row's own.
func marks(b rows.Batch, ordinals []int64) (at, del arrow.Array) {
	n := array.NewInt64Builder(memory.DefaultAllocator)
	d := array.NewBooleanBuilder(memory.DefaultAllocator)
	defer n.Release()
	defer d.Release()
	n.AppendValues(ordinals, nil)
	for i := range ordinals {
		d.Append(b.Ops != nil && b.Ops[i] == rows.Delete)
	}
	return n.NewArray(), d.NewArray()
}

func appendRow(dst []byte, e *pgcopy.Encoder, i int) ([]byte, error) {
	if e.Binary() {
		return e.AppendTuple(dst, i)
	}
	return e.AppendText(dst, i)
}

// keyText is the key of a row as a person reads it.
func (e *encoder) keyText(i int) string {
	parts := make([]string, len(e.keyAt))
	for n, at := range e.keyAt {
		parts[n] = "NULL"
		if column := e.rec.Column(at); column.IsValid(i) {
			parts[n] = string(pgcopy.AppendValue(nil, column, i))
		}
	}
	return strings.Join(parts, ", ")
}

// nullKey names the first key column that is NULL in a row, "" if none is.
func (e *encoder) nullKey(i int) string {
	for n, at := range e.keyAt {
		if e.rec.Column(at).IsNull(i) {
			return e.shape.key[n]
		}
	}
	return ""
}

// reject says why row i cannot be written.
func (e *encoder) reject(i int, ordinal int64, code, message string) rows.Reject {
	return rows.Reject{Row: ordinal, Key: e.keyText(i), Code: code, Message: message, Sample: e.rows.Sample(i)}
}
