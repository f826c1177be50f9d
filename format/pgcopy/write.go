package pgcopy

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/format/jsontext"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
)

// writerOf picks how a field's values are written into a column of a type; nil: only as
// text.
func writerOf(f arrow.Field, target pgType) writer {
	if t, ok := f.Type.(*arrow.ListType); ok {
		if target.array {
			return listWriter(t, target)
		}
		return textWriter(f, target)
	}
	if target.array {
		return nil
	}
	if isText(target.base) {
		return textWriter(f, target)
	}
	switch t := f.Type.(type) {
	case *arrow.Int16Type, *arrow.Int32Type, *arrow.Int64Type:
		return intWriter(f.Type, target)
	case *arrow.Float32Type, *arrow.Float64Type:
		return floatWriter(f.Type, target)
	case *arrow.BooleanType:
		return only(target, "boolean", writeBool)
	case arrow.DecimalType:
		return decimalWriter(t, target)
	case *arrow.StringType:
		return stringWriter(target)
	case *arrow.BinaryType:
		return only(target, "bytea", writeBytes)
	case *arrow.Date32Type:
		return only(target, "date", writeDate)
	case *arrow.Time64Type:
		return timeWriter(t, target)
	case *arrow.TimestampType:
		return timestampWriter(t, target)
	case *extensions.UUIDType:
		return only(target, "uuid", writeUUID)
	case *extensions.JSONType:
		return jsonWriter(f, target)
	case *arrow.MonthDayNanoIntervalType:
		return intervalWriter(f, target)
	}
	return nil
}

// only is w for one type.
func only(target pgType, base string, w writer) writer {
	if target.base != base {
		return nil
	}
	return w
}

// integer is how the value of an integer array is read.
func integer(t arrow.DataType) func(a arrow.Array, i int) int64 {
	switch t.ID() {
	case arrow.INT16:
		return func(a arrow.Array, i int) int64 { return int64(a.(*array.Int16).Value(i)) }
	case arrow.INT32:
		return func(a arrow.Array, i int) int64 { return int64(a.(*array.Int32).Value(i)) }
	}
	return func(a arrow.Array, i int) int64 { return a.(*array.Int64).Value(i) }
}

func intWriter(t arrow.DataType, target pgType) writer {
	value := integer(t)
	switch target.base {
	case "smallint":
		return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
			n := value(a, i)
			if n != int64(int16(n)) {
				return dst, beyond(n, "smallint")
			}
			return binary.BigEndian.AppendUint16(dst, uint16(n)), nil
		}
	case "integer":
		return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
			n := value(a, i)
			if n != int64(int32(n)) {
				return dst, beyond(n, "integer")
			}
			return binary.BigEndian.AppendUint32(dst, uint32(n)), nil
		}
	case "bigint":
		return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
			return binary.BigEndian.AppendUint64(dst, uint64(value(a, i))), nil
		}
	case "numeric":
		return intNumericWriter(value, target)
	case "double precision":
		return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
			n := value(a, i)
			if n > 1<<53 || n < -1<<53 {
				return dst, beyond(n, "double precision, exactly")
			}
			return binary.BigEndian.AppendUint64(dst, math.Float64bits(float64(n))), nil
		}
	}
	return nil
}

func beyond(n any, what string) error {
	return faultf(rows.CodeOutOfRange, "%v does not fit %s", n, what)
}

func intNumericWriter(value func(arrow.Array, int) int64, target pgType) writer {
	precision, scale, limited := target.numeric()
	return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
		if err := fitsNumeric(a, i, precision, scale, limited); err != nil {
			return dst, err
		}
		w, negative := magnitude(wide{uint64(value(a, i))}, 1)
		return putNumeric(dst, negative, w, 0), nil
	}
}

func floatWriter(t arrow.DataType, target pgType) writer {
	value := func(a arrow.Array, i int) float64 { return a.(*array.Float64).Value(i) }
	if t.ID() == arrow.FLOAT32 {
		value = func(a arrow.Array, i int) float64 { return float64(a.(*array.Float32).Value(i)) }
	}
	switch target.base {
	case "real":
		return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
			f := value(a, i)
			if float64(float32(f)) != f && !math.IsNaN(f) {
				return dst, beyond(f, "real, exactly")
			}
			return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(f))), nil
		}
	case "double precision":
		return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
			return binary.BigEndian.AppendUint64(dst, math.Float64bits(value(a, i))), nil
		}
	}
	return nil
}

func writeBool(dst []byte, a arrow.Array, i int) ([]byte, error) {
	if a.(*array.Boolean).Value(i) {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

func decimalWriter(t arrow.DecimalType, target pgType) writer {
	if target.base != "numeric" {
		return nil
	}
	from := int(t.GetScale())
	precision, scale, limited := target.numeric()
	// A column at least as wide takes every value that the decimal can hold.
	check := limited && (scale < from || precision-scale < int(t.GetPrecision())-from)
	return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
		if err := fitsNumeric(a, i, precision, scale, check); err != nil {
			return dst, err
		}
		w, negative := decimal(a, i)
		return putNumeric(dst, negative, w, from), nil
	}
}

func decimal(a arrow.Array, i int) (wide, bool) {
	if d, ok := a.(*array.Decimal128); ok {
		n := d.Value(i)
		return magnitude(wide{n.LowBits(), uint64(n.HighBits())}, 2)
	}
	return magnitude(a.(*array.Decimal256).Value(i).Array(), 4)
}

// fitsNumeric checks an integer or decimal against the limits of numeric(precision,scale).
func fitsNumeric(a arrow.Array, i, precision, scale int, limited bool) error {
	if !limited {
		return nil
	}
	n, _ := parseNumeric(text.Append(nil, a, i))
	n.trim()
	return n.fits(precision, scale, true)
}

func stringWriter(target pgType) writer {
	switch target.base {
	case "numeric":
		return stringNumericWriter(target)
	case "json", "jsonb":
		return stringJSONWriter(target.base)
	}
	return nil
}

func stringNumericWriter(target pgType) writer {
	precision, scale, limited := target.numeric()
	return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
		s := []byte(a.(*array.String).Value(i))
		n, ok := parseNumeric(s)
		if !ok {
			return dst, notA("number", s)
		}
		n.trim()
		if limited && (n.special == signInf || n.special == signNegIn) {
			return dst, beyond("an infinity", target.String())
		}
		if n.special == 0 {
			if err := n.fits(precision, scale, limited); err != nil {
				return dst, err
			}
		}
		return n.put(dst), nil
	}
}

func stringJSONWriter(base string) writer {
	return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
		return putJSON(dst, a.(*array.String).Value(i), base, false)
	}
}

// jsonWriter trusts what the server itself made or checked.
func jsonWriter(f arrow.Field, target pgType) writer {
	if target.base != "json" && target.base != "jsonb" {
		return nil
	}
	trusted := rows.Native(f) == Native+"jsonb" || rows.Native(f) == Native+target.base
	return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
		return putJSON(dst, a.(*extensions.JSONArray).Storage().(*array.String).Value(i), target.base, trusted)
	}
}

func putJSON(dst []byte, s, base string, trusted bool) ([]byte, error) {
	if !trusted {
		if err := jsonFault(s, base); err != nil {
			return dst, err
		}
	}
	if err := textFault(s); err != nil {
		return dst, err
	}
	if base == "jsonb" {
		dst = append(dst, 1) // the version
	}
	return append(dst, s...), nil
}

func jsonFault(s, base string) error {
	if err := jsontext.Valid(s); err != nil {
		return faultf(rows.CodeType, "%.64q is no JSON: %v", s, err)
	}
	if base == "jsonb" {
		return jsonbFault(s)
	}
	return nil
}

// textFault says why PostgreSQL would refuse a text.
func textFault(s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return faultf(rows.CodeEncoding, "NUL, which text in PostgreSQL cannot hold")
	}
	if !utf8.ValidString(s) {
		return faultf(rows.CodeEncoding, "not UTF-8")
	}
	return nil
}

// textWriter writes the text form of any field.
func textWriter(f arrow.Field, target pgType) writer {
	if !isText(target.base) {
		return nil
	}
	check := textCheck(target)
	if f.Type.ID() == arrow.STRING {
		return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
			s := a.(*array.String).Value(i)
			return append(dst, s...), check(s)
		}
	}
	return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
		at := len(dst)
		dst = AppendValue(dst, a, i)
		return dst, check(string(dst[at:]))
	}
}

// textCheck finds what a text type would refuse, and what char(n) and varchar(n) would
// cut: they count characters, and blanks beyond the limit go without a word.
func textCheck(target pgType) func(string) error {
	limit := math.MaxInt
	if len(target.mods) == 1 {
		limit = target.mods[0]
	}
	if target.base == "name" {
		limit = 63
	}
	return func(s string) error {
		if err := textFault(s); err != nil {
			return err
		}
		if len(s) > limit && tooLong(s, limit, target.base) {
			return faultf(rows.CodeOutOfRange, "%d characters do not fit %s", utf8.RuneCountInString(s), target)
		}
		return nil
	}
}

func tooLong(s string, limit int, base string) bool {
	switch base {
	case "name":
		return true // it counts bytes
	case "character": // blanks at the end are padding
		s = strings.TrimRight(s, " ")
	}
	return utf8.RuneCountInString(s) > limit
}

func writeBytes(dst []byte, a arrow.Array, i int) ([]byte, error) {
	return append(dst, a.(*array.Binary).Value(i)...), nil
}

func writeUUID(dst []byte, a arrow.Array, i int) ([]byte, error) {
	return append(dst, a.(*extensions.UUIDArray).Storage().(*array.FixedSizeBinary).Value(i)...), nil
}
