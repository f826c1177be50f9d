package ledger

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/synclinehq/syncline"
)

// Beat extends the leases of a worker's runs and answers for those it still holds; one
// that is missing is lost. It is one statement, and progress never stands in its way.
func (l *Ledger) Beat(ctx context.Context, held []syncline.Hold) ([]syncline.BeatAnswer, error) {
	if len(held) == 0 {
		return nil, nil
	}
	return l.store.Beat(ctx, held, l.ttl)
}

// Report copies how far tasks have come, and extends the leases of their runs.
func (l *Ledger) Report(ctx context.Context, reports []syncline.TaskReport) ([]syncline.BeatAnswer, error) {
	if len(reports) == 0 {
		return nil, nil
	}
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	return l.store.Report(ctx, reports, l.ttl)
}

// held runs fn on a run that h still holds; a stale holder is counted and refused.
func (l *Ledger) held(ctx context.Context, h syncline.Hold, fn func(tx syncline.Tx, r *syncline.Run) error) error {
	return l.guarded(ctx, h, holdsRun, fn)
}

func (l *Ledger) guarded(ctx context.Context, h syncline.Hold, holds func(syncline.Tx, *syncline.Run, syncline.Hold) (bool, error), fn func(tx syncline.Tx, r *syncline.Run) error) error {
	stale := false
	err := l.update(ctx, func(tx syncline.Tx) error {
		stale = false
		r, err := tx.Run(h.Run)
		if err != nil {
			return err
		}
		good, err := holds(tx, r, h)
		if err != nil {
			return err
		}
		if !good {
			stale = true
			return countFenced(tx, r)
		}
		return fn(tx, r)
	})
	if err == nil && stale {
		return syncline.ErrLeaseLost
	}
	return err
}

// Plan stores the tasks of a held run that has none yet.
func (l *Ledger) Plan(ctx context.Context, h syncline.Hold, tasks []syncline.Task) (out []*syncline.Task, err error) {
	err = l.held(ctx, h, func(tx syncline.Tx, r *syncline.Run) error {
		have, err := tx.Tasks(r.ID)
		if err != nil || len(have) > 0 {
			out = have
			return err
		}
		out, err = planned(tx, r.ID, tasks)
		return err
	})
	return out, err
}

func planned(tx syncline.Tx, run string, tasks []syncline.Task) ([]*syncline.Task, error) {
	if len(tasks) == 0 {
		return nil, nil
	}
	now, err := tx.Now()
	if err != nil {
		return nil, err
	}
	for i, t := range tasks {
		t.RunID, t.Ordinal, t.State, t.StateAt = run, i, syncline.TaskPending, now
		t.Stats.Expected = -1
		if err := tx.PutTask(&t); err != nil {
			return nil, err
		}
	}
	return tx.Tasks(run)
}

// BeginTask marks a task of a held run as running.
func (l *Ledger) BeginTask(ctx context.Context, h syncline.Hold, name string) error {
	return l.task(ctx, h, name, func(t *syncline.Task) {
		t.State, t.Error, t.Tries = syncline.TaskRunning, nil, t.Tries+1
	})
}

// EndTask stores how a task's attempt ended, with its last stats.
func (l *Ledger) EndTask(ctx context.Context, h syncline.Hold, e syncline.TaskEnd) error {
	return l.held(ctx, h, func(tx syncline.Tx, r *syncline.Run) error {
		t, err := tx.Task(r.ID, e.Name)
		if err != nil {
			return err
		}
		t.State, t.Error, t.Where = e.State, e.Error, cmp.Or(e.Where, t.Where)
		if err := stamp(tx, t); err != nil {
			return err
		}
		if err := tx.PutTask(t); err != nil {
			return err
		}
		return tx.PutStats(r.ID, e.Name, e.Stats)
	})
}

// Memo stores what the next attempt of a task needs.
func (l *Ledger) Memo(ctx context.Context, h syncline.Hold, name string, memo json.RawMessage) error {
	return l.task(ctx, h, name, func(t *syncline.Task) { t.Memo = memo })
}

func (l *Ledger) task(ctx context.Context, h syncline.Hold, name string, fn func(*syncline.Task)) error {
	return l.held(ctx, h, func(tx syncline.Tx, r *syncline.Run) error {
		t, err := tx.Task(r.ID, name)
		if err != nil {
			return err
		}
		state := t.State
		fn(t)
		if t.State != state {
			if err := stamp(tx, t); err != nil {
				return err
			}
		}
		return tx.PutTask(t)
	})
}

// stamp sets the times that follow from a task's state.
func stamp(tx syncline.Tx, t *syncline.Task) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	t.StateAt = now
	if t.State == syncline.TaskRunning && t.StartedAt.IsZero() {
		t.StartedAt = now
	}
	if t.State.Final() {
		t.EndedAt = now
	}
	return nil
}

// Keep stores rejects of a held run, or part of one; repeating it changes nothing.
func (l *Ledger) Keep(ctx context.Context, h syncline.Hold, rs []syncline.Reject) error {
	return l.guarded(ctx, h, holdsAny, func(tx syncline.Tx, r *syncline.Run) error {
		now, err := tx.Now()
		if err != nil {
			return err
		}
		for i := range rs {
			rs[i].RunID, rs[i].At = r.ID, now
		}
		_, err = tx.PutRejects(rs...)
		return err
	})
}

// Log appends messages to the log of a run by its holder, or that of a part.
func (l *Ledger) Log(ctx context.Context, h syncline.Hold, ms []syncline.Message) error {
	if len(ms) == 0 {
		return nil
	}
	return l.guarded(ctx, h, holdsAny, func(tx syncline.Tx, r *syncline.Run) error { return appendMessages(tx, r, ms) })
}

// appendMessages numbers messages and saves the run with them.
func appendMessages(tx syncline.Tx, r *syncline.Run, ms []syncline.Message) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	for i := range ms {
		r.LastMessage++
		ms[i].RunID, ms[i].Seq, ms[i].Attempt = r.ID, r.LastMessage, len(r.Attempts)
		if ms[i].At.IsZero() {
			ms[i].At = now
		}
	}
	if err := tx.AppendMessages(ms...); err != nil {
		return err
	}
	return tx.PutRun(r)
}

// Stale notes that a destination refused a write of this stale holder.
func (l *Ledger) Stale(ctx context.Context, h syncline.Hold) error {
	return l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.Run(h.Run)
		if err != nil {
			return err
		}
		return countFenced(tx, r)
	})
}
