package sqlite

import (
	"slices"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/sqlitetype"
)

// checkWindow refuses a table in which a stretch of the cursor cannot be told.
func (f *fitting) checkWindow() error {
	if f.t.Window == nil || f.there == nil {
		return nil
	}
	cursor := func(p placed) bool { return p.field.Name == f.t.Cursor }
	if slices.ContainsFunc(f.s.columns, cursor) && !slices.ContainsFunc(f.s.added, cursor) {
		return nil
	}
	return syncline.Errorf(syncline.FailedPrecondition, "%s has no column %q, so no stretch of it can be replaced", f.there.name, f.t.Cursor).
		Of(syncline.ClassConfig).Try("run it once without a window, which fills the table with that column")
}

// replaceWindow replaces one stretch of the cursor, and counts what its rows came to. A row
// whose key stands outside of it moves in.
func (p *publishing) replaceWindow(staged int64) error {
	within, args := p.window()
	table := "main." + sqlitefile.Quote(p.there.name) + " t where " + within
	had, err := p.c.Int("select count(*) from "+table, args...)
	if err != nil {
		return err
	}
	gone := max(0, had-staged)
	if p.keyed() {
		if gone, err = p.c.Int("select count(*) from "+table+" and "+p.missing(p.stage), args...); err != nil {
			return err
		}
	}
	// Rows that were all rejected are no better than rows that did not come.
	if err := p.guard(had, gone, min(p.sum.Read, staged)); err != nil {
		return err
	}
	p.phase("publish")
	updated, inserted, err := p.fill(within, args...)
	if err != nil {
		return err
	}
	c := &p.last.Counts
	c.Inserted, c.Updated, c.Unchanged = c.Inserted-staged+inserted, c.Updated+updated, c.Unchanged+staged-updated-inserted
	there, err := p.c.Int("select count(*) from "+table, args...) // triggers may have had a say
	if err == nil && there != staged {
		err = &destination.Unbalanced{Table: p.t.Table, Staged: there, Count: staged}
	}
	return err
}

// window is the condition that row t is within the load's window.
func (p *publishing) window() (string, []any) {
	i := slices.IndexFunc(p.shape.columns, func(c placed) bool { return c.field.Name == p.t.Cursor })
	at := p.shape.columns[i]
	name := "t." + sqlitefile.Quote(at.Name)
	edge := func(t string) string { return "replace(" + t + ", ' ', 'T')" } // as others write times
	return edge(name) + " >= ? and " + edge(name) + " < ?",
		[]any{sqlitetype.Edge(p.t.Window.From, at.field.Type, "T"), sqlitetype.Edge(p.t.Window.To, at.field.Type, "T")}
}
