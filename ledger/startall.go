package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/synclinehq/syncline"
)

// MaxOrders is how many runs are started at once.
const MaxOrders = 1000

// StartAll writes a run for each order, all of them or none, and answers them in the order
// given. They queue, whatever the pipeline's overlap policy: who asks for several wants
// several. Runs go one after another, first those that are due first, and of those the ones
// ordered first; a Due that has passed is now. An order whose dedupe key is known is answered
// with the run of the first call.
func (l *Ledger) StartAll(ctx context.Context, orders []Order) (runs []syncline.Run, err error) {
	if len(orders) > MaxOrders {
		return nil, syncline.Errorf(syncline.InvalidArgument, "%d runs are more than can be started at once", len(orders)).
			Try("at most %d: take a shorter range, or longer intervals", MaxOrders)
	}
	err = l.update(ctx, func(tx syncline.Tx) error {
		runs, err = l.startAll(tx, orders)
		return err
	})
	if err != nil {
		return nil, err
	}
	return runs, nil
}

func (l *Ledger) startAll(tx syncline.Tx, orders []Order) ([]syncline.Run, error) {
	pipelines, err := lockAll(tx, orders)
	if err != nil {
		return nil, err
	}
	now, err := tx.Now()
	if err != nil {
		return nil, err
	}
	runs := make([]syncline.Run, len(orders))
	for n, i := range queued(orders, now) {
		if runs[i], err = l.enqueue(tx, pipelines[orders[i].PipelineID], orders[i], now, n); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// lockAll locks the lanes of all pipelines that are named, always in the same order: two who
// name the same ones must not wait for each other.
func lockAll(tx syncline.Tx, orders []Order) (map[string]*syncline.Pipeline, error) {
	found := map[string]*syncline.Pipeline{}
	var ids []string
	for _, o := range orders {
		ids = append(ids, o.PipelineID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, lane := range []func(string) string{contentLane, accessLane} {
		for _, id := range ids {
			if err := tx.LockLane(lane(id)); err != nil {
				return nil, err
			}
		}
	}
	for _, id := range ids {
		p, err := tx.Pipeline(id)
		if err != nil {
			return nil, err
		}
		found[id] = p
	}
	return found, nil
}

// queued are the places of orders in the order in which they are to run.
func queued(orders []Order, now time.Time) []int {
	places := make([]int, len(orders))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int { return later(orders[a].Due, now).Compare(later(orders[b].Due, now)) })
	return places
}

// enqueue writes the n-th run of a queue. A microsecond parts it from the one before, so that
// their order is that of the queue whatever their ids are.
func (l *Ledger) enqueue(tx syncline.Tx, p *syncline.Pipeline, o Order, now time.Time, n int) (syncline.Run, error) {
	if err := checkOrder(o); err != nil {
		return syncline.Run{}, err
	}
	if first, err := repeated(tx, o); first != nil || err != nil {
		return deref(first), err
	}
	o.Due = later(o.Due, now).Add(time.Duration(n) * time.Microsecond)
	r := l.draft(p, o)
	r.Lane = queue(p, o.Mode)
	if err := enter(tx, &r, now); err != nil {
		return r, err
	}
	if err := l.insert(tx, &r, "created"); err != nil {
		return r, err
	}
	_, err := planned(tx, r.ID, o.Tasks)
	return r, err
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
