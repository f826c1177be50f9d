package ndjson

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/format/jsontext"
	"github.com/synclinehq/syncline/format/text"
)

// Writer turns the rows of record batches into lines. NULL is written as null, but in
// columns of json, where null is a value, it is left out.
type Writer struct {
	names [][]byte // quoted, with the colon
	json  []bool
}

// NewWriter writes rows of the schema's columns.
func NewWriter(schema *arrow.Schema) (*Writer, error) {
	w := &Writer{}
	for _, f := range schema.Fields() {
		if err := text.Check(f.Type); err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		_, json := f.Type.(*extensions.JSONType)
		w.names, w.json = append(w.names, append(jsontext.AppendQuoted(nil, f.Name), ':')), append(w.json, json)
	}
	return w, nil
}

// AppendRow appends row i of rec.
func (w *Writer) AppendRow(dst []byte, rec arrow.RecordBatch, i int) []byte {
	dst = append(dst, '{')
	start := len(dst)
	for c, column := range rec.Columns() {
		if w.json[c] && column.IsNull(i) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = text.AppendJSON(append(dst, w.names[c]...), column, i)
	}
	return append(dst, '}', '\n')
}
