package sqlite

import (
	"cmp"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/sqlitetype"
)

// table is a table as the file describes it.
type table struct {
	name    string // as it is spelled there
	sql     string
	strict  bool
	columns []column
	indexes []index
	// uniques are the column lists that are unique, by whatever means.
	uniques [][]string
	// rules are those of them that stand in the table's own text.
	rules [][]string
	// depended: views or triggers are bound to this very table, or other tables refer to it.
	depended bool
}

type column struct {
	sqlitetype.Column
	hasDefault, generated bool
	key                   bool
}

type index struct{ name, sql string }

func (t *table) column(name string) (column, bool) {
	i := slices.IndexFunc(t.columns, func(c column) bool { return strings.EqualFold(c.Name, name) })
	if i < 0 {
		return column{}, false
	}
	return t.columns[i], true
}

// describe reads what is known of a table; nil when there is none.
func describe(c *sqlitefile.Conn, name string) (*table, error) {
	var t *table
	var other error
	err := c.Each(func(s *sqlitefile.Stmt) error {
		if kind := s.String(1); kind != "table" {
			other = syncline.Errorf(syncline.FailedPrecondition, "%s is a %s, not a table", s.String(0), kind).Of(syncline.ClassConfig).
				Try("let the entity land in another table: {name: …, table: …}")
		}
		t = &table{name: s.String(0), strict: s.Int(2) == 1}
		return nil
	}, "select name, type, strict from pragma_table_list where schema = 'main' and name = ? collate nocase", name)
	if err != nil || t == nil || other != nil {
		return nil, cmp.Or(err, other)
	}
	for _, read := range []func(*sqlitefile.Conn) error{t.readText, t.readColumns, t.readIndexes, t.readDependents} {
		if err := read(c); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *table) readText(c *sqlitefile.Conn) error {
	return c.Each(func(s *sqlitefile.Stmt) error { t.sql = s.String(0); return nil },
		"select sql from main.sqlite_schema where type = 'table' and name = ?", t.name)
}

func (t *table) readColumns(c *sqlitefile.Conn) error {
	type keyed struct {
		at   int64
		name string
	}
	var key []keyed
	err := c.Each(func(s *sqlitefile.Stmt) error {
		col := column{
			Column:     sqlitetype.Column{Name: s.String(0), Declared: s.String(1), NotNull: s.Int(2) == 1},
			hasDefault: s.Class(3) != sqlitefile.Null, generated: s.Int(5) > 1, key: s.Int(4) > 0,
		}
		t.columns = append(t.columns, col)
		if col.key {
			key = append(key, keyed{s.Int(4), col.Name})
		}
		return nil
	}, `select name, type, "notnull", dflt_value, pk, hidden from pragma_table_xinfo(?, 'main') order by cid`, t.name)
	if err != nil {
		return err
	}
	slices.SortFunc(key, func(a, b keyed) int { return int(a.at - b.at) })
	var names []string
	for _, k := range key {
		names = append(names, k.name)
	}
	if len(names) > 0 {
		t.uniques, t.rules = append(t.uniques, names), append(t.rules, names)
	}
	if len(names) == 1 {
		if i := slices.IndexFunc(t.columns, func(c column) bool { return c.Name == names[0] }); t.columns[i].Declared == "INTEGER" {
			t.columns[i].Declared = sqlitetype.KeyDeclared(t.sql)
		}
	}
	return nil
}

func (t *table) readIndexes(c *sqlitefile.Conn) error {
	var unique []index
	err := c.Each(func(s *sqlitefile.Stmt) error {
		if s.Class(1) != sqlitefile.Null && !strings.HasPrefix(s.String(0), marker) {
			t.indexes = append(t.indexes, index{s.String(0), s.String(1)})
		}
		if s.Int(2) == 1 {
			unique = append(unique, index{s.String(0), s.String(1)})
		}
		return nil
	}, `select l.name, i.sql, l."unique" and not l.partial from pragma_index_list(?, 'main') l
		join main.sqlite_schema i on i.type = 'index' and i.name = l.name order by l.seq desc`, t.name)
	if err != nil {
		return err
	}
	for _, u := range unique {
		var columns []string
		whole := true
		err := c.Each(func(s *sqlitefile.Stmt) error {
			columns, whole = append(columns, s.String(0)), whole && s.Class(0) != sqlitefile.Null
			return nil
		}, "select name from pragma_index_info(?, 'main') order by seqno", u.name)
		if err != nil {
			return err
		}
		if whole { // not over expressions
			t.uniques = append(t.uniques, columns)
		}
		if u.sql == "" {
			t.rules = append(t.rules, columns)
		}
	}
	return nil
}

// collation is how values of a column of a unique key are compared.
func collation(c *sqlitefile.Conn, table, column string) (string, error) {
	as := "BINARY" // also of the rowid, which has no index
	err := c.Each(func(s *sqlitefile.Stmt) error { as = s.String(0); return nil },
		`select x.coll from pragma_index_list(?, 'main') l join pragma_index_xinfo(l.name, 'main') x
			where l."unique" and x.key and x.name = ? collate nocase`, table, column)
	return as, err
}

// readDependents looks for what a table that only takes the name would not bring along. A
// view is found by the name standing in its text: one too many does no harm.
func (t *table) readDependents(c *sqlitefile.Conn) error {
	n, err := c.Int(`select
		(select count(*) from main.sqlite_schema where type = 'trigger' and tbl_name = ?1 collate nocase) +
		(select count(*) from main.sqlite_schema where type in ('view', 'trigger') and instr(lower(sql), lower(?1)) > 0) +
		(select count(*) from pragma_table_list l join pragma_foreign_key_list(l.name, 'main') f
			where l.schema = 'main' and l.type = 'table' and l.name <> ?1 and f."table" = ?1 collate nocase)`, t.name)
	t.depended = n > 0
	return err
}

// isUnique reports whether no two rows have the same values in these columns.
func (t *table) isUnique(key []string) bool {
	return slices.ContainsFunc(t.uniques, func(u []string) bool {
		return len(u) == len(key) && !slices.ContainsFunc(key, func(k string) bool {
			return !slices.ContainsFunc(u, func(n string) bool { return strings.EqualFold(n, k) })
		})
	})
}

// marker begins the name of an empty index that tells this very table from one that has
// come to stand under its name: it goes with the table, and stays through VACUUM, ALTER
// and DELETE.
const marker = "_syncline_mark_"

// marked reports whether a table bears a marker.
func marked(c *sqlitefile.Conn, table, id string) (bool, error) {
	n, err := c.Int("select count(*) from main.sqlite_schema where type = 'index' and name = ? and tbl_name = ? collate nocase", marker+id, table)
	return id != "" && n > 0, err
}

// setMarker puts the marker on a table, and takes it from one that this load made before
// and somebody has renamed since.
func setMarker(c *sqlitefile.Conn, table, id string) error {
	if err := c.Exec("drop index if exists main." + sqlitefile.Quote(marker+id)); err != nil {
		return err
	}
	return c.Exec("create index main." + sqlitefile.Quote(marker+id) + " on " + sqlitefile.Quote(table) + " ((0)) where 0")
}

func isEmpty(c *sqlitefile.Conn, table string) (bool, error) {
	n, err := c.Int("select exists (select 1 from main." + sqlitefile.Quote(table) + ")")
	return n == 0, err
}

func count(c *sqlitefile.Conn, table string) (int64, error) {
	return c.Int("select count(*) from main." + sqlitefile.Quote(table))
}
