package postgres

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// name is a relation's, with its schema.
type name struct{ schema, table string }

// String is the entity's name: schema.table. A part is quoted, as in SQL, only where it
// could be taken for a pattern or for two parts.
func (n name) String() string { return part(n.schema) + "." + part(n.table) }

func part(s string) string {
	if s == "" || strings.ContainsAny(s, `."*?`) {
		return ident(s)
	}
	return s
}

// sql is the name as SQL wants it.
func (n name) sql() string { return ident(n.schema) + "." + ident(n.table) }

// ident quotes an identifier; there is no way out of the quotes.
func ident(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// quote quotes a literal, for sessions with standard_conforming_strings.
func quote(s string) string { return `'` + strings.ReplaceAll(s, `'`, `''`) + `'` }

// pattern is what a person asks for: "orders", "public.*", `public."Odd.Name"`, "*".
type pattern struct {
	text          string
	schema, table *regexp.Regexp // schema nil: those of the search path
	plain         bool           // one name, no wildcard
	everywhere    bool           // "*": all schemas
}

func parsePattern(text string) (pattern, error) {
	p := pattern{text: text, plain: true, everywhere: text == "*"}
	parts, err := splitPattern(text)
	if err != nil {
		return p, err
	}
	expressions := make([]*regexp.Regexp, len(parts))
	for i, part := range parts {
		expressions[i] = regexp.MustCompile("^(?s:" + part.expression + ")$")
		p.plain = p.plain && !part.wild
	}
	if len(parts) == 2 {
		p.schema = expressions[0]
	}
	p.table = expressions[len(parts)-1]
	return p, nil
}

type patternPart struct {
	expression string
	wild       bool
}

// splitPattern takes a pattern apart at its dot, outside of quotes.
func splitPattern(text string) ([]patternPart, error) {
	parts := []patternPart{{}}
	quoted := false
	for i := 0; i < len(text); i++ {
		last := &parts[len(parts)-1]
		switch c := text[i]; {
		case c == '"' && quoted && strings.HasPrefix(text[i+1:], `"`):
			last.expression += `"`
			i++
		case c == '"':
			quoted = !quoted
		case c == '.' && !quoted:
			parts = append(parts, patternPart{})
		case c == '*' && !quoted:
			last.expression, last.wild = last.expression+".*", true
		case c == '?' && !quoted:
			last.expression, last.wild = last.expression+".", true
		default:
			last.expression += regexp.QuoteMeta(text[i : i+1])
		}
	}
	empty := slices.ContainsFunc(parts, func(p patternPart) bool { return p.expression == "" })
	if quoted || empty || len(parts) > 2 || !utf8.ValidString(text) {
		return nil, fmt.Errorf(`%q is neither a name such as orders or public.orders nor a pattern such as public.*`, text)
	}
	return parts, nil
}

// match picks the relations that the pattern means. A partition is meant only by its
// whole name: its rows are its parent's. A plain name without a schema means the first of
// the search path that has it.
func (p pattern) match(all []*relation, path []string) (found []*relation) {
	for _, r := range all {
		if p.table.MatchString(r.name.table) && p.inSchema(r.name.schema, path) && (!r.partition || p.plain) {
			found = append(found, r)
		}
	}
	if p.plain && p.schema == nil && len(found) > 1 {
		return []*relation{slices.MinFunc(found, func(a, b *relation) int {
			return slices.Index(path, a.name.schema) - slices.Index(path, b.name.schema)
		})}
	}
	return found
}

func (p pattern) inSchema(schema string, path []string) bool {
	switch {
	case p.schema != nil:
		return p.schema.MatchString(schema)
	case p.everywhere:
		return true
	}
	return slices.Contains(path, schema)
}
