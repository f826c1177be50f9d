package ledger

import (
	"slices"
	"time"

	"github.com/synclinehq/syncline"
)

// event is what may happen to a run. Those marked † are a holder's and need its token.
type event string

const (
	evClaim         event = "claim"
	evReport        event = "report"         // †
	evDone          event = "done"           // †
	evFailRetryable event = "fail_retryable" // †
	evFailPermanent event = "fail_permanent" // †
	evAckCancel     event = "ack_cancel"     // †
	evYield         event = "yield"          // †
	evSuspend       event = "suspend"        // †
	evNote          event = "note"
	evChild         event = "child"
	evFinish        event = "finish"
	evDecline       event = "decline"
	evHelp          event = "help"
	evRelease       event = "release"
	evForceCancel   event = "force_cancel"
	evRunDeadline   event = "run_deadline"
	evRequestCancel event = "request_cancel"
	evRequestHold   event = "request_hold"
	evResume        event = "resume"
	evSkip          event = "skip"
)

// needsToken reports whether e is only the holder's to say.
func (e event) needsToken() bool {
	switch e {
	case evReport, evDone, evFailRetryable, evFailPermanent, evAckCancel, evYield, evSuspend:
		return true
	}
	return false
}

// cancelGrace is how long the holder of a run may take to answer a cancel.
const cancelGrace = time.Minute

// move is an event with what it brings along.
type move struct {
	event event
	now   time.Time
	token int64 // what a holder presents

	// issue is the smallest token that may be handed out now: microseconds of the
	// database's clock, so that a ledger restored from a backup still only hands out
	// larger ones.
	issue    int64
	worker   string        // claim, help: who
	seenAt   time.Time     // release: the lease's last sign of life
	read     int64         // rows durable at the destination, as last reported
	ownRead  int64         // rows this attempt read itself
	moved    bool          // the attempt made progress: its tries start anew
	retryAt  time.Time     // fail_retryable: not before
	deadline time.Duration // claim: of the whole run, 0 none
	wait     syncline.Wait // suspend: for what
	outside  bool          // claim: by a worker without a token
	last     bool          // the end of a run whose source is done and whose children have ended
	confirm  []syncline.Wait
	tally    *syncline.Tally // what was read of the run in this transaction; transition does not look
	err      *syncline.Error
	reason   string
}

// transition is the only place that decides what becomes of a run. It is pure: it
// returns the changed run, or an error and nothing changed. The table is in
// docs/run-states.md; what it promises:
//
//   - a final run stays as it is, save that a failed run of the engine may be resumed
//   - running is entered only with a new, larger token, and ownership is never taken
//     away without raising it
//   - a run ends at most once, and every run can end
func transition(r syncline.Run, m move) (syncline.Run, error) {
	if m.event.needsToken() && (r.State != syncline.StateRunning || r.Token != m.token) {
		return r, syncline.ErrLeaseLost
	}
	before := r
	r.Attempts = slices.Clone(r.Attempts)
	r.Facts.Confirmed = slices.Clone(r.Facts.Confirmed)
	if m.moved {
		r.Tries = 0
	}
	next, err := decide(r, m)
	if err != nil {
		return before, err
	}
	if next.State != before.State || next.Wait != before.Wait || !next.Facts.CancelAskedAt.Equal(before.Facts.CancelAskedAt) {
		next.StateAt = m.now
	}
	next.UpdatedAt, next.UpdateBy = m.now, updateBy(before, next, m)
	return next, nil
}

func decide(r syncline.Run, m move) (syncline.Run, error) {
	if m.event == evNote {
		return note(r, m)
	}
	switch r.State {
	case syncline.StatePending:
		return pending(r, m)
	case syncline.StateRunning:
		return running(r, m)
	case syncline.StateSuspended:
		return suspended(r, m)
	}
	return final(r, m)
}

// note is accepted in every state, but only where an outside worker reports, and until it
// has said that it is done.
func note(r syncline.Run, m move) (syncline.Run, error) {
	switch {
	case finishAsked(r):
		return refuse(r, m)
	case r.Owner != syncline.OwnerExternal:
		return r, syncline.Errorf(syncline.InvalidArgument, "run %s is executed by Syncline itself: its counts are not for others to set", r.ID)
	}
	return r, nil
}

func pending(r syncline.Run, m move) (syncline.Run, error) {
	switch m.event {
	case evClaim:
		if !fits(r, m) {
			return refuse(r, m)
		}
		if !r.Head {
			return r, syncline.Errorf(syncline.FailedPrecondition, "run %s waits behind another run of its pipeline", r.ID)
		}
		r.Tries++
		return claim(r, m), nil
	case evRequestCancel:
		return cancel(r, m), nil
	case evRequestHold:
		return hold(r, m), nil
	case evDecline:
		return decline(r, m)
	case evRunDeadline:
		return end(r, m, syncline.StateFailed), nil
	case evSkip:
		r.Why = m.reason
		return end(r, m, syncline.StateSkipped), nil
	}
	return refuse(r, m)
}

// fits reports whether a run is for a worker of this sort: those with tokens do the
// engine's, those without all others.
func fits(r syncline.Run, m move) bool { return m.outside == (r.Owner == syncline.OwnerExternal) }

// laidDown: whoever did the run before has stopped, and another may go on.
func laidDown(r syncline.Run) bool {
	return r.Wait == syncline.WaitShutdown || r.Wait == syncline.WaitExternal
}

func suspended(r syncline.Run, m move) (syncline.Run, error) {
	switch m.event {
	case evClaim:
		if !laidDown(r) || !fits(r, m) || !r.Head {
			return refuse(r, m)
		}
		return claim(r, m), nil // a graceful hand-over costs no try
	case evRequestCancel:
		return cancel(r, m), nil
	case evRequestHold:
		if r.Wait == syncline.WaitShutdown {
			r = hold(r, m)
		}
		return r, nil
	case evResume:
		if r.Wait == syncline.WaitMassDelete && !slices.Contains(m.confirm, syncline.WaitMassDelete) {
			return r, syncline.Errorf(syncline.FailedPrecondition, "run %s waits because it would delete many rows: %s", r.ID, message(r.Error)).
				Because("mass_delete").Try("check the source; if the rows are really gone: syncline runs resume %s --confirm mass_delete", r.ID)
		}
		r.Facts.Confirmed = append(r.Facts.Confirmed, m.confirm...)
		return again(r, m), nil
	case evDecline:
		return decline(r, m)
	case evRunDeadline:
		return end(r, m, syncline.StateFailed), nil
	}
	return refuse(r, m)
}

// decline is an outside source that fails a run which nobody holds.
func decline(r syncline.Run, m move) (syncline.Run, error) {
	if r.Owner != syncline.OwnerExternal {
		return refuse(r, m)
	}
	return end(r, m, syncline.StateFailed), nil
}

func running(r syncline.Run, m move) (syncline.Run, error) {
	if finishAsked(r) && m.event.needsToken() && !m.last {
		return refuse(r, m)
	}
	switch m.event {
	case evReport:
		return r, nil
	case evDone:
		return end(r, m, syncline.StateSucceeded), nil // finishing beats a cancel that came late
	case evFailPermanent:
		return end(r, m, syncline.StateFailed), nil
	case evFailRetryable:
		return backOff(r, m), nil
	case evAckCancel:
		if canceling(r) {
			return end(r, m, syncline.StateCanceled), nil
		}
	case evYield:
		return handBack(r, m, syncline.WaitShutdown, "shutdown"), nil
	case evSuspend:
		r.Error = m.err
		return handBack(r, m, m.wait, string(m.wait)), nil
	case evHelp:
		if !canceling(r) && r.Facts.HoldAskedAt.IsZero() {
			return help(r, m), nil
		}
	case evChild:
		if r.Owner == syncline.OwnerExternal && !finishAsked(r) && !canceling(r) {
			return r, nil
		}
	case evFinish:
		if r.Owner == syncline.OwnerExternal && !finishAsked(r) {
			r.Facts.FinishAskedAt = m.now
			return r, nil
		}
	case evRelease:
		return release(r, m), nil
	case evForceCancel:
		if canceling(r) {
			return end(fence(r, m), m, syncline.StateCanceled), nil
		}
	case evRunDeadline:
		return expire(r, m), nil
	case evRequestCancel:
		if finishAsked(r) { // nobody is left who could answer
			return cancel(fence(r, m), m), nil
		}
		return askCancel(r, m), nil
	case evRequestHold:
		if !canceling(r) && !finishAsked(r) {
			r.Facts.HoldAskedAt = m.now
			return r, nil
		}
	case evResume:
		if !r.Facts.HoldAskedAt.IsZero() {
			r.Facts.HoldAskedAt = time.Time{}
			return r, nil
		}
	}
	return refuse(r, m)
}

func final(r syncline.Run, m move) (syncline.Run, error) {
	switch {
	case m.event == evRequestCancel && r.State == syncline.StateCanceled:
		return r, nil // asking twice is no error
	case m.event == evResume && r.State == syncline.StateFailed && r.Owner == syncline.OwnerEngine:
		r.Tries, r.EndedAt, r.Facts.FailedTasks, r.Deadline = 0, time.Time{}, 0, time.Time{}
		r.Facts.CancelAskedAt, r.Facts.CancelReason = time.Time{}, ""
		r.Facts.Confirmed = append(r.Facts.Confirmed, m.confirm...)
		return again(r, m), nil
	}
	return refuse(r, m)
}

func claim(r syncline.Run, m move) syncline.Run {
	r = fence(r, m)
	r.State, r.Wait, r.Worker, r.Facts.Tokenless = syncline.StateRunning, "", m.worker, m.outside
	if r.StartedAt.IsZero() {
		r.StartedAt = m.now
	}
	if r.Deadline.IsZero() && m.deadline > 0 {
		r.Deadline = m.now.Add(m.deadline)
	}
	r.Attempts = append(r.Attempts, syncline.Attempt{N: len(r.Attempts) + 1, Worker: m.worker, StartedAt: m.now, ReadBase: m.read})
	return r
}

// fence raises the token, which makes every earlier holder harmless, of parts too.
func fence(r syncline.Run, m move) syncline.Run {
	r.Token = max(r.Token+1, r.Issued+1, m.issue)
	return r
}

// help gives a token for a part to the holder of the run or, by name, to another worker.
func help(r syncline.Run, m move) syncline.Run {
	r.Issued = max(r.Token+1, r.Issued+1, m.issue)
	a := &r.Attempts[len(r.Attempts)-1]
	if m.worker != a.Worker && !slices.Contains(a.Helpers, m.worker) {
		a.Helpers = append(slices.Clone(a.Helpers), m.worker)
	}
	return r
}

func hold(r syncline.Run, m move) syncline.Run {
	r.State, r.Wait, r.Facts.PausedAt, r.Facts.HoldAskedAt = syncline.StateSuspended, syncline.WaitHold, m.now, time.Time{}
	return r
}

func cancel(r syncline.Run, m move) syncline.Run {
	r.Facts.CancelAskedAt, r.Facts.CancelReason = m.now, m.reason
	return end(r, m, syncline.StateCanceled)
}

func askCancel(r syncline.Run, m move) syncline.Run {
	if !canceling(r) {
		r.Facts.CancelAskedAt, r.Facts.CancelReason, r.Facts.CancelBy = m.now, m.reason, m.now.Add(cancelGrace)
	}
	r.Facts.HoldAskedAt = time.Time{}
	return r
}

func canceling(r syncline.Run) bool { return !r.Facts.CancelAskedAt.IsZero() }

// finishAsked: the outside source of a run has said that it is done.
func finishAsked(r syncline.Run) bool { return !r.Facts.FinishAskedAt.IsZero() }

// updateBy is when the source of a run must have said something. Its clock starts anew with
// all that it says, and when the run begins to wait for it.
func updateBy(before, r syncline.Run, m move) time.Time {
	switch {
	case !awaited(r):
		return time.Time{}
	case m.event == evNote || !awaited(before):
		return unheardUntil(r, m.now)
	}
	return r.UpdateBy
}

// awaited: a run waits for its outside source, and not for ever.
func awaited(r syncline.Run) bool {
	waits := r.State == syncline.StatePending || r.State == syncline.StateSuspended && r.Wait == syncline.WaitExternal
	return waits && r.Owner == syncline.OwnerExternal && r.UpdateWithin > 0
}

// unheardUntil is how long the source of a waiting run may be silent; one that is not due
// yet it need not know of.
func unheardUntil(r syncline.Run, now time.Time) time.Time {
	if r.NotBefore.After(now) {
		now = r.NotBefore
	}
	return now.Add(r.UpdateWithin)
}

// unheard is the error of a run whose source has said nothing for too long.
func unheard(r syncline.Run) *syncline.Error {
	return syncline.Errorf(syncline.DeadlineExceeded, "nothing was heard of run %s from its source for %s", r.ID, r.UpdateWithin).
		Of(syncline.ClassSource).Because("update_deadline").Try("see that the source's worker runs, and start a new run")
}

// again sends a run back to be claimed at once.
func again(r syncline.Run, m move) syncline.Run {
	r.State, r.Wait, r.NotBefore, r.Error = syncline.StatePending, "", m.now, nil
	r.Facts.HoldAskedAt = time.Time{}
	return r
}

// backOff is a try that failed and may succeed later.
func backOff(r syncline.Run, m move) syncline.Run {
	switch {
	case canceling(r):
		return end(r, m, syncline.StateCanceled)
	case r.Tries >= r.Max:
		return end(r, m, syncline.StateFailed)
	case !r.Facts.HoldAskedAt.IsZero():
		return hold(closeAttempt(r, m, "hold"), m)
	}
	r = closeAttempt(r, m, "retry")
	r.State, r.NotBefore, r.Error = syncline.StatePending, m.retryAt, m.err
	return r
}

// handBack is a holder that stops of its own accord.
func handBack(r syncline.Run, m move, wait syncline.Wait, cause string) syncline.Run {
	switch {
	case canceling(r):
		return end(r, m, syncline.StateCanceled)
	case !r.Facts.HoldAskedAt.IsZero():
		return hold(closeAttempt(r, m, "hold"), m)
	}
	r = closeAttempt(r, m, cause)
	r.State, r.Wait = syncline.StateSuspended, wait
	return r
}

// release takes a run from a holder whose lease has ended.
func release(r syncline.Run, m move) syncline.Run {
	r = fence(r, m)
	m.err = lost(r, m)
	switch {
	case canceling(r):
		return end(r, m, syncline.StateCanceled)
	case r.Facts.Tokenless || r.Tries >= r.Max:
		return end(r, m, syncline.StateFailed)
	case !r.Facts.HoldAskedAt.IsZero():
		return hold(closeAttempt(r, m, "lease_lost"), m)
	}
	r = closeAttempt(r, m, "lease_lost")
	r.State, r.NotBefore = syncline.StatePending, m.now
	return r
}

func lost(r syncline.Run, m move) *syncline.Error {
	if r.UpdateWithin > 0 && r.Facts.Tokenless {
		return unheard(r)
	}
	return syncline.Errorf(syncline.Unavailable, "worker %s gave no sign of life since %s", r.Worker, m.seenAt.UTC().Format(time.RFC3339)).
		Of(syncline.ClassInternal).Because("lease_lost").Again()
}

func expire(r syncline.Run, m move) syncline.Run {
	r = fence(r, m)
	if canceling(r) {
		return end(r, m, syncline.StateCanceled)
	}
	return end(r, m, syncline.StateFailed)
}

func end(r syncline.Run, m move, s syncline.State) syncline.Run {
	cause := string(s)
	if m.err != nil && m.err.Reason != "" {
		cause = m.err.Reason
	}
	if r.State == syncline.StateRunning {
		r = closeAttempt(r, m, cause)
	}
	r.State, r.Wait, r.EndedAt = s, "", m.now
	r.Error = nil
	if s == syncline.StateFailed || s == syncline.StateSucceeded && r.Facts.FailedTasks > 0 {
		r.Error = m.err
	}
	r.Facts.HoldAskedAt, r.Facts.CancelBy = time.Time{}, time.Time{}
	return r
}

// closeAttempt writes down what ended the open attempt.
func closeAttempt(r syncline.Run, m move, cause string) syncline.Run {
	if len(r.Attempts) == 0 {
		return r
	}
	a := &r.Attempts[len(r.Attempts)-1]
	a.EndedAt, a.Cause, a.Error, a.Read, a.SeenAt = m.now, cause, m.err, m.ownRead, m.seenAt
	return r
}

func refuse(r syncline.Run, m move) (syncline.Run, error) {
	state := string(r.State)
	if canceling(r) && r.State == syncline.StateRunning {
		state = "canceling"
	}
	if r.Wait != "" {
		state += " (" + string(r.Wait) + ")"
	}
	why := refusals[m.event]
	if finishAsked(r) && m.event != evRequestCancel {
		why = "its source has said that it is done"
	}
	return r, syncline.Errorf(syncline.FailedPrecondition, "run %s is %s: %s", r.ID, state, why).Because("state")
}

// refusals says what a person reads when an event does not fit a run's state.
var refusals = map[event]string{
	evClaim:         "it cannot be claimed",
	evReport:        "no outside worker has claimed it",
	evForceCancel:   "nobody asked to cancel it",
	evAckCancel:     "nobody asked to cancel it",
	evRunDeadline:   "it has ended",
	evHelp:          "nobody can help with it",
	evChild:         "nothing can be added to it",
	evFinish:        "no outside worker is at it",
	evDecline:       "only a run that is done outside can be failed before it is claimed",
	evRelease:       "nobody holds it",
	evRequestCancel: "it has already ended and cannot be canceled",
	evRequestHold:   "it cannot be held",
	evResume:        "there is nothing to resume",
	evSkip:          "it has begun and cannot be skipped",
}

func message(e *syncline.Error) string {
	if e == nil {
		return ""
	}
	return e.Message
}
