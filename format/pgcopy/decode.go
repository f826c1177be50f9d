package pgcopy

import (
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/synclinehq/syncline/rows"
)

// Decoder turns tuples into record batches. It serves one goroutine; the batches it
// gives away may be released by another.
type Decoder struct {
	schema *arrow.Schema
	now    *block
	free   chan *block
	probe  *block // where rejected rows are read for their sample; made when needed
}

// block is the memory of one batch.
type block struct {
	vectors []*vector
	rows    int
	bytes   int64
}

// spare is how many batches' memory is kept for the next ones: as many as are in flight
// between a reader and a writer.
const spare = 3

// NewDecoder decodes tuples of the expressions that SelectExpr gives for the fields of a
// schema. A field whose type the pipeline has changed is parsed from its text.
func NewDecoder(schema *arrow.Schema) (*Decoder, error) {
	d := &Decoder{schema: schema, free: make(chan *block, spare)}
	var err error
	d.now, err = d.block()
	return d, err
}

func (d *Decoder) block() (*block, error) {
	select {
	case b := <-d.free:
		return b, nil
	default:
	}
	b := &block{vectors: make([]*vector, d.schema.NumFields())}
	for i, f := range d.schema.Fields() {
		v, err := newVector(f)
		if err != nil {
			return nil, err
		}
		b.vectors[i] = v
	}
	return b, nil
}

// Append decodes one whole tuple, as Framer.Next gives it. A *ValueError: the row cannot
// be kept, and nothing of it was. ErrMalformed: it is no tuple of this schema.
func (d *Decoder) Append(tuple []byte) error {
	if err := d.now.append(tuple); err != nil {
		return err
	}
	d.now.rows++
	d.now.bytes += int64(len(tuple))
	return nil
}

func (b *block) append(tuple []byte) error {
	if len(tuple) < 2 || int(int16(binary.BigEndian.Uint16(tuple))) != len(b.vectors) {
		return fmt.Errorf("%w: not a tuple of %d fields", ErrMalformed, len(b.vectors))
	}
	rest := tuple[2:]
	for i, v := range b.vectors {
		value, null, after, ok := cutField(rest)
		if !ok {
			b.takeBack(i)
			return fmt.Errorf("%w: tuple ends in field %d", ErrMalformed, i+1)
		}
		rest = after
		if err := v.add(value, null); err != nil {
			b.takeBack(i)
			return valueError(v.field.Name, err)
		}
	}
	if len(rest) > 0 {
		b.takeBack(len(b.vectors))
		return fmt.Errorf("%w: %d bytes after a tuple's last field", ErrMalformed, len(rest))
	}
	return nil
}

// takeBack removes the row that was begun from the first n vectors.
func (b *block) takeBack(n int) {
	for _, v := range b.vectors[:n] {
		v.truncate(b.rows)
	}
}

// cutField takes one field, its length before it, from the start of p.
func cutField(p []byte) (value []byte, null bool, rest []byte, ok bool) {
	if len(p) < 4 {
		return nil, false, nil, false
	}
	n := int32(binary.BigEndian.Uint32(p))
	p = p[4:]
	if n == -1 {
		return nil, true, p, true
	}
	if n < 0 || int(n) > len(p) {
		return nil, false, nil, false
	}
	return p[:n], false, p[n:], true
}

// Rows and Bytes are what the batch being built holds.
func (d *Decoder) Rows() int    { return d.now.rows }
func (d *Decoder) Bytes() int64 { return d.now.bytes }

// Full reports whether the batch is to be taken now.
func (d *Decoder) Full() bool {
	return d.now.rows >= rows.MaxBatchRows || d.now.bytes >= rows.MaxBatchBytes
}

// Take gives the batch away, with the function that gives its memory back: after it was
// called nobody may touch the batch. The decoder goes on with an empty one.
func (d *Decoder) Take() (arrow.RecordBatch, func()) {
	b := d.now
	next, err := d.block()
	if err != nil {
		panic(err) // the same schema worked before
	}
	d.now = next
	rec := b.record(d.schema)
	return rec, func() {
		rec.Release()
		b.reset()
		select {
		case d.free <- b:
		default:
		}
	}
}

func (b *block) record(schema *arrow.Schema) arrow.RecordBatch {
	columns := make([]arrow.Array, len(b.vectors))
	for i, v := range b.vectors {
		columns[i] = v.array()
		defer columns[i].Release()
	}
	return array.NewRecordBatch(schema, columns, int64(b.rows))
}

func (b *block) reset() {
	b.rows, b.bytes = 0, 0
	for _, v := range b.vectors {
		v.reset()
	}
}

// Text draws the given columns of a tuple as PostgreSQL would print them, also where the
// row as a whole is a reject; nil stands for NULL and for what cannot be read.
func (d *Decoder) Text(tuple []byte, columns []int) ([][]byte, error) {
	if d.probe == nil {
		b, err := d.block()
		if err != nil {
			return nil, err
		}
		d.probe = b
	}
	d.probe.reset()
	d.probe.appendLoosely(tuple)
	texts := make([][]byte, len(columns))
	for i, c := range columns {
		a := d.probe.vectors[c].array()
		if a.IsValid(0) {
			texts[i] = AppendValue([]byte{}, a, 0)
		}
		a.Release()
	}
	return texts, nil
}

// appendLoosely decodes what it can of a tuple and makes the rest NULL.
func (b *block) appendLoosely(tuple []byte) {
	rest := tuple[min(2, len(tuple)):]
	for _, v := range b.vectors {
		value, null, after, ok := cutField(rest)
		rest = after
		if !ok || v.add(value, null) != nil {
			v.addNull()
		}
	}
	b.rows = 1
}
