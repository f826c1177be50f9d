package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// small is a table that is read by its key whatever its order on disk: all of it is in
// memory soon.
const small = 64 << 20

// ordered is the correlation from which a scan by key costs about what a scan of the
// table does.
const ordered = 0.9

// Plan splits an entity: into stretches of blocks where the destination corrects what a
// resumed read brings, else it makes one part. It fixes the mark, then exports the
// snapshot, which so holds every row up to the mark that will ever be there.
func (s *Source) Plan(ctx context.Context, q source.Query) (source.Plan, error) {
	r, err := s.relation(ctx, q.Entity.Name)
	if err == nil {
		err = r.changed(q)
	}
	if err == nil {
		err = r.checkCursor(q)
	}
	if err != nil {
		return source.Plan{}, err
	}
	until, err := s.fixMark(ctx, r, q)
	if err != nil {
		return source.Plan{}, err
	}
	l, err := s.lying(ctx, r, q)
	if err != nil {
		return source.Plan{}, err
	}
	p := r.plan(q)
	if l.readable {
		p = source.Plan{Resume: source.ResumeByPart, Expected: -1, Parts: l.parts(q.Parallel, r.rows)}
	}
	p.Until, p.Session = until, []byte(l.snapshot)
	return p, nil
}

// byBlocks: all rows are read, into a destination where rows can be put right that have
// changed or moved when the read was interrupted.
func byBlocks(q source.Query) bool {
	return q.Corrects && len(q.Entity.Key) > 0 && !behindMark(q) && q.Window == nil && !q.SplitByKey
}

func (r *relation) plan(q source.Query) source.Plan {
	p := source.Plan{Resume: source.ResumeByPart, Expected: -1}
	part := source.Part{ID: "0", Rows: -1}
	if !behindMark(q) && q.Window == nil {
		part.Rows = r.rows
	}
	order, why := r.order(q)
	if order == nil {
		p.Resume, p.Why = source.ResumeRestart, why
	} else {
		part.Bounds, _ = json.Marshal(bounds{Order: order}) // strings always encode
	}
	p.Parts = []source.Part{part}
	return p
}

// behindMark: the query reads from a mark on, not everything.
func behindMark(q source.Query) bool {
	return q.Mode == syncline.ModeIncremental && q.Since != nil && q.Window == nil
}

// order is the columns to read by so that the read can be gone on with, or why it cannot.
func (r *relation) order(q source.Query) (columns []string, why string) {
	key := r.key()
	switch {
	case behindMark(q) && q.Tail:
		columns = []string{q.Cursor}
	case len(key) == 0:
		return nil, "no primary key or unique index to go on from"
	case behindMark(q):
		columns = []string{q.Cursor}
		for _, k := range key {
			if k != q.Cursor {
				columns = append(columns, k)
			}
		}
	case !r.byKey(q):
		c, _ := r.column(key[0])
		return nil, fmt.Sprintf("its rows lie in another order than the key %s (%s), so it is read as it lies; split: key makes it resumable", c.Name, c.Type)
	default:
		columns = key
	}
	for _, c := range columns {
		if !exactText(q.Entity.Schema, c) {
			return nil, fmt.Sprintf("key column %q does not travel as what it is", c)
		}
	}
	return columns, ""
}

// byKey decides whether a full read goes along the key. Where the planner knows nothing
// yet, whole numbers are taken to have been handed out in order.
func (r *relation) byKey(q source.Query) bool {
	c, _ := r.column(r.key()[0])
	switch {
	case q.SplitByKey, r.bytes >= 0 && r.bytes <= small:
		return true
	case c.correlation != nil:
		return *c.correlation >= ordered
	}
	return cursorType(c.Type) == ofInteger
}

// exactText: the column travels, and its text form means the very value in the table.
func exactText(schema *arrow.Schema, column string) bool {
	fields, ok := schema.FieldsByName(column)
	return ok && (rows.Native(fields[0]) != "" || fields[0].Type.ID() == arrow.STRING)
}

// checkCursor refuses a query whose cursor cannot do what is asked of it.
func (r *relation) checkCursor(q source.Query) error {
	needed := q.Mode == syncline.ModeIncremental || q.Window != nil
	if q.Cursor == "" {
		if needed {
			return r.badCursor("%s needs a cursor column to be read incrementally", q.Entity.Name)
		}
		return nil
	}
	c, ok := r.column(q.Cursor)
	kind := cursorType(c.Type)
	switch {
	case !ok:
		return r.badCursor("%s has no column %q to serve as cursor", q.Entity.Name, q.Cursor)
	case kind == none:
		return r.badCursor("column %q of %s cannot serve as cursor: %s has no order that grows with time", q.Cursor, q.Entity.Name, c.Type)
	case q.Window != nil && kind != ofTime:
		return r.badCursor("a window of time needs a time as cursor; %q of %s is %s", q.Cursor, q.Entity.Name, c.Type)
	case q.Overlap > 0 && kind != ofTime:
		return r.badCursor("an overlap needs a time as cursor; %q of %s is %s", q.Cursor, q.Entity.Name, c.Type)
	case q.Tail && !r.unique(q.Cursor):
		return r.badCursor("appending by cursor %q of %s needs a unique index on it, or rows of the same value could be lost", q.Cursor, q.Entity.Name)
	}
	return nil
}

func (r *relation) badCursor(format string, args ...any) error {
	err := syncline.Invalid("cursor", format, args...)
	candidates := r.cursors()
	if len(candidates) == 0 {
		return err.Try("it has no column that could be one: read it in full")
	}
	return err.Try("columns that can: %s", strings.Join(candidates, ", "))
}
