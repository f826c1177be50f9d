package elasticsearch

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/jsontext"
	"github.com/synclinehq/syncline/format/ndjson"
	"github.com/synclinehq/syncline/rows"
)

// encoder turns rows into the items of bulks, by appending bytes: there is no object for
// a row.
type encoder struct {
	lines  *ndjson.Writer
	head   []byte // how every document begins: with the marker
	key    []int  // columns of the key; nil: rows are known by their place
	begin  []byte // of ids by place
	checks []check
	id     []byte
}

func newEncoder(w *writer, part string) (*encoder, error) {
	lines, err := ndjson.NewWriter(w.shape.schema)
	if err != nil {
		return nil, syncline.Invalid("types", "%w", err).Try("give the column another type")
	}
	e := &encoder{lines: lines, checks: checks(w.shape.schema)}
	e.head = append(e.head, `{"`+marker+`":{"stream":`...)
	e.head = append(jsontext.AppendQuoted(e.head, w.target.Fence.Stream), `,"load":`...)
	e.head = append(jsontext.AppendQuoted(e.head, w.load()), '}')
	if w.target.Disposition == syncline.Append || w.target.Versions {
		e.begin = placeID(w.target.Fence.Stream, w.load(), part)
		return e, nil
	}
	for _, k := range w.target.Entity.Key {
		e.key = append(e.key, w.shape.schema.FieldIndices(k)...)
	}
	switch {
	case len(e.key) > 0:
	case stretch(w.target): // beside which the rows of other loads stay, at places of their own
		e.begin = placeID(w.target.Fence.Stream, w.load(), part)
	default:
		e.begin = placeID(w.target.Fence.Stream, "", part)
	}
	return e, nil
}

// keys are the key's columns of a record.
func (e *encoder) keys(rec arrow.RecordBatch) []arrow.Array {
	var key []arrow.Array
	for _, c := range e.key {
		key = append(key, rec.Column(c))
	}
	return key
}

// name is the id of row i, valid until the next one is asked for.
func (e *encoder) name(key []arrow.Array, i int, ordinal int64) []byte {
	if len(key) == 0 {
		e.id = appendPlaceID(e.id[:0], e.begin, ordinal)
	} else {
		e.id = appendKeyID(e.id[:0], key, i)
	}
	return e.id
}

// document appends row i.
func (e *encoder) document(dst []byte, rec arrow.RecordBatch, i int) []byte {
	dst = append(dst, e.head...)
	at := len(dst)
	dst = e.lines.AppendRow(dst, rec, i)
	if dst[at+1] == '}' { // nothing in it: {marker}
		return append(dst[:at], "}\n"...)
	}
	dst[at] = ','
	return dst
}

// check looks at a value that may not be writable.
type check struct {
	column int
	name   string
	fault  func(column arrow.Array, i int) (code, why string)
}

func checks(schema *arrow.Schema) (all []check) {
	for i, f := range schema.Fields() {
		switch t := f.Type.(type) {
		case *arrow.StringType:
			all = append(all, check{i, f.Name, validText})
		case *extensions.JSONType:
			all = append(all, check{i, f.Name, validJSON})
		case *arrow.ListType:
			if t.Elem().ID() == arrow.STRING {
				all = append(all, check{i, f.Name, validTexts})
			}
		}
	}
	return all
}

func validText(column arrow.Array, i int) (string, string) {
	if column.IsValid(i) && !utf8.ValidString(column.(*array.String).Value(i)) {
		return rows.CodeEncoding, "is not valid UTF-8"
	}
	return "", ""
}

func validTexts(column arrow.Array, i int) (string, string) {
	l := column.(*array.List)
	from, to := l.ValueOffsets(i)
	for j := int(from); j < int(to) && l.IsValid(i); j++ {
		if code, why := validText(l.ListValues(), j); code != "" {
			return code, why
		}
	}
	return "", ""
}

// validJSON keeps what is no JSON from breaking the document it stands in.
func validJSON(column arrow.Array, i int) (string, string) {
	if column.IsNull(i) {
		return "", ""
	}
	if err := jsontext.Valid(column.(*extensions.JSONArray).Storage().(*array.String).Value(i)); err != nil {
		return rows.CodeOutOfRange, "cannot stand in a document: " + err.Error()
	}
	return "", ""
}

// fault is the reject that row i is, without its ordinal; nil when it can be written.
func (e *encoder) fault(rec arrow.RecordBatch, key []arrow.Array, i int) *rows.Reject {
	null := slices.IndexFunc(key, func(c arrow.Array) bool { return c.IsNull(i) })
	if null >= 0 {
		name := rec.ColumnName(e.key[null])
		return e.reject(rec, i, rows.CodeNull, fmt.Sprintf("column %q is NULL, and is part of the key", name))
	}
	for _, c := range e.checks {
		if code, why := c.fault(rec.Column(c.column), i); code != "" {
			return e.reject(rec, i, code, fmt.Sprintf("column %q %s", c.name, why))
		}
	}
	return nil
}

func (e *encoder) reject(rec arrow.RecordBatch, i int, code, why string) *rows.Reject {
	return &rows.Reject{Code: code, Message: why, Sample: sample(e.lines.AppendRow(nil, rec, i))}
}

// sample is as much of a document as is kept of a rejected row.
func sample(doc []byte) []byte { return slices.Clone(doc[:min(len(doc), rows.MaxSample)]) }
