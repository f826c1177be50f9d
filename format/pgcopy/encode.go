package pgcopy

import (
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/synclinehq/syncline/rows"
)

// Encodable reports whether an Encoder can put a field's values into a column of a
// PostgreSQL type, in binary form. For a column of an enum pgType is "enum", whatever the
// enum's name. Other pairs go by text, Encoder.AppendText, where the server's input
// function decides.
//
// True does not promise that every value fits: one that would be rounded, cut or refused
// is a *ValueError of its row.
func Encodable(f arrow.Field, pgType string) bool {
	return writerOf(f, parseType(pgType)) != nil
}

// Encoder turns rows of record batches into tuples for COPY. It serves one goroutine.
type Encoder struct {
	columns []*encColumn
	binary  bool
	scratch []byte
}

type encColumn struct {
	name  string
	write writer // nil: only by text
	array arrow.Array
}

// writer appends value i of an array in binary form, without its length. The value is not
// NULL.
type writer func(dst []byte, a arrow.Array, i int) ([]byte, error)

// NewEncoder encodes the fields of a schema, in its order, for columns of these types.
func NewEncoder(schema *arrow.Schema, targets []string) (*Encoder, error) {
	if len(targets) != schema.NumFields() {
		return nil, fmt.Errorf("%d fields for %d columns", schema.NumFields(), len(targets))
	}
	e := &Encoder{binary: true}
	for i, f := range schema.Fields() {
		c := &encColumn{name: f.Name, write: writerOf(f, parseType(targets[i]))}
		e.binary = e.binary && c.write != nil
		e.columns = append(e.columns, c)
	}
	return e, nil
}

// Binary reports whether all columns can be written in binary form; else only AppendText
// may be used.
func (e *Encoder) Binary() bool { return e.binary }

// Bind sets the batch that rows are taken from.
func (e *Encoder) Bind(rec arrow.RecordBatch) {
	for i, c := range e.columns {
		c.array = rec.Column(i)
	}
}

// AppendTuple appends row i of the bound batch as a tuple of binary COPY. On a
// *ValueError dst comes back as it was.
func (e *Encoder) AppendTuple(dst []byte, i int) ([]byte, error) {
	start := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(e.columns)))
	for _, c := range e.columns {
		if c.array.IsNull(i) {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		var err error
		if dst, err = appendSized(dst, c.write, c.array, i); err != nil {
			return dst[:start], valueError(c.name, err)
		}
	}
	return dst, nil
}

// appendSized appends a value with its length before it.
func appendSized(dst []byte, write writer, a arrow.Array, i int) ([]byte, error) {
	at := len(dst)
	dst, err := write(append(dst, 0, 0, 0, 0), a, i)
	if err != nil {
		return dst, err
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst, nil
}

// AppendText appends row i of the bound batch as a line of text COPY, in its default
// format. The checks of AppendTuple are made for the columns that have a binary form.
func (e *Encoder) AppendText(dst []byte, i int) ([]byte, error) {
	start := len(dst)
	for n, c := range e.columns {
		if n > 0 {
			dst = append(dst, '\t')
		}
		if c.array.IsNull(i) {
			dst = append(dst, '\\', 'N')
			continue
		}
		if err := e.check(c, i); err != nil {
			return dst[:start], valueError(c.name, err)
		}
		e.scratch = AppendValue(e.scratch[:0], c.array, i)
		if c.write == nil {
			if err := textFault(string(e.scratch)); err != nil {
				return dst[:start], valueError(c.name, err)
			}
		}
		dst = appendEscaped(dst, e.scratch)
	}
	return append(dst, '\n'), nil
}

// check finds what the server would round or cut without a word.
func (e *Encoder) check(c *encColumn, i int) error {
	if c.write == nil {
		return nil
	}
	var err error
	e.scratch, err = c.write(e.scratch[:0], c.array, i)
	return err
}

// appendEscaped escapes what has a meaning in text COPY.
func appendEscaped(dst, text []byte) []byte {
	for _, c := range text {
		switch c {
		case '\\':
			dst = append(dst, '\\', '\\')
		case '\t':
			dst = append(dst, '\\', 't')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// listWriter writes a list as a one-dimensional array.
func listWriter(t *arrow.ListType, target pgType) writer {
	oid, known := oids[target.base]
	elem := writerOf(t.ElemField(), target.elem())
	if !target.array || !known || elem == nil {
		return nil
	}
	return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
		list := a.(*array.List)
		from, to := list.ValueOffsets(i)
		if from == to { // an empty array has no dimensions
			dst = binary.BigEndian.AppendUint64(dst, 0)
			return binary.BigEndian.AppendUint32(dst, oid), nil
		}
		return appendArray(dst, list.ListValues(), int(from), int(to), oid, elem)
	}
}

func appendArray(dst []byte, values arrow.Array, from, to int, oid uint32, write writer) ([]byte, error) {
	at := len(dst)
	for _, n := range []uint32{1, 0, oid, uint32(to - from), 1} {
		dst = binary.BigEndian.AppendUint32(dst, n)
	}
	for i := from; i < to; i++ {
		if values.IsNull(i) {
			dst[at+7] = 1 // has nulls
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		var err error
		if dst, err = appendSized(dst, write, values, i); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// Sample draws a row of the bound batch for a person: what AppendText would write, also
// of values that no column takes, cut to rows.MaxSample.
func (e *Encoder) Sample(i int) []byte {
	var dst []byte
	for n, c := range e.columns {
		if n > 0 {
			dst = append(dst, '\t')
		}
		if c.array.IsNull(i) {
			dst = append(dst, '\\', 'N')
			continue
		}
		e.scratch = AppendValue(e.scratch[:0], c.array, i)
		dst = appendEscaped(dst, e.scratch[:min(len(e.scratch), rows.MaxSample)])
		if len(dst) >= rows.MaxSample {
			return dst[:rows.MaxSample]
		}
	}
	return dst
}
