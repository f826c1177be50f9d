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

// Reader appends column i of the current row to b and says how many bytes it took in the
// file, about. Its error says what is wrong with the value and means that nothing was
// appended. One Reader serves one goroutine.
type Reader func(s *sqlitefile.Stmt, i int, b array.Builder) (size int, err error)

// ErrTooLarge is the error for a value that is larger than a row may be.
var ErrTooLarge = fmt.Errorf("the value is over %d MiB", rows.MaxRowBytes>>20)

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
	return func(s *sqlitefile.Stmt, i int, b array.Builder) (int, error) {
		c := s.Class(i)
		if c == sqlitefile.Null {
			b.AppendNull()
			return 1, nil
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

type readFunc func(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) (int, error)

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

const number = 8 // bytes

// wrong is the error for a value of another class.
func (r *reader) wrong(s *sqlitefile.Stmt, i int, c sqlitefile.Class) error {
	if c == sqlitefile.Blob {
		return fmt.Errorf("a blob of %d bytes stands where a value of type %s belongs", len(s.Blob(i)), name(r.t))
	}
	return fmt.Errorf("%s, %s, stands where a value of type %s belongs", c, short(s.String(i)), name(r.t))
}

func short(v string) string {
	if len(v) > 60 {
		return strconv.Quote(v[:60]) + "…"
	}
	return strconv.Quote(v)
}

func (r *reader) int64(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) (int, error) {
	if c != sqlitefile.Integer {
		return r.other(s, i, c, b)
	}
	b.(*array.Int64Builder).Append(s.Int(i))
	return number, nil
}

func (r *reader) narrow(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) (int, error) {
	if c != sqlitefile.Integer {
		return r.other(s, i, c, b)
	}
	v := s.Int(i)
	switch b := b.(type) {
	case *array.Int32Builder:
		if v != int64(int32(v)) {
			return 0, fmt.Errorf("%d does not fit 32 bits", v)
		}
		b.Append(int32(v))
	case *array.Int16Builder:
		if v != int64(int16(v)) {
			return 0, fmt.Errorf("%d does not fit 16 bits", v)
		}
		b.Append(int16(v))
	}
	return number, nil
}

// float reads NaN as text, since the engine makes NULL of the number.
func (r *reader) float(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) (int, error) {
	v := s.Real(i)
	switch {
	case c == sqlitefile.Blob, c == sqlitefile.Integer && !exact(v, s.Int(i)):
		return 0, r.wrong(s, i, c)
	case c == sqlitefile.Text && string(s.Text(i)) == "NaN":
		v = math.NaN()
	case c == sqlitefile.Text:
		return r.other(s, i, c, b)
	}
	switch b := b.(type) {
	case *array.Float32Builder:
		if v == v && float64(float32(v)) != v {
			return 0, fmt.Errorf("%v is no number of 32 bits", v)
		}
		b.Append(float32(v))
	case *array.Float64Builder:
		b.Append(v)
	}
	return number, nil
}

func exact(v float64, n int64) bool { return math.Abs(v) < 1<<63 && int64(v) == n }

func (r *reader) bool(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) (int, error) {
	if c != sqlitefile.Integer {
		return r.other(s, i, c, b)
	}
	v := s.Int(i)
	if v != 0 && v != 1 {
		return 0, fmt.Errorf("%d stands where a BOOLEAN, 0 or 1, belongs", v)
	}
	b.(*array.BooleanBuilder).Append(v == 1)
	return 1, nil
}

func (r *reader) binary(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) (int, error) {
	if c != sqlitefile.Blob {
		return r.other(s, i, c, b)
	}
	v := s.Blob(i)
	if len(v) > rows.MaxRowBytes {
		return 0, ErrTooLarge
	}
	b.(*array.BinaryBuilder).Append(v)
	return len(v), nil
}

// string takes text, and in a loose column the text form of anything that has one.
func (r *reader) string(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) (int, error) {
	var v []byte
	switch {
	case c == sqlitefile.Text:
		v = s.Text(i)
	case r.loose && c == sqlitefile.Integer:
		v = strconv.AppendInt(r.buf[:0], s.Int(i), 10)
	case r.loose && c == sqlitefile.Real:
		v = appendReal(r.buf[:0], s.Real(i))
	default:
		return 0, r.wrong(s, i, c)
	}
	if len(v) > rows.MaxRowBytes {
		return 0, ErrTooLarge
	}
	if !utf8.Valid(v) {
		return 0, text.ErrUTF8
	}
	b.(*array.StringBuilder).BinaryBuilder.Append(v)
	return len(v), nil
}

// number takes text and, since a column declared DECIMAL or JSON by others turns text
// into numbers, those as well: the number that was written is the shortest that reads
// back, as long as it has no more digits than a real keeps.
func (r *reader) number(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) (int, error) {
	switch c {
	case sqlitefile.Text:
		return r.text(s, i, c, b)
	case sqlitefile.Integer:
		r.buf = strconv.AppendInt(r.buf[:0], s.Int(i), 10)
	case sqlitefile.Real:
		v := s.Real(i)
		r.buf = appendReal(r.buf[:0], v)
		if kept, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 14, 64), 64); kept != v {
			return 0, fmt.Errorf("the real %s has lost the digits it was written with", r.buf)
		}
	default:
		return 0, r.wrong(s, i, c)
	}
	return number, r.parse(b, string(r.buf))
}

func (r *reader) text(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) (int, error) {
	if c != sqlitefile.Text {
		return 0, r.wrong(s, i, c)
	}
	v := s.Text(i)
	if len(v) > rows.MaxRowBytes {
		return 0, ErrTooLarge
	}
	return len(v), r.parse(b, unsafe.String(unsafe.SliceData(v), len(v))) // it keeps no reference
}

// other reads a value of a class that the type is not stored in.
func (r *reader) other(s *sqlitefile.Stmt, i int, c sqlitefile.Class, b array.Builder) (int, error) {
	if !r.given {
		return 0, r.wrong(s, i, c)
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
