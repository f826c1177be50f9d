package ledger

import (
	"context"

	"github.com/synclinehq/syncline"
)

// Delete removes a run with all that hangs on it, its children too, in whatever state: one
// that has not ended is canceled first, over the head of a worker that is at it.
func (l *Ledger) Delete(ctx context.Context, id string) error {
	for {
		children, err := l.deleteChildless(ctx, id)
		if err != nil || len(children) == 0 {
			return err
		}
		for _, c := range children {
			if err := l.Delete(ctx, c.ID); err != nil && syncline.CodeOf(err) != syncline.NotFound {
				return err
			}
		}
	}
}

// deleteChildless ends a run, and removes it if it has no children: they go before it,
// because nobody waits for a child who has locked its parent.
func (l *Ledger) deleteChildless(ctx context.Context, id string) (children []*syncline.Run, err error) {
	err = l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.RunInLane(id)
		if err != nil {
			return err
		}
		if !r.State.Final() {
			if err := l.cancelNow(tx, *r, "deleted"); err != nil {
				return err
			}
		}
		children, err = tx.Runs(syncline.RunFilter{ParentRun: id, Limit: MaxChildren})
		if err != nil || len(children) > 0 {
			return err
		}
		return remove(tx, r)
	})
	return children, err
}

// remove deletes a run, and a definition that is its own.
func remove(tx syncline.Tx, r *syncline.Run) error {
	if r.Revision < 0 {
		if err := tx.DeleteRevision(r.PipelineID, r.Revision); err != nil {
			return err
		}
	}
	return tx.DeleteRun(r.ID)
}

// pruned removes a run that has ended, with its children. While one of these has not, all
// are kept.
func pruned(tx syncline.Tx, id string) (bool, error) {
	children, err := tx.Runs(syncline.RunFilter{ParentRun: id, Limit: MaxChildren})
	if err != nil {
		return false, err
	}
	for _, c := range children {
		if !c.State.Final() {
			return false, nil
		}
	}
	for _, c := range children {
		if err := remove(tx, c); err != nil {
			return false, err
		}
	}
	return true, tx.DeleteRun(id)
}
