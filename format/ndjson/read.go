// Package ndjson reads and writes JSON Lines, one object a line, as record batches. A
// line that is not such an object becomes a reject and reading goes on.
package ndjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/jsontext"
	"github.com/synclinehq/syncline/format/record"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
)

// Reader turns a stream into record batches. A member that an object lacks is NULL. A
// member that is no column, and not null, makes its row a reject: the row cannot be kept
// whole, and leaving the member out would lose it silently.
type Reader struct {
	name  string
	lines *lines
	b     *record.Builder
	names []string
	parse []text.ParseFunc
	obj   object
	row   int64
}

// NewReader reads rows of the schema's columns from r, which stands at the given place of
// the stream that rejects are to call name.
func NewReader(r io.Reader, name string, schema *arrow.Schema, at record.Position) (*Reader, error) {
	n := &Reader{name: name, lines: newLines(r, at.Place), row: at.Row}
	for _, f := range schema.Fields() {
		parse, err := text.JSONParser(f)
		if err != nil {
			return nil, err
		}
		n.names, n.parse = append(n.names, f.Name), append(n.parse, parse)
	}
	n.obj = newObject(n.names)
	n.b = record.New(schema)
	return n, nil
}

// Next returns the next batch; io.EOF when the stream has ended.
func (n *Reader) Next() (record.Batch, error) {
	first := n.row
	for !n.b.Full() {
		err := n.read()
		if err == io.EOF && !n.b.Empty() {
			break
		}
		if err != nil {
			return record.Batch{}, err
		}
	}
	b, err := n.b.Take()
	b.First, b.Next = first, record.Position{Place: n.lines.w.At(), Row: n.row}
	return b, err
}

// Close lets go of the memory; batches given out stay valid.
func (n *Reader) Close() { n.b.Release() }

// read takes one line in.
func (n *Reader) read() error {
	l, err := n.lines.next()
	if err != nil {
		return err
	}
	if l.size > rows.MaxRowBytes {
		n.drop(l, rows.CodeTooLarge, fmt.Errorf("the line is larger than %d MiB", rows.MaxRowBytes>>20))
		return nil
	}
	if len(bytes.Trim(l.text, " \t\r")) == 0 {
		return nil
	}
	// A ParseFunc keeps no reference to the string, so it may share the window's bytes.
	if err := n.obj.split(unsafe.String(unsafe.SliceData(l.text), len(l.text))); err != nil {
		n.drop(l, codeOf(err, rows.CodeMalformed), err)
		return nil
	}
	if n.obj.unknown != "" {
		n.drop(l, rows.CodeTooManyCols, fmt.Errorf("the member %s is not one of the columns, which come from the first rows", n.obj.unknown))
		return nil
	}
	for i, value := range n.obj.values {
		if err := n.value(i, value); err != nil {
			n.drop(l, codeOf(err, rows.CodeType), fmt.Errorf("column %q: %w", n.names[i], err))
			return nil
		}
	}
	n.b.End(l.size)
	n.row++
	return nil
}

func (n *Reader) value(i int, raw string) error {
	if raw == "" {
		n.b.Columns[i].AppendNull()
		return nil
	}
	return n.parse[i](n.b.Columns[i], raw)
}

func codeOf(err error, code string) string {
	if errors.Is(err, text.ErrUTF8) {
		return rows.CodeEncoding
	}
	return code
}

func (n *Reader) drop(l line, code string, why error) {
	sample := l.text[:min(len(l.text), rows.MaxSample)]
	n.b.Drop(int64(len(l.text)), rows.Reject{
		Row: n.row, Key: fmt.Sprintf("%s:%d", n.name, l.number), Code: code, Message: why.Error(), Sample: slices.Clone(sample),
	})
	n.row++
}

// object is one object cut into the raw values of the columns.
type object struct {
	values  []string // "" where there is none
	unknown string   // the raw name of a member that is no column and not null
	index   map[string]int
	quoted  []string // the columns' names as they mostly stand
	buf     []byte
}

func newObject(names []string) object {
	o := object{values: make([]string, len(names)), index: map[string]int{}}
	for i, name := range names {
		o.index[name] = i
		o.quoted = append(o.quoted, string(jsontext.AppendQuoted(nil, name)))
	}
	return o
}

var (
	errNoObject = errors.New("the line is not a JSON object")
	errArray    = errors.New("the line is a JSON array, not an object: JSON Lines has one object a line (jq -c '.[]' makes them of an array)")
)

// split cuts s. The values share its bytes.
func (o *object) split(s string) error {
	clear(o.values)
	o.unknown = ""
	i, guess := jsontext.Space(s, 0), 0
	if s[i] != '{' {
		if s[i] == '[' {
			return errArray
		}
		return errNoObject
	}
	i = jsontext.Space(s, i+1)
	for more := i >= len(s) || s[i] != '}'; more; {
		name, at, err := jsontext.Name(s, i)
		if err != nil {
			return err
		}
		end, err := jsontext.Value(s, at)
		if err != nil {
			return err
		}
		if guess, err = o.put(name, s[at:end], guess); err != nil {
			return err
		}
		if i, more, err = jsontext.Next(s, end, '}'); err != nil {
			return err
		}
		if !more {
			i-- // to the brace, as in an empty object
		}
	}
	if rest := jsontext.Space(s, i+1); rest < len(s) {
		return fmt.Errorf("text stands behind the JSON object, at byte %d of the line", rest+1)
	}
	return nil
}

// put takes a member in. Members mostly stand in the order of the columns, so the next
// one is tried first.
func (o *object) put(name, value string, guess int) (int, error) {
	i := guess
	if i >= len(o.quoted) || o.quoted[i] != name {
		var err error
		if o.buf, err = jsontext.AppendUnquoted(o.buf[:0], name); err != nil {
			return guess, err
		}
		var ok bool
		if i, ok = o.index[string(o.buf)]; !ok {
			if value != "null" {
				o.unknown = name
			}
			return guess, nil
		}
	}
	if o.values[i] != "" {
		return guess, fmt.Errorf("the member %s stands twice in the object", name)
	}
	o.values[i] = value
	return i + 1, nil
}
