package text

import (
	"encoding/base64"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/format/jsontext"
)

// AppendJSON appends the JSON form of value i, null when it is null: numbers and
// booleans as such, NaN and the infinities as strings, decimals as strings because
// readers of JSON round numbers, json as a nested value, binary as base64, lists as
// arrays, timestamps with a zone as …Z, and everything else as a string of its text
// form. It never holds a line break: one between the tokens of a json value, where it
// means nothing, becomes a space.
func AppendJSON(dst []byte, arr arrow.Array, i int) []byte {
	if arr.IsNull(i) {
		return append(dst, "null"...)
	}
	switch a := arr.(type) {
	case *array.Int64, *array.Int32, *array.Int16, *array.Boolean:
		return Append(dst, arr, i)
	case *array.String:
		return jsontext.AppendQuoted(dst, a.Value(i))
	case *array.Float64:
		return appendJSONFloat(dst, a.Value(i), 64)
	case *array.Float32:
		return appendJSONFloat(dst, float64(a.Value(i)), 32)
	case *array.Binary:
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), a.Value(i)), '"')
	case *extensions.JSONArray:
		return appendOneLine(dst, a.Storage().(*array.String).Value(i))
	case *array.List:
		return appendList(dst, a, i)
	case *array.Timestamp:
		return append(appendTimestamp(append(dst, '"'), a.Value(i), zoneSuffix(a.DataType(), "Z")), '"')
	}
	return append(Append(append(dst, '"'), arr, i), '"')
}

func appendJSONFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(appendFloat(append(dst, '"'), f, bits), '"')
	}
	return appendFloat(dst, f, bits)
}

func appendOneLine(dst []byte, s string) []byte {
	start := len(dst)
	dst = append(dst, s...)
	for i, c := range dst[start:] {
		if c == '\n' || c == '\r' {
			dst[start+i] = ' '
		}
	}
	return dst
}

func appendList(dst []byte, a *array.List, i int) []byte {
	from, to := a.ValueOffsets(i)
	values := a.ListValues()
	dst = append(dst, '[')
	for j := int(from); j < int(to); j++ {
		if j > int(from) {
			dst = append(dst, ',')
		}
		dst = AppendJSON(dst, values, j)
	}
	return append(dst, ']')
}
