package postgres

import (
	"bytes"
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
)

var _ destination.Corrector = (*database)(nil)

// Corrects holds for a stage, in which repeats are thinned out before it is visible, and
// for an upsert, which settles them as they come.
func (d *database) Corrects(t destination.Target) bool {
	return t.Disposition == syncline.Replace && t.Window == nil || t.Disposition == syncline.Upsert
}

// census is the table of the keys that a census has named. It belongs to the stage, with
// which it is kept or dropped.
func (w *writer) census() name { return name{w.stage.schema, w.stage.table + "_keys"} }

// counts reports whether a census has a say: whether rows go at all that are not read.
func (w *writer) counts() bool { return w.target.Disposition == syncline.Replace || w.sweeps() }

// named takes the keys of a batch of a census. They become durable with the part's
// position; a census that begins anew forgets those of an earlier one.
func (l *lane) named(ctx context.Context, b rows.Batch) error {
	if !l.w.counts() {
		return nil
	}
	if b.Census == rows.CensusBegins {
		for _, sql := range []string{"drop table if exists " + l.w.census().quoted(), l.w.shape.createSeen(l.w.census())} {
			if err := simple(ctx, l.conn, sql); err != nil {
				return err
			}
		}
	}
	keys, err := l.keysOf(b)
	if err != nil || len(keys) == 0 {
		return err
	}
	l.bytes += len(keys)
	binary := b.Format == rows.PGCopy || l.enc.key.Binary()
	return l.deliver(ctx, l.w.census().quoted(), l.w.shape.key, binary, bytes.NewReader(keys), func() int64 { return b.Rows })
}

func (l *lane) keysOf(b rows.Batch) (keys []byte, err error) {
	if b.Format == rows.PGCopy {
		return b.Raw, nil
	}
	l.enc.key.Bind(b.Record)
	for i := range int(b.Rows) {
		if keys, err = appendRow(keys, l.enc.key, i); err != nil {
			return nil, fmt.Errorf("key %d of a census: %w", i, err)
		}
	}
	return keys, nil
}

// counted reports whether a census was taken for this load.
func (p *publishing) counted(ctx context.Context) (there bool, err error) {
	err = p.tx.QueryRow(ctx, "select to_regclass($1) is not null", p.census().quoted()).Scan(&there)
	return there, err
}

// absent removes rows of the stage that the source no longer has: they were read, and then
// went, while the load was interrupted.
func (p *publishing) absent(ctx context.Context) (int64, error) {
	there, err := p.counted(ctx)
	if err != nil || !there {
		return 0, err
	}
	tag, err := p.tx.Exec(ctx, "delete from "+p.stage.quoted()+" s where not exists (select from "+p.census().quoted()+" k where "+pairs(p.shape.key, "k.%s = s.%[1]s", " and ")+")")
	return tag.RowsAffected(), err
}

// seen is the table that names the keys which the source has: those this load has come by,
// or, better, those of a census.
func (p *publishing) seen(ctx context.Context) (name, error) {
	there, err := p.counted(ctx)
	if there {
		return p.census(), err
	}
	return p.stage, err
}

var _ destination.Joiner = (*writer)(nil)

// Join learns what Takeover has left, and changes nothing.
func (w *writer) Join(ctx context.Context) error {
	return w.transact(ctx, "join the load of "+w.name.text(), func(tx pgx.Tx) error {
		f, err := w.cp.fence(ctx, tx, w.stream, "")
		if err != nil {
			return err
		}
		if f.Token != w.token || f.Load != w.target.Load || f.Done {
			return syncline.ErrLeaseLost
		}
		have, s, err := w.meet(ctx, tx)
		if err != nil {
			return err
		}
		w.shape = s
		return w.joins(ctx, tx, have)
	})
}

// joins holds what the helper sees against what the load was begun for: rows that are
// encoded for other columns would be refused one by one.
func (w *writer) joins(ctx context.Context, tx pgx.Tx, have *table) error {
	fits := have != nil || w.target.Disposition == syncline.Replace
	if fits && w.staged() {
		var err error
		if fits, err = w.stageFits(ctx, tx); err != nil {
			return err
		}
	}
	if !fits || w.target.Disposition != syncline.Replace && w.shape.changed() {
		return altered(w.name)
	}
	w.settleOn(have)
	return nil
}
