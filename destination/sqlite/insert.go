package sqlite

import (
	"errors"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/sqlitetype"
)

// errRepeated: not every row of a batch became a row of its own.
var errRepeated = errors.New("a key is repeated")

// batch is the rows of a batch that can be written.
type batch struct {
	record arrow.RecordBatch
	rows   []int   // of the record
	ord    []int64 // their ordinals in the part; nil: not looked up yet
	ops    []int64 // put, remove or seen; nil: all put
	// ordinals looks ord up: only rows that are refused need it.
	ordinals func() []int64
}

// inserts are prepared statements that put rows into one table, many at a time and one.
type inserts struct {
	many, one *sqlitefile.Stmt
	group     int
	binders   []sqlitetype.Binder
}

func (s *inserts) close() {
	for _, stmt := range []*sqlitefile.Stmt{s.many, s.one} {
		if stmt != nil {
			stmt.Close()
		}
	}
	s.many, s.one = nil, nil
}

// Rows in one statement: more of them is no faster.
const maxGroup, maxParameters = 32, 1_000

func prepareInserts(c *sqlitefile.Conn, into, columns, conflict string, width int) (s inserts, err error) {
	s.group = max(1, min(maxGroup, maxParameters/width))
	tuple := "(?" + strings.Repeat(", ?", width-1) + ")"
	head := "insert into " + into + " (" + columns + ") values " + tuple
	if s.many, err = c.Prepare(head + strings.Repeat(", "+tuple, s.group-1) + conflict); err != nil {
		return s, err
	}
	if s.one, err = c.Prepare(head + conflict); err != nil {
		s.close()
	}
	return s, err
}

// run puts n rows, which bind binds from a first parameter on. It stops at a statement
// that did not make a row of each.
func (s *inserts) run(c *sqlitefile.Conn, n, width int, bind func(s *sqlitefile.Stmt, first, row int)) error {
	for at := 0; at < n; {
		stmt, size := s.one, 1
		if n-at >= s.group {
			stmt, size = s.many, s.group
		}
		for k := range size {
			bind(stmt, 1+k*width, at+k)
		}
		_, err := stmt.Step()
		stmt.Reset()
		if err != nil {
			return err
		}
		if c.Changes() != int64(size) {
			return errRepeated
		}
		at += size
	}
	return nil
}

// insertAll puts the rows of a batch into their table.
func (l *lane) insertAll(c *sqlitefile.Conn, b *batch) error {
	if err := l.bind(c); err != nil {
		return err
	}
	s := l.w.shape
	if l.inserts.many == nil {
		var err error
		if l.inserts, err = prepareInserts(c, "main."+sqlitefile.Quote(l.w.into()), sqlitefile.QuoteAll(s.names()), l.conflict(), len(s.columns)); err != nil {
			return err
		}
		l.inserts.binders = s.binders()
	}
	columns := b.columns(s)
	return l.inserts.run(c, len(b.rows), len(columns), func(stmt *sqlitefile.Stmt, first, row int) {
		for i, bind := range l.inserts.binders {
			bind(stmt, first+i, columns[i], b.rows[row])
		}
	})
}

// conflict: a key that is there already is not written over unseen.
func (l *lane) conflict() string {
	if l.w.t.Disposition == syncline.Append || len(l.w.shape.key) == 0 {
		return ""
	}
	return " on conflict (" + sqlitefile.QuoteAll(l.w.shape.key) + ") do nothing"
}

func (s *shape) binders() []sqlitetype.Binder {
	all := make([]sqlitetype.Binder, len(s.columns))
	for i, p := range s.columns {
		all[i] = sqlitetype.BinderOf(p.field, p.Declared)
	}
	return all
}

func (b *batch) columns(s *shape) []arrow.Array {
	all := make([]arrow.Array, len(s.columns))
	for i, p := range s.columns {
		if b.record != nil {
			all[i] = b.record.Column(p.from)
		}
	}
	return all
}
