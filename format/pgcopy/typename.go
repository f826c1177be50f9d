package pgcopy

import (
	"fmt"
	"strconv"
	"strings"
)

// pgType is a type's name taken apart: "numeric(12,2)[]", "timestamp(3) with time zone".
type pgType struct {
	base   string // without modifiers, as format_type spells it
	mods   []int
	fields string // of an interval: "day to second"
	array  bool
}

// aliases are the other spellings of built-in types.
var aliases = map[string]string{
	"int2": "smallint", "int4": "integer", "int": "integer", "int8": "bigint", "float4": "real", "float8": "double precision",
	"bool": "boolean", "decimal": "numeric", "varchar": "character varying", "char": "character", "bpchar": "character",
	"time": "time without time zone", "timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone",
}

// parseType takes a type's name apart. A name it does not know stays whole in base.
func parseType(name string) pgType {
	t := pgType{base: strings.TrimSpace(name)}
	if base, ok := strings.CutSuffix(t.base, "[]"); ok {
		t.base, t.array = base, true
	}
	if open := strings.IndexByte(t.base, '('); open > 0 && !strings.HasPrefix(t.base, `"`) {
		if end := strings.IndexByte(t.base, ')'); end > open {
			t.mods = parseMods(t.base[open+1 : end])
			t.base = t.base[:open] + t.base[end+1:]
		}
	}
	if a, ok := aliases[t.base]; ok {
		t.base = a
	}
	if fields, ok := strings.CutPrefix(t.base, "interval "); ok { // "interval day to second(3)"
		t.base, t.fields = "interval", fields
	}
	if t.base == "citext" || strings.HasSuffix(t.base, ".citext") {
		t.base = "citext"
	}
	return t
}

func parseMods(s string) []int {
	var mods []int
	for m := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(m))
		if err != nil {
			return nil // geometry(Point,4326): not ours to know
		}
		mods = append(mods, n)
	}
	return mods
}

// elem is the type of an array's elements.
func (t pgType) elem() pgType { t.array = false; return t }

// numeric are precision and scale of a numeric that has them.
func (t pgType) numeric() (precision, scale int, limited bool) {
	switch len(t.mods) {
	case 1:
		return t.mods[0], 0, true
	case 2:
		return t.mods[0], t.mods[1], true
	}
	return 0, 0, false
}

// digits is the number of fractional digits of seconds that a time type keeps.
func (t pgType) digits() int {
	if len(t.mods) == 1 {
		return t.mods[0]
	}
	return 6
}

func (t pgType) String() string {
	s := t.base
	if t.fields != "" {
		s += " " + t.fields
	}
	if len(t.mods) > 0 {
		mods := strings.Trim(strings.ReplaceAll(fmt.Sprint(t.mods), " ", ","), "[]")
		word, rest, _ := strings.Cut(s, " with") // "timestamp" "(3)" " with time zone"
		if rest != "" {
			rest = " with" + rest
		}
		s = word + "(" + mods + ")" + rest
	}
	if t.array {
		s += "[]"
	}
	return s
}
