package sqlitetype

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/format/typename"
)

// Screen says why a column cannot hold value row of arr, which is not null, exactly.
type Screen func(arr arrow.Array, row int) error

// errNegativeZero: a column of reals keeps whole numbers as integers, which know no -0.
var errNegativeZero = errors.New("-0, which SQLite would keep as 0")

// ScreenOf returns the Screen of a column into one declared so, nil when it holds every
// value.
func ScreenOf(f arrow.Field, declared string) Screen {
	affinity := Affinity(declared)
	switch {
	case affinity == Text || affinity == None:
		return nil
	case f.Type.ID() == arrow.FLOAT64:
		return func(arr arrow.Array, row int) error { return negativeZero(arr.(*array.Float64).Value(row)) }
	case f.Type.ID() == arrow.FLOAT32:
		return func(arr arrow.Array, row int) error { return negativeZero(float64(arr.(*array.Float32).Value(row))) }
	case arrow.TypeEqual(f.Type, typename.JSON):
		return func(arr arrow.Array, row int) error { return numericJSON(jsonText(arr.(*extensions.JSONArray), row)) }
	}
	return nil
}

func negativeZero(v float64) error {
	if v == 0 && math.Signbit(v) {
		return errNegativeZero
	}
	return nil
}

// numericJSON: a column that others declared JSON makes a number of a number, and not
// every way to write one comes back.
func numericJSON(v string) error {
	if v == "" || v[0] != '-' && (v[0] < '0' || v[0] > '9') {
		return nil
	}
	if n, err := strconv.ParseInt(v, 10, 64); err == nil && strconv.FormatInt(n, 10) == v {
		return nil
	}
	return fmt.Errorf("the number %s, which a column declared so would not keep as it is written", short(v))
}
