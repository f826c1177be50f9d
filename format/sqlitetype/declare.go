// Package sqlitetype says how Arrow types are declared in SQLite and how their values are
// stored there, for the source and the destination alike.
//
// SQLite knows four storage classes and lets a column be declared with any words; a
// column's affinity follows from the words by five rules, asked in order: one with INT
// holds integers, CHAR, CLOB or TEXT text, BLOB anything, REAL, FLOA or DOUB reals, and
// everything else numbers where possible. So that nothing is ever turned into another
// number, Syncline declares a plain word for the storage and, where that does not say
// it, the type in quotes behind it:
//
//	id INTEGER, price TEXT "DECIMAL(12,2)", at TEXT "TIMESTAMPTZ", host TEXT "pg:inet"
//
// What other programs declared is read by the words that people use.
package sqlitetype

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
)

const own = "sqlite:" // prefix of natives that are SQLite's

// Declare returns the words that a column of a table is declared with for f.
func Declare(f arrow.Field) (string, error) {
	if err := text.Check(f.Type); err != nil {
		return "", fmt.Errorf("column %q: %w", f.Name, err)
	}
	native := rows.Native(f)
	if words, ok := strings.CutPrefix(native, own); ok {
		if plain.MatchString(words) && arrow.TypeEqual(Field(f.Name, words, true).Type, f.Type) {
			return words, nil
		}
		native = ""
	}
	storage, word := words(f.Type)
	if native == usual(f.Type) {
		native = ""
	}
	note := strings.TrimSpace(word + " " + native)
	if note == "" {
		return storage, nil
	}
	return storage + " " + quote(storage, note), nil
}

// plain matches words that need no quotes. A column without words is not made again: its
// values travel as text, and in a column of text they compare as such.
var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*( [A-Za-z_][A-Za-z0-9_]*)*( ?\( ?[0-9]+( ?, ?[0-9]+)? ?\))?$`)

// words returns how t is stored, and its name where the storage alone does not tell it.
func words(t arrow.DataType) (storage, word string) {
	switch t.ID() {
	case arrow.INT64:
		return "INTEGER", ""
	case arrow.INT32, arrow.INT16:
		return "INTEGER", name(t)
	case arrow.FLOAT64:
		return "REAL", ""
	case arrow.FLOAT32:
		return "REAL", name(t)
	case arrow.BOOL:
		return "BOOLEAN", ""
	case arrow.BINARY:
		return "BLOB", ""
	case arrow.STRING:
		return "TEXT", ""
	}
	return "TEXT", name(t)
}

// A word inside the quotes would count for the affinity like any other. So each that
// would lead away from the storage is broken with a ~ behind its first letter, which
// reading removes; ~~ is one ~.
var lures = map[string]*regexp.Regexp{
	"INTEGER": regexp.MustCompile(`~`),
	"TEXT":    regexp.MustCompile(`(?i)~|int`),
	"BLOB":    regexp.MustCompile(`(?i)~|int|char|clob|text`),
	"REAL":    regexp.MustCompile(`(?i)~|int|char|clob|text|blob`),
	"BOOLEAN": regexp.MustCompile(`(?i)~|int|char|clob|text|blob|real|floa|doub`),
}

func quote(storage, note string) string {
	note = lures[storage].ReplaceAllStringFunc(note, func(s string) string { return s[:1] + "~" + s[1:] })
	return `"` + strings.ReplaceAll(note, `"`, `""`) + `"`
}

var tilde = regexp.MustCompile(`~~?`)

func unquote(quoted string) (note string, ok bool) {
	inner, head := strings.CutPrefix(quoted, `"`)
	inner, tail := strings.CutSuffix(inner, `"`)
	if !head || !tail || strings.Contains(strings.ReplaceAll(inner, `""`, ""), `"`) {
		return "", false
	}
	inner = strings.ReplaceAll(inner, `""`, `"`)
	return tilde.ReplaceAllStringFunc(inner, func(s string) string { return s[1:] }), true
}
