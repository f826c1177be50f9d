// Package typename gives every Arrow type that travels through Syncline a name that can be
// written down and read back, lists and decimals with their arguments included.
package typename

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"
)

// The types that are not plain values of package arrow.
var (
	Time                       = arrow.FixedWidthTypes.Time64us
	Timestamp   arrow.DataType = &arrow.TimestampType{Unit: arrow.Microsecond}
	TimestampTZ                = arrow.FixedWidthTypes.Timestamp_us
	UUID        arrow.DataType = extensions.NewUUIDType()
	JSON        arrow.DataType = mustJSON()
)

func mustJSON() arrow.DataType {
	t, err := extensions.NewJSONType(arrow.BinaryTypes.String)
	if err != nil {
		panic(err) // utf8 is one of the storage types of the extension
	}
	return t
}

// types are the words by which files name the types of their columns, without the two that take
// arguments: decimal(p,s) and list<…>. The first of a type is the one that is written.
var types = []struct {
	word string
	t    arrow.DataType
}{
	{"int16", arrow.PrimitiveTypes.Int16},
	{"smallint", arrow.PrimitiveTypes.Int16},
	{"int32", arrow.PrimitiveTypes.Int32},
	{"int", arrow.PrimitiveTypes.Int32},
	{"integer", arrow.PrimitiveTypes.Int32},
	{"int64", arrow.PrimitiveTypes.Int64},
	{"bigint", arrow.PrimitiveTypes.Int64},
	{"float32", arrow.PrimitiveTypes.Float32},
	{"real", arrow.PrimitiveTypes.Float32},
	{"float64", arrow.PrimitiveTypes.Float64},
	{"double", arrow.PrimitiveTypes.Float64},
	{"float", arrow.PrimitiveTypes.Float64},
	{"bool", arrow.FixedWidthTypes.Boolean},
	{"boolean", arrow.FixedWidthTypes.Boolean},
	{"text", arrow.BinaryTypes.String},
	{"string", arrow.BinaryTypes.String},
	{"utf8", arrow.BinaryTypes.String},
	{"binary", arrow.BinaryTypes.Binary},
	{"bytea", arrow.BinaryTypes.Binary},
	{"date", arrow.FixedWidthTypes.Date32},
	{"time", Time},
	{"timestamp", Timestamp},
	{"timestamptz", TimestampTZ},
	{"interval", arrow.FixedWidthTypes.MonthDayNanoInterval},
	{"uuid", UUID},
	{"json", JSON},
	{"jsonb", JSON},
}

// Word is the word for a type: "int64", "decimal(10,2)", "list<text>". A type that
// does not travel through Syncline has none: it answers with Arrow's name.
func Word(t arrow.DataType) string {
	switch t := t.(type) {
	case arrow.DecimalType:
		return fmt.Sprintf("decimal(%d,%d)", t.GetPrecision(), t.GetScale())
	case *arrow.ListType:
		return "list<" + Word(t.Elem()) + ">"
	case *arrow.TimestampType:
		// Whatever the zone is called, the moments are the same.
		if t.TimeZone != "" && t.Unit == arrow.Microsecond {
			return "timestamptz"
		}
	}
	for _, known := range types {
		if arrow.TypeEqual(known.t, t) {
			return known.word
		}
	}
	return t.String()
}

// Parse is the type that a word means.
func Parse(word string) (arrow.DataType, error) {
	w := strings.ToLower(strings.ReplaceAll(word, " ", ""))
	if inner, ok := between(w, "list<", ">"); ok {
		element, err := Parse(inner)
		if err != nil {
			return nil, err
		}
		return arrow.ListOf(element), nil
	}
	for _, name := range []string{"decimal(", "numeric("} {
		if inner, ok := between(w, name, ")"); ok {
			return decimal(word, inner)
		}
	}
	for _, known := range types {
		if known.word == w {
			return known.t, nil
		}
	}
	return nil, fmt.Errorf("no type %q; there are int16, int32, int64, float32, float64, bool, decimal(p,s), text, binary, date, time, timestamp, timestamptz, interval, uuid, json and list<…>", word)
}

func between(s, before, after string) (string, bool) {
	s, ok := strings.CutPrefix(s, before)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, after)
}

// decimal reads "p,s" or "p".
func decimal(word, args string) (arrow.DataType, error) {
	p, s, scaled := strings.Cut(args, ",")
	precision, err := strconv.ParseInt(p, 10, 32)
	scale := int64(0)
	if err == nil && scaled {
		scale, err = strconv.ParseInt(s, 10, 32)
	}
	if err != nil || precision < 1 || precision > 76 || scale < -76 || scale > 76 {
		return nil, fmt.Errorf("%q is no decimal type: write decimal(p,s) with 1 to 76 digits, s of them behind the point", word)
	}
	return Decimal(int32(precision), int32(scale)), nil
}

// Decimal is the narrowest decimal type of so many digits.
func Decimal(precision, scale int32) arrow.DataType {
	if precision > 38 || scale > 38 || scale < -38 {
		return &arrow.Decimal256Type{Precision: precision, Scale: scale}
	}
	return &arrow.Decimal128Type{Precision: precision, Scale: scale}
}
