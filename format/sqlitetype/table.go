package sqlitetype

import (
	"regexp"
	"strings"

	"github.com/synclinehq/syncline/format/sqlitefile"
)

// Column is a column of a table that is to be made.
type Column struct {
	Name, Declared string
	NotNull        bool
}

// Definition is a column as it stands in a table's text.
func (c Column) Definition() string {
	text := sqlitefile.Quote(c.Name) + " " + c.Declared
	if c.NotNull {
		text += " NOT NULL"
	}
	return text
}

// CreateTable is the statement that makes a table. A key of one integer becomes the rowid
// itself, which is the order on disk and costs no index; for that SQLite wants it to be
// declared INTEGER and nothing more, so what else its declaration says stands in the name
// of the constraint: CONSTRAINT "INT32" PRIMARY KEY ("id").
func CreateTable(name string, columns []Column, key []string) string {
	lines := make([]string, 0, len(columns)+1)
	constraint := "PRIMARY KEY (" + sqlitefile.QuoteAll(key) + ")"
	for _, c := range columns {
		if strings.HasPrefix(c.Declared, "INTEGER ") && len(key) == 1 && key[0] == c.Name {
			constraint = c.keyClause()
			c.Declared = "INTEGER"
		}
		lines = append(lines, c.Definition())
	}
	if len(key) > 0 {
		lines = append(lines, constraint)
	}
	return "CREATE TABLE " + sqlitefile.Quote(name) + " (\n  " + strings.Join(lines, ",\n  ") + "\n)"
}

// keyClause makes the column, an integer, the rowid.
func (c Column) keyClause() string {
	clause := "PRIMARY KEY (" + sqlitefile.Quote(c.Name) + ")"
	if note, ok := strings.CutPrefix(c.Declared, "INTEGER "); ok {
		return "CONSTRAINT " + note + " " + clause
	}
	return clause
}

// Redeclare changes a column's definition in the text of a table, where it stands as
// CreateTable wrote it.
func Redeclare(createTable string, was, want Column) (string, bool) {
	for _, change := range [][2]string{{was.Definition(), want.Definition()}, {was.keyClause(), want.keyClause()}} {
		if strings.Count(createTable, change[0]) == 1 {
			return strings.Replace(createTable, change[0], change[1], 1), true
		}
	}
	return createTable, false
}

var keyNote = regexp.MustCompile(`CONSTRAINT ("(?:[^"]|"")*") PRIMARY KEY \("(?:[^"]|"")*"\)\s*\)\s*$`)

// KeyDeclared is how the column that is the rowid was declared, by the text of its table.
func KeyDeclared(createTable string) string {
	if m := keyNote.FindStringSubmatch(createTable); m != nil {
		if _, ok := noted("", "INTEGER "+m[1], true); ok {
			return "INTEGER " + m[1]
		}
	}
	return "INTEGER"
}
