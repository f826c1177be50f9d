package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/rows"
)

func spoolColumn(i int) string { return "c" + strconv.Itoa(i) }

// addToSpool numbers the rows of a batch on.
func (l *lane) addToSpool(c *sqlitefile.Conn, b *batch) error {
	if err := l.bind(c); err != nil {
		return err
	}
	if len(b.rows) == 0 {
		return nil
	}
	names := []string{"seq", "ord", "op"}
	for i := range l.w.shape.columns {
		names = append(names, spoolColumn(i))
	}
	// Each time: a transaction that was rolled back has taken it away again.
	if err := c.Exec("create temp table if not exists " + l.spool + " (seq INTEGER PRIMARY KEY, " + strings.Join(names[1:], ", ") + ")"); err != nil {
		return err
	}
	to, err := prepareInserts(c, "temp."+l.spool, strings.Join(names, ", "), "", len(names))
	if err != nil {
		return err
	}
	defer to.close()
	binders, columns := l.w.shape.binders(), b.columns(l.w.shape)
	first := l.seq
	err = to.run(c, len(b.rows), len(names), func(s *sqlitefile.Stmt, at, row int) {
		s.BindInt(at, first+1+int64(row))
		s.BindInt(at+1, b.ordinal(b.rows[row]))
		s.BindInt(at+2, b.op(b.rows[row]))
		for i, bind := range binders {
			bind(s, at+3+i, columns[i], b.rows[row])
		}
	})
	if err == nil {
		l.seq = first + int64(len(b.rows))
	}
	return err
}

func (b *batch) op(row int) int64 {
	if b.ops == nil {
		return put
	}
	return b.ops[row]
}

// merge brings rows first to last of the spool into their table. A row that the table
// refuses is found by halves, in order, so that the last row of a key still wins.
func (l *lane) merge(ctx context.Context, c *sqlitefile.Conn, first, last int64, n *syncline.Counts) error {
	if first > last {
		return nil
	}
	var done syncline.Counts
	err := savepoint(c, func() (err error) {
		done, err = l.apply(c, first, last)
		return err
	})
	rule, broken := sqlitefile.Broken(err)
	switch {
	case err == nil:
		*n = n.Add(done)
		return nil
	case !broken:
		return err
	case first == last:
		return l.reject(ctx, c, first, rule, err)
	}
	mid := first + (last-first)/2
	if err := l.merge(ctx, c, first, mid, n); err != nil {
		return err
	}
	return l.merge(ctx, c, mid+1, last, n)
}

func savepoint(c *sqlitefile.Conn, fn func() error) error {
	if err := c.Exec("savepoint rows"); err != nil {
		return err
	}
	err := fn()
	if err != nil && c.InTx() { // a trigger may have rolled back everything
		if undo := c.Exec("rollback to rows"); undo != nil {
			return undo
		}
	}
	if c.InTx() {
		if release := c.Exec("release rows"); release != nil {
			return release
		}
	}
	return err
}

// apply does with rows of the spool what the load is for.
func (l *lane) apply(c *sqlitefile.Conn, first, last int64) (n syncline.Counts, err error) {
	m := l.merger(first, last)
	if l.w.sweeps() {
		if err := m.noteKeys(c, l.w.stage); err != nil {
			return n, err
		}
	}
	all, err := m.count(c)
	if err != nil || all == 0 {
		return n, err
	}
	if len(m.key) == 0 || l.w.t.Disposition == syncline.Append {
		n.Inserted, err = m.insert(c, "")
		if err == nil && n.Inserted != all {
			err = l.swallowed(all - n.Inserted)
		}
		return n, err
	}
	if l.w.t.Disposition == syncline.Replace {
		if fresh, err := l.insertFresh(c, m, all); err != nil || fresh {
			n.Inserted = all
			return n, err
		}
	}
	if n.Superseded, err = m.dedupe(c); err != nil {
		return n, err
	}
	left := all - n.Superseded
	if l.w.t.Disposition == syncline.Replace {
		updated, err := m.update(c, false)
		if err != nil {
			return n, err
		}
		n.Superseded += updated // the staged rows that came before
		n.Inserted, err = m.insert(c, l.conflict())
		if err == nil && n.Inserted+updated != left {
			err = l.swallowed(left - n.Inserted - updated)
		}
		return n, err
	}
	return n, l.upsert(c, m, left, &n)
}

// insertFresh is the whole of it where no key is repeated, which is found out by trying: to
// look for repeats first costs more than the rows do.
func (l *lane) insertFresh(c *sqlitefile.Conn, m *merger, all int64) (bool, error) {
	err := savepoint(c, func() error {
		n, err := m.insert(c, l.conflict())
		if err == nil && n != all {
			err = errRepeated
		}
		return err
	})
	if errors.Is(err, errRepeated) {
		return false, nil
	}
	return err == nil, err
}

func (l *lane) upsert(c *sqlitefile.Conn, m *merger, left int64, n *syncline.Counts) (err error) {
	if n.Deleted, err = m.remove(c); err != nil {
		return err
	}
	if n.Updated, err = m.update(c, true); err != nil {
		return err
	}
	n.Inserted, err = m.insert(c, l.conflict())
	n.Unchanged = left - n.Deleted - n.Updated - n.Inserted
	if err == nil && n.Unchanged < 0 {
		err = l.swallowed(n.Unchanged)
	}
	return err
}

// swallowed: a trigger of the table keeps rows out, and the books know of no such row.
func (l *lane) swallowed(n int64) error {
	return syncline.Errorf(syncline.FailedPrecondition, "%d rows did not arrive in %s", n, l.w.t.Table).Of(syncline.ClassDestination).
		Because("unbalanced").Try("a trigger of the table changes what is written: sqlite3 %s '.schema %s'", l.w.file.path, l.w.t.Table)
}

// reject passes a row that the table refuses to the ledger.
func (l *lane) reject(ctx context.Context, c *sqlitefile.Conn, seq int64, rule sqlitefile.Rule, why error) error {
	r := rows.Reject{Message: why.Error(), Code: map[sqlitefile.Rule]string{
		sqlitefile.Unique: rows.CodeDuplicate, sqlitefile.NotNull: rows.CodeNull, sqlitefile.Datatype: rows.CodeType, sqlitefile.OtherRule: rows.CodeConstraint,
	}[rule]}
	var key []string
	err := c.Each(func(s *sqlitefile.Stmt) error {
		r.Row = s.Int(1)
		for i, p := range l.w.shape.columns {
			v := shown(s, 3+i)
			r.Sample = fmt.Appendf(r.Sample, "%s=%s, ", p.field.Name, v)
			for _, k := range l.w.shape.key {
				if k == p.Name {
					key = append(key, v)
				}
			}
		}
		return nil
	}, "select * from temp."+l.spool+" where seq = ?", seq)
	if err != nil {
		return err
	}
	if l.w.sweeps() {
		if err := l.merger(seq, seq).noteKeys(c, l.w.stage); err != nil {
			return err
		}
	}
	r.Key = strings.Join(key, ", ")
	r.Sample = r.Sample[:min(max(0, len(r.Sample)-2), rows.MaxSample)]
	return l.keep(ctx, []rows.Reject{r})
}

func shown(s *sqlitefile.Stmt, i int) string {
	switch s.Class(i) {
	case sqlitefile.Null:
		return "NULL"
	case sqlitefile.Blob:
		return fmt.Sprintf("\\x%x", s.Blob(i)[:min(len(s.Blob(i)), maxShown/2)])
	}
	return short(s.String(i))
}
