package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// pgtype is a type's name taken apart, for comparing widths.
type pgtype struct {
	base  string
	mods  []int
	array bool
}

func parseType(s string) pgtype {
	var t pgtype
	t.base, t.array = strings.CutSuffix(s, "[]")
	open := strings.IndexByte(t.base, '(')
	end := strings.IndexByte(t.base, ')')
	if open < 0 || end < open || strings.HasPrefix(t.base, `"`) {
		return t
	}
	for m := range strings.SplitSeq(t.base[open+1:end], ",") {
		n, err := strconv.Atoi(strings.TrimSpace(m))
		if err != nil {
			return t // geometry(Point,4326): compared as a whole
		}
		t.mods = append(t.mods, n)
	}
	t.base = t.base[:open] + t.base[end+1:]
	return t
}

// holds reports whether a column of type wide keeps every value of type narrow exactly.
// Text keeps everything: whoever made the column text wanted it so.
func holds(wide, narrow string) bool {
	return wide == "text" || widens(narrow, wide)
}

// widens reports whether altering a column from one type to the other keeps every value
// and what it means.
func widens(from, to string) bool {
	if from == to {
		return true
	}
	f, t := parseType(from), parseType(to)
	if f.array != t.array {
		return false
	}
	switch t.base {
	case "integer", "bigint", "double precision", "real":
		return len(f.mods) == 0 && wholeOrFloat[t.base][f.base]
	case "numeric":
		return numericHolds(f, t)
	case "text":
		return f.base == "character varying" || f.base == "character"
	case "character varying":
		return f.base == "character varying" && atMost(f.mods, t.mods)
	}
	return f.base == t.base && strings.HasPrefix(t.base, "time") && atMost(f.mods, t.mods)
}

// wholeOrFloat lists, for each type, those whose values it holds.
var wholeOrFloat = map[string]map[string]bool{
	"integer":          {"smallint": true},
	"bigint":           {"smallint": true, "integer": true},
	"real":             {"smallint": true},
	"double precision": {"smallint": true, "integer": true, "real": true},
}

// atMost compares one length or precision; none is no limit.
func atMost(from, to []int) bool {
	return len(to) == 0 || len(from) == 1 && from[0] <= to[0]
}

// digits are how many decimal digits the whole types may have.
var digits = map[string]int{"smallint": 5, "integer": 10, "bigint": 19}

func numericHolds(f, t pgtype) bool {
	whole, isWhole := digits[f.base]
	if !isWhole && f.base != "numeric" {
		return false
	}
	if len(t.mods) == 0 {
		return true
	}
	scale := 0
	if f.base == "numeric" {
		if len(f.mods) == 0 {
			return false
		}
		scale = scaleOf(f)
		whole = f.mods[0] - scale
	}
	return scaleOf(t) >= scale && t.mods[0]-scaleOf(t) >= whole
}

func scaleOf(t pgtype) int {
	if len(t.mods) == 2 {
		return t.mods[1]
	}
	return 0
}

// known asks the server which types it has, and which of them are enums. What it does
// not have, an enum or an extension's type of the source, lands as text.
func known(ctx context.Context, q querier, names []string) (map[string]resolved, error) {
	rows, err := q.Query(ctx, `select n, format_type(t.oid, null) is not null, coalesce(t.typtype = 'e', false)
		from unnest($1::text[]) n left join pg_type t on t.oid = to_regtype(n)`, names)
	if err != nil {
		return nil, fmt.Errorf("look up types: %w", err)
	}
	defer rows.Close()
	types := map[string]resolved{}
	for rows.Next() {
		var n string
		var found, enum bool
		if err := rows.Scan(&n, &found, &enum); err != nil {
			return nil, fmt.Errorf("look up types: %w", err)
		}
		types[n] = resolved{n, enum}
		if !found {
			types[n] = resolved{"text", false}
		}
	}
	return types, rows.Err()
}

// resolved is a type as it lands.
type resolved struct {
	typ  string
	enum bool
}
