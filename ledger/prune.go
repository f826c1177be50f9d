package ledger

import (
	"context"
	"time"

	"github.com/synclinehq/syncline"
)

const pruneBatch = 200

// Prune removes final runs that a pipeline's keep_runs and keep_days no longer keep, in
// small transactions so that it never stands in a claim's way. It returns how many.
func (l *Ledger) Prune(ctx context.Context, p *syncline.Pipeline) (n int, err error) {
	d := p.Definition
	if d.KeepRuns == 0 && d.KeepDays == 0 {
		return 0, nil
	}
	for {
		deleted, err := l.pruneSome(ctx, p.ID, d)
		n += deleted
		if err != nil || deleted < pruneBatch {
			return n, err
		}
	}
}

func (l *Ledger) pruneSome(ctx context.Context, id string, d syncline.Definition) (n int, err error) {
	err = l.update(ctx, func(tx syncline.Tx) error {
		n = 0
		now, err := tx.Now()
		if err != nil {
			return err
		}
		var cutoff time.Time
		if d.KeepDays > 0 {
			cutoff = now.AddDate(0, 0, -d.KeepDays)
		}
		ids, err := tx.Prunable(id, d.KeepRuns, cutoff, pruneBatch)
		for _, id := range ids {
			gone, err := pruned(tx, id)
			if err != nil {
				return err
			}
			if gone {
				n++
			}
		}
		return err
	})
	return n, err
}
