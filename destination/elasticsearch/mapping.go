package elasticsearch

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/rows"
)

// mapping says how a field is searched. What is kept, _source, is what was sent: a value
// that its field's type cannot hold is there all the same, exactly, and only not found.
type mapping struct {
	Type            string             `json:"type,omitempty"`
	Format          string             `json:"format,omitempty"`
	IgnoreAbove     int                `json:"ignore_above,omitempty"`
	IgnoreMalformed bool               `json:"ignore_malformed,omitempty"`
	Enabled         *bool              `json:"enabled,omitempty"`
	Fields          map[string]mapping `json:"fields,omitempty"`
	Properties      map[string]mapping `json:"properties,omitempty"`
}

const (
	// dates are what ISO 8601 allows; a year of five digits or before our era, and infinity,
	// are malformed.
	dates = "strict_date_optional_time"
	// longestKeyword is below the 32,766 bytes that a term may have, whatever its characters.
	longestKeyword = 8191
	// exactDigits are those a double holds, every one of them.
	exactDigits = 15
	// longDigits are those a long holds.
	longDigits = 18
)

// mapped is the mapping of a column.
func mapped(f arrow.Field) mapping {
	switch t := f.Type.(type) {
	case *arrow.Int16Type, *arrow.Int32Type, *arrow.Int64Type:
		// All alike: the type of a field cannot become wider once it is there.
		return mapping{Type: "long"}
	case *arrow.Float32Type, *arrow.Float64Type:
		return mapping{Type: "double", IgnoreMalformed: true}
	case arrow.DecimalType:
		return decimalMapping(t)
	case *arrow.BooleanType:
		return mapping{Type: "boolean"}
	case *arrow.BinaryType:
		return mapping{Type: "binary"}
	case *arrow.Date32Type, *arrow.TimestampType:
		// Not date_nanos: it ends in 1677 and 2262.
		return mapping{Type: "date", Format: dates, IgnoreMalformed: true}
	case *arrow.StringType:
		return textMapping(rows.Native(f))
	case *extensions.JSONType:
		// Not looked into: of one column, some values are objects and others are not, and the
		// first would decide which are refused.
		no := false
		return mapping{Type: "object", Enabled: &no}
	case *arrow.ListType:
		return mapped(t.ElemField())
	}
	return word // uuid, time, interval
}

// word is a field of values that are found whole.
var word = mapping{Type: "keyword", IgnoreAbove: longestKeyword}

// prose are PostgreSQL's types of text that people write; what else comes as text is
// something else there: a number without limits, an enum, a range.
var prose = []string{"pg:text", "pg:character", "pg:citext", "pg:name", "pg:xml", "pg:tsvector"}

func textMapping(native string) mapping {
	isProse := func(t string) bool { return strings.HasPrefix(native, t) }
	switch {
	case native == "pg:inet":
		return mapping{Type: "ip", IgnoreMalformed: true} // a network, which is inet too, is no address
	case strings.HasPrefix(native, "pg:") && !slices.ContainsFunc(prose, isProse):
		return word
	}
	return mapping{Type: "text", Fields: map[string]mapping{"keyword": {Type: "keyword", IgnoreAbove: 256}}}
}

// decimalMapping: decimals are sent as strings, which numeric fields take; a number only
// where the index holds every digit of it.
func decimalMapping(t arrow.DecimalType) mapping {
	switch p, s := t.GetPrecision(), t.GetScale(); {
	case s == 0 && p <= longDigits:
		return mapping{Type: "long"}
	case p <= exactDigits && s >= 0:
		return mapping{Type: "double"}
	}
	return mapping{Type: "keyword"}
}

// takes are the types of fields that take every value of a kind of column; others, of an
// index that somebody else made, would refuse rows or round what is found by them without
// a word.
var takes = map[string][]string{
	"long":    {"long", "keyword", "text", "wildcard"},
	"double":  {"double", "keyword", "text", "wildcard"},
	"boolean": {"boolean", "keyword", "text"},
	"binary":  {"binary", "keyword", "text"},
	"date":    {"date", "date_nanos", "keyword", "text", "wildcard"},
	"text": {
		"text", "keyword", "wildcard", "match_only_text", "search_as_you_type", "constant_keyword", "ip", "version",
		"semantic_text", "completion", "binary", "date", "date_nanos", "geo_point", "geo_shape", "dense_vector",
	},
	"keyword": {"keyword", "text", "wildcard", "match_only_text", "search_as_you_type", "date", "double", "long", "scaled_float", "unsigned_long"},
	"ip":      {"ip", "keyword", "text", "wildcard"},
	"object":  {"object", "flattened", "flat_object", "nested"},
}

// narrower are fields that take the values of some columns whose like would have a wider
// one: whole numbers by their range, fractions that are rounded only in the index.
func narrower(t arrow.DataType, field string) bool {
	switch t := t.(type) {
	case *arrow.Int16Type:
		return field == "short" || field == "integer" || field == "double" || field == "float"
	case *arrow.Int32Type:
		return field == "integer" || field == "double"
	case *arrow.Float32Type:
		return field == "float"
	case *arrow.Float64Type:
		return field == "scaled_float"
	case arrow.DecimalType:
		return field == "scaled_float" || field == "double" || field == "unsigned_long" && t.GetScale() == 0
	case *arrow.ListType:
		return narrower(t.Elem(), field)
	}
	return false
}

// accepts reports whether a field takes a column's values.
func accepts(have mapping, f arrow.Field) bool {
	field := have.word()
	return slices.Contains(takes[mapped(f).Type], field) || narrower(f.Type, field)
}
