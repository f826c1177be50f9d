package ledger

import (
	"context"

	"github.com/synclinehq/syncline"
)

// Claim hands up to n claimable runs to a worker, each under a new token. No run is
// handed out twice. An empty answer means there is nothing to do now.
func (l *Ledger) Claim(ctx context.Context, w syncline.Worker, n int) (grants []syncline.Grant, err error) {
	if !l.store.Shared() {
		// Most polls find nothing and must not cost the only writer a commit. Where writers
		// are many, a transaction that finds nothing costs none.
		if some, err := l.claimable(ctx, w); err != nil || !some {
			return nil, err
		}
	}
	err = l.update(ctx, func(tx syncline.Tx) error {
		grants = nil
		runs, err := tx.Claimable(claimFilter(w, n))
		if err != nil {
			return err
		}
		tallies, err := tx.Tally(runs...)
		if err != nil {
			return err
		}
		for i, r := range runs {
			g, err := l.claimOne(tx, w, *r, tallies[i])
			if err != nil {
				return err
			}
			grants = append(grants, g)
		}
		return begun(tx, grants)
	})
	return grants, err
}

// claimable looks without a lock.
func (l *Ledger) claimable(ctx context.Context, w syncline.Worker) (some bool, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		runs, err := tx.Claimable(claimFilter(w, 1))
		some = len(runs) > 0
		return err
	})
	return some, err
}

func claimFilter(w syncline.Worker, n int) syncline.ClaimFilter {
	return syncline.ClaimFilter{Kinds: w.Kinds, Host: w.Host, Only: w.Only, Run: w.Run, Limit: n}
}

func (l *Ledger) claimOne(tx syncline.Tx, w syncline.Worker, r syncline.Run, had syncline.Tally) (syncline.Grant, error) {
	now, err := tx.Now()
	if err != nil {
		return syncline.Grant{}, err
	}
	d, tasks := had.Definition, had.Tasks
	if d == nil {
		return syncline.Grant{}, noRevision(&r)
	}
	if err := newAttempt(tx, tasks); err != nil {
		return syncline.Grant{}, err
	}
	m := move{event: evClaim, now: now, issue: now.UnixMicro(), worker: w.ID, read: syncline.Totals(tasks).Read, deadline: d.Deadline, reason: w.ID}
	next, err := transition(r, m)
	if err != nil {
		return syncline.Grant{}, err
	}
	lease := syncline.Lease{Run: r.ID, Token: next.Token, Worker: w.ID, Session: w.Session, SeenAt: now, ExpiresAt: now.Add(l.ttl), Ask: ask(next)}
	if err := tx.PutLease(lease); err != nil {
		return syncline.Grant{}, err
	}
	if err := l.put(tx, r, &next, m); err != nil {
		return syncline.Grant{}, err
	}
	return syncline.Grant{Run: next, Definition: *d, Tasks: tasks, TTL: l.ttl}, nil
}

func noRevision(r *syncline.Run) error {
	return syncline.Errorf(syncline.NotFound, "no revision %d of pipeline %q", r.Revision, r.PipelineID)
}

// newAttempt starts the counting of what this attempt itself reads.
func newAttempt(tx syncline.Tx, tasks []*syncline.Task) error {
	for _, t := range tasks {
		if t.Stats.Attempted == 0 {
			continue
		}
		t.Stats.Attempted = 0
		if err := tx.PutStats(t.RunID, t.Name, t.Stats); err != nil {
			return err
		}
	}
	return nil
}

func attempted(tasks []*syncline.Task) (n int64) {
	for _, t := range tasks {
		n += t.Stats.Attempted
	}
	return n
}
