package sqlite

import (
	"context"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/sqlitefile"
)

// publishing is one Publish, within its transaction.
type publishing struct {
	*Writer
	c     *sqlitefile.Conn
	there *table // nil: the load makes it
	sum   syncline.Counts
	phase func(string)
	last  last

	keyless int64 // rows that were rejected before their key was known
}

// Publish shows the load, with its mark, in one transaction.
func (w *Writer) Publish(ctx context.Context, mark []byte, sum syncline.Counts, phase func(string)) (out destination.Published, err error) {
	if phase == nil {
		phase = func(string) {}
	}
	err = w.update(ctx, func(c *sqlitefile.Conn) error {
		h, err := fenced(c, w.t.Fence.Stream, w.t.Load, w.t.Fence.Token)
		if err != nil {
			return err
		}
		if h.last.Load != w.t.Load {
			p := publishing{Writer: w, c: c, sum: sum, phase: phase}
			if err := p.run(&h); err != nil {
				return err
			}
			h.mark, h.last = mark, p.last
			if err := writeHead(c, w.t.Fence.Stream, h); err != nil {
				return err
			}
			// Where the parts of a published load came to means nothing any more.
			if err := dropParts(c, w.t.Fence.Stream); err != nil {
				return err
			}
		}
		out = h.last.published()
		return nil
	})
	return out, err
}

func (p *publishing) run(h *head) (err error) {
	if p.there, err = describe(p.c, p.t.Table); err != nil {
		return err
	}
	// Somebody may have changed the table since Takeover.
	if p.shape, err = fit(p.t, p.there); err != nil {
		return err
	}
	staged, err := p.books()
	if err != nil {
		return err
	}
	p.last = last{Load: p.t.Load, Total: -1, Counts: p.sum, Where: "table " + p.t.Table + " in " + p.file.path}
	switch {
	case !p.staged():
		err = p.sweep()
	case p.t.Window != nil && p.there != nil:
		err = p.replaceWindow(staged)
	default:
		err = p.replaceWhole(staged)
	}
	if err != nil {
		return err
	}
	if err := p.drop(p.c, censusOf(p.stage)); err != nil {
		return err
	}
	p.last.Counts.Swept = p.last.Swept
	if n := p.sum.Superseded; n > 0 {
		severity := syncline.Warning
		if p.t.Corrects { // rows that changed while the load was interrupted
			severity = syncline.Info
		}
		p.t.Note(severity, "%d rows for %s repeated the key (%s) of another; of each key the last one read was kept", n, p.t.Table, strings.Join(p.shape.key, ", "))
	}
	return p.identify(h)
}

// books holds what was counted against what is there.
func (p *publishing) books() (staged int64, err error) {
	parts, err := readParts(p.c, p.t.Fence.Stream, p.t.Load)
	if err != nil {
		return 0, err
	}
	var kept syncline.Counts
	for id, part := range parts {
		if !part.at.Done {
			return 0, syncline.Errorf(syncline.Internal, "part %s of %s is not done", id, p.t.Table)
		}
		kept = kept.Add(part.at.Counts)
		p.keyless += part.keyless
	}
	staged = kept.Inserted
	if p.staged() {
		if staged, err = count(p.c, p.stage); err != nil {
			return 0, err
		}
	}
	if staged != kept.Inserted {
		return 0, &destination.Unbalanced{Table: p.t.Table, Staged: staged, Count: kept.Inserted}
	}
	if kept != p.sum {
		return 0, &destination.Unbalanced{Table: p.t.Table, Staged: staged, Count: p.sum.Inserted}
	}
	return staged, nil
}

// guard withholds deletes that look like an accident.
func (p *publishing) guard(had, gone, read int64) error {
	if p.t.Guard.Trips(had, gone, read) {
		return &destination.MassDelete{Table: p.t.Table, Had: had, Gone: gone, Read: read}
	}
	p.last.Swept = gone
	return nil
}

// missing is the condition that row t has no row in a table with its key.
func (p *publishing) missing(from string) string {
	conds := make([]string, len(p.shape.key))
	for i, k := range p.shape.key {
		conds[i] = "s." + sqlitefile.Quote(k) + " = t." + sqlitefile.Quote(k)
	}
	return "not exists (select 1 from main." + sqlitefile.Quote(from) + " s where " + strings.Join(conds, " and ") + ")"
}

// keyed: rows of the table and of the stage can be told to be the same.
func (p *publishing) keyed() bool {
	return len(p.shape.key) > 0 && !slices.ContainsFunc(p.shape.added, func(a placed) bool { return slices.Contains(p.shape.key, a.Name) })
}

// replaceWhole shows what the source still has of the stage.
func (p *publishing) replaceWhole(staged int64) error {
	gone, err := p.absent()
	if err != nil {
		return err
	}
	p.last.Counts.Superseded += gone
	p.last.Counts.Inserted -= gone
	p.last.Total = staged - gone
	return p.replace(p.last.Total)
}

// replace shows the stage instead of the table.
func (p *publishing) replace(staged int64) error {
	if p.there == nil {
		p.phase("publish")
		return p.rename(p.t.Table)
	}
	had, err := count(p.c, p.there.name)
	if err != nil {
		return err
	}
	gone := max(0, had-staged)
	if p.keyed() {
		if gone, err = p.c.Int("select count(*) from main." + sqlitefile.Quote(p.there.name) + " t where " + p.missing(p.stage)); err != nil {
			return err
		}
	}
	// Rows that were all rejected, or have all gone, are no better than rows that did not come.
	if err := p.guard(had, gone, min(p.sum.Read, staged)); err != nil {
		return err
	}
	whole, err := p.stageIsWhole()
	if err != nil {
		return err
	}
	p.phase("publish")
	if p.there.depended || !whole {
		p.t.Note(syncline.Info, "%s is changed row by row: views, triggers or references hang on it", p.t.Table)
		_, _, err := p.fill("true")
		return err
	}
	return p.swap()
}

// stageIsWhole reports whether the stage has every column of the table: somebody may have
// added one since the stage was made.
func (p *publishing) stageIsWhole() (bool, error) {
	stage, err := describe(p.c, p.stage)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(p.there.columns, func(c column) bool {
		_, ok := stage.column(c.Name)
		return !ok
	}), nil
}

// swap lets the stage take the name of the table, and builds its indexes.
func (p *publishing) swap() error {
	name := p.there.name
	if err := p.c.Exec("drop table main." + sqlitefile.Quote(name)); err != nil {
		return err
	}
	if err := p.rename(name); err != nil {
		return err
	}
	p.phase("build key")
	for _, i := range p.there.indexes {
		if err := p.build(i); err != nil {
			return err
		}
	}
	now, err := describe(p.c, name)
	if err != nil {
		return err
	}
	return p.ensureKey(p.c, now)
}

func (p *publishing) rename(name string) error {
	if err := p.c.Exec("drop index if exists main." + sqlitefile.Quote(p.stageKey())); err != nil {
		return err
	}
	return p.c.Exec("alter table main." + sqlitefile.Quote(p.stage) + " rename to " + sqlitefile.Quote(name))
}

func (p *publishing) build(i index) error {
	err := p.c.Exec(i.sql)
	if _, broken := sqlitefile.Broken(err); broken {
		return syncline.Errorf(syncline.FailedPrecondition, "the new rows of %s break its index %s: %w", p.there.name, i.name, err).
			Of(syncline.ClassDestination).Try("drop the index, or mend the rows at the source")
	}
	return err
}

// fill brings the rows of the stage into the table that stays: what depends on it would
// not come along with another. Rows within the condition that the stage lacks go.
func (p *publishing) fill(within string, args ...any) (updated, inserted int64, err error) {
	if err := p.fitTable(p.c, p.there); err != nil {
		return 0, 0, err
	}
	m := &merger{
		target: "main." + sqlitefile.Quote(p.there.name), source: "main." + sqlitefile.Quote(p.stage), where: "true",
		columns: p.shape.names(), from: p.shape.names(), key: p.shape.key,
	}
	gone, conflict := within, ""
	if p.keyed() {
		gone += " and " + p.missing(p.stage)
		conflict = " on conflict (" + sqlitefile.QuoteAll(p.shape.key) + ") do nothing"
	}
	if err := p.c.Exec("delete from main."+sqlitefile.Quote(p.there.name)+" as t where "+gone, args...); err != nil {
		return 0, 0, err
	}
	if p.keyed() {
		if updated, err = m.update(p.c, true); err != nil {
			return 0, 0, p.refused(err)
		}
	}
	if inserted, err = m.insert(p.c, conflict); err != nil {
		return 0, 0, p.refused(err)
	}
	return updated, inserted, p.c.Exec("drop table main." + sqlitefile.Quote(p.stage))
}

// refused: the stage has taken the rows, but the table's triggers or its rules against
// rows that stay do not.
func (p *publishing) refused(err error) error {
	if _, broken := sqlitefile.Broken(err); broken {
		return syncline.Errorf(syncline.FailedPrecondition, "%s refuses rows of the load: %w", p.there.name, err).Of(syncline.ClassDestination).
			Try("look at its rules and triggers: sqlite3 %s '.schema %s'", p.file.path, p.there.name)
	}
	return err
}

// sweep removes the rows of an upsert that a full read has not brought.
func (p *publishing) sweep() error {
	p.phase("publish")
	if !p.sweeps() || p.there == nil {
		return nil
	}
	if p.keyless > 0 {
		p.t.Note(syncline.Warning, "%d rows of %s were rejected before their key was known, so what is gone from the source cannot be told: nothing is swept", p.keyless, p.t.Table)
		return p.c.Exec("drop table main." + sqlitefile.Quote(p.stage))
	}
	within, args := "true", []any(nil)
	if p.t.Window != nil {
		within, args = p.window()
	}
	table := "main." + sqlitefile.Quote(p.there.name)
	had, err := p.c.Int("select count(*) from "+table+" t where "+within, args...)
	if err != nil {
		return err
	}
	seen, read, err := p.seen()
	if err != nil {
		return err
	}
	gone, err := p.c.Int("select count(*) from "+table+" t where "+within+" and "+p.missing(seen), args...)
	if err != nil {
		return err
	}
	if err := p.guard(had, gone, read); err != nil {
		return err
	}
	if err := p.c.Exec("delete from "+table+" as t where "+within+" and "+p.missing(seen), args...); err != nil {
		return err
	}
	return p.c.Exec("drop table main." + sqlitefile.Quote(p.stage))
}

// identify makes sure that this very table can be told from another one later.
func (p *publishing) identify(h *head) error {
	now, err := describe(p.c, p.t.Table)
	if err != nil {
		return err
	}
	if now == nil {
		return syncline.Errorf(syncline.Aborted, "table %s was dropped while it was written", p.t.Table).Of(syncline.ClassDestination).
			Try("let nobody drop it during a run").Again()
	}
	same, err := marked(p.c, now.name, h.targetID)
	if err != nil {
		return err
	}
	if !same {
		if h.targetID, err = p.newMarker(now.name); err != nil {
			return err
		}
	}
	empty, err := isEmpty(p.c, now.name)
	p.last.Filled = !empty
	return err
}

// newMarker is the marker that the table got when this load made it. One that was there
// before gets it now, which takes a look at every row.
func (p *publishing) newMarker(table string) (string, error) {
	id := p.markerID()
	made, err := marked(p.c, table, id)
	if err != nil || made {
		return id, err
	}
	return id, setMarker(p.c, table, id)
}
