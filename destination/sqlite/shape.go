package sqlite

import (
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/sqlitetype"
	"github.com/synclinehq/syncline/format/typename"
)

// shape is how an entity's columns lie in its table, and what has to be done to the table
// for it.
type shape struct {
	key     []string // names in the table
	columns []placed // those that are written, in the order of the entity
	// There is a table already:
	sql   string // its text, with columns declared anew
	added []placed
}

// placed is a column of the entity in the table.
type placed struct {
	sqlitetype.Column
	field arrow.Field
	from  int // index in the entity's schema
}

// fit lays an entity into a table, or finds out that it cannot be done.
func fit(t destination.Target, there *table) (*shape, error) {
	if t.Versions && there != nil && !there.isUnique(t.Entity.Key) {
		t.Entity.Key = nil
	}
	f := fitting{t: t, there: there, s: &shape{}}
	if there != nil {
		f.s.sql = there.sql
	}
	names := distinct(t.Entity.Schema)
	for i, field := range t.Entity.Schema.Fields() {
		declared, err := sqlitetype.Declare(field)
		if err != nil {
			return nil, syncline.Errorf(syncline.InvalidArgument, "%s: %w", t.Entity.Name, err).Of(syncline.ClassConfig).
				Try("give the column another type in the pipeline: types: {%s: text}", field.Name)
		}
		inKey := slices.Contains(t.Entity.Key, field.Name)
		p := placed{sqlitetype.Column{Name: names[i], Declared: declared, NotNull: inKey || !field.Nullable}, field, i}
		if err := f.place(p, inKey); err != nil {
			return nil, err
		}
	}
	if there != nil {
		if err := f.without(); err != nil {
			return nil, err
		}
	}
	if err := f.checkKey(); err != nil {
		return nil, err
	}
	return f.s, f.checkWindow()
}

type fitting struct {
	t     destination.Target
	there *table
	s     *shape
}

func (f *fitting) place(p placed, inKey bool) error {
	if f.there != nil {
		col, ok := f.there.column(p.Name)
		switch {
		case ok && col.generated: // the table's own
			return nil
		case ok:
			if err := f.match(&p, col); err != nil {
				return err
			}
		case f.t.Columns == syncline.ColumnsIgnore && !inKey:
			return nil
		case f.t.Columns == syncline.ColumnsFreeze:
			return &destination.SchemaChange{Table: f.there.name, Column: p.Name, Source: typename.Word(p.field.Type), Policy: f.t.Columns}
		default:
			f.add(&p)
		}
	}
	f.s.columns = append(f.s.columns, p)
	if inKey {
		f.s.key = append(f.s.key, p.Name)
	}
	return nil
}

// add: rows that are there have no value for a new column.
func (f *fitting) add(p *placed) {
	p.NotNull = false
	if f.there.strict { // which knows no words but the storage's
		p.Declared, _, _ = strings.Cut(p.Declared, " ")
		p.Declared = strings.Replace(p.Declared, "BOOLEAN", "INTEGER", 1)
	}
	f.s.added = append(f.s.added, *p)
}

// match puts a column into one that is there. The text of the table is changed only where
// it stands as Syncline wrote it.
func (f *fitting) match(p *placed, col column) error {
	was, want := col.Column, p.Column
	want.Name = was.Name
	switch sqlitetype.FitInto(was.Declared, p.field) {
	case sqlitetype.Misfit:
		return f.change(p, was)
	case sqlitetype.Widens:
		if !f.redeclare(was, want) {
			return f.change(p, was)
		}
	default:
		want.Declared = was.Declared
		if was.NotNull && !want.NotNull && !f.redeclare(was, want) {
			want.NotNull = true
		}
	}
	p.Column = want
	return nil
}

func (f *fitting) change(p *placed, was sqlitetype.Column) error {
	return &destination.SchemaChange{Table: f.there.name, Column: was.Name, Source: typename.Word(p.field.Type), Target: was.Declared, Policy: f.t.Columns}
}

// redeclare changes a column's definition in the text of the table.
func (f *fitting) redeclare(was, want sqlitetype.Column) (ok bool) {
	f.s.sql, ok = sqlitetype.Redeclare(f.s.sql, was, want)
	return ok
}

// without: a column that the source does not have stays as it is, empty in new rows.
func (f *fitting) without() error {
	for _, col := range f.there.columns {
		written := slices.ContainsFunc(f.s.columns, func(p placed) bool { return strings.EqualFold(p.Name, col.Name) })
		if !written && col.NotNull && !col.hasDefault && !col.generated {
			return &destination.SchemaChange{Table: f.there.name, Column: col.Name, Target: col.Declared, Policy: f.t.Columns}
		}
	}
	return nil
}

func (f *fitting) checkKey() error {
	if len(f.s.key) < len(f.t.Entity.Key) {
		return syncline.Errorf(syncline.InvalidArgument, "%s has no column for the key (%s)", f.t.Entity.Name, strings.Join(f.t.Entity.Key, ", ")).
			Of(syncline.ClassConfig).Try("give a key of columns that there are: --key id")
	}
	// In the order of the key, not of the columns.
	slices.SortFunc(f.s.key, func(a, b string) int { return f.rank(a) - f.rank(b) })
	return nil
}

func (f *fitting) rank(name string) int {
	i := slices.IndexFunc(f.s.columns, func(p placed) bool { return p.Name == name })
	return slices.Index(f.t.Entity.Key, f.s.columns[i].field.Name)
}

// distinct gives every column a name of its own: SQLite takes "id" and "ID" for one.
func distinct(schema *arrow.Schema) []string {
	names := make([]string, schema.NumFields())
	taken := map[string]bool{}
	for _, f := range schema.Fields() {
		taken[f.Name] = true
	}
	used := map[string]bool{}
	for i, f := range schema.Fields() {
		name := f.Name
		for n := 2; used[strings.ToLower(name)] || name != f.Name && taken[name]; n++ {
			name = f.Name + "_" + strconv.Itoa(n)
		}
		used[strings.ToLower(name)] = true
		names[i] = name
	}
	return names
}

// names are the columns that are written.
func (s *shape) names() []string {
	names := make([]string, len(s.columns))
	for i, p := range s.columns {
		names[i] = p.Name
	}
	return names
}

// create is the statement that makes the table anew.
func (s *shape) create(name string) string {
	columns := make([]sqlitetype.Column, len(s.columns))
	for i, p := range s.columns {
		columns[i] = p.Column
	}
	return sqlitetype.CreateTable(name, columns, s.key)
}

// rename gives the text of a table another name. SQLite keeps it as CREATE TABLE, the name
// as it was written, and the rest.
func rename(createTable, name string) string {
	rest := strings.TrimLeft(createTable[len("CREATE TABLE"):], " \t\r\n")
	return "CREATE TABLE " + sqlitefile.Quote(name) + rest[nameLength(rest):]
}

func nameLength(s string) int {
	end := map[byte]byte{'"': '"', '`': '`', '\'': '\'', '[': ']'}[s[0]]
	if end == 0 {
		return strings.IndexAny(s, " \t\r\n(")
	}
	for i := 1; i < len(s); i++ {
		if s[i] != end {
			continue
		}
		if end == ']' || i+1 == len(s) || s[i+1] != end {
			return i + 1
		}
		i++ // a doubled one stands for itself
	}
	return len(s)
}
