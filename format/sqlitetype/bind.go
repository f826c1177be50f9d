package sqlitetype

import (
	"errors"
	"math"
	"strconv"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/format/typename"
)

// Binder binds value row of arr to parameter i. Its error says why SQLite cannot hold the
// value. One Binder serves one goroutine.
type Binder func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) error

// errNegativeZero: a column of reals keeps whole numbers as integers, which know no -0.
var errNegativeZero = errors.New("-0, which SQLite would keep as 0")

// BinderOf returns the Binder of a column into one declared so.
func BinderOf(f arrow.Field, declared string) Binder {
	bind := binder(f, declared)
	return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) error {
		if arr.IsNull(row) {
			s.BindNull(i)
			return nil
		}
		return bind(s, i, arr, row)
	}
}

func binder(f arrow.Field, declared string) Binder {
	switch f.Type.ID() {
	case arrow.INT64:
		return always(func(s *sqlitefile.Stmt, i int, a *array.Int64, row int) { s.BindInt(i, a.Value(row)) })
	case arrow.INT32:
		return always(func(s *sqlitefile.Stmt, i int, a *array.Int32, row int) { s.BindInt(i, int64(a.Value(row))) })
	case arrow.INT16:
		return always(func(s *sqlitefile.Stmt, i int, a *array.Int16, row int) { s.BindInt(i, int64(a.Value(row))) })
	case arrow.BOOL:
		return always(func(s *sqlitefile.Stmt, i int, a *array.Boolean, row int) { s.Bind(i, a.Value(row)) })
	case arrow.FLOAT64:
		return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) error {
			return bindReal(s, i, arr.(*array.Float64).Value(row))
		}
	case arrow.FLOAT32:
		return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) error {
			return bindReal(s, i, float64(arr.(*array.Float32).Value(row)))
		}
	case arrow.BINARY:
		return always(func(s *sqlitefile.Stmt, i int, a *array.Binary, row int) { s.BindBlob(i, a.Value(row)) })
	case arrow.STRING:
		if Affinity(declared) == Numeric {
			return always(bindNumeric)
		}
		return always(func(s *sqlitefile.Stmt, i int, a *array.String, row int) { s.BindText(i, a.Value(row)) })
	}
	if arrow.TypeEqual(f.Type, typename.JSON) {
		return always(func(s *sqlitefile.Stmt, i int, a *extensions.JSONArray, row int) {
			s.BindText(i, a.Storage().(*array.String).Value(row))
		})
	}
	var buf []byte
	return always(func(s *sqlitefile.Stmt, i int, a arrow.Array, row int) {
		buf = text.Append(buf[:0], a, row)
		s.BindText(i, unsafe.String(unsafe.SliceData(buf), len(buf))) // BindText copies
	})
}

// always makes a Binder of what holds every value.
func always[A arrow.Array](bind func(s *sqlitefile.Stmt, i int, a A, row int)) Binder {
	return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) error {
		bind(s, i, arr.(A), row)
		return nil
	}
}

// bindReal holds NaN as text, since the engine makes NULL of the number.
func bindReal(s *sqlitefile.Stmt, i int, v float64) error {
	switch {
	case v != v:
		s.BindText(i, "NaN")
	case v == 0 && math.Signbit(v):
		return errNegativeZero
	default:
		s.BindReal(i, v)
	}
	return nil
}

// bindNumeric gives a column that turns text into numbers the number itself, when the
// text is what the number is drawn as: the engine's own reading may be off in the last
// digit.
func bindNumeric(s *sqlitefile.Stmt, i int, a *array.String, row int) {
	v := a.Value(row)
	if n, err := strconv.ParseInt(v, 10, 64); err == nil && strconv.FormatInt(n, 10) == v {
		s.BindInt(i, n)
		return
	}
	if f, err := strconv.ParseFloat(v, 64); err == nil && string(appendReal(nil, f)) == v {
		s.BindReal(i, f)
		return
	}
	s.BindText(i, v)
}
