package sqlite

import (
	"slices"
	"strings"

	"github.com/synclinehq/syncline/format/sqlitefile"
)

// merger brings rows of one table into another by set: rows of the spool into a stage or a
// table, rows of a stage into the table that keeps its place.
type merger struct {
	target string // quoted, with its schema
	source string // the same
	where  string // condition on source rows s, never empty
	args   []any
	puts   string // condition on rows that are to be put, "" if all are
	order  string // of the rows that are put, "" as they stand

	columns []string // of the target
	from    []string // of the source, the same in number
	key     []string // among columns
}

// merger of rows first to last of the lane's spool.
func (l *lane) merger(first, last int64) *merger {
	m := &merger{
		target: "main." + sqlitefile.Quote(l.w.into()), source: "temp." + l.spool,
		where: "s.seq between ?1 and ?2 and s.op <> 2", args: []any{first, last}, puts: " and s.op = 0", order: " order by s.seq",
		columns: l.w.shape.names(), key: l.w.shape.key,
	}
	for i := range m.columns {
		m.from = append(m.from, spoolColumn(i))
	}
	return m
}

func (m *merger) source1(name string) string {
	return "s." + sqlitefile.Quote(m.from[slices.Index(m.columns, name)])
}

// match says that t and s have the same key.
func (m *merger) match() string {
	conds := make([]string, len(m.key))
	for i, k := range m.key {
		conds[i] = "t." + sqlitefile.Quote(k) + " = " + m.source1(k)
	}
	return strings.Join(conds, " and ")
}

func (m *merger) sourceKey() string {
	names := make([]string, len(m.key))
	for i, k := range m.key {
		names[i] = m.source1(k)
	}
	return strings.Join(names, ", ")
}

func (m *merger) count(c *sqlitefile.Conn) (int64, error) {
	return c.Int("select count(*) from "+m.source+" s where "+m.where, m.args...)
}

// dedupe leaves the last row of every key in the source.
func (m *merger) dedupe(c *sqlitefile.Conn) (int64, error) {
	err := c.Exec("delete from "+m.source+" as s where "+m.where+
		" and s.seq not in (select max(s.seq) from "+m.source+" s where "+m.where+" group by "+m.sourceKey()+")", m.args...)
	return c.Changes(), err
}

// noteKeys writes down which keys came.
func (m *merger) noteKeys(c *sqlitefile.Conn, seen string) error {
	return c.Exec("insert or ignore into main."+sqlitefile.Quote(seen)+" ("+sqlitefile.QuoteAll(m.key)+") select "+m.sourceKey()+
		" from "+m.source+" s where s.seq between ?1 and ?2 and s.op <> 1", m.args...)
}

// remove deletes the rows that ask for it.
func (m *merger) remove(c *sqlitefile.Conn) (int64, error) {
	err := c.Exec("delete from "+m.target+" where ("+sqlitefile.QuoteAll(m.key)+") in (select "+m.sourceKey()+
		" from "+m.source+" s where "+m.where+" and s.op = 1)", m.args...)
	return c.Changes(), err
}

// update writes rows whose key is there; if only those that differ, by their bytes, then
// others are not touched.
func (m *merger) update(c *sqlitefile.Conn, differing bool) (int64, error) {
	var set, differ []string
	for _, n := range m.columns {
		if slices.Contains(m.key, n) {
			continue
		}
		set = append(set, sqlitefile.Quote(n)+" = "+m.source1(n))
		differ = append(differ, "t."+sqlitefile.Quote(n)+" collate binary is not "+m.source1(n))
	}
	if len(set) == 0 {
		if differing {
			return 0, nil
		}
		return c.Int("select count(*) from "+m.source+" s where "+m.where+m.puts+" and exists (select 1 from "+m.target+" t where "+m.match()+")", m.args...)
	}
	sql := "update " + m.target + " as t set " + strings.Join(set, ", ") + " from " + m.source + " as s where " + m.where + m.puts + " and " + m.match()
	if differing {
		sql += " and (" + strings.Join(differ, " or ") + ")"
	}
	err := c.Exec(sql, m.args...)
	return c.Changes(), err
}

// insert puts the rows, in their order.
func (m *merger) insert(c *sqlitefile.Conn, conflict string) (int64, error) {
	from := make([]string, len(m.from))
	for i, n := range m.from {
		from[i] = "s." + sqlitefile.Quote(n)
	}
	err := c.Exec("insert into "+m.target+" ("+sqlitefile.QuoteAll(m.columns)+") select "+strings.Join(from, ", ")+
		" from "+m.source+" s where "+m.where+m.puts+m.order+conflict, m.args...)
	return c.Changes(), err
}
