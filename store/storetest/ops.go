package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/synclinehq/syncline"
)

// ops are a run's three transactions, as the ledger makes them.
type ops struct {
	syncline.Store
	reporter
}

// reporter is what a test and a benchmark share.
type reporter interface {
	Context() context.Context
	Errorf(format string, args ...any)
}

func (o *ops) claim(worker string, limit int) (got []*syncline.Run) {
	err := o.Update(o.Context(), func(tx syncline.Tx) error {
		var err error
		if got, err = tx.Claimable(syncline.ClaimFilter{Kinds: []string{"sync"}, Limit: limit}); err != nil {
			return err
		}
		for _, r := range got {
			r.State, r.Worker = syncline.StateRunning, worker
			r.Token++
			if err := errors.Join(tx.PutRun(r), tx.PutLease(syncline.Lease{Run: r.ID, Token: r.Token, Session: worker})); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		o.Errorf("claim: %v", err)
		return nil
	}
	return got
}

func (o *ops) finish(id string) {
	err := o.Update(o.Context(), func(tx syncline.Tx) error {
		r, err := tx.RunInLane(id)
		if err != nil {
			return err
		}
		if r.State != syncline.StateRunning {
			return fmt.Errorf("run %s is %s", id, r.State)
		}
		r.State, r.Head = syncline.StateSucceeded, false
		if err := errors.Join(tx.PutRun(r), tx.DeleteLeases(id), tx.AppendEvents(syncline.Event{RunID: id, Seq: 1})); err != nil {
			return err
		}
		next, err := tx.LaneNext(r.Lane)
		if err != nil || next == nil {
			return err
		}
		next.Head = true
		return tx.PutRun(next)
	})
	if err != nil {
		o.Errorf("finish %s: %v", id, err)
	}
}

func (o *ops) start(id, lane string) {
	err := o.Update(o.Context(), func(tx syncline.Tx) error {
		if err := tx.LockLane(lane); err != nil {
			return err
		}
		head, err := tx.LaneHead(lane)
		if err != nil {
			return err
		}
		return tx.InsertRun(run(id, func(r *syncline.Run) { r.Lane, r.Head, r.NotBefore = lane, head == nil, day.AddDate(-1, 0, 0) }))
	})
	if err != nil {
		o.Errorf("start %s: %v", id, err)
	}
}
