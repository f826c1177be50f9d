package ledger

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
)

// Many runs that end at once are made durable by few transactions: each run is locked,
// its token compared and its end decided as if it were alone. A run that is in anybody's
// way, or whose end is refused, is left to its caller, to be ended alone.
const (
	endsMost = 64 // in one transaction
	flights  = 2  // transactions that end runs at a time; who comes meanwhile waits for the next
	endGrace = 750 * time.Millisecond
)

// ends gathers who waits.
type ends struct {
	mu      sync.Mutex
	flying  int
	waiting []*ending
}

type ending struct {
	hold   syncline.Hold
	answer chan ended
}

type ended struct {
	run   syncline.Run
	err   error
	alone bool // nothing was done: it is to be tried alone
}

// finishGrouped ends a run at once while few others end, else with those that wait.
func (l *Ledger) finishGrouped(ctx context.Context, h syncline.Hold) (syncline.Run, error) {
	e := l.ends.wait(h)
	if e == nil {
		defer l.land()
		return l.finish(ctx, h)
	}
	var a ended
	select {
	case a = <-e.answer:
	case <-ctx.Done():
		if l.ends.withdraw(e) {
			return syncline.Run{}, ctx.Err()
		}
		select {
		case a = <-e.answer:
		case <-time.After(endGrace):
			return syncline.Run{}, unconfirmed(h)
		}
	}
	if a.alone {
		return l.finish(ctx, h)
	}
	return a.run, a.err
}

func unconfirmed(h syncline.Hold) error {
	return syncline.Errorf(syncline.Unavailable, "the ledger did not confirm the end of run %s", h.Run).Because("commit_unknown").Again()
}

// wait queues a run; nil means that there is a place: the caller flies, and lands.
func (e *ends) wait(h syncline.Hold) *ending {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flying < flights {
		e.flying++
		return nil
	}
	w := &ending{hold: h, answer: make(chan ended, 1)}
	e.waiting = append(e.waiting, w)
	return w
}

// withdraw reports whether w still waited.
func (e *ends) withdraw(w *ending) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.Index(e.waiting, w)
	if i >= 0 {
		e.waiting = slices.Delete(e.waiting, i, i+1)
	}
	return i >= 0
}

// next takes those who wait; none: the place is free again.
func (e *ends) next() (batch []*ending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := min(len(e.waiting), endsMost)
	batch, e.waiting = e.waiting[:n:n], e.waiting[n:]
	if n == 0 {
		e.flying--
		e.waiting = nil
	}
	return batch
}

// land hands the place to those who wait. Their flight outlasts none of them by more
// than the time that a call may take.
func (l *Ledger) land() {
	if batch := l.ends.next(); len(batch) > 0 {
		go func() {
			for ; len(batch) > 0; batch = l.ends.next() {
				l.endTogether(batch)
			}
		}()
	}
}

// endTogether answers everyone of a batch.
func (l *Ledger) endTogether(batch []*ending) {
	answers, undone := make([]ended, len(batch)), false
	err := l.update(context.Background(), func(tx syncline.Tx) error {
		err := l.endAll(tx, batch, answers)
		undone = err != nil
		return err
	})
	for i, e := range batch {
		switch {
		case undone:
			answers[i] = ended{alone: true}
		case err != nil:
			answers[i] = ended{err: err}
		}
		e.answer <- answers[i]
	}
}

func (l *Ledger) endAll(tx syncline.Tx, batch []*ending, answers []ended) error {
	var ids []string
	place := map[string]int{}
	for i, e := range batch {
		answers[i] = ended{alone: true}
		if _, twice := place[e.hold.Run]; !twice {
			place[e.hold.Run] = i
			ids = append(ids, e.hold.Run)
		}
	}
	runs, err := tx.RunsInLanes(ids...)
	if err != nil {
		return err
	}
	runs = slices.DeleteFunc(runs, func(r *syncline.Run) bool {
		projected := len(r.Ext) > 0 // which may lock pipelines, in whatever order
		child := r.Parent != nil    // which locks its parent
		return projected || child || !holdsNow(r, batch[place[r.ID]].hold)
	})
	before := make([]syncline.Run, len(runs))
	tallies, err := tx.Tally(runs...)
	if err != nil {
		return err
	}
	for i, r := range runs {
		before[i] = *r
		h := batch[place[r.ID]].hold
		out, stale, err := l.apply(tx, r, evDone, func(tx syncline.Tx, r *syncline.Run, m *move) error {
			m.token = h.Token
			return finishing(tx, r, m, tallies[i])
		})
		if err != nil {
			return err
		}
		answers[place[r.ID]] = ended{run: out, alone: stale}
	}
	for _, b := range before {
		if err := promoted(tx, b, answers[place[b.ID]].run); err != nil {
			return err
		}
	}
	return nil
}
