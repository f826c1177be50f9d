package sqlitetype

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"
)

// scalars are the names of types without parameters.
var scalars = map[string]arrow.DataType{
	"INT16":       arrow.PrimitiveTypes.Int16,
	"INT32":       arrow.PrimitiveTypes.Int32,
	"INT64":       arrow.PrimitiveTypes.Int64,
	"FLOAT32":     arrow.PrimitiveTypes.Float32,
	"FLOAT64":     arrow.PrimitiveTypes.Float64,
	"BOOLEAN":     arrow.FixedWidthTypes.Boolean,
	"TEXT":        arrow.BinaryTypes.String,
	"BLOB":        arrow.BinaryTypes.Binary,
	"DATE":        arrow.FixedWidthTypes.Date32,
	"TIME":        arrow.FixedWidthTypes.Time64us,
	"TIMESTAMP":   &arrow.TimestampType{Unit: arrow.Microsecond},
	"TIMESTAMPTZ": arrow.FixedWidthTypes.Timestamp_us,
	"INTERVAL":    arrow.FixedWidthTypes.MonthDayNanoInterval,
	"UUID":        extensions.NewUUIDType(),
	"JSON":        jsonType,
}

var jsonType = func() arrow.DataType {
	t, err := extensions.NewJSONType(arrow.BinaryTypes.String)
	if err != nil {
		panic(err) // a string is a storage type of it
	}
	return t
}()

// name is the type's name in a declaration; text.Check has let it through.
func name(t arrow.DataType) string {
	switch t := t.(type) {
	case arrow.DecimalType:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.GetPrecision(), t.GetScale())
	case *arrow.ListType:
		return name(t.Elem()) + "[]"
	case *arrow.TimestampType:
		if t.TimeZone != "" {
			return "TIMESTAMPTZ"
		}
	}
	for n, s := range scalars {
		if arrow.TypeEqual(s, t) {
			return n
		}
	}
	panic(fmt.Sprintf("sqlitetype: %s has no name", t))
}

// named is the type that name gives n for, nil when there is none.
func named(n string) arrow.DataType {
	if elem, ok := strings.CutSuffix(n, "[]"); ok {
		if t := named(elem); t != nil {
			return arrow.ListOf(t)
		}
		return nil
	}
	if t, ok := scalars[n]; ok {
		return t
	}
	if args, ok := strings.CutPrefix(n, "DECIMAL("); ok {
		return decimal(strings.TrimSuffix(args, ")"))
	}
	return nil
}

// decimal reads "p,s" or "p"; nil when no Arrow type holds so many digits.
func decimal(args string) arrow.DataType {
	p, s, scaled := strings.Cut(args, ",")
	precision, err := strconv.Atoi(strings.TrimSpace(p))
	scale := 0
	if err == nil && scaled {
		scale, err = strconv.Atoi(strings.TrimSpace(s))
	}
	if err != nil || precision < 1 || precision > 76 || scale < -76 || scale > precision {
		return nil
	}
	t, err := arrow.NarrowestDecimalType(int32(precision), int32(scale))
	if err != nil {
		return nil
	}
	if precision <= 38 { // narrower ones do not travel
		return &arrow.Decimal128Type{Precision: int32(precision), Scale: int32(scale)}
	}
	return t
}

// usual is the native type that PostgreSQL gives such a column by itself: it need not
// be noted to come back.
func usual(t arrow.DataType) string {
	switch t := t.(type) {
	case *arrow.Int16Type:
		return "pg:smallint"
	case *arrow.Int32Type:
		return "pg:integer"
	case *arrow.Int64Type:
		return "pg:bigint"
	case *arrow.Float32Type:
		return "pg:real"
	case *arrow.Float64Type:
		return "pg:double precision"
	case *arrow.BooleanType:
		return "pg:boolean"
	case *arrow.StringType:
		return "pg:text"
	case *arrow.BinaryType:
		return "pg:bytea"
	case *arrow.Date32Type:
		return "pg:date"
	case *arrow.Time64Type:
		return "pg:time without time zone"
	case *arrow.MonthDayNanoIntervalType:
		return "pg:interval"
	case *extensions.UUIDType:
		return "pg:uuid"
	case arrow.DecimalType:
		return fmt.Sprintf("pg:numeric(%d,%d)", t.GetPrecision(), t.GetScale())
	case *arrow.TimestampType:
		if t.TimeZone != "" {
			return "pg:timestamp with time zone"
		}
		return "pg:timestamp without time zone"
	}
	return ""
}
