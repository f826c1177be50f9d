package ledger

import (
	"context"

	"github.com/synclinehq/syncline"
)

// Cancel ends a run that nobody holds at once, and asks the holder of a running one to
// stop: it hears within a beat, and has a minute. The run's children are canceled with it.
// Canceling a canceled run is no error.
func (l *Ledger) Cancel(ctx context.Context, id, reason string) (syncline.Run, error) {
	r, err := l.ask(ctx, id, evRequestCancel, nil, reason)
	if err != nil || r.Owner != syncline.OwnerExternal { // no other has children
		return r, err
	}
	if _, err := l.reap(ctx); err != nil {
		l.log.Warn("the children of a canceled run are left to the next scan", "run", id, "error", err)
	}
	return r, nil
}

// Hold makes a run wait for a person. The holder of a running one stops at its next beat
// and keeps what is durable.
func (l *Ledger) Hold(ctx context.Context, id, reason string) (syncline.Run, error) {
	return l.ask(ctx, id, evRequestHold, nil, reason)
}

// Resume lets a waiting run go on, or a failed one: same load, from its checkpoint.
// confirm names the waits the caller agrees to.
func (l *Ledger) Resume(ctx context.Context, id string, confirm ...syncline.Wait) (syncline.Run, error) {
	return l.ask(ctx, id, evResume, confirm, "")
}

func (l *Ledger) ask(ctx context.Context, id string, ev event, confirm []syncline.Wait, reason string) (syncline.Run, error) {
	return l.change(ctx, id, ev, func(tx syncline.Tx, r *syncline.Run, m *move) error {
		m.confirm, m.reason = confirm, reason
		if ev == evResume && r.State == syncline.StateSuspended {
			return reopenTasks(tx, r)
		}
		return nil
	})
}
