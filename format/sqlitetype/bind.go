package sqlitetype

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/format/typename"
)

// Binder binds value row of arr to parameter i. SQLite holds every value of every type
// that Declare accepts. One Binder serves one goroutine.
type Binder func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int)

// BinderOf returns the Binder of a column into one declared so.
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
	switch f.Type.ID() {
	case arrow.INT64:
		return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) {
			s.BindInt(i, arr.(*array.Int64).Value(row))
		}
	case arrow.INT32:
		return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) {
			s.BindInt(i, int64(arr.(*array.Int32).Value(row)))
		}
	case arrow.INT16:
		return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) {
			s.BindInt(i, int64(arr.(*array.Int16).Value(row)))
		}
	case arrow.BOOL:
		return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) {
			s.Bind(i, arr.(*array.Boolean).Value(row))
		}
	case arrow.FLOAT64:
		return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) {
			bindReal(s, i, arr.(*array.Float64).Value(row))
		}
	case arrow.FLOAT32:
		return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) {
			bindReal(s, i, float64(arr.(*array.Float32).Value(row)))
		}
	case arrow.BINARY:
		return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) {
			s.BindBlob(i, arr.(*array.Binary).Value(row))
		}
	case arrow.STRING:
		if Affinity(declared) == Numeric {
			return bindNumeric
		}
		return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) {
			s.BindText(i, arr.(*array.String).Value(row))
		}
	}
	if arrow.TypeEqual(f.Type, typename.JSON) {
		return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) {
			s.BindText(i, arr.(*extensions.JSONArray).Storage().(*array.String).Value(row))
		}
	}
	var buf []byte
	return func(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) {
		buf = text.Append(buf[:0], arr, row)
		s.BindText(i, string(buf))
	}
}

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
func bindNumeric(s *sqlitefile.Stmt, i int, arr arrow.Array, row int) {
	v := arr.(*array.String).Value(row)
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
