package sqlitetype

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/format/typename"
	"github.com/synclinehq/syncline/rows"
)

// Reader appends column i of the current row to b. Its error says what is wrong with the
// value and means that nothing was appended. One Reader serves one goroutine.
type Reader func(s *sqlitefile.Stmt, i int, b array.Builder) error

// ReaderOf returns the Reader of a column. What was declared decides: a value of another
// class is an error, never a guess. A column whose type the pipeline gives (it has no
// native type then) is read from its text form too.
func ReaderOf(f arrow.Field) (Reader, error) {
	parse, err := text.Parser(f)
	if err != nil {
		return nil, err
	}
	r := reader{t: f.Type, parse: parse, given: rows.Native(f) == "", loose: Loose(f)}
	read := r.pick()
	return func(s *sqlitefile.Stmt, i int, b array.Builder) error {
		c := s.Class(i)
		if c == sqlitefile.Null {
			b.AppendNull()
			return nil
		}
		return read(s, i, c, b)
	}, nil
}

type reader struct {
	t     arrow.DataType
	parse text.ParseFunc
	given bool // by the pipeline
	loose bool
	buf   []byte
}

type readFunc func(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) error

func (r *reader) pick() readFunc {
	switch r.t.ID() {
	case arrow.INT64:
		return r.int64
	case arrow.INT32, arrow.INT16:
		return r.narrow
	case arrow.FLOAT64, arrow.FLOAT32:
		return r.float
	case arrow.BOOL:
		return r.bool
	case arrow.BINARY:
		return r.binary
	case arrow.STRING:
		return r.string
	case arrow.DECIMAL128, arrow.DECIMAL256:
		return r.number
	case arrow.EXTENSION:
		if arrow.TypeEqual(r.t, typename.JSON) {
			return r.number
		}
	}
	return r.text
}

// wrong is the error for a value of another class.
func (r *reader) wrong(s *sqlitefile.Stmt, i int, c sqlitefile.Class) error {
	if c == sqlitefile.Blob {
		return &Mismatch{fmt.Sprintf("holds a blob of %d bytes, not %s", len(s.Blob(i)), article(r.t))}
	}
	return &Mismatch{fmt.Sprintf("holds %s, %s, not %s", c, short(s.String(i)), article(r.t))}
}

// Mismatch is the error for a value that is not of its column's type.
type Mismatch struct{ text string }

func (e *Mismatch) Error() string { return e.text }

func short(v string) string {
	if len(v) > 60 {
		return strconv.Quote(v[:60]) + "…"
	}
	return strconv.Quote(v)
}

func article(t arrow.DataType) string { return "a value of type " + name(t) }

func (r *reader) int64(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) error {
	if c != sqlitefile.Integer {
		return r.other(s, i, c, b)
	}
	b.(*array.Int64Builder).Append(s.Int(i))
	return nil
}

func (r *reader) narrow(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) error {
	if c != sqlitefile.Integer {
		return r.other(s, i, c, b)
	}
	v := s.Int(i)
	switch b := b.(type) {
	case *array.Int32Builder:
		if v != int64(int32(v)) {
			return &Mismatch{fmt.Sprintf("holds %d, which does not fit 32 bits", v)}
		}
		b.Append(int32(v))
	case *array.Int16Builder:
		if v != int64(int16(v)) {
			return &Mismatch{fmt.Sprintf("holds %d, which does not fit 16 bits", v)}
		}
		b.Append(int16(v))
	}
	return nil
}

// float reads NaN as text, since the engine makes NULL of the number.
func (r *reader) float(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) error {
	v := s.Real(i)
	switch {
	case c == sqlitefile.Integer && int64(v) != s.Int(i), c == sqlitefile.Integer && math.Abs(v) >= 1<<63, c == sqlitefile.Blob:
		return r.wrong(s, i, c)
	case c == sqlitefile.Text && string(s.Text(i)) == "NaN":
		v = math.NaN()
	case c == sqlitefile.Text:
		return r.other(s, i, c, b)
	}
	if b, single := b.(*array.Float32Builder); single {
		if v == v && float64(float32(v)) != v {
			return &Mismatch{fmt.Sprintf("holds %v, which is no 32 bit number", v)}
		}
		b.Append(float32(v))
		return nil
	}
	b.(*array.Float64Builder).Append(v)
	return nil
}

func (r *reader) bool(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) error {
	if c != sqlitefile.Integer {
		return r.other(s, i, c, b)
	}
	v := s.Int(i)
	if v != 0 && v != 1 {
		return &Mismatch{fmt.Sprintf("holds %d, a BOOLEAN is 0 or 1", v)}
	}
	b.(*array.BooleanBuilder).Append(v == 1)
	return nil
}

func (r *reader) binary(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) error {
	if c != sqlitefile.Blob {
		return r.other(s, i, c, b)
	}
	b.(*array.BinaryBuilder).Append(s.Blob(i))
	return nil
}

// string takes text, and in a loose column the text form of anything that has one.
func (r *reader) string(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) error {
	var v []byte
	switch {
	case c == sqlitefile.Text:
		v = s.Text(i)
	case r.loose && c == sqlitefile.Integer:
		v = strconv.AppendInt(r.buf[:0], s.Int(i), 10)
	case r.loose && c == sqlitefile.Real:
		v = appendReal(r.buf[:0], s.Real(i))
	default:
		return r.wrong(s, i, c)
	}
	if !utf8.Valid(v) {
		return text.ErrUTF8
	}
	b.(*array.StringBuilder).BinaryBuilder.Append(v)
	return nil
}

// number takes text and, since a column declared DECIMAL or JSON by others turns text
// into numbers, those as well: the number that was written is the shortest that reads
// back, as long as it has no more digits than a real keeps.
func (r *reader) number(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) error {
	switch c {
	case sqlitefile.Text:
		return r.text(s, i, c, b)
	case sqlitefile.Integer:
		r.buf = strconv.AppendInt(r.buf[:0], s.Int(i), 10)
	case sqlitefile.Real:
		v := s.Real(i)
		r.buf = appendReal(r.buf[:0], v)
		if kept, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 14, 64), 64); kept != v {
			return &Mismatch{fmt.Sprintf("holds the real %s, which has lost the digits it was written with", r.buf)}
		}
	default:
		return r.wrong(s, i, c)
	}
	return r.parse(b, string(r.buf))
}

func (r *reader) text(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) error {
	if c != sqlitefile.Text {
		return r.wrong(s, i, c)
	}
	v := s.Text(i)
	return r.parse(b, unsafe.String(unsafe.SliceData(v), len(v))) // Parse keeps no reference
}

// other reads a value of a class that the type is not stored in.
func (r *reader) other(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) error {
	if !r.given {
		return r.wrong(s, i, c)
	}
	return r.text(s, i, c, b)
}

func appendReal(dst []byte, v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}
