// Package text gives every Arrow value that travels through Syncline its one exact text
// form, and reads it back: what Parse makes of what Append wrote is the value again.
// The forms are those PostgreSQL reads; JSON forms are what stands in JSON Lines.
package text

import (
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
)

// Check says that values of type t have a text form: that Append and Parser know it.
func Check(t arrow.DataType) error {
	_, err := scalar(t)
	return err
}

// Append appends the text form of value i, which must not be null, of an array whose
// type passes Check. It allocates nothing but what dst needs to grow.
//
//	int16, int32, int64, float32, float64   shortest that reads back; NaN, Infinity, -Infinity
//	decimal(p,s)      all s digits: 1.10            bool       true, false
//	utf8, json        as it is                      binary     \x6869
//	date32            2024-02-29, 0044-03-15 BC, 12024-01-01, infinity, -infinity
//	time64[us]        12:34:56, 12:34:56.789, 24:00:00
//	timestamp[us]     2024-02-29T12:34:56.5; with a zone …+00:00, which sorts as text
//	                  whether or not there is a fraction (Z would not)
//	uuid              8-4-4-4-12, lower case        list<T>    a JSON array
//	month_day_nano    ISO 8601, each part with its own sign: P1Y2M3DT-4H-5M-6.789S, PT0S
func Append(dst []byte, arr arrow.Array, i int) []byte {
	switch a := arr.(type) {
	case *array.Int64:
		return strconv.AppendInt(dst, a.Value(i), 10)
	case *array.String:
		return append(dst, a.Value(i)...)
	case *array.Int32:
		return strconv.AppendInt(dst, int64(a.Value(i)), 10)
	case *array.Int16:
		return strconv.AppendInt(dst, int64(a.Value(i)), 10)
	case *array.Float64:
		return appendFloat(dst, a.Value(i), 64)
	case *array.Float32:
		return appendFloat(dst, float64(a.Value(i)), 32)
	case *array.Boolean:
		return strconv.AppendBool(dst, a.Value(i))
	case *array.Decimal128:
		return appendDecimal128(dst, a.Value(i), a.DataType().(*arrow.Decimal128Type).Scale)
	case *array.Decimal256:
		return appendDecimal256(dst, a.Value(i), a.DataType().(*arrow.Decimal256Type).Scale)
	case *array.Binary:
		return appendHex(append(dst, '\\', 'x'), a.Value(i))
	case *array.Date32:
		return appendDate(dst, a.Value(i))
	case *array.Time64:
		return appendClock(dst, int64(a.Value(i)))
	case *array.Timestamp:
		return appendTimestamp(dst, a.Value(i), zoneSuffix(a.DataType(), "+00:00"))
	case *array.MonthDayNanoInterval:
		return appendInterval(dst, a.Value(i))
	case *extensions.UUIDArray:
		return appendUUID(dst, a.Storage().(*array.FixedSizeBinary).Value(i))
	case *extensions.JSONArray:
		return append(dst, a.Storage().(*array.String).Value(i)...)
	case *array.List:
		return appendList(dst, a, i)
	}
	// A type that Check refuses was let through: a mistake in the program, which must
	// not write something inexact.
	panic(fmt.Sprintf("text: %s has no text form", arr.DataType()))
}

func zoneSuffix(t arrow.DataType, utc string) string {
	if t.(*arrow.TimestampType).TimeZone == "" {
		return ""
	}
	return utc
}

const hexDigits = "0123456789abcdef"

func appendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}

func appendUUID(dst, b []byte) []byte {
	dst = append(appendHex(dst, b[:4]), '-')
	dst = append(appendHex(dst, b[4:6]), '-')
	dst = append(appendHex(dst, b[6:8]), '-')
	dst = append(appendHex(dst, b[8:10]), '-')
	return appendHex(dst, b[10:])
}
