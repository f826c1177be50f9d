package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
)

// makeStage makes the stage unless it is there; a stage of another shape has been dropped.
func (w *writer) makeStage(ctx context.Context, tx pgx.Tx, create string) error {
	there, err := describe(ctx, tx, w.stage)
	if err != nil || there != nil {
		return err
	}
	_, err = tx.Exec(ctx, create)
	return err
}

// stageFits reports whether the stage is there and has the columns of this load.
func (w *writer) stageFits(ctx context.Context, tx pgx.Tx) (bool, error) {
	var there *table
	err := inFull(ctx, tx, func() (err error) {
		there, err = describe(ctx, tx, w.stage)
		return err
	})
	if err != nil || there == nil {
		return false, err
	}
	var want []column
	for _, l := range w.shape.ordered() {
		if w.target.Disposition == syncline.Replace || slices.Contains(w.shape.key, l.name) {
			want = append(want, column{name: l.name, typ: l.typ.typ, enum: l.typ.enum, notNull: l.required && w.target.Disposition == syncline.Replace})
		}
	}
	return slices.Equal(there.columns, want), nil
}

// makeTarget makes the table that rows are appended to or merged into, or brings it into
// the entity's shape.
func (w *writer) makeTarget(ctx context.Context, tx pgx.Tx, f fence, have *table) (*table, error) {
	var statements []string
	switch {
	case have == nil:
		statements = append(statements, w.shape.create(w.name))
		if w.target.Disposition == syncline.Upsert {
			statements = append(statements, w.addKey(w.name))
		}
	case w.shape.changed():
		statements = append(statements, w.shape.alter(w.name))
	}
	if have != nil && w.target.Disposition == syncline.Upsert && !have.keyed(w.shape.key) {
		if !sameTable(f.TargetID, have) {
			return nil, w.noUnique()
		}
		statements = append(statements, "create unique index on "+w.name.quoted()+" ("+list("", w.shape.key)+")")
	}
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s); err != nil {
			return nil, err
		}
	}
	if have == nil {
		w.target.Note(syncline.Info, "created table %s", w.name.text())
	} else {
		w.shape.note(w.target, w.name)
	}
	have, err := describe(ctx, tx, w.name)
	if err == nil {
		w.settleOn(have)
	}
	return have, err
}

// settleOn decides how lanes write into a table.
func (w *writer) settleOn(have *table) {
	if w.target.Disposition == syncline.Replace {
		w.direct = true
		return
	}
	w.partitioned = have.kind == "p"
	w.direct = w.target.Disposition == syncline.Append && have.kind == "r" && !have.meddled && len(have.uniques) == 0
}

func (w *writer) addKey(n name) string {
	return "alter table " + n.quoted() + " add primary key (" + list("", w.shape.key) + ")"
}

// createSeen makes the table that remembers which keys a load has seen.
func (s *shape) createSeen(n name) string {
	seen := shape{}
	for _, l := range s.columns {
		if slices.Contains(s.key, l.name) {
			l.required = false
			seen.columns = append(seen.columns, l)
		}
	}
	return seen.create(n)
}
