package sqlite

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/sqlitetype"
	"github.com/synclinehq/syncline/source"
)

// order is how a part is read, fixed by the plan.
type order string

const (
	byRowid order = "rowid"
	byKey   order = "key"
	asItIs  order = "none" // a view: only as a whole
)

// scan is one reading of a table.
type scan struct {
	t     *table
	q     source.Query
	order order
	until value
	sep   string // between date and time, for a window
	from  position
}

func (s *scan) cursorType() arrow.DataType {
	f, _ := s.q.Entity.Schema.FieldsByName(s.q.Cursor)
	return f[0].Type
}

// latest is the mark: the largest cursor there is. An infinity is no mark, since nothing
// could come after it.
func (s *scan) latest(c *sqlitefile.Conn) (v value, err error) {
	name := sqlitefile.Quote(s.q.Cursor)
	sql := "select max(" + name + ") from main." + sqlitefile.Quote(s.t.name)
	if sqlitetype.Timed(s.cursorType()) {
		sql += " where " + name + " < 'inf'"
	}
	err = c.Each(func(st *sqlitefile.Stmt) error { v = valueOf(st, 0); return nil }, sql)
	if v == "n" {
		v = ""
	}
	return v, failed(s.t.name, err)
}

// bounded: only rows from the mark on are read.
func (s *scan) bounded() bool {
	return s.q.Mode == syncline.ModeIncremental && s.q.Cursor != "" && s.q.Since != nil
}

// places are what a row's place in the order is told by.
func (s *scan) places() []string {
	var p []string
	if s.bounded() && s.order != asItIs {
		p = append(p, s.q.Cursor)
	}
	switch s.order {
	case byRowid:
		p = append(p, s.t.rowid)
	case byKey:
		p = append(p, s.t.key...)
	}
	return p
}

// sql reads the entity's columns, and the places behind them.
func (s *scan) sql() (string, []any, error) {
	columns := make([]string, 0, s.q.Entity.Schema.NumFields())
	for _, f := range s.q.Entity.Schema.Fields() {
		columns = append(columns, f.Name)
	}
	places := s.places()
	text := "select " + sqlitefile.QuoteAll(append(columns, places...)) + " from main." + sqlitefile.Quote(s.t.name)
	where, args := s.where()
	text += where
	if len(s.from.Last) > 0 {
		after := "(" + sqlitefile.QuoteAll(places) + ") > (" + strings.TrimSuffix(strings.Repeat("?, ", len(places)), ", ") + ")"
		text += map[bool]string{true: " where ", false: " and "}[where == ""] + after
		for _, v := range s.from.Last {
			arg, err := v.bind()
			if err != nil {
				return "", nil, err
			}
			args = append(args, arg)
		}
	}
	if len(places) > 0 {
		return text + " order by " + sqlitefile.QuoteAll(places), args, nil
	}
	if s.from.Rows > 0 {
		return text + " limit -1 offset ?", append(args, s.from.Rows-s.from.Filtered), nil
	}
	return text, args, nil
}

// where limits the rows to those of the query. Plan and Read have looked at both marks.
func (s *scan) where() (string, []any) {
	if s.q.Cursor == "" {
		return "", nil
	}
	name := sqlitefile.Quote(s.q.Cursor)
	var conds []string
	var args []any
	add := func(cond string, v any) { conds, args = append(conds, name+cond), append(args, v) }
	switch {
	case s.q.Window != nil:
		add(" >= ?", sqlitetype.Edge(s.q.Window.From, s.cursorType(), s.sep))
		add(" < ?", sqlitetype.Edge(s.q.Window.To, s.cursorType(), s.sep))
	case s.q.Mode != syncline.ModeIncremental:
		return "", nil
	case !s.bounded():
		// The first read sets the mark and brings all rows, also those without a cursor.
		if s.until == "" {
			return " where " + s.unmarked(), nil
		}
		v, _ := s.until.bind()
		return " where (" + name + " <= ? or " + s.unmarked() + ")", []any{v}
	default:
		until, _ := s.until.bind()
		if s.q.Tail {
			since, _ := value(s.q.Since).bind()
			add(" > ?", since)
		} else {
			since, _ := behind(value(s.q.Since), s.cursorType(), s.q.Overlap).bind()
			add(" >= ?", since)
		}
		add(" <= ?", until)
	}
	return " where " + strings.Join(conds, " and "), args
}

// unmarked matches rows that no mark can be compared with.
func (s *scan) unmarked() string {
	name := sqlitefile.Quote(s.q.Cursor)
	if sqlitetype.Timed(s.cursorType()) {
		return "(" + name + " is null or " + name + " >= 'inf')"
	}
	return name + " is null"
}

// skipped counts the rows that an incremental read cannot see.
func (s *scan) skipped(c *sqlitefile.Conn) (int64, error) {
	if !s.bounded() || s.q.Window != nil || s.from.Rows > 0 {
		return 0, nil
	}
	return c.Int("select count(*) from main." + sqlitefile.Quote(s.t.name) + " where " + s.unmarked())
}
