package files

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/csv"
	"github.com/synclinehq/syncline/format/jsontext"
	"github.com/synclinehq/syncline/format/ndjson"
	"github.com/synclinehq/syncline/rows"
)

// format turns rows into bytes. What it writes of one row never depends on another.
type format struct {
	header []byte
	row    func(dst []byte, rec arrow.RecordBatch, i int) []byte
	quote  byte // line ends between two of them belong to a value; 0: there are none
	checks []check
}

func newFormat(s settings, schema *arrow.Schema, key []string) (*format, error) {
	f := &format{checks: checks(s, schema, key)}
	if s.Format == formatJSONL {
		w, err := ndjson.NewWriter(schema)
		if err != nil {
			return nil, unwritable(err)
		}
		f.row = w.AppendRow
		return f, nil
	}
	d := csv.Default()
	if s.Format == formatTSV {
		d.Separator = '\t'
	}
	w, err := csv.NewWriter(schema, d)
	if err != nil {
		return nil, unwritable(err)
	}
	f.header, f.row, f.quote = w.AppendHeader(nil, schema), w.AppendRow, d.Quote
	return f, nil
}

func unwritable(err error) error {
	return syncline.Invalid("types", "%w", err).Try("give the column another type")
}

// check looks at a value that may not be writable; "" when it is.
type check struct {
	column int
	name   string
	fault  func(column arrow.Array, i int) (code, why string)
}

// checks are those that the columns need.
func checks(s settings, schema *arrow.Schema, key []string) (all []check) {
	for i, f := range schema.Fields() {
		add := func(fault func(arrow.Array, int) (string, string)) { all = append(all, check{i, f.Name, fault}) }
		if slices.Contains(key, f.Name) || !f.Nullable {
			add(notNull)
		}
		switch t := f.Type.(type) {
		case *arrow.StringType:
			add(validText)
		case *extensions.JSONType:
			switch {
			case s.Format == formatJSONL && rows.Native(f) == "pg:jsonb":
				add(deepJSON)
			case s.Format == formatJSONL:
				add(validJSON)
			}
		case *arrow.ListType:
			if _, json := t.Elem().(*extensions.JSONType); json {
				add(noJSONNull)
			}
		}
	}
	return all
}

func notNull(column arrow.Array, i int) (string, string) {
	if column.IsNull(i) {
		return rows.CodeNull, "is NULL, and may not be"
	}
	return "", ""
}

func validText(column arrow.Array, i int) (string, string) {
	if column.IsValid(i) && !utf8.ValidString(column.(*array.String).Value(i)) {
		return rows.CodeEncoding, "is not valid UTF-8"
	}
	return "", ""
}

// validJSON keeps what is no JSON from breaking the line it stands in.
func validJSON(column arrow.Array, i int) (string, string) {
	if column.IsNull(i) {
		return "", ""
	}
	if err := jsontext.Valid(column.(*extensions.JSONArray).Storage().(*array.String).Value(i)); err != nil {
		return rows.CodeOutOfRange, "cannot stand in JSON Lines: " + err.Error()
	}
	return "", ""
}

// deepJSON is validJSON for what a database has parsed: it is JSON on one line, and can
// only be deeper than others read it, which takes a long text.
func deepJSON(column arrow.Array, i int) (string, string) {
	if column.IsNull(i) || len(column.(*extensions.JSONArray).Storage().(*array.String).Value(i)) <= jsontext.MaxDepth {
		return "", ""
	}
	return validJSON(column, i)
}

// noJSONNull: in a list, the JSON value null could not be told from NULL.
func noJSONNull(column arrow.Array, i int) (string, string) {
	l := column.(*array.List)
	values := l.ListValues()
	from, to := l.ValueOffsets(i)
	for j := int(from); j < int(to) && column.IsValid(i); j++ {
		if values.IsValid(j) && strings.TrimSpace(values.(*extensions.JSONArray).Storage().(*array.String).Value(j)) == "null" {
			return rows.CodeOutOfRange, "holds the JSON value null in a list, which would become NULL"
		}
	}
	return "", ""
}

// fault is the reject that row i is, without its ordinal; nil when it can be written.
func (f *format) fault(rec arrow.RecordBatch, i int) *rows.Reject {
	for _, c := range f.checks {
		if code, why := c.fault(rec.Column(c.column), i); code != "" {
			sample := f.row(nil, rec, i)
			return &rows.Reject{Code: code, Message: fmt.Sprintf("column %q %s", c.name, why), Sample: sample[:min(len(sample), rows.MaxSample)]}
		}
	}
	return nil
}
