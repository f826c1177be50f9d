package text

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/format/jsontext"
)

// ParseFunc appends the value that s stands for to b, whose type is the one the function
// was made for. An error says what is wrong with s and means that nothing was appended.
// It keeps no reference to s. One ParseFunc serves one goroutine.
type ParseFunc func(b array.Builder, s string) error

// Parse is Parser for a single value; the error names the column.
func Parse(b array.Builder, f arrow.Field, s string) error {
	parse, err := Parser(f)
	if err == nil {
		err = parse(b, s)
	}
	if err != nil {
		return fmt.Errorf("column %q: %w", f.Name, err)
	}
	return nil
}

// Parser returns the function that reads text forms for a column. It reads what Append
// writes and what means the same beyond doubt: 1e3 for a decimal, PostgreSQL's words for
// booleans, a space for the T, any offset in a timestamp with zone. It never rounds,
// cuts or trims; NULL is the caller's to know.
func Parser(f arrow.Field) (ParseFunc, error) {
	parse, err := scalar(f.Type)
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", f.Name, err)
	}
	return parse, nil
}

func scalar(t arrow.DataType) (ParseFunc, error) {
	switch t := t.(type) {
	case *arrow.Int64Type:
		return into((*array.Int64Builder).Append, func(s string) (int64, error) { return parseInt(s, 64) }), nil
	case *arrow.Int32Type:
		return into((*array.Int32Builder).Append, func(s string) (int32, error) { n, err := parseInt(s, 32); return int32(n), err }), nil
	case *arrow.Int16Type:
		return into((*array.Int16Builder).Append, func(s string) (int16, error) { n, err := parseInt(s, 16); return int16(n), err }), nil
	case *arrow.Float64Type:
		return into((*array.Float64Builder).Append, func(s string) (float64, error) { return parseFloat(s, 64) }), nil
	case *arrow.Float32Type:
		return into((*array.Float32Builder).Append, func(s string) (float32, error) { f, err := parseFloat(s, 32); return float32(f), err }), nil
	case *arrow.BooleanType:
		return into((*array.BooleanBuilder).Append, parseBool), nil
	case *arrow.StringType:
		return into((*array.StringBuilder).Append, parseString), nil
	case *arrow.BinaryType:
		return into((*array.BinaryBuilder).Append, parseBinary), nil
	case *arrow.Date32Type:
		return into((*array.Date32Builder).Append, parseDate), nil
	case *arrow.MonthDayNanoIntervalType:
		return into((*array.MonthDayNanoIntervalBuilder).Append, parseInterval), nil
	case *arrow.Decimal128Type:
		return into((*array.Decimal128Builder).Append, with(parseDecimal128, t.Precision, t.Scale)), nil
	case *arrow.Decimal256Type:
		return into((*array.Decimal256Builder).Append, with(parseDecimal256, t.Precision, t.Scale)), nil
	case *extensions.UUIDType:
		return into((*extensions.UUIDBuilder).AppendBytes, parseUUID), nil
	case *extensions.JSONType:
		if arrow.TypeEqual(t.StorageType(), arrow.BinaryTypes.String) {
			return into(appendJSONText, parseJSON), nil
		}
	case *arrow.Time64Type:
		if t.Unit == arrow.Microsecond {
			return into((*array.Time64Builder).Append, parseTime), nil
		}
	case *arrow.TimestampType:
		if t.Unit == arrow.Microsecond {
			zoned := t.TimeZone != ""
			return into((*array.TimestampBuilder).Append, func(s string) (arrow.Timestamp, error) { return parseTimestamp(s, zoned) }), nil
		}
	case *arrow.ListType:
		return listParser(t)
	}
	return nil, fmt.Errorf("type %s has no text form", t)
}

// into joins reading a value and appending it.
func into[B array.Builder, V any](put func(B, V), parse func(string) (V, error)) ParseFunc {
	return func(b array.Builder, s string) error {
		v, err := parse(s)
		if err == nil {
			put(b.(B), v)
		}
		return err
	}
}

func with[V any](parse func(string, int32, int32) (V, error), precision, scale int32) func(string) (V, error) {
	return func(s string) (V, error) { return parse(s, precision, scale) }
}

func parseString(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", ErrUTF8
	}
	return s, nil
}

func parseBinary(s string) ([]byte, error) {
	digits, ok := strings.CutPrefix(s, `\x`)
	b, err := hex.DecodeString(digits)
	if !ok || err != nil {
		return nil, bad(s, `bytes written as \x and hexadecimal digits`)
	}
	return b, nil
}

func parseUUID(s string) (v [16]byte, err error) {
	plain := s
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		plain = strings.ReplaceAll(s, "-", "")
	}
	if len(plain) != 32 {
		return v, bad(s, "a UUID")
	}
	if _, err := hex.Decode(v[:], []byte(plain)); err != nil {
		return v, bad(s, "a UUID")
	}
	return v, nil
}

func parseJSON(s string) (string, error) {
	if err := jsontext.Valid(s); err != nil {
		return "", fmt.Errorf("%s is not JSON: %w", short(s), err)
	}
	return s, nil
}

func appendJSONText(b *array.ExtensionBuilder, s string) {
	b.StorageBuilder().(*array.StringBuilder).Append(s)
}
