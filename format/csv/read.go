package csv

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/record"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
)

// Reader turns a stream into record batches.
type Reader struct {
	name    string
	s       *Scanner
	d       Dialect
	names   []string
	columns []column
	b       *record.Builder
	row     int64
}

// column reads the fields of one column.
type column struct {
	parse text.ParseFunc
	text  bool // the empty string is a value
}

// NewReader reads rows of the schema's columns from r, which stands at the given place of
// the stream that rejects are to call name. At the start of a stream with a header it
// checks that the header is the schema's.
func NewReader(r io.Reader, name string, d Dialect, schema *arrow.Schema, at record.Position) (*Reader, error) {
	c := &Reader{name: name, s: NewScanner(r, d, at.Place), d: d, row: at.Row}
	for _, f := range schema.Fields() {
		parse, err := parser(f)
		if err != nil {
			return nil, err
		}
		c.names = append(c.names, f.Name)
		c.columns = append(c.columns, column{parse, arrow.TypeEqual(f.Type, arrow.BinaryTypes.String)})
	}
	if d.Header && at.Offset == 0 {
		if err := c.header(); err != nil {
			return nil, err
		}
	}
	c.b = record.New(schema)
	return c, nil
}

func (c *Reader) header() error {
	names, err := Header(c.s)
	if err != nil && err != io.EOF {
		return err
	}
	if !slices.Equal(names, c.names) {
		return fmt.Errorf("the header is %s, not %s", strings.Join(names, ", "), strings.Join(c.names, ", "))
	}
	return nil
}

// Next returns the next batch; io.EOF when the stream has ended.
func (c *Reader) Next() (record.Batch, error) {
	first := c.row
	for !c.b.Full() {
		err := c.read()
		if err == io.EOF && !c.b.Empty() {
			break
		}
		if err != nil {
			return record.Batch{}, err
		}
	}
	b, err := c.b.Take()
	b.First, b.Next = first, record.Position{Place: c.s.At(), Row: c.row}
	return b, err
}

// Close lets go of the memory; batches given out stay valid.
func (c *Reader) Close() { c.b.Release() }

// read takes one row in.
func (c *Reader) read() error {
	row, err := c.s.Next()
	if bad, ok := err.(*Malformed); ok {
		c.drop(row, bad.Line, bad.Code, bad.Text)
		return nil
	}
	if err != nil {
		return err
	}
	// In a file of one column an empty line is a NULL; in others it is none of the rows.
	if row.Blank() && len(c.columns) != 1 {
		return nil
	}
	if len(row.Fields) != len(c.columns) {
		c.drop(row, row.Line, rows.CodeTooManyCols, fmt.Sprintf("the row has %d fields, the file has %d columns", len(row.Fields), len(c.columns)))
		return nil
	}
	for i, f := range row.Fields {
		if err := c.field(i, f); err != nil {
			c.drop(row, row.Line, codeOf(err), fmt.Sprintf("column %q: %v", c.names[i], err))
			return nil
		}
	}
	c.b.End(row.Bytes)
	c.row++
	return nil
}

func (c *Reader) field(i int, f Field) error {
	col := &c.columns[i]
	if !f.Quoted && (len(f.Text) == 0 && !col.text || c.d.isNull(f.Text)) {
		c.b.Columns[i].AppendNull()
		return nil
	}
	// A ParseFunc keeps no reference to the string, so it may share the scanner's bytes.
	return col.parse(c.b.Columns[i], unsafe.String(unsafe.SliceData(f.Text), len(f.Text)))
}

func codeOf(err error) string {
	if errors.Is(err, text.ErrUTF8) {
		return rows.CodeEncoding
	}
	return rows.CodeType
}

func (c *Reader) drop(row Row, line int64, code, why string) {
	sample := row.Raw[:min(len(row.Raw), rows.MaxSample)]
	c.b.Drop(int64(len(row.Raw)), rows.Reject{
		Row: c.row, Key: fmt.Sprintf("%s:%d", c.name, line), Code: code, Message: why, Sample: slices.Clone(sample),
	})
	c.row++
}

// Header reads the names of the columns. They must be there, and be different.
func Header(s *Scanner) ([]string, error) {
	row, err := s.Next()
	if bad, ok := err.(*Malformed); ok {
		return nil, fmt.Errorf("the header is not well formed: %w", bad)
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for i, f := range row.Fields {
		name := string(f.Text)
		switch {
		case name == "":
			return nil, fmt.Errorf("column %d has no name in the header: is the first line one? Say header: false if the file has none", i+1)
		case !utf8.ValidString(name):
			return nil, fmt.Errorf("the name of column %d in the header is not valid UTF-8: convert the file, for example with iconv -f LATIN1 -t UTF-8", i+1)
		case slices.Contains(names, name):
			return nil, fmt.Errorf("the header names %q twice: rename one of the columns, or say header: false", name)
		}
		names = append(names, name)
	}
	return names, nil
}
