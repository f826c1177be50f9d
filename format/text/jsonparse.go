package text

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline/format/jsontext"
	"github.com/synclinehq/syncline/rows"
)

// ErrUTF8 says that text is not valid UTF-8, which rejects name by a code of their own.
var ErrUTF8 = jsontext.ErrUTF8

// JSONParser returns the function that reads JSON forms, each one valid JSON value
// without space around it, for a column. null becomes NULL, save in a json column that
// has a native type: there it is the value that PostgreSQL keeps apart from NULL, which
// a writer expresses by leaving the member out. Beyond what AppendJSON writes it reads
// numbers and booleans given as strings, and as text what stands there.
func JSONParser(f arrow.Field) (ParseFunc, error) {
	if _, ok := f.Type.(*extensions.JSONType); ok && rows.Native(f) != "" {
		return into(appendJSONText, asIs), nil
	}
	parse, err := jsonValue(f.Type)
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", f.Name, err)
	}
	return parse, nil
}

func jsonValue(t arrow.DataType) (ParseFunc, error) {
	plain, err := scalar(t)
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case *extensions.JSONType:
		return orNull(into(appendJSONText, asIs)), nil
	case *arrow.ListType:
		return orNull(plain), nil
	case *arrow.StringType:
		return orNull(loose(plain, t)), nil
	case *arrow.BinaryType:
		return orNull(quoted(into((*array.BinaryBuilder).Append, parseBase64), "a string of base64")), nil
	case *arrow.Date32Type, *arrow.Time64Type, *arrow.TimestampType, *arrow.MonthDayNanoIntervalType, *extensions.UUIDType:
		return orNull(quoted(plain, "a string")), nil
	default:
		return orNull(loose(plain, t)), nil
	}
}

func asIs(s string) (string, error) { return s, nil }

func orNull(parse ParseFunc) ParseFunc {
	return func(b array.Builder, s string) error {
		if s == "null" {
			b.AppendNull()
			return nil
		}
		return parse(b, s)
	}
}

// quoted takes only JSON strings.
func quoted(parse ParseFunc, want string) ParseFunc {
	var buf []byte
	return func(b array.Builder, s string) error {
		if s[0] != '"' {
			return bad(s, want)
		}
		v, err := unquote(&buf, s)
		if err != nil {
			return err
		}
		return parse(b, v)
	}
}

// loose takes numbers and booleans, bare or as strings, and strings.
func loose(parse ParseFunc, t arrow.DataType) ParseFunc {
	var buf []byte
	return func(b array.Builder, s string) error {
		switch s[0] {
		case '"':
			v, err := unquote(&buf, s)
			if err != nil {
				return err
			}
			return parse(b, v)
		case '{', '[':
			return bad(s, "a value of type "+t.String())
		}
		return parse(b, s)
	}
}

// unquote avoids a copy where the string holds no escape, as most do.
func unquote(buf *[]byte, s string) (string, error) {
	if strings.IndexByte(s, '\\') < 0 {
		return s[1 : len(s)-1], nil
	}
	var err error
	*buf, err = jsontext.AppendUnquoted((*buf)[:0], s)
	return string(*buf), err
}

func parseBase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		return nil, bad(s, "base64")
	}
	return b, nil
}

// listParser reads the elements into a builder of its own first, so that a bad one
// leaves nothing behind in the column's.
func listParser(t *arrow.ListType) (ParseFunc, error) {
	element, err := jsonValue(t.Elem())
	if err != nil {
		return nil, err
	}
	trial := array.NewBuilder(memory.DefaultAllocator, t.Elem())
	return func(b array.Builder, s string) error {
		if err := jsontext.Valid(s); err != nil {
			return fmt.Errorf("%s is not a JSON array: %w", short(s), err)
		}
		s = strings.Trim(s, " \t\r\n")
		if s[0] != '[' {
			return bad(s, "a JSON array")
		}
		err := elements(trial, element, s)
		trial.NewArray().Release()
		if err != nil {
			return err
		}
		list := b.(*array.ListBuilder)
		list.Append(true)
		return elements(list.ValueBuilder(), element, s)
	}, nil
}

// elements appends those of the valid JSON array s.
func elements(b array.Builder, element ParseFunc, s string) error {
	i := jsontext.Space(s, 1)
	for more := s[i] != ']'; more; {
		end, err := jsontext.Value(s, i)
		if err != nil {
			return err
		}
		if err := element(b, s[i:end]); err != nil {
			return fmt.Errorf("in the list: %w", err)
		}
		if i, more, err = jsontext.Next(s, end, ']'); err != nil {
			return err
		}
	}
	return nil
}
