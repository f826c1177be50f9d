package sqlite

import (
	"slices"
	"strings"

	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/sqlitetype"
)

// table is a table or view as the file describes it.
type table struct {
	name    string
	kind    string // "table", "view", "virtual"
	columns []column
	key     []string // primary key, in order
	// alias is the column that is the rowid itself (INTEGER PRIMARY KEY), "" if none.
	alias string
	// rowid is a name by which the rowid can be asked for, "" when there is no rowid or
	// when columns have taken all of its names.
	rowid string
}

type column struct {
	name, declared string
	notNull        bool
}

func (t *table) column(name string) (column, bool) {
	i := slices.IndexFunc(t.columns, func(c column) bool { return strings.EqualFold(c.name, name) })
	if i < 0 {
		return column{}, false
	}
	return t.columns[i], true
}

// listed is a line of pragma table_list.
type listed struct {
	name, kind   string
	withoutRowid bool
}

// list gives what can be read, in the order of names. What SQLite and Syncline keep for
// themselves is left out.
func list(c *sqlitefile.Conn) (all []listed, err error) {
	err = c.Each(func(s *sqlitefile.Stmt) error {
		l := listed{s.String(0), s.String(1), s.Int(2) == 1}
		lower := strings.ToLower(l.name)
		if !strings.HasPrefix(lower, "sqlite_") && !strings.HasPrefix(lower, "_syncline") {
			all = append(all, l)
		}
		return nil
	}, "select name, type, wr from pragma_table_list where schema = 'main' and type <> 'shadow' order by name collate binary")
	return all, err
}

// describe reads the columns of what list gave.
func describe(c *sqlitefile.Conn, l listed) (*table, error) {
	t := &table{name: l.name, kind: l.kind}
	type keyed struct {
		at   int64
		name string
	}
	var key []keyed
	err := c.Each(func(s *sqlitefile.Stmt) error {
		if s.Int(4) == 1 { // hidden column of a virtual table; generated ones are 2 and 3
			return nil
		}
		t.columns = append(t.columns, column{name: s.String(0), declared: s.String(1), notNull: s.Int(2) == 1})
		if s.Int(3) > 0 {
			key = append(key, keyed{s.Int(3), s.String(0)})
		}
		return nil
	}, "select name, type, \"notnull\", pk, hidden from pragma_table_xinfo(?, 'main') order by cid", l.name)
	if err != nil {
		return nil, failed(l.name, err)
	}
	slices.SortFunc(key, func(a, b keyed) int { return int(a.at - b.at) })
	for _, k := range key {
		t.key = append(t.key, k.name)
	}
	if l.kind == "table" && !l.withoutRowid {
		return t, t.findRowid(c)
	}
	return t, nil
}

// findRowid looks for a name of the rowid that no column has taken, and for a column
// that is the rowid: one INTEGER as primary key, for which SQLite makes no index. (An
// INTEGER PRIMARY KEY DESC, by an old mistake that stays, is an ordinary column with one.)
func (t *table) findRowid(c *sqlitefile.Conn) error {
	for _, n := range []string{"rowid", "_rowid_", "oid"} {
		if _, taken := t.column(n); !taken {
			t.rowid = n
			break
		}
	}
	if len(t.key) != 1 {
		return nil
	}
	if k, _ := t.column(t.key[0]); !strings.EqualFold(k.declared, "INTEGER") {
		return nil
	}
	n, err := c.Int("select count(*) from pragma_index_list(?, 'main') where origin = 'pk'", t.name)
	if err != nil || n > 0 {
		return err
	}
	t.alias, t.rowid = t.key[0], t.key[0]
	return c.Each(func(s *sqlitefile.Stmt) error {
		i := slices.IndexFunc(t.columns, func(c column) bool { return c.name == t.alias })
		t.columns[i].declared = sqlitetype.KeyDeclared(s.String(0))
		return nil
	}, "select sql from sqlite_schema where type = 'table' and name = ?", t.name)
}
