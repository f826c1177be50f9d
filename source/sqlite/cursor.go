package sqlite

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/sqlitetype"
	"github.com/synclinehq/syncline/format/typename"
	"github.com/synclinehq/syncline/source"
)

// ordered reports whether the file keeps a column's values in the order of their type: as
// numbers, or as text that sorts as what it means. A decimal that is kept as text does
// not, a real has NaN.
func ordered(t arrow.DataType, declared string) bool {
	affinity := sqlitetype.Affinity(declared)
	switch t.ID() {
	case arrow.INT16, arrow.INT32, arrow.INT64:
		return affinity == sqlitetype.Integer || affinity == sqlitetype.Numeric || affinity == sqlitetype.Real
	case arrow.DECIMAL128, arrow.DECIMAL256:
		return affinity == sqlitetype.Numeric
	case arrow.STRING:
		return affinity == sqlitetype.Text
	}
	return sqlitetype.Timed(t) || arrow.TypeEqual(t, typename.UUID)
}

// candidates are the columns that people use as cursors, times first; text is taken when
// it is asked for.
func candidates(t *table, schema *arrow.Schema) []string {
	rank := func(f arrow.Field, c column) int {
		name := strings.ToLower(f.Name)
		switch {
		case f.Type.ID() == arrow.STRING || !ordered(f.Type, c.declared) || arrow.TypeEqual(f.Type, typename.UUID):
			return -1
		case sqlitetype.Timed(f.Type) && (strings.Contains(name, "updat") || strings.Contains(name, "modif") || strings.Contains(name, "chang")):
			return 0
		case f.Type.ID() == arrow.TIMESTAMP:
			return 1
		case sqlitetype.Timed(f.Type):
			return 2
		case slices.Equal(t.key, []string{f.Name}):
			return 3
		}
		return 4
	}
	var byRank [5][]string
	for i, f := range schema.Fields() {
		if r := rank(f, t.columns[i]); r >= 0 {
			byRank[r] = append(byRank[r], f.Name)
		}
	}
	return slices.Concat(byRank[:]...)
}

// checkCursor refuses what a query cannot be ordered by.
func checkCursor(c *sqlitefile.Conn, t *table, q source.Query) error {
	if q.Cursor == "" {
		return nil
	}
	refuse := func(format string, args ...any) error {
		e := syncline.Invalid("cursor", format, args...)
		if len(q.Entity.Cursors) == 0 {
			return e.Try("%s has no column that could be one; read it in full", q.Entity.Name)
		}
		return e.Try("columns that can be: %s", strings.Join(q.Entity.Cursors, ", "))
	}
	f, ok := q.Entity.Schema.FieldsByName(q.Cursor)
	col, there := t.column(q.Cursor)
	switch {
	case !ok || !there:
		return refuse("%s has no column %q to serve as cursor", t.name, q.Cursor)
	case !ordered(f[0].Type, col.declared):
		return refuse("column %q of %s is %s, which SQLite does not keep in order", q.Cursor, t.name, typename.Word(f[0].Type))
	case q.Window != nil && !sqlitetype.Timed(f[0].Type):
		return refuse("column %q of %s is %s: a window needs a time", q.Cursor, t.name, typename.Word(f[0].Type))
	case !q.Tail:
		return nil
	}
	unique, err := isUnique(c, t, q.Cursor)
	if err == nil && !unique {
		return refuse("column %q of %s is not unique: rows that are appended without a key could be lost or repeated", q.Cursor, t.name)
	}
	return err
}

// isUnique reports whether no two rows have the same value in a column.
func isUnique(c *sqlitefile.Conn, t *table, name string) (bool, error) {
	if strings.EqualFold(t.alias, name) {
		return true, nil
	}
	n, err := c.Int(`select count(*) from pragma_index_list(?1, 'main') l where l."unique" and not l.partial
		and (select count(*) from pragma_index_info(l.name, 'main')) = 1
		and (select lower(name) from pragma_index_info(l.name, 'main')) = lower(?2)`, t.name, name)
	if err != nil {
		return false, failed(t.name, err)
	}
	return n > 0 || len(t.key) == 1 && strings.EqualFold(t.key[0], name), nil
}

// behind is a bound so much before a mark. Times are text: it is written as the mark is,
// to whole seconds and without what follows them, which sorts before all of that second.
func behind(mark value, t arrow.DataType, overlap time.Duration) value {
	if overlap <= 0 || !sqlitetype.Timed(t) || mark == "" || mark[0] != 't' {
		return mark
	}
	text := string(mark[1:])
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if len(text) < len(layout) {
			continue
		}
		if at, err := time.Parse(layout, text[:len(layout)]); err == nil {
			return value("t" + at.Add(-overlap).Format(layout))
		}
	}
	return mark // an infinity: nothing is before it or everything
}

// separator is what stands between date and time in a column; T where it is empty.
func separator(c *sqlitefile.Conn, t *table, cursor string) (string, error) {
	name := sqlitefile.Quote(cursor)
	spaces, err := c.Int("select count(*) from (select " + name + " as v from main." + sqlitefile.Quote(t.name) + " where " + name + " is not null limit 1) where v like '__________ %'")
	if err != nil {
		return "", failed(t.name, err)
	}
	if spaces > 0 {
		return " ", nil
	}
	return "T", nil
}

// find describes one entity anew: the file may have changed since it was listed.
func find(c *sqlitefile.Conn, name string) (*table, error) {
	all, err := list(c)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(l listed) bool { return l.name == name })
	if i < 0 {
		return nil, nothing(name, all)
	}
	return describe(c, all[i])
}

// missing says which of the entity's columns are no longer there.
func missing(t *table, e source.Entity) error {
	for _, f := range e.Schema.Fields() {
		if _, ok := t.column(f.Name); !ok {
			return syncline.Errorf(syncline.FailedPrecondition, "column %q of %s is no longer there", f.Name, t.name).
				Of(syncline.ClassSource).Because("source_changed").Try("start a new run: it looks at the table anew")
		}
	}
	return nil
}

func unmark(b []byte) (value, error) {
	if b == nil {
		return "", nil
	}
	if _, err := value(b).bind(); err != nil {
		return "", fmt.Errorf("mark: %w", err)
	}
	return value(b), nil
}
