package csv

import (
	"bytes"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/format/text"
)

// Writer turns the rows of record batches into lines. NULL is written as an unquoted
// empty field, the empty string as "".
type Writer struct {
	d     Dialect
	plain []bool // columns whose text forms never hold a separator, quote or line end
}

// NewWriter writes rows of the schema's columns.
func NewWriter(schema *arrow.Schema, d Dialect) (*Writer, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	w := &Writer{d: d}
	for _, f := range schema.Fields() {
		if err := text.Check(f.Type); err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		w.plain = append(w.plain, isPlain(f.Type, d))
	}
	return w, nil
}

func isPlain(t arrow.DataType, d Dialect) bool {
	switch t.(type) {
	case *arrow.StringType, *arrow.BinaryType, *arrow.ListType, *extensions.JSONType:
		return false
	}
	return d.Separator != ' ' && d.Quote != ' '
}

// AppendHeader appends the line with the columns' names.
func (w *Writer) AppendHeader(dst []byte, schema *arrow.Schema) []byte {
	for i, f := range schema.Fields() {
		if i > 0 {
			dst = append(dst, w.d.Separator)
		}
		dst = w.quote(append(dst, f.Name...), len(dst))
	}
	return append(dst, '\n')
}

// AppendRow appends row i of rec.
func (w *Writer) AppendRow(dst []byte, rec arrow.RecordBatch, i int) []byte {
	for c, column := range rec.Columns() {
		if c > 0 {
			dst = append(dst, w.d.Separator)
		}
		if column.IsNull(i) {
			continue
		}
		start := len(dst)
		dst = text.Append(dst, column, i)
		if !w.plain[c] {
			dst = w.quote(dst, start)
		}
	}
	return append(dst, '\n')
}

// quote puts dst[start:] into quotes if it would be read as something else.
func (w *Writer) quote(dst []byte, start int) []byte {
	field := dst[start:]
	if len(field) > 0 && !w.special(field) && !w.d.isNull(field) {
		return dst
	}
	quotes := bytes.Count(field, []byte{w.d.Quote})
	n := len(field)
	dst = append(dst, make([]byte, quotes+2)...)
	// From the end, so that nothing is overwritten before it has moved.
	to := len(dst) - 1
	dst[to] = w.d.Quote
	for from := start + n - 1; from >= start; from-- {
		to--
		dst[to] = dst[from]
		if dst[from] == w.d.Quote {
			to--
			dst[to] = w.d.Quote
		}
	}
	dst[start] = w.d.Quote
	return dst
}

// special tells what would be read as structure, as a byte order mark, or by psql as the
// end of the data.
func (w *Writer) special(field []byte) bool {
	if field[0] == bom[0] && bytes.HasPrefix(field, bom) || field[0] == '\\' && string(field) == `\.` {
		return true
	}
	for _, c := range field {
		if c == w.d.Separator || c == w.d.Quote || c == '\n' || c == '\r' {
			return true
		}
	}
	return false
}
