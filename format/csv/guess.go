package csv

import (
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/format/typename"
)

// Guess finds the types of columns from a sample of rows. What every value of a column
// can be, in this order, is its type: bool (true and false in any case, or both t and f),
// int64, decimal, float64, uuid, date, time, timestamp with or without zone, else text.
//
// Text stays what a person would not add up: 0123, +49 30 123, whole numbers of more than
// 18 digits. Numbers with a point are decimal(38,s) when all have the same s ≤ 4 digits
// behind it, as amounts of money do, so that 1.10 stays 1.10 and sums are exact; else
// float64 as long as that holds every digit of the sample; else the decimal that does.
// Dates that could be both day/month and month/day in the whole sample stay text.
type Guess struct {
	d       Dialect
	names   []string
	columns []candidates
}

// NewGuess begins with columns of these names.
func NewGuess(names []string, d Dialect) *Guess {
	g := &Guess{d: d, names: names, columns: make([]candidates, len(names))}
	for i := range g.columns {
		g.columns[i] = newCandidates()
	}
	return g
}

// Add looks at a row; one that has not as many fields as there are columns says nothing.
func (g *Guess) Add(row Row) {
	if len(row.Fields) != len(g.columns) {
		return
	}
	for i, f := range row.Fields {
		if f.Quoted || len(f.Text) > 0 && !g.d.isNull(f.Text) {
			g.columns[i].add(string(f.Text))
		}
	}
}

// Schema is what the rows so far say.
func (g *Guess) Schema() *arrow.Schema {
	var fields []arrow.Field
	for i, name := range g.names {
		fields = append(fields, g.columns[i].field(name))
	}
	return arrow.NewSchema(fields, nil)
}

// kind is one thing that a column can be.
type kind struct {
	t   arrow.DataType
	fit func(string) bool
}

// kinds are tried in this order; numbers stand apart.
var kinds = []kind{
	{arrow.FixedWidthTypes.Boolean, isBool},
	{arrow.PrimitiveTypes.Int64, isInt},
	{typename.UUID, reads(typename.UUID, 36, 36)},
	{arrow.FixedWidthTypes.Date32, reads(arrow.FixedWidthTypes.Date32, 10, 10)},
	{typename.Time, reads(typename.Time, 8, 15)},
	{typename.Timestamp, reads(typename.Timestamp, 10, 26)},
	{typename.TimestampTZ, reads(typename.TimestampTZ, 17, 35)},
}

// reads makes a test of the type's own parser, for values of a usual length.
func reads(t arrow.DataType, least, most int) func(string) bool {
	return func(s string) bool {
		if len(s) < least || len(s) > most {
			return false
		}
		b := array.NewBuilder(memory.DefaultAllocator, t)
		defer b.Release()
		return text.Parse(b, arrow.Field{Type: t}, s) == nil
	}
}

func isBool(s string) bool {
	return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") || s == "t" || s == "f"
}

func isInt(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	if len(digits) == 0 || len(digits) > 18 || digits[0] == '0' && s != "0" {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// candidates are what one column can still be.
type candidates struct {
	seen    int64
	kinds   []kind
	layouts []string
	number  numbers
	t, f    bool // seen as a letter
}

func newCandidates() candidates {
	return candidates{kinds: kinds, layouts: layouts, number: newNumbers()}
}

func (c *candidates) add(s string) {
	if !utf8.ValidString(s) {
		return // a reject wherever it stands
	}
	c.seen++
	c.t, c.f = c.t || s == "t", c.f || s == "f"
	c.kinds = keep(c.kinds, func(k kind) bool { return k.fit(s) })
	c.layouts = keep(c.layouts, func(layout string) bool { return isDate(layout, s) })
	c.number.add(s)
}

// keep is slices.DeleteFunc the other way round, on a list that others share.
func keep[T any](list []T, fit func(T) bool) []T {
	for i, v := range list {
		if fit(v) {
			continue
		}
		left := append([]T(nil), list[:i]...)
		for _, v := range list[i+1:] {
			if fit(v) {
				left = append(left, v)
			}
		}
		return left
	}
	return list
}

func isDate(layout, s string) bool {
	if len(s) < 8 || len(s) > 10 {
		return false
	}
	iso, ok := toISO(layout, s)
	return ok && kinds[3].fit(iso)
}

func (c *candidates) field(name string) arrow.Field {
	f := arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}
	if c.seen == 0 {
		return f
	}
	left := c.kinds
	if len(left) > 0 && left[0].t == arrow.FixedWidthTypes.Boolean && c.t != c.f {
		left = left[1:] // only one of t and f: a letter like any other
	}
	switch {
	case len(left) > 0:
		f.Type = left[0].t
	case len(c.layouts) == 1:
		f.Type = arrow.FixedWidthTypes.Date32
		f.Metadata = arrow.NewMetadata([]string{LayoutKey}, c.layouts)
	default:
		if t := c.number.decide(); t != nil {
			f.Type = t
		}
	}
	return f
}
