package ledger

import (
	"context"
	"time"

	"github.com/synclinehq/syncline"
)

// Finish ends a held run whose tasks have all ended: its state follows from theirs.
// Tasks that wait for a retry send it back to wait, or fail when the tries are used up.
func (l *Ledger) Finish(ctx context.Context, h syncline.Hold) (syncline.Run, error) {
	if !l.store.Shared() {
		return l.finish(ctx, h) // such a store groups by itself
	}
	return l.finishGrouped(ctx, h)
}

func (l *Ledger) finish(ctx context.Context, h syncline.Hold) (syncline.Run, error) {
	return l.change(ctx, h.Run, evDone, func(tx syncline.Tx, r *syncline.Run, m *move) error {
		if m.token = h.Token; !holdsNow(r, h) {
			return nil // transition refuses it
		}
		all, err := tx.Tally(r)
		if err != nil {
			return err
		}
		return finishing(tx, r, m, all[0])
	})
}

func holdsNow(r *syncline.Run, h syncline.Hold) bool {
	return r.State == syncline.StateRunning && r.Token == h.Token
}

// finishing decides how a run ends, or that it waits, by what hangs on it.
func finishing(tx syncline.Tx, r *syncline.Run, m *move, had syncline.Tally) error {
	counted(r, m, had)
	if retry := waiting(had.Tasks); retry != nil && !canceling(*r) {
		if !exhausted(*r, m.moved) {
			m.event, m.err, m.retryAt = evFailRetryable, retry.Error, m.now.Add(retryWait(*r, retry.Error, m.moved))
			return nil
		}
		if err := failWaiting(tx, had.Tasks); err != nil {
			return err
		}
	}
	if had.Definition == nil {
		return noRevision(r)
	}
	m.event, r.Facts.FailedTasks, m.err = outcome(had.Definition.Outcome, had.Tasks)
	return nil
}

// Fail ends a held run that could not come as far as its tasks: a definition that cannot
// be opened, a source that cannot list its entities.
func (l *Ledger) Fail(ctx context.Context, h syncline.Hold, e *syncline.Error) (syncline.Run, error) {
	return l.change(ctx, h.Run, evFailPermanent, func(tx syncline.Tx, r *syncline.Run, m *move) error {
		m.token, m.err = h.Token, e
		if _, err := l.tally(tx, r, m); err != nil {
			return err
		}
		if e.Retryable {
			m.event, m.retryAt = evFailRetryable, m.now.Add(retryWait(*r, e, m.moved))
		}
		return nil
	})
}

// AckCancel ends a held run because somebody asked to cancel it.
func (l *Ledger) AckCancel(ctx context.Context, h syncline.Hold) (syncline.Run, error) {
	return l.leave(ctx, h, evAckCancel, "", nil)
}

// Yield hands a held run back because its worker stops; whoever claims it next goes on.
func (l *Ledger) Yield(ctx context.Context, h syncline.Hold) (syncline.Run, error) {
	return l.leave(ctx, h, evYield, syncline.WaitShutdown, nil)
}

// Suspend makes a held run wait for a person.
func (l *Ledger) Suspend(ctx context.Context, h syncline.Hold, w syncline.Wait, e *syncline.Error) (syncline.Run, error) {
	return l.leave(ctx, h, evSuspend, w, e)
}

func (l *Ledger) leave(ctx context.Context, h syncline.Hold, ev event, w syncline.Wait, e *syncline.Error) (syncline.Run, error) {
	return l.change(ctx, h.Run, ev, func(tx syncline.Tx, r *syncline.Run, m *move) error {
		m.token, m.wait, m.err = h.Token, w, e
		_, err := l.tally(tx, r, m)
		return err
	})
}

// tally fills in what the tasks say of the attempt that ends.
func (l *Ledger) tally(tx syncline.Tx, r *syncline.Run, m *move) (syncline.Tally, error) {
	all, err := tx.Tally(r)
	if err != nil {
		return syncline.Tally{}, err
	}
	counted(r, m, all[0])
	return all[0], nil
}

func counted(r *syncline.Run, m *move, had syncline.Tally) {
	m.tally, r.Facts.Rejects = &had, had.Rejects+childRejects(had.Tasks)
	m.read, m.ownRead = syncline.Totals(had.Tasks).Read, attempted(had.Tasks)
	if n := len(r.Attempts); n > 0 {
		m.moved = m.read > r.Attempts[n-1].ReadBase
	}
}

// retryWait is what the other side asked for, or a jittered backoff.
func retryWait(r syncline.Run, e *syncline.Error, moved bool) time.Duration {
	if e != nil && e.RetryAfter > 0 {
		return min(e.RetryAfter, time.Hour)
	}
	if moved {
		return jitter(1)
	}
	return jitter(r.Tries)
}

func exhausted(r syncline.Run, moved bool) bool { return !moved && r.Tries >= r.Max }

// waiting is the first task that could succeed later.
func waiting(tasks []*syncline.Task) *syncline.Task {
	for _, t := range tasks {
		if t.State == syncline.TaskRetryWait {
			return t
		}
	}
	return nil
}

func failWaiting(tx syncline.Tx, tasks []*syncline.Task) error {
	for _, t := range tasks {
		if t.State != syncline.TaskRetryWait {
			continue
		}
		t.State = syncline.TaskFailed
		if err := stamp(tx, t); err != nil {
			return err
		}
		if err := tx.PutTask(t); err != nil {
			return err
		}
	}
	return nil
}

// outcome draws a run's end from its tasks: which event, how many tasks failed, and the
// decisive error.
func outcome(rule syncline.Outcome, tasks []*syncline.Task) (event, int, *syncline.Error) {
	var failed, succeeded int
	var first *syncline.Error
	for _, t := range tasks {
		switch t.State {
		case syncline.TaskSucceeded:
			succeeded++
		default:
			failed++
			if first == nil {
				first = t.Error
			}
		}
	}
	switch {
	case failed == 0:
		return evDone, 0, nil
	case succeeded == 0 || rule == syncline.OutcomeAll:
		return evFailPermanent, failed, first
	}
	return evDone, failed, partly(failed, len(tasks), first)
}

// partly is the error of a run that succeeded in part.
func partly(failed, all int, first *syncline.Error) *syncline.Error {
	e := syncline.Errorf(syncline.Unknown, "%d of %d entities failed: %s", failed, all, message(first))
	if first != nil {
		e.Code, e.Class, e.Hint, e.Reason = first.Code, first.Class, first.Hint, first.Reason
	}
	return e
}

// endTasks ends what is left of a run that has ended.
func endTasks(tx syncline.Tx, r *syncline.Run, m move) error {
	tasks, err := m.tasks(tx, r)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if t.State.Final() {
			continue
		}
		t.State, t.StateAt, t.EndedAt = leftover(r.State, t.State), m.now, m.now
		if t.State == syncline.TaskFailed && t.Error == nil {
			t.Error = r.Error
		}
		if err := tx.PutTask(t); err != nil {
			return err
		}
	}
	return nil
}

// tasks are the run's, read at most once.
func (m move) tasks(tx syncline.Tx, r *syncline.Run) ([]*syncline.Task, error) {
	if m.tally != nil {
		return m.tally.Tasks, nil
	}
	return tx.Tasks(r.ID)
}

// leftover is what becomes of an unfinished task when its run ends.
func leftover(run syncline.State, was syncline.TaskState) syncline.TaskState {
	switch {
	case run == syncline.StateCanceled:
		return syncline.TaskCanceled
	case was == syncline.TaskPending:
		return syncline.TaskSkipped
	}
	return syncline.TaskFailed
}

// reopenTasks sends the unfinished tasks of a resumed run back to their start; what
// succeeded stays done.
func reopenTasks(tx syncline.Tx, r *syncline.Run) error {
	tasks, err := tx.Tasks(r.ID)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if t.State == syncline.TaskSucceeded {
			continue
		}
		t.State, t.Error, t.Tries, t.EndedAt = syncline.TaskPending, nil, 0, time.Time{}
		if err := stamp(tx, t); err != nil {
			return err
		}
		if err := tx.PutTask(t); err != nil {
			return err
		}
	}
	return nil
}
