package ledger

import (
	"context"
	"slices"

	"github.com/synclinehq/syncline"
)

// lookAt bounds how many tasks with open parts one look for work considers.
const lookAt = 50

// Help gives an idle worker one part of a run that another worker holds, under a lease and
// a token of its own; nil when there is none. What may be claimed may be helped with: the
// worker's kinds, host and pipelines count as they do there.
func (l *Ledger) Help(ctx context.Context, w syncline.Worker) (*syncline.PartGrant, error) {
	if !l.Shares() {
		return nil, nil
	}
	offers, err := l.helpable(ctx, w)
	for _, o := range offers {
		g, err := l.help(ctx, w, o.Run, o.Task)
		if g != nil || err != nil && syncline.CodeOf(err) != syncline.NotFound {
			return g, err
		}
	}
	return nil, err
}

// helpable looks without a lock: most looks find nothing.
func (l *Ledger) helpable(ctx context.Context, w syncline.Worker) (out []syncline.OfferedPart, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		out = nil
		open, err := tx.OpenParts(lookAt)
		for _, p := range open {
			r, err := tx.Run(p.Run)
			if err != nil && syncline.CodeOf(err) != syncline.NotFound {
				return err
			}
			if err == nil && (mayHelp(w, *r) || r.State != syncline.StateRunning) {
				out = append(out, p)
			}
		}
		return err
	})
	return out, err
}

func mayHelp(w syncline.Worker, r syncline.Run) bool {
	return r.State == syncline.StateRunning && ask(r) == syncline.AskNothing && r.Worker != w.ID &&
		slices.Contains(w.Kinds, r.Kind) && (r.Host == "" || r.Host == w.Host) &&
		(len(w.Only) == 0 || slices.Contains(w.Only, r.PipelineID)) && (w.Run == "" || w.Run == r.ID)
}

func (l *Ledger) help(ctx context.Context, w syncline.Worker, run, task string) (g *syncline.PartGrant, err error) {
	err = l.update(ctx, func(tx syncline.Tx) error {
		g = nil
		r, err := tx.Run(run)
		if err != nil {
			return err
		}
		if r.State != syncline.StateRunning { // a program that knew of no offers has ended it
			return tx.DeleteOffers(run, "")
		}
		if !mayHelp(w, *r) {
			return nil
		}
		p, err := l.take(tx, r, task, w.ID, func(p syncline.OfferedPart) bool { return p.State == syncline.PartOpen })
		if err != nil || p == nil {
			return err
		}
		g, err = l.partGrant(tx, r, p)
		if err != nil {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		return tx.PutLease(syncline.Lease{
			Run: run, Part: p.Lease(), Token: p.Token, Worker: w.ID, Session: w.Session, SeenAt: now, ExpiresAt: now.Add(l.ttl),
		})
	})
	return g, err
}

func (l *Ledger) partGrant(tx syncline.Tx, r *syncline.Run, p *syncline.OfferedPart) (*syncline.PartGrant, error) {
	o, err := tx.Offer(r.ID, p.Task)
	if err == nil && o == nil {
		err = syncline.Errorf(syncline.NotFound, "run %q offers nothing of %s", r.ID, p.Task)
	}
	if err != nil {
		return nil, err
	}
	d, err := tx.Revision(r.PipelineID, r.Revision)
	if err != nil {
		return nil, err
	}
	t, err := tx.Task(r.ID, p.Task)
	if err != nil {
		return nil, err
	}
	return &syncline.PartGrant{Run: *r, Definition: *d, Task: *t, Part: *p, Payload: o.Payload, TTL: l.ttl}, nil
}
