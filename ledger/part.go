package ledger

import (
	"context"
	"slices"

	"github.com/synclinehq/syncline"
)

// Shares reports whether workers of other processes could do parts of this ledger's runs.
func (l *Ledger) Shares() bool { return l.store.Shared() }

// Offer lets idle workers take parts of one task of a held run, in place of what was
// offered of it before.
func (l *Ledger) Offer(ctx context.Context, h syncline.Hold, o syncline.Offer) error {
	return l.held(ctx, h, func(tx syncline.Tx, r *syncline.Run) error {
		if err := withdraw(tx, r.ID, o.Task); err != nil {
			return err
		}
		ps := make([]syncline.OfferedPart, len(o.Parts))
		for i, id := range o.Parts {
			ps[i] = syncline.OfferedPart{Run: r.ID, Task: o.Task, Part: id, Ordinal: i, State: syncline.PartOpen}
		}
		if err := tx.PutOffer(syncline.Offer{Run: r.ID, Task: o.Task, Payload: o.Payload}); err != nil {
			return err
		}
		if err := tx.PutParts(ps...); err != nil {
			return err
		}
		_, err := l.lend(tx, r, r.Worker) // from here on the run knows that it has offers
		return err
	})
}

// Withdraw ends the offer of a task; whoever still does a part of it has lost it.
func (l *Ledger) Withdraw(ctx context.Context, h syncline.Hold, task string) error {
	return l.held(ctx, h, func(tx syncline.Tx, r *syncline.Run) error { return withdraw(tx, r.ID, task) })
}

func withdraw(tx syncline.Tx, run, task string) error {
	ps, err := tx.Parts(run, task)
	if err != nil || len(ps) == 0 {
		return err
	}
	for _, p := range ps {
		if p.State != syncline.PartTaken {
			continue
		}
		if err := tx.DeleteLease(run, p.Lease()); err != nil {
			return err
		}
	}
	return tx.DeleteOffers(run, task)
}

// Parts lists the offered parts of a task in their order.
func (l *Ledger) Parts(ctx context.Context, run, task string) (ps []syncline.OfferedPart, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		ps, err = tx.Parts(run, task)
		return err
	})
	return ps, err
}

// TakePart gives the holder of a run the next part of its own offer, under a token above
// every one that was given out for it; nil when others have what is left. Its lease is
// that of the run. have names the parts it was given: another one that it is said to have
// was given to it by a call whose answer got lost.
func (l *Ledger) TakePart(ctx context.Context, h syncline.Hold, task string, have []string) (out *syncline.OfferedPart, err error) {
	err = l.held(ctx, h, func(tx syncline.Tx, r *syncline.Run) error {
		out, err = l.take(tx, r, task, r.Worker, func(p syncline.OfferedPart) bool {
			lost := p.State == syncline.PartTaken && p.Worker == r.Worker && !slices.Contains(have, p.Part)
			return lost || p.State == syncline.PartOpen || p.State == syncline.PartReserved
		})
		return err
	})
	return out, err
}

// take finds the first part that is free and lends it to worker.
func (l *Ledger) take(tx syncline.Tx, r *syncline.Run, task, worker string, free func(syncline.OfferedPart) bool) (*syncline.OfferedPart, error) {
	ps, err := tx.Parts(r.ID, task)
	i := slices.IndexFunc(ps, free)
	if err != nil || i < 0 || ask(*r) != syncline.AskNothing {
		return nil, err
	}
	p := ps[i]
	if p.Token, err = l.lend(tx, r, worker); err != nil {
		return nil, err
	}
	p.State, p.Worker = syncline.PartTaken, worker
	return &p, tx.PutParts(p)
}

// lend draws a token for a part, and lets the run name a helper it has not had.
func (l *Ledger) lend(tx syncline.Tx, r *syncline.Run, worker string) (int64, error) {
	now, err := tx.Now()
	if err != nil {
		return 0, err
	}
	m := move{event: evHelp, now: now, issue: now.UnixMicro(), worker: worker, reason: worker}
	next, err := transition(*r, m)
	if err != nil {
		return 0, err
	}
	if len(helpers(next)) == len(helpers(*r)) {
		err = tx.PutRun(&next)
	} else {
		err = l.put(tx, *r, &next, m)
	}
	*r = next
	return next.Issued, err
}

func helpers(r syncline.Run) []string {
	if len(r.Attempts) == 0 {
		return nil
	}
	return r.Attempts[len(r.Attempts)-1].Helpers
}

// ReportPart stores how far a part has come that was taken, by a helper under the part's
// lease or by the holder of the run. In another state than taken it is given back with
// that. A part that somebody else has taken since is refused.
func (l *Ledger) ReportPart(ctx context.Context, h syncline.Hold, p syncline.OfferedPart) error {
	return l.guarded(ctx, h, holdsAny, func(tx syncline.Tx, r *syncline.Run) error {
		ps, err := tx.Parts(r.ID, p.Task)
		i := slices.IndexFunc(ps, func(q syncline.OfferedPart) bool { return q.Part == p.Part && q.Token == p.Token })
		if err != nil {
			return err
		}
		if i >= 0 && h.Part == "" && ps[i].State == p.State {
			return nil // it is said again, because the first answer got lost
		}
		if i < 0 || ps[i].State != syncline.PartTaken || h.Part != "" && h.Part != p.Lease() {
			return syncline.ErrLeaseLost
		}
		now := ps[i]
		now.State, now.Counts = p.State, p.Counts
		if p.State != syncline.PartTaken && h.Part != "" {
			if err := tx.DeleteLease(r.ID, h.Part); err != nil {
				return err
			}
		}
		return tx.PutParts(now)
	})
}

// holdsAny accepts the holder of the run, and of a part that h names.
func holdsAny(tx syncline.Tx, r *syncline.Run, h syncline.Hold) (bool, error) {
	if h.Part == "" {
		return holdsRun(tx, r, h)
	}
	lease, err := tx.Lease(h.Run, h.Part)
	return err == nil && lease != nil && lease.Token == h.Token && r.State == syncline.StateRunning, err
}

// holdsRun accepts only the holder of the run.
func holdsRun(_ syncline.Tx, r *syncline.Run, h syncline.Hold) (bool, error) {
	return h.Part == "" && r.State == syncline.StateRunning && r.Token == h.Token, nil
}
