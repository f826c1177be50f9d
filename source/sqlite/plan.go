package sqlite

import (
	"context"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/source"
)

// Plan makes one part of an entity: several at once would be read in transactions of
// their own, which see different states of the file.
func (s *Source) Plan(ctx context.Context, q source.Query) (p source.Plan, err error) {
	err = s.view(ctx, func(c *sqlitefile.Conn) error {
		p, err = plan(c, q)
		return err
	})
	return p, err
}

func plan(c *sqlitefile.Conn, q source.Query) (source.Plan, error) {
	t, err := find(c, q.Entity.Name)
	if err == nil {
		err = missing(t, q.Entity)
	}
	if err == nil {
		err = checkCursor(c, t, q)
	}
	if err != nil {
		return source.Plan{}, err
	}
	sc, err := begin(c, t, q)
	if err != nil {
		return source.Plan{}, err
	}
	var p source.Plan
	if sc.order, p.Resume, p.Why, err = arrange(c, t, q); err != nil {
		return p, err
	}
	if q.Cursor != "" && q.Window == nil {
		p.Until = sc.mark()
	}
	if p.Expected, p.ExpectedFrom, err = expect(c, sc); err != nil {
		return p, err
	}
	p.Parts = []source.Part{{ID: "0", Bounds: []byte(sc.order), Rows: p.Expected}}
	return p, nil
}

// begin looks up what the limits of a query need.
func begin(c *sqlitefile.Conn, t *table, q source.Query) (s *scan, err error) {
	s = &scan{t: t, q: q}
	if _, err := unmark(q.Since); err != nil {
		return nil, err
	}
	switch {
	case q.Window != nil:
		s.sep, err = separator(c, t, q.Cursor)
	case q.Cursor != "":
		s.until, err = s.latest(c)
	}
	return s, err
}

// mark is the next Since. Where nothing newer came, it stays what it was.
func (s *scan) mark() []byte {
	if s.until == "" {
		return s.q.Since
	}
	return []byte(s.until)
}

// arrange picks the order of reading. The rowid is the order on disk, and cheap. It is
// only a name of the row where it is the primary key: VACUUM numbers the rows of other
// tables anew, so a later attempt could miss some and repeat others.
func arrange(c *sqlitefile.Conn, t *table, q source.Query) (order, source.Resume, string, error) {
	switch {
	case t.alias != "":
		return byRowid, source.ResumeByPart, "", nil
	case t.kind == "table" && t.rowid == "" && len(t.key) > 0: // WITHOUT ROWID, or its names are taken
		return byKeyIfWhole(c, t)
	case t.rowid != "" && q.SplitByKey && len(t.key) > 0:
		return byKeyIfWhole(c, t)
	case t.rowid != "":
		why := "read in the order of row numbers, which VACUUM may change"
		if len(t.key) > 0 {
			why += "; split: key can be gone on with and is slower"
		}
		return byRowid, source.ResumeRestart, why, nil
	}
	return asItIs, source.ResumeRestart, "a " + t.kind + " has no key to go on from", nil
}

// byKeyIfWhole refuses a key with NULL in it, which a primary key of SQLite may have.
func byKeyIfWhole(c *sqlitefile.Conn, t *table) (order, source.Resume, string, error) {
	for _, k := range t.key {
		if col, _ := t.column(k); col.notNull {
			continue
		}
		n, err := c.Int("select count(*) from (select 1 from main." + sqlitefile.Quote(t.name) + " where " + sqlitefile.Quote(k) + " is null limit 1)")
		if err != nil {
			return "", "", "", failed(t.name, err)
		}
		if n == 0 {
			continue
		}
		why := "column " + k + " of the primary key holds NULL"
		if t.rowid != "" {
			return byRowid, source.ResumeRestart, why, nil
		}
		return asItIs, source.ResumeRestart, why, nil
	}
	return byKey, source.ResumeByPart, "", nil
}

// expect counts what a cheap count can; else it estimates a read of everything.
func expect(c *sqlitefile.Conn, s *scan) (int64, string, error) {
	n, from, err := estimate(c, s.t)
	if err != nil || s.bounded() || s.q.Window != nil {
		return -1, "", err
	}
	if s.t.kind != "table" || n < 0 || n > cheap {
		return n, from, nil
	}
	n, err = c.Int("select count(*) from main." + sqlitefile.Quote(s.t.name))
	return n, "count", failed(s.t.name, err)
}

// restore is the scan of a stored plan.
func restore(c *sqlitefile.Conn, q source.Query, p source.Plan, part source.Part, from []byte) (*scan, error) {
	t, err := find(c, q.Entity.Name)
	if err == nil {
		err = missing(t, q.Entity)
	}
	if err != nil {
		return nil, err
	}
	s := &scan{t: t, q: q, order: order(part.Bounds)}
	if s.order == byRowid && t.rowid == "" || s.order == byKey && len(t.key) == 0 {
		return nil, syncline.Errorf(syncline.FailedPrecondition, "%s is not the table it was when this load began", t.name).
			Of(syncline.ClassSource).Because("source_changed").Try("start a new run: it looks at the table anew")
	}
	if s.until, err = unmark(p.Until); err != nil {
		return nil, err
	}
	if _, err := unmark(q.Since); err != nil {
		return nil, err
	}
	if s.from, err = decodePosition(from, len(s.places())); err != nil {
		return nil, err
	}
	if q.Window != nil {
		s.sep, err = separator(c, t, q.Cursor)
	}
	return s, err
}
