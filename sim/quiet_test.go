package sim

import (
	"context"
	"slices"
	"time"

	"github.com/synclinehq/syncline"
)

// heal ends all trouble and the schedule.
func (w *world) heal() {
	w.mu.Lock()
	w.away = time.Time{}
	w.mu.Unlock()
	for _, p := range slices.Concat(w.live, w.left) {
		p.set(func() { p.pause, p.cut, p.slow = time.Time{}, time.Time{}, time.Time{} })
	}
	w.server()
	w.worker()
	err := w.audit.View(context.Background(), func(tx syncline.Tx) error {
		rows, err := tx.Schedules("p0")
		if err == nil {
			w.check.upTo = rows[0].NextSlot
		}
		return err
	})
	if err == nil {
		err = w.audit.Update(context.Background(), func(tx syncline.Tx) error { return tx.PutSchedules("p0", nil) })
	}
	if err != nil {
		w.t.Error(err)
	}
}

// quiet waits until all runs have ended. Those that wait for a person get one.
func (w *world) quiet() {
	healed := time.Now()
	for ; time.Since(healed) < patient; time.Sleep(3 * time.Second) {
		w.check.settled()
		left := w.check.unfinished()
		if len(left) == 0 || w.t.Failed() {
			return
		}
		for _, id := range left {
			w.help(w.check.runs[id])
		}
	}
	for _, id := range w.check.unfinished() {
		r := w.check.runs[id]
		w.t.Errorf("run %s never ends: %s %s, head %v, token %d, not before %s; it is %s", id, r.State, r.Wait, r.Head, r.Token, r.NotBefore, time.Now())
	}
}

// help resumes what waits for a person, and cancels what a wrong clock put off.
func (w *world) help(r syncline.Run) {
	ctx := context.Background()
	var err error
	switch {
	case r.State == syncline.StateSuspended && r.Wait != syncline.WaitShutdown:
		_, err = w.desk.Resume(ctx, r.ID, syncline.WaitMassDelete)
	case r.State == syncline.StatePending && time.Until(r.NotBefore) > patient:
		_, err = w.desk.Cancel(ctx, r.ID, "a wrong clock put it off")
	}
	if code := syncline.CodeOf(err); err != nil && code != syncline.FailedPrecondition {
		w.t.Errorf("run %s: %v", r.ID, err)
	}
}
