package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
)

// checkWindow refuses a target in which a stretch of the cursor cannot be told.
func (w *writer) checkWindow(have *table) error {
	if w.target.Window == nil || w.target.Disposition != syncline.Replace || have == nil {
		return nil
	}
	cursor := have.column(w.target.Cursor)
	if cursor == nil {
		return syncline.Errorf(syncline.FailedPrecondition, "%s has no column %q, so no stretch of it can be replaced", w.name.text(), w.target.Cursor).
			Of(syncline.ClassConfig).Try("run it once without a window, which fills the table with that column")
	}
	if cursor.typ != "date" && !strings.HasPrefix(cursor.typ, "timestamp") {
		return syncline.Errorf(syncline.FailedPrecondition, "the cursor %q of %s is %s and not a time, so no stretch of it can be replaced", w.target.Cursor, w.name.text(), cursor.typ).
			Of(syncline.ClassConfig).Try("give the column of the table a date or timestamp type, or choose another cursor")
	}
	return nil
}

// window is the condition of the stretch that is replaced.
func (p *publishing) window(have *table) (string, []any) {
	w := p.target.Window
	if w == nil || have == nil {
		return "true", nil
	}
	from, to := "$1::timestamptz", "$2::timestamptz"
	if !strings.HasSuffix(have.column(p.target.Cursor).typ, "with time zone") {
		from, to = "("+from+" at time zone 'UTC')", "("+to+" at time zone 'UTC')"
	}
	q := quote(p.target.Cursor)
	return fmt.Sprintf("%[1]s >= %[2]s and %[1]s < %[3]s", q, from, to), []any{w.From.UTC(), w.To.UTC()}
}

// mergeWindow merges a stretch, and counts what its rows came to.
func (p *publishing) mergeWindow(ctx context.Context, have *table, within string, args []any, c *counts) error {
	updated, inserted, err := p.merge(ctx, have, within, args)
	if err != nil {
		return p.taken(err)
	}
	c.Inserted, c.Updated = c.Inserted-c.Total+inserted, c.Updated+updated
	c.Unchanged += c.Total - updated - inserted
	if err := p.recount(ctx, within, args, c.Total); err != nil {
		return err
	}
	c.Total = -1 // nobody has counted what is outside
	return nil
}

// taken: a row of the stretch has a unique value in common with one outside, which is not
// the key by which they could be known to be the same.
func (p *publishing) taken(err error) error {
	bad := refusal(err)
	if bad == nil || bad.Code != "23505" {
		return err
	}
	return syncline.Errorf(syncline.FailedPrecondition, "rows of the window break the unique index %s of %s: %s", bad.ConstraintName, p.name.text(), bad.Detail).
		Of(syncline.ClassData).Because("constraint").Try("replace a window that holds both rows, or let the entity be written by upsert with that key")
}

// recount holds the rows that are there now against those that should be: triggers and
// rules may have had a say.
func (p *publishing) recount(ctx context.Context, within string, args []any, want int64) error {
	var there int64
	if err := p.tx.QueryRow(ctx, "select count(*) from "+p.name.quoted()+" where "+within, args...).Scan(&there); err != nil {
		return err
	}
	if there != want {
		return &destination.Unbalanced{Table: p.name.text(), Staged: there, Count: want}
	}
	return nil
}
