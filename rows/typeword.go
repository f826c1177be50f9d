package rows

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline"
)

// typeWords are PostgreSQL's names, which most people know; aliases stand behind them.
var typeWords = map[string]arrow.DataType{
	"text":        arrow.BinaryTypes.String,
	"smallint":    arrow.PrimitiveTypes.Int16,
	"integer":     arrow.PrimitiveTypes.Int32,
	"bigint":      arrow.PrimitiveTypes.Int64,
	"real":        arrow.PrimitiveTypes.Float32,
	"double":      arrow.PrimitiveTypes.Float64,
	"boolean":     arrow.FixedWidthTypes.Boolean,
	"date":        arrow.FixedWidthTypes.Date32,
	"time":        arrow.FixedWidthTypes.Time64us,
	"timestamp":   &arrow.TimestampType{Unit: arrow.Microsecond},
	"timestamptz": &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
	"interval":    arrow.FixedWidthTypes.MonthDayNanoInterval,
	"uuid":        extensions.NewUUIDType(),
	"json":        jsonType(),
	"bytea":       arrow.BinaryTypes.Binary,
}

var typeAliases = map[string]string{
	"string": "text", "varchar": "text",
	"int2": "smallint", "int": "integer", "int4": "integer", "int8": "bigint",
	"float": "double", "float4": "real", "float8": "double", "double precision": "double",
	"bool": "boolean", "datetime": "timestamp", "jsonb": "json", "binary": "bytea", "blob": "bytea",
	"timestamp without time zone": "timestamp", "timestamp with time zone": "timestamptz",
}

var exactNumber = regexp.MustCompile(`^(?:numeric|decimal)\s*\(\s*(\d{1,3})\s*(?:,\s*(\d{1,3})\s*)?\)$`)

// TypeWord is the type that a word in a pipeline means: "bigint", "numeric(12,2)".
func TypeWord(word string) (arrow.DataType, error) {
	w := strings.ToLower(strings.Join(strings.Fields(word), " "))
	if full, ok := typeAliases[w]; ok {
		w = full
	}
	if t, ok := typeWords[w]; ok {
		return t, nil
	}
	if m := exactNumber.FindStringSubmatch(w); m != nil {
		return decimal(word, m[1], m[2])
	}
	if w == "numeric" || w == "decimal" {
		return nil, unknownType("type %q needs its digits", word).Try("write numeric(38,9): 38 digits, 9 of them after the point")
	}
	return nil, unknownType("no type %q", word).Try("known types: text, smallint, integer, bigint, real, double, boolean, " +
		"numeric(p,s), date, time, timestamp, timestamptz, interval, uuid, json, bytea")
}

func decimal(word, precision, scale string) (arrow.DataType, error) {
	p, _ := strconv.ParseInt(precision, 10, 32) // three digits at most; the scale may be absent
	s, _ := strconv.ParseInt(scale, 10, 32)
	if p < 1 || p > 76 || s > p {
		return nil, unknownType("type %q has more digits than can be kept exactly", word).
			Try("write numeric(p,s) with 1 ≤ p ≤ 76 and s ≤ p, or text")
	}
	if p <= 38 {
		return &arrow.Decimal128Type{Precision: int32(p), Scale: int32(s)}, nil
	}
	return &arrow.Decimal256Type{Precision: int32(p), Scale: int32(s)}, nil
}

func unknownType(format string, args ...any) *syncline.Error {
	return syncline.Errorf(syncline.InvalidArgument, format, args...).Of(syncline.ClassConfig)
}

func jsonType() arrow.DataType {
	t, err := extensions.NewJSONType(arrow.BinaryTypes.String)
	if err != nil {
		panic(fmt.Sprintf("rows: json over utf8: %v", err)) // a constant: true or false at every start
	}
	return t
}
