package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/synclinehq/syncline"
)

// Outside is what an outside worker says of a run over a protocol without tokens. Who it
// is, the door has found out; what becomes of the run is decided here. Such a run is never
// handed out twice: whoever comes back late meets one that has ended.
type Outside struct {
	By     string // the caller's key: a run that one key holds is no other's to report on
	Worker string // claim: who, for people
	// Silence is how long the worker may be silent from now on; 0: as long as the run's
	// UpdateWithin says, or any time.
	Silence time.Duration
	// Counts change the run's so far, which are absolute; nil: as before.
	Counts func(c *syncline.Counts)
	// Edit may change r.Ext of its dialect and nothing else; it may be called again. now is
	// the ledger's clock. nil: nothing.
	Edit func(r *syncline.Run, now time.Time) error
}

const (
	// sameClaim is how long a claim may be said again, as a client does that saw no answer.
	sameClaim = 30 * time.Second
	// seldom is how often a mere sign of life is written down.
	seldom = 5 * time.Second
)

// OutsideTask is the kind of the one task that an outside worker's run has.
const OutsideTask = "outside"

// Stale is how long an outside worker may be silent before people are told.
const Stale = time.Minute

// ReasonHeld is the reason of the error that says that another outside worker, or another
// run of the pipeline, is at it. Its code is Aborted; PermissionDenied, when a run is
// reported on that is held under another key.
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
		if out = *r; r.State == syncline.StateRunning && r.Facts.Tokenless {
			return claimAgain(tx, r, o)
		}
		out, err = l.claimOutside(tx, r, o)
		return err
	})
	return out, err
}

// claimAgain accepts the repetition of a claim; every other claim of a running run is
// refused.
func claimAgain(tx syncline.Tx, r *syncline.Run, o Outside) error {
	if finishAsked(*r) {
		_, err := refuse(*r, move{event: evClaim})
		return err
	}
	now, err := tx.Now()
	if err != nil {
		return err
	}
	lease, err := tx.Lease(r.ID, "")
	if err != nil {
		return err
	}
	claimed := r.Attempts[len(r.Attempts)-1].StartedAt
	unreported := r.UpdatedAt.Equal(claimed)
	if lease != nil && lease.Session == o.By && lease.Worker == o.Worker && unreported && now.Sub(claimed) < sameClaim {
		return nil
	}
	return syncline.Errorf(syncline.Aborted, "run %s is held by %s", r.ID, r.Worker).Because(ReasonHeld)
}

func (l *Ledger) claimOutside(tx syncline.Tx, r *syncline.Run, o Outside) (syncline.Run, error) {
	now, err := tx.Now()
	if err != nil {
		return *r, err
	}
	before := *r
	if !r.State.Final() && r.Owner == syncline.OwnerExternal {
		if err := comeFirst(tx, r); err != nil {
			return before, err
		}
	}
	m := move{event: evClaim, now: now, issue: now.UnixMicro(), worker: o.Worker, outside: true, reason: o.Worker}
	next, err := transition(*r, m)
	if err != nil {
		return before, err
	}
	if err := edit(&next, o, now); err != nil {
		return before, err
	}
	lease := syncline.Lease{Run: r.ID, Token: next.Token, Worker: o.Worker, Session: o.By, SeenAt: now, ExpiresAt: silentUntil(r, o, now)}
	if err := tx.PutLease(lease); err != nil {
		return before, err
	}
	if err := outsideTasks(tx, &next, syncline.TaskRunning, nil, nil); err != nil {
		return before, err
	}
	err = l.put(tx, *r, &next, m)
	return next, err
}

// comeFirst puts a waiting run at the head of its lane, if the head is one that can step
// back: a run that is running cannot, nor one of Syncline's own that has begun, which only
// as a head is found again.
func comeFirst(tx syncline.Tx, r *syncline.Run) error {
	if r.Head {
		return nil
	}
	head, err := tx.LaneHead(r.Lane)
	if err == nil && head != nil {
		head, err = tx.Run(head.ID) // locked: others may report on it
	}
	if err != nil {
		return err
	}
	if head != nil {
		if head.State != syncline.StatePending && (head.State != syncline.StateSuspended || head.Wait != syncline.WaitExternal) {
			return syncline.Errorf(syncline.Aborted, "run %s waits behind run %s, which is %s", r.ID, head.ID, standing(head)).Because(ReasonHeld)
		}
		head.Head = false
		if err := tx.PutRun(head); err != nil {
			return err
		}
	}
	r.Head = true
	return nil
}

func standing(r *syncline.Run) string {
	if r.State == syncline.StateRunning {
		return "held by " + cmp.Or(r.Worker, "a worker")
	}
	return string(r.State) + " (" + string(r.Wait) + ")"
}

// NoteOutside stores what an outside worker reports of a run, in whatever state that is,
// and counts as a sign of life. It is PermissionDenied when another key holds the run. What
// changes nothing stores nothing but the sign of life.
func (l *Ledger) NoteOutside(ctx context.Context, id string, o Outside) (out syncline.Run, err error) {
	err = l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.Run(id)
		if err != nil {
			return err
		}
		out = *r
		now, err := tx.Now()
		if err != nil {
			return err
		}
		next, err := transition(*r, move{event: evNote, now: now})
		if err != nil {
			return err
		}
		if err := edit(&next, o, now); err != nil {
			return err
		}
		if err := heard(tx, r, o, now); err != nil {
			return err
		}
		counted, err := count(tx, &next, o.Counts)
		if err != nil || !counted && next.UpdateBy.Equal(r.UpdateBy) && maps.EqualFunc(r.Ext, next.Ext, slices.Equal[json.RawMessage]) {
			return err
		}
		out = next
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
	lease.SeenAt, lease.ExpiresAt = now, silentUntil(r, o, now)
	return tx.PutLease(*lease)
}

// anyTime is for ever, for a lease.
const anyTime = 100 * 365 * 24 * time.Hour

func silentUntil(r *syncline.Run, o Outside, now time.Time) time.Time {
	return now.Add(cmp.Or(o.Silence, r.UpdateWithin, anyTime))
}

// HearOutside counts a call that changes nothing as a sign of life of the worker that
// holds a run under the key by; "" stands for whoever holds it. Most such calls cost no
// more than a look.
func (l *Ledger) HearOutside(ctx context.Context, id, by string, silence time.Duration) error {
	due, err := l.quiet(ctx, id, by)
	if err != nil || !due {
		return err
	}
	return l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.Run(id)
		if err != nil {
			return err
		}
		lease, err := tx.Lease(id, "")
		if err != nil || lease == nil || !r.Facts.Tokenless {
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		return heard(tx, r, Outside{By: cmp.Or(by, lease.Session), Silence: silence}, now)
	})
}

// quiet reports whether the holder's last sign of life is old enough to write a new one.
func (l *Ledger) quiet(ctx context.Context, id, by string) (due bool, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		lease, err := tx.Lease(id, "")
		if due = false; err != nil || lease == nil || by != "" && lease.Session != by {
			return err
		}
		now, err := tx.Now()
		due = now.Sub(lease.SeenAt) >= seldom
		return err
	})
	return due, err
}

// EndOutside ends a run as its outside worker says: succeeded, failed with e, canceled, or
// suspended, to be claimed again. It is FailedPrecondition when nobody has claimed it. A
// run that has ended stays as it is: that is answered with it and no error, and counted as
// fenced. While children of it live, it can only fail; they are canceled.
func (l *Ledger) EndOutside(ctx context.Context, id string, o Outside, to syncline.State, e *syncline.Error) (out syncline.Run, err error) {
	err = l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.RunInLane(id)
		if err != nil {
			return err
		}
		if r.State.Final() && r.Owner == syncline.OwnerExternal {
			err = countFenced(tx, r)
			out = *r
			return err
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
	next := before
	if to == syncline.StateCanceled && !canceling(next) {
		if next, err = transition(next, move{event: evRequestCancel, now: now, reason: "its worker canceled it"}); err != nil {
			return before, err
		}
	}
	end := outsideEnds[to]
	if err := outsideTasks(tx, &next, end.task, o.Counts, e); err != nil {
		return before, err
	}
	m := move{event: end.event, now: now, issue: now.UnixMicro(), token: next.Token, wait: syncline.WaitExternal, err: e}
	had, err := l.tally(tx, &next, &m)
	if err == nil && to != syncline.StateFailed {
		err = childless(r, had.Tasks)
	}
	if err != nil {
		return before, err
	}
	if next, err = transition(next, m); err != nil {
		return before, err
	}
	if err := edit(&next, o, now); err != nil {
		return before, err
	}
	err = l.put(tx, before, &next, m)
	return next, err
}

// outsideTasks moves a run's only task along.
func outsideTasks(tx syncline.Tx, r *syncline.Run, to syncline.TaskState, counts func(*syncline.Counts), e *syncline.Error) error {
	t, err := onlyTask(tx, r)
	if err != nil {
		return err
	}
	t.State, t.Error = to, e
	if err := stamp(tx, t); err != nil {
		return err
	}
	if err := tx.PutTask(t); err != nil {
		return err
	}
	_, err = count(tx, r, counts)
	return err
}

// onlyTask is the task of what an outside worker does. A run that was not ordered by its
// protocol has none yet.
func onlyTask(tx syncline.Tx, r *syncline.Run) (*syncline.Task, error) {
	tasks, err := tx.Tasks(r.ID)
	if err == nil && len(tasks) == 0 {
		tasks, err = planned(tx, r.ID, []syncline.Task{{Name: r.Pipeline, Kind: OutsideTask}})
	}
	if err != nil {
		return nil, err
	}
	return tasks[0], nil
}

// count stores the counts of a run's only task, and reports whether they have changed.
func count(tx syncline.Tx, r *syncline.Run, change func(*syncline.Counts)) (bool, error) {
	if change == nil {
		return false, nil
	}
	t, err := onlyTask(tx, r)
	if err != nil {
		return false, err
	}
	was := t.Stats.Counts
	if change(&t.Stats.Counts); t.Stats.Counts == was {
		return false, nil
	}
	if t.Stats.At, err = tx.Now(); err != nil {
		return false, err
	}
	return true, tx.PutStats(r.ID, t.Name, t.Stats)
}

func edit(r *syncline.Run, o Outside, now time.Time) error {
	if o.Edit == nil {
		return nil
	}
	return o.Edit(r, now)
}

// End cancels a run at once, over the head of a worker that is at it. One that has ended
// stays as it is.
func (l *Ledger) End(ctx context.Context, id, reason string) error {
	return l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.RunInLane(id)
		if err != nil || r.State.Final() {
			return err
		}
		return l.cancelNow(tx, *r, reason)
	})
}

// cancelNow ends a run whatever its worker says.
func (l *Ledger) cancelNow(tx syncline.Tx, r syncline.Run, reason string) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	next, m := r, move{now: now, issue: now.UnixMicro(), reason: reason}
	for _, m.event = range []event{evRequestCancel, evForceCancel} {
		if next.State.Final() {
			break
		}
		if next, err = transition(next, m); err != nil {
			return err
		}
	}
	return l.put(tx, r, &next, m)
}
