package ledger

import (
	"context"
	"iter"
	"time"

	"github.com/synclinehq/syncline"
)

// Detail is a run with its tasks and leases, read in one snapshot.
type Detail struct {
	Run    syncline.Run
	Tasks  []*syncline.Task
	Leases []syncline.Lease
}

// Run reads a run with its tasks.
func (l *Ledger) Run(ctx context.Context, id string) (d Detail, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		d, err = detail(tx, id)
		return err
	})
	return d, err
}

// Bare reads a run without what hangs on it.
func (l *Ledger) Bare(ctx context.Context, id string) (out syncline.Run, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		r, err := tx.Run(id)
		if err == nil {
			out = *r
		}
		return err
	})
	return out, err
}

func detail(tx syncline.Tx, id string) (Detail, error) {
	r, err := tx.Run(id)
	if err != nil {
		return Detail{}, err
	}
	tasks, err := tx.Tasks(id)
	if err != nil {
		return Detail{}, err
	}
	leases, err := tx.Leases(id)
	return Detail{Run: *r, Tasks: tasks, Leases: leases}, err
}

// Find reads the run whose id is, begins with or ends with fragment. It is
// InvalidArgument when several do.
func (l *Ledger) Find(ctx context.Context, fragment string) (d Detail, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		d, err = detail(tx, fragment)
		if syncline.CodeOf(err) != syncline.NotFound || len(fragment) < 4 {
			return err
		}
		runs, lerr := tx.RunsLike(fragment, 2)
		switch {
		case lerr != nil:
			return lerr
		case len(runs) == 0:
			return err
		case len(runs) > 1:
			return syncline.Errorf(syncline.InvalidArgument, "several runs have %q in their id, %s and %s among them", fragment, runs[0].ID, runs[1].ID).Try("give more of the id")
		}
		d, err = detail(tx, runs[0].ID)
		return err
	})
	return d, err
}

// Runs lists runs with their tasks, newest first.
func (l *Ledger) Runs(ctx context.Context, f syncline.RunFilter) (out []Detail, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		out = nil
		runs, err := tx.Runs(f)
		if err != nil {
			return err
		}
		ids, place := make([]string, len(runs)), map[string]int{}
		for i, r := range runs {
			ids[i], place[r.ID] = r.ID, i
			out = append(out, Detail{Run: *r})
		}
		tasks, err := tx.Tasks(ids...)
		for _, t := range tasks {
			d := &out[place[t.RunID]]
			d.Tasks = append(d.Tasks, t)
		}
		return err
	})
	return out, err
}

// CountRuns counts the runs of all pages of Runs.
func (l *Ledger) CountRuns(ctx context.Context, f syncline.RunFilter) (n int64, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		n, err = tx.CountRuns(f)
		return err
	})
	return n, err
}

// Messages lists a run's log after a seq.
func (l *Ledger) Messages(ctx context.Context, id string, after int64, limit int) (ms []syncline.Message, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		ms, err = tx.Messages(id, after, limit)
		return err
	})
	return ms, err
}

// Rejects lists a run's rejects, of one task or ("") of all, from offset.
func (l *Ledger) Rejects(ctx context.Context, id, task string, offset, limit int) (rs []syncline.Reject, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		rs, err = tx.Rejects(id, task, offset, limit)
		return err
	})
	return rs, err
}

// Events lists a run's journal after a seq.
func (l *Ledger) Events(ctx context.Context, id string, after int64, limit int) (es []syncline.Event, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		es, err = tx.Events(id, after, limit)
		return err
	})
	return es, err
}

// Watch yields a run, with its tasks, whenever it may have changed, at least every poll,
// until it has ended; the last one yielded is final. A wake-up only saves waiting: what
// is seen comes from the store.
func (l *Ledger) Watch(ctx context.Context, id string, poll time.Duration) iter.Seq2[Detail, error] {
	return func(yield func(Detail, error) bool) {
		for {
			changed := l.Changed()
			d, err := l.Run(ctx, id)
			if !yield(d, err) || err != nil || d.Run.State.Final() {
				return
			}
			if !wait(ctx, changed, poll) {
				yield(Detail{}, ctx.Err())
				return
			}
		}
	}
}

// wait returns true when something changed or poll has passed, false when ctx has ended.
// It always waits a little, so that a busy ledger does not make its watchers spin.
func wait(ctx context.Context, changed <-chan struct{}, poll time.Duration) bool {
	const breath = 100 * time.Millisecond
	quiet, most := time.NewTimer(min(breath, poll)), time.NewTimer(poll)
	defer quiet.Stop()
	defer most.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-quiet.C:
	}
	select {
	case <-ctx.Done():
		return false
	case <-changed:
	case <-most.C:
	}
	return true
}
