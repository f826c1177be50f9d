package sqlitefile

import "strings"

// Quote makes any name an identifier. A NUL in it is refused when it is prepared.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// QuoteAll is the names quoted, with commas between them.
func QuoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = Quote(n)
	}
	return strings.Join(quoted, ", ")
}

// Literal makes any text without NUL a string literal.
func Literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
