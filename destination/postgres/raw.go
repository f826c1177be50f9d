package postgres

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/rows"
)

var _ destination.Accepter = (*database)(nil)

// Accepts takes tuples as another PostgreSQL sends them where they need nothing done to
// them: into a stage, each column into one of the very same type.
func (d *database) Accepts(ctx context.Context, t destination.Target) []rows.Format {
	if t.Disposition != syncline.Replace {
		return []rows.Format{rows.Arrow}
	}
	w, err := d.writer(t)
	if err != nil {
		return []rows.Format{rows.Arrow} // Open says why
	}
	s, err := w.look(ctx)
	if err != nil {
		_ = w.Close()
		return []rows.Format{rows.Arrow}
	}
	d.keep(w.conn) // Open is next
	if !s.sameTypes(t) {
		return []rows.Format{rows.Arrow}
	}
	return []rows.Format{rows.PGCopy, rows.Arrow}
}

// sameTypes reports whether all columns of the entity land, each in its own type, and one
// whose binary form means the same on every server: that of a composite, of an array of an
// extension's type, of regclass, names things by numbers that are the server's own.
func (s *shape) sameTypes(t destination.Target) bool {
	fields := t.Entity.Schema.Fields()
	if len(s.columns) != len(fields) {
		return false
	}
	for i, l := range s.columns {
		native, ok := strings.CutPrefix(rows.Native(fields[i]), pgcopy.Native)
		if !ok || l.field != i || l.typ.enum || l.typ.typ != native || pgcopy.SelectExpr(fields[i], native) != native {
			return false
		}
	}
	return true
}

// putRaw copies tuples as they came. Only when the server refuses one are they looked at.
func (l *lane) putRaw(ctx context.Context, b rows.Batch) error {
	if len(b.Raw) == 0 {
		return nil
	}
	l.bytes += len(b.Raw)
	err := l.savepoint(ctx, func() error { return l.sendRaw(ctx, bytes.NewReader(b.Raw), b.Rows) })
	if refusal(err) == nil {
		return err
	}
	if err := l.cut(b); err != nil {
		return err
	}
	return l.halves(ctx, 0, l.tuples.len(), l.sendCut, func(n int, why *pgconn.PgError) error { return l.refuseRaw(ctx, n, why) })
}

func (l *lane) sendRaw(ctx context.Context, tuples io.Reader, n int64) error {
	err := l.deliver(ctx, l.w.stage.quoted(), l.w.shape.names(), true, tuples, func() int64 { return n })
	if err == nil {
		l.pending.Inserted += n
	}
	return err
}

func (l *lane) sendCut(ctx context.Context, from, to int) error {
	return l.sendRaw(ctx, bytes.NewReader(l.tuples.slice(from, to)), int64(to-from))
}

// cut finds where the tuples of a batch end.
func (l *lane) cut(b rows.Batch) error {
	l.tuples.reset()
	l.ordinals = b.Ordinals()
	ends, err := pgcopy.Ends(b.Raw, len(l.w.shape.columns))
	if err == nil && len(ends) != len(l.ordinals) {
		err = fmt.Errorf("%d tuples in a batch of %d rows", len(ends), len(l.ordinals))
	}
	if err != nil {
		return fmt.Errorf("batch at row %d: %w", b.First, err)
	}
	l.tuples.buf = append(l.tuples.buf, b.Raw...)
	for i, end := range ends {
		l.tuples.ends, l.tuples.rows = append(l.tuples.ends, end), append(l.tuples.rows, i)
	}
	return nil
}

// refuseRaw keeps the one tuple that the server would not take.
func (l *lane) refuseRaw(ctx context.Context, n int, why *pgconn.PgError) error {
	r := rows.Reject{Row: l.ordinals[n], Code: codeOf(why), Message: why.Message}
	d, err := pgcopy.NewDecoder(l.w.target.Entity.Schema)
	if err != nil {
		return err
	}
	tuple := l.tuples.slice(n, n+1)
	if r.Key, err = d.Key(tuple, l.w.target.Entity.Key); err == nil {
		r.Sample, err = d.Sample(tuple)
	}
	if err != nil {
		return err
	}
	return l.reject(ctx, r)
}
