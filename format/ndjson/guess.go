package ndjson

import (
	"io"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/jsontext"
	"github.com/synclinehq/syncline/format/stream"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/format/typename"
)

// Guess finds columns and their types from a sample of lines, in the order in which they
// first appear: int64 where all values are whole numbers that fit, float64 where all are
// numbers whose digits it holds, bool, text, and json for what is nested, mixed, null
// throughout, or a number that neither holds. Strings stay text, whatever they look like.
type Guess struct {
	names []string
	kinds map[string]*kind
	buf   []byte
}

// NewGuess begins without columns.
func NewGuess() *Guess { return &Guess{kinds: map[string]*kind{}} }

// kind is what one column can still be.
type kind struct{ null, text, bool, int, float bool }

// Sample adds the lines of r, at most n of them, and returns how many rows it has seen
// and the bytes they take. Lines that are no objects are counted and say nothing else.
func (g *Guess) Sample(r io.Reader, n int64) (count, size int64, err error) {
	l := newLines(r, stream.Start)
	for count < n {
		line, err := l.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return count, size, err
		}
		size += line.size
		if s := string(line.text); strings.Trim(s, " \t\r") != "" {
			count++
			g.add(s)
		}
	}
	return count, size, nil
}

// add looks at the members of a line until something is wrong with it.
func (g *Guess) add(s string) {
	if jsontext.Valid(s) != nil {
		return
	}
	i := jsontext.Space(s, 0)
	if s[i] != '{' {
		return
	}
	i = jsontext.Space(s, i+1)
	for more := s[i] != '}'; more; {
		name, at, _ := jsontext.Name(s, i)
		end, _ := jsontext.Value(s, at)
		g.member(name, s[at:end])
		i, more, _ = jsontext.Next(s, end, '}')
	}
}

func (g *Guess) member(raw, value string) {
	var err error
	if g.buf, err = jsontext.AppendUnquoted(g.buf[:0], raw); err != nil || len(g.buf) == 0 {
		return
	}
	k := g.kinds[string(g.buf)]
	if k == nil {
		k = &kind{null: true, text: true, bool: true, int: true, float: true}
		g.kinds[string(g.buf)] = k
		g.names = append(g.names, string(g.buf))
	}
	if value != "null" {
		k.add(value)
	}
}

func (k *kind) add(value string) {
	k.null = false
	k.text = k.text && value[0] == '"'
	k.bool = k.bool && (value == "true" || value == "false")
	number := value[0] == '-' || value[0] >= '0' && value[0] <= '9'
	k.float = k.float && number && text.FloatHolds(value)
	_, err := strconv.ParseInt(value, 10, 64)
	k.int = k.int && number && err == nil && value != "-0"
}

// Schema is what the lines so far say.
func (g *Guess) Schema() *arrow.Schema {
	var fields []arrow.Field
	for _, name := range g.names {
		fields = append(fields, arrow.Field{Name: name, Type: g.kinds[name].decide(), Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

func (k *kind) decide() arrow.DataType {
	switch {
	case k.null:
		return typename.JSON
	case k.text:
		return arrow.BinaryTypes.String
	case k.bool:
		return arrow.FixedWidthTypes.Boolean
	case k.int:
		return arrow.PrimitiveTypes.Int64
	case k.float:
		return arrow.PrimitiveTypes.Float64
	}
	return typename.JSON
}
