package pgcopy

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/rows"
)

// Native begins the native type of a field that comes from PostgreSQL.
const Native = "pg:"

// Column is a column as the server's catalog describes it. A domain is given as its base
// type: a domain's values travel, and land, as what they are made of.
type Column struct {
	Name     string
	Type     string // format_type(oid, typmod) with only pg_catalog on the search path
	Dims     int    // attndims: declared dimensions of an array, 0 unknown
	Nullable bool
	// HoldsNaN: a numeric column known to hold NaN or an infinity, which no decimal can.
	HoldsNaN bool
}

// Types of the map that are made only once.
var (
	JSON     = newJSON()
	UUID     = extensions.NewUUIDType()
	Stamp    = &arrow.TimestampType{Unit: arrow.Microsecond}
	StampUTC = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	Interval = arrow.FixedWidthTypes.MonthDayNanoInterval
)

func newJSON() *extensions.JSONType {
	t, err := extensions.NewJSONType(arrow.BinaryTypes.String)
	if err != nil {
		panic(err) // strings are an allowed storage
	}
	return t
}

// Field maps a column to Arrow. What has no Arrow type of its own becomes utf8 in the
// type's text form; so does an array that is declared with several dimensions, and a
// numeric that holds NaN. The native type says in every case what it was.
func Field(c Column) arrow.Field {
	t := parseType(c.Type)
	native := Native + c.Type
	if t.array {
		return rows.Field(c.Name, listType(t, c), c.Nullable, native)
	}
	return rows.Field(c.Name, scalarType(t, c), c.Nullable, native)
}

func listType(t pgType, c Column) arrow.DataType {
	elem := scalarType(t.elem(), c)
	_, known := oids[t.base]
	if !known || c.Dims > 1 || elem == arrow.BinaryTypes.String && !isText(t.base) && t.base != "numeric" {
		return arrow.BinaryTypes.String
	}
	return arrow.ListOfField(rows.Field("item", elem, true, Native+t.elem().String()))
}

func scalarType(t pgType, c Column) arrow.DataType {
	switch t.base {
	case "smallint":
		return arrow.PrimitiveTypes.Int16
	case "integer":
		return arrow.PrimitiveTypes.Int32
	case "bigint":
		return arrow.PrimitiveTypes.Int64
	case "real":
		return arrow.PrimitiveTypes.Float32
	case "double precision":
		return arrow.PrimitiveTypes.Float64
	case "boolean":
		return arrow.FixedWidthTypes.Boolean
	case "numeric":
		return numericType(t, c)
	case "bytea":
		return arrow.BinaryTypes.Binary
	case "date":
		return arrow.FixedWidthTypes.Date32
	case "time without time zone":
		return arrow.FixedWidthTypes.Time64us
	case "timestamp without time zone":
		return Stamp
	case "timestamp with time zone":
		return StampUTC
	case "uuid":
		return UUID
	case "json", "jsonb":
		return JSON
	case "interval":
		return Interval
	}
	return arrow.BinaryTypes.String
}

// numericType is a decimal where every value of the column fits one: not without limits,
// not wider than 76 digits, not with a scale that is negative or beyond the precision.
func numericType(t pgType, c Column) arrow.DataType {
	p, s, limited := t.numeric()
	switch {
	case !limited, c.HoldsNaN, p > 76, s < 0, s > p:
		return arrow.BinaryTypes.String
	case p <= 38:
		return &arrow.Decimal128Type{Precision: int32(p), Scale: int32(s)}
	default:
		return &arrow.Decimal256Type{Precision: int32(p), Scale: int32(s)}
	}
}

// TypeName is the PostgreSQL type that a field lands in when its table is made anew: its
// own type if it comes from PostgreSQL, else the one that holds all values of its Arrow
// type. A type that is not built in (an enum, an extension's) may not exist where it
// lands: the destination looks, and takes text.
func TypeName(f arrow.Field) string {
	if t, ok := strings.CutPrefix(rows.Native(f), Native); ok {
		return t
	}
	switch t := f.Type.(type) {
	case *arrow.Int16Type:
		return "smallint"
	case *arrow.Int32Type:
		return "integer"
	case *arrow.Int64Type:
		return "bigint"
	case *arrow.Float32Type:
		return "real"
	case *arrow.Float64Type:
		return "double precision"
	case *arrow.BooleanType:
		return "boolean"
	case arrow.DecimalType:
		return pgType{base: "numeric", mods: []int{int(t.GetPrecision()), int(t.GetScale())}}.String()
	case *arrow.BinaryType:
		return "bytea"
	case *arrow.Date32Type:
		return "date"
	case *arrow.Time64Type:
		return "time without time zone"
	case *arrow.TimestampType:
		if t.TimeZone == "" {
			return "timestamp without time zone"
		}
		return "timestamp with time zone"
	case *extensions.UUIDType:
		return "uuid"
	case *extensions.JSONType:
		return "jsonb"
	case *arrow.MonthDayNanoIntervalType:
		return "interval"
	case *arrow.ListType:
		return TypeName(t.ElemField()) + "[]"
	}
	return "text"
}

// wire is the form in which a field's values leave the server.
type wire int

const (
	wireBinary   wire = iota // the type's own binary form
	wireText                 // ::text, kept as it is
	wireTexts                // ::text[], for lists of utf8
	wireOverride             // ::text, to be parsed: the pipeline gave the column another type
)

func wireOf(f arrow.Field) wire {
	native, ok := strings.CutPrefix(rows.Native(f), Native)
	if !ok {
		return wireOverride
	}
	t := parseType(native)
	switch {
	case f.Type.ID() == arrow.STRING && (t.array || !isText(t.base)):
		return wireText
	case f.Type.ID() == arrow.LIST && t.base == "numeric" && f.Type.(*arrow.ListType).Elem().ID() == arrow.STRING:
		return wireTexts
	}
	return wireBinary
}

// SelectExpr is the expression that yields a field's values in the form the Decoder of
// that field reads.
func SelectExpr(f arrow.Field, quotedName string) string {
	switch wireOf(f) {
	case wireText, wireOverride:
		if rows.Native(f) == Native+"inet" {
			return "pg_catalog.abbrev(" + quotedName + ")" // what inet prints; ::text adds /32
		}
		return quotedName + "::text"
	case wireTexts:
		return quotedName + "::text[]"
	}
	return quotedName
}

// isText reports whether the binary form of a type is its text, exactly. xml is not among
// them: its send and receive functions heed and rewrite an encoding declaration.
func isText(base string) bool {
	switch base {
	case "text", "character varying", "character", "name", "citext", "enum":
		return true
	}
	return false
}

// oids are the built-in types that can be elements of an array in binary form, which
// names its element type by oid.
var oids = map[string]uint32{
	"boolean": 16, "bytea": 17, "name": 19, "bigint": 20, "smallint": 21, "integer": 23, "text": 25,
	"json": 114, "real": 700, "double precision": 701, "character": 1042, "character varying": 1043,
	"date": 1082, "time without time zone": 1083, "timestamp without time zone": 1114,
	"timestamp with time zone": 1184, "interval": 1186, "numeric": 1700, "uuid": 2950, "jsonb": 3802,
}
