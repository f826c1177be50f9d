package sqlitetype

import (
	"strconv"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/format/typename"
)

// Binder binds value row of arr, which its Screen has let through, to parameter i. One
// Binder serves one goroutine.
type Binder func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int)

// BinderOf returns the Binder of a column into one declared so, which FitInto has let
// through.
func BinderOf(f arrow.Field, declared string) Binder {
	bind := binder(f, declared)
	return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) {
		if arr.IsNull(row) {
			s.BindNull(i)
			return
		}
		bind(s, i, arr, row)
	}
}

func binder(f arrow.Field, declared string) Binder {
	if FitInto(declared, f) == AsText {
		return bindText()
	}
	switch f.Type.ID() {
	case arrow.INT64:
		return of(func(s *sqlitefile.Stmt, i int, a *array.Int64, row int) { s.BindInt(i, a.Value(row)) })
	case arrow.INT32:
		return of(func(s *sqlitefile.Stmt, i int, a *array.Int32, row int) { s.BindInt(i, int64(a.Value(row))) })
	case arrow.INT16:
		return of(func(s *sqlitefile.Stmt, i int, a *array.Int16, row int) { s.BindInt(i, int64(a.Value(row))) })
	case arrow.BOOL:
		return of(func(s *sqlitefile.Stmt, i int, a *array.Boolean, row int) { s.Bind(i, a.Value(row)) })
	case arrow.FLOAT64:
		return of(func(s *sqlitefile.Stmt, i int, a *array.Float64, row int) { bindReal(s, i, a.Value(row)) })
	case arrow.FLOAT32:
		return of(func(s *sqlitefile.Stmt, i int, a *array.Float32, row int) { bindReal(s, i, float64(a.Value(row))) })
	case arrow.BINARY:
		return of(func(s *sqlitefile.Stmt, i int, a *array.Binary, row int) { s.BindBlob(i, a.Value(row)) })
	case arrow.STRING:
		if Affinity(declared) == Numeric {
			return of(bindNumeric)
		}
		return of(func(s *sqlitefile.Stmt, i int, a *array.String, row int) { s.BindText(i, a.Value(row)) })
	}
	if arrow.TypeEqual(f.Type, typename.JSON) {
		return of(func(s *sqlitefile.Stmt, i int, a *extensions.JSONArray, row int) { s.BindText(i, jsonText(a, row)) })
	}
	return bindText()
}

// of makes a Binder for one type of array.
func of[A arrow.Array](bind func(s *sqlitefile.Stmt, i int, a A, row int)) Binder {
	return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) { bind(s, i, arr.(A), row) }
}

func bindText() Binder {
	var buf []byte
	return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) {
		buf = text.Append(buf[:0], arr, row)
		s.BindText(i, unsafe.String(unsafe.SliceData(buf), len(buf))) // it is copied
	}
}

func jsonText(a *extensions.JSONArray, row int) string { return a.Storage().(*array.String).Value(row) }

// bindReal holds NaN as text, since the engine makes NULL of the number.
func bindReal(s *sqlitefile.Stmt, i int, v float64) {
	if v != v {
		s.BindText(i, "NaN")
		return
	}
	s.BindReal(i, v)
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
