package elasticsearch

import (
	"context"
	"errors"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
)

// sweeps reports whether rows that the load has not seen are to go.
func (w *writer) sweeps() bool {
	t := w.target
	return t.Disposition == syncline.Replace || t.Disposition == syncline.Upsert && t.Deletes == syncline.DeletesHard && t.Mode == syncline.ModeFull && t.Window == nil
}

// clear removes the stream's documents that this load has not written, and says how many
// there were. That it has begun is written down first: who goes on in the middle of it is
// not to weigh what is left against what was there.
func (w *writer) clear(ctx context.Context, read int64, phase func(string)) (int64, error) {
	gone, err := w.count(ctx, w.unseen())
	if err != nil {
		return 0, err
	}
	if begun := w.fence.Gone; begun != nil {
		gone = max(gone, *begun)
	} else if err := w.guard(ctx, gone, read); err != nil {
		return 0, err
	}
	if gone == 0 {
		return 0, nil
	}
	f := w.fence
	f.Gone = &gone
	if err := w.change(ctx, f); err != nil {
		return 0, err
	}
	phase("sweep")
	return gone, w.sweep(ctx)
}

// guard stops what looks like an accident.
func (w *writer) guard(ctx context.Context, gone, read int64) error {
	had := w.fence.Had
	if stretch(w.target) {
		var err error
		if had, err = w.count(ctx, every(w.ours(), w.within())); err != nil {
			return err
		}
	}
	if w.target.Guard.Trips(had, gone, read) {
		return &destination.MassDelete{Table: w.target.Table, Had: had, Gone: gone, Read: read}
	}
	return nil
}

// sweep deletes page by page until a search finds nothing more. It is not _delete_by_query:
// that knows no token, and would delete what a newer holder has just written.
func (w *writer) sweep(ctx context.Context) error {
	for {
		var deleted int64
		err := w.db.scrollAll(ctx, w.target.Table, object{"query": w.unseen(), "_source": false}, func() {}, func(hits []hit) error {
			n, err := w.remove(ctx, hits)
			deleted += n
			return err
		})
		if err != nil {
			return failed(ctx, err, "remove documents of %s", w.target.Table)
		}
		if err := w.db.refresh(ctx, w.target.Table); err != nil {
			return failed(ctx, err, "refresh the index %s", w.target.Table)
		}
		if deleted == 0 {
			return nil // what is left was changed by others meanwhile: it is theirs until the next load
		}
	}
}

// remove deletes documents that have not been written since under a newer token.
func (w *writer) remove(ctx context.Context, hits []hit) (deleted int64, err error) {
	b := newBulk(w)
	for _, h := range hits {
		b.delete([]byte(h.ID), -1)
	}
	answers, err := w.send(ctx, b)
	if err != nil {
		return 0, err
	}
	for _, a := range answers {
		switch {
		case a.conflict():
			if err := w.held(ctx); err != nil {
				return deleted, err
			}
		case a.fault() != nil:
			return deleted, errors.Join(errSweep, a.fault())
		case a.Status == 200:
			deleted++
		}
	}
	return deleted, nil
}

var errSweep = errors.New("a document cannot be deleted")
