package ledger

import (
	"time"

	"github.com/synclinehq/syncline"
)

// enter makes a new run the head of its lane if nobody is, or if the head has not begun and
// is due later: it would keep the lane from everybody until then.
func enter(tx syncline.Tx, r *syncline.Run, now time.Time) error {
	head, err := tx.LaneHead(r.Lane)
	if err != nil {
		return err
	}
	if head == nil {
		r.Head = true
		return nil
	}
	if !yields(head, later(r.Due, now)) {
		return nil
	}
	if head, err = tx.Run(head.ID); err != nil || !yields(head, later(r.Due, now)) { // locked: others may claim it
		return err
	}
	head.Head, r.Head = false, true
	return tx.PutRun(head)
}

// yields reports whether a head can step back for a run that is due at a time. One that has
// begun cannot: only as a head is it found again.
func yields(head *syncline.Run, due time.Time) bool {
	return head.State == syncline.StatePending && head.StartedAt.IsZero() && head.NotBefore.After(due)
}
