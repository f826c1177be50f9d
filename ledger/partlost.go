package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/synclinehq/syncline"
)

// maxLosses is how many helpers may fall silent over a part before it is left to the
// holder of the run, whose tries are counted.
const maxLosses = 2

// releasePart takes a part from a helper whose lease has ended. The run is not touched: its
// holder is well.
func (l *Ledger) releasePart(ctx context.Context, seen syncline.Lease, still func(*syncline.Lease, time.Time) bool) error {
	return l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.Run(seen.Run)
		if err != nil {
			return err
		}
		lease, err := tx.Lease(seen.Run, seen.Part)
		if err != nil {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		if lease == nil || lease.Token != seen.Token || !still(lease, now) {
			return errStillHeld
		}
		if err := tx.DeleteLease(seen.Run, seen.Part); err != nil {
			return err
		}
		return reopenPart(tx, r, lease)
	})
}

// reopenPart lets others take the part of a lease that is gone.
func reopenPart(tx syncline.Tx, r *syncline.Run, lease *syncline.Lease) error {
	p, err := leased(tx, r, lease)
	if err != nil || p == nil {
		return err
	}
	p.State, p.Losses = syncline.PartOpen, p.Losses+1
	if p.Losses >= maxLosses {
		p.State = syncline.PartReserved
	}
	if err := tx.PutParts(*p); err != nil {
		return err
	}
	return appendMessages(tx, r, []syncline.Message{{
		Severity: syncline.Warning, Task: p.Task,
		Text: fmt.Sprintf("worker %s, which helped with part %s, gave no sign of life since %s", lease.Worker, p.Part, lease.SeenAt.UTC().Format(time.RFC3339)),
	}})
}

// leased finds the part of a lease; nil when its offer is gone.
func leased(tx syncline.Tx, r *syncline.Run, lease *syncline.Lease) (*syncline.OfferedPart, error) {
	tasks, err := tx.Tasks(r.ID)
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		ps, err := tx.Parts(r.ID, t.Name)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(ps, func(p syncline.OfferedPart) bool { return p.Lease() == lease.Part && p.Token == lease.Token })
		if i >= 0 && ps[i].State == syncline.PartTaken {
			return &ps[i], nil
		}
	}
	return nil, nil
}
