package ledger

import (
	"cmp"
	"context"
	"time"

	"github.com/synclinehq/syncline"
)

// Outside is what an outside worker says of a run over a protocol without tokens. Who it
// is, the door has found out; what becomes of the run is decided here. Such a run is never
// handed out twice: whoever comes back late meets one that has ended.
type Outside struct {
	By      string        // the caller's key: a run that one key holds is no other's to report on
	Worker  string        // claim: who, for people
	Silence time.Duration // how long the worker may be silent from now on
	// Counts are the run's so far, absolute; nil: as before.
	Counts *syncline.Counts
	// Edit may change r.Ext of its dialect and nothing else; it may be called again. nil:
	// nothing.
	Edit func(r *syncline.Run) error
}

// sameClaim is how long a claim may be said again, as a client does that saw no answer.
const sameClaim = 30 * time.Second

// ReasonHeld is the reason of the error that says that another outside worker, or another
// run of the pipeline, is at it. Its code is Aborted.
const ReasonHeld = "held"

// ClaimOutside gives a run that waits to an outside worker, before others of its lane if
// none of them runs. Said again by the same worker before any report it is the same claim.
// It is Aborted with ReasonHeld when somebody else is at it, FailedPrecondition when the
// run has ended or is not for outside workers.
func (l *Ledger) ClaimOutside(ctx context.Context, id string, o Outside) (out syncline.Run, err error) {
	err = l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.RunInLane(id)
		if err != nil {
			return err
		}
		if r.Owner != syncline.OwnerExternal {
			return syncline.Errorf(syncline.FailedPrecondition, "run %s is executed by Syncline itself: it is not for others to claim", r.ID).Because("state")
		}
		if r.State == syncline.StateRunning {
			out = *r
			return again30(tx, r, o)
		}
		out, err = l.claimOutside(tx, r, o)
		return err
	})
	return out, err
}

// again30 accepts the repetition of a claim; every other claim of a running run is refused.
func again30(tx syncline.Tx, r *syncline.Run, o Outside) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	lease, err := tx.Lease(r.ID, "")
	if err != nil {
		return err
	}
	if lease != nil && lease.Session == o.By && lease.Worker == o.Worker && now.Sub(lease.SeenAt) < sameClaim && reportless(r, lease) {
		return nil
	}
	return syncline.Errorf(syncline.Aborted, "run %s is held by %s", r.ID, r.Worker).Because(ReasonHeld)
}

// reportless: nothing was heard of the worker since it claimed the run.
func reportless(r *syncline.Run, lease *syncline.Lease) bool {
	n := len(r.Attempts)
	return n > 0 && lease.SeenAt.Equal(r.Attempts[n-1].StartedAt)
}

func (l *Ledger) claimOutside(tx syncline.Tx, r *syncline.Run, o Outside) (syncline.Run, error) {
	if err := comeFirst(tx, r); err != nil {
		return *r, err
	}
	before := *r
	if err := edit(r, o); err != nil {
		return before, err
	}
	now, err := tx.Now()
	if err != nil {
		return before, err
	}
	m := move{event: evClaim, now: now, issue: now.UnixMicro(), worker: o.Worker, outside: true, reason: o.Worker}
	next, err := transition(*r, m)
	if err != nil {
		return before, err
	}
	lease := syncline.Lease{Run: r.ID, Token: next.Token, Worker: o.Worker, Session: o.By, SeenAt: now, ExpiresAt: now.Add(o.Silence)}
	if err := tx.PutLease(lease); err != nil {
		return before, err
	}
	if err := outsideTasks(tx, r.ID, syncline.TaskRunning, nil, nil); err != nil {
		return before, err
	}
	return next, l.put(tx, before, &next, m)
}

// comeFirst puts a waiting run at the head of its lane if no run of it is running.
func comeFirst(tx syncline.Tx, r *syncline.Run) error {
	if r.Head || r.State.Final() {
		return nil
	}
	head, err := tx.LaneHead(r.Lane)
	if err != nil {
		return err
	}
	if head != nil && head.State == syncline.StateRunning {
		return syncline.Errorf(syncline.Aborted, "run %s waits behind run %s, which %s holds", r.ID, head.ID, cmp.Or(head.Worker, "a worker")).Because(ReasonHeld)
	}
	if head != nil {
		head.Head = false
		if err := tx.PutRun(head); err != nil {
			return err
		}
	}
	r.Head = true
	return nil
}

// NoteOutside stores what an outside worker reports of a run, in whatever state that is,
// and counts as a sign of life. It is PermissionDenied when another key holds the run.
func (l *Ledger) NoteOutside(ctx context.Context, id string, o Outside) (out syncline.Run, err error) {
	err = l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.Run(id)
		if err != nil {
			return err
		}
		now, err := tx.Now()
		if err == nil {
			err = edit(r, o)
		}
		if err != nil {
			return err
		}
		if out, err = transition(*r, move{event: evNote, now: now}); err != nil {
			return err
		}
		if err := heard(tx, &out, o, now); err != nil {
			return err
		}
		if err := outsideTasks(tx, id, "", o.Counts, nil); err != nil {
			return err
		}
		return tx.PutRun(&out)
	})
	return out, err
}

// heard notes a sign of life of the worker that holds a run.
func heard(tx syncline.Tx, r *syncline.Run, o Outside, now time.Time) error {
	if r.State != syncline.StateRunning {
		return nil
	}
	lease, err := tx.Lease(r.ID, "")
	if err != nil || lease == nil {
		return err
	}
	if lease.Session != o.By {
		return syncline.Errorf(syncline.PermissionDenied, "run %s is held by %s under another key", r.ID, r.Worker).Because(ReasonHeld)
	}
	lease.SeenAt, lease.ExpiresAt = now, now.Add(o.Silence)
	return tx.PutLease(*lease)
}

// EndOutside ends a run as its outside worker says: succeeded, failed with e, canceled, or
// suspended, to be claimed again. It is FailedPrecondition when nobody has claimed it. A
// run that has ended stays as it is: that is answered with it and no error, and counted as
// fenced.
func (l *Ledger) EndOutside(ctx context.Context, id string, o Outside, to syncline.State, e *syncline.Error) (out syncline.Run, err error) {
	err = l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.RunInLane(id)
		if err != nil {
			return err
		}
		if r.State.Final() {
			out = *r
			return countFenced(tx, r)
		}
		out, err = l.endOutside(tx, r, o, to, e)
		return err
	})
	return out, err
}

// outsideEnds are the event, and what becomes of the task, by the state that an outside
// worker says its run is in.
var outsideEnds = map[syncline.State]struct {
	event event
	task  syncline.TaskState
}{
	syncline.StateSucceeded: {evDone, syncline.TaskSucceeded},
	syncline.StateFailed:    {evFailPermanent, syncline.TaskFailed},
	syncline.StateCanceled:  {evAckCancel, syncline.TaskCanceled},
	syncline.StateSuspended: {evSuspend, syncline.TaskSuspended},
}

func (l *Ledger) endOutside(tx syncline.Tx, r *syncline.Run, o Outside, to syncline.State, e *syncline.Error) (syncline.Run, error) {
	before := *r
	now, err := tx.Now()
	if err != nil {
		return before, err
	}
	if r.State != syncline.StateRunning || r.Owner != syncline.OwnerExternal {
		return refuse(before, move{event: evReport})
	}
	if err := heard(tx, r, o, now); err != nil {
		return before, err
	}
	if err := edit(r, o); err != nil {
		return before, err
	}
	next := *r
	if to == syncline.StateCanceled && !canceling(next) {
		if next, err = transition(next, move{event: evRequestCancel, now: now, reason: "its worker canceled it"}); err != nil {
			return before, err
		}
	}
	end := outsideEnds[to]
	if err := outsideTasks(tx, r.ID, end.task, o.Counts, e); err != nil {
		return before, err
	}
	m := move{event: end.event, now: now, issue: now.UnixMicro(), token: next.Token, wait: syncline.WaitExternal, err: e}
	if _, err := l.tally(tx, &next, &m); err != nil {
		return before, err
	}
	if next, err = transition(next, m); err != nil {
		return before, err
	}
	return next, l.put(tx, before, &next, m)
}

// outsideTasks moves a run's only task along: what an outside worker does has one.
func outsideTasks(tx syncline.Tx, run string, to syncline.TaskState, counts *syncline.Counts, e *syncline.Error) error {
	tasks, err := tx.Tasks(run)
	if err != nil || len(tasks) == 0 {
		return err
	}
	t := tasks[0]
	if to != "" && t.State != to {
		t.State, t.Error = to, e
		if err := stamp(tx, t); err != nil {
			return err
		}
		if err := tx.PutTask(t); err != nil {
			return err
		}
	}
	if counts == nil {
		return nil
	}
	t.Stats.Counts = *counts
	return tx.PutStats(run, t.Name, t.Stats)
}

func edit(r *syncline.Run, o Outside) error {
	if o.Edit == nil {
		return nil
	}
	return o.Edit(r)
}

// Delete removes a run with all that hangs on it, in whatever state: a worker that is at
// it finds that it has lost it.
func (l *Ledger) Delete(ctx context.Context, id string) error {
	return l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.RunInLane(id)
		if err != nil {
			return err
		}
		if err := letGo(tx, *r); err != nil {
			return err
		}
		if err := tx.DeleteRun(id); err != nil {
			return err
		}
		gone := *r
		gone.Head = false
		return promoted(tx, *r, gone)
	})
}
