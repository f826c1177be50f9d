package sqlitetype

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/typename"
	"github.com/synclinehq/syncline/rows"
)

// Field returns what a column declared with these words travels as. A column without
// words, or with words that say no type, holds values of any class: it travels as text.
func Field(name, declared string, nullable bool) arrow.Field {
	if f, ok := noted(name, declared, nullable); ok {
		return f
	}
	t, _ := foreign(declared)
	return rows.Field(name, t, nullable, own+declared)
}

// noted reads what Declare wrote.
func noted(name, declared string, nullable bool) (arrow.Field, bool) {
	storage, quoted, ok := strings.Cut(declared, " ")
	if _, known := lures[storage]; !ok || !known {
		return arrow.Field{}, false
	}
	note, ok := unquote(quoted)
	if !ok {
		return arrow.Field{}, false
	}
	word, native := note, ""
	if colon := strings.IndexByte(note, ':'); colon >= 0 {
		at := strings.LastIndexByte(note[:colon], ' ') + 1
		word, native = strings.TrimSpace(note[:at]), note[at:]
	}
	t := named(word)
	if word == "" {
		t, _ = foreign(storage)
	}
	if t == nil {
		return arrow.Field{}, false
	}
	if native == "" {
		native = own + declared
	}
	return rows.Field(name, t, nullable, native), true
}

// foreign reads words as people use them. loose: values of any class are in place.
func foreign(declared string) (t arrow.DataType, loose bool) {
	upper := strings.Join(strings.Fields(strings.ToUpper(declared)), " ")
	base, args, _ := strings.Cut(upper, "(")
	switch base = strings.TrimSpace(base); base {
	case "BOOL", "BOOLEAN", "DATE", "TIME", "UUID", "JSON", "TIMESTAMP", "TIMESTAMPTZ":
		return named(base), false
	case "DATETIME", "TIMESTAMP WITHOUT TIME ZONE":
		return typename.Timestamp, false
	case "TIMESTAMP WITH TIME ZONE":
		return typename.TimestampTZ, false
	case "DECIMAL", "NUMERIC", "DEC":
		if t, ok := named("DECIMAL(" + args).(arrow.DecimalType); ok && t.GetScale() >= 0 && t.GetScale() <= t.GetPrecision() {
			return t, false
		}
		return arrow.BinaryTypes.String, true
	}
	return byAffinity(upper, base)
}

func byAffinity(upper, base string) (t arrow.DataType, loose bool) {
	switch Affinity(upper) {
	case Integer:
		// INTERVAL and POINT are no integers, whatever the rule makes of them.
		if integers[base] {
			return arrow.PrimitiveTypes.Int64, false
		}
	case Text:
		return arrow.BinaryTypes.String, false
	case None:
		if base != "" {
			return arrow.BinaryTypes.Binary, false
		}
	case Real:
		return arrow.PrimitiveTypes.Float64, false
	}
	return arrow.BinaryTypes.String, true
}

var integers = map[string]bool{
	"INT": true, "INTEGER": true, "TINYINT": true, "SMALLINT": true, "MEDIUMINT": true, "BIGINT": true, "UNSIGNED BIG INT": true,
	"INT2": true, "INT4": true, "INT8": true, "INT16": true, "INT32": true, "INT64": true, "UNSIGNED INT": true, "INT UNSIGNED": true,
	"INTEGER UNSIGNED": true, "UNSIGNED INTEGER": true, "BIGINT UNSIGNED": true, "UNSIGNED BIGINT": true, "SMALLINT UNSIGNED": true,
	"TINYINT UNSIGNED": true, "LONGINT": true, "BIG INT": true,
}

// Loose reports whether values of any class are in place in a column: it was declared
// without a type, or the pipeline says that it is text.
func Loose(f arrow.Field) bool {
	if f.Type.ID() != arrow.STRING {
		return false
	}
	native := rows.Native(f)
	words, ours := strings.CutPrefix(native, own)
	if !ours {
		return native == ""
	}
	if _, noted := noted(f.Name, words, true); noted {
		return false
	}
	_, loose := foreign(words)
	return loose
}
