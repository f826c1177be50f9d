package sqlitetype

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/format/typename"
)

// name is the type's name in a declaration.
func name(t arrow.DataType) string { return strings.ToUpper(typename.Word(t)) }

// named is the type that a name in a declaration means, nil when there is none.
func named(word string) arrow.DataType {
	t, err := typename.Parse(word)
	if err != nil {
		return nil
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
