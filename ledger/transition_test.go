package ledger

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline"
)

var allEvents = []event{
	evClaim, evReport, evDone, evFailRetryable, evFailPermanent, evAckCancel, evYield, evSuspend, evNote, evChild, evFinish, evDecline, evHelp,
	evRelease, evForceCancel, evRunDeadline, evRequestCancel, evRequestHold, evResume, evSkip,
}

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// table is docs/run-states.md as data: what an event does to a run in a state. "-" is
// refused, "=" stays as it is; a case after a question mark holds when its fact is set,
// the first that does. It is written down apart from the code on purpose.
var table = map[string]string{
	"pending claim":          "running",
	"pending request_cancel": "canceled",
	"pending request_hold":   "suspended",
	"pending run_deadline":   "failed",
	"pending skip":           "skipped",
	"pending decline":        "external?failed -",

	"running report":         "finish?- =",
	"running done":           "finish?- succeeded",
	"running fail_permanent": "finish?- failed",
	"running fail_retryable": "finish?- cancel?canceled used?failed hold?suspended pending",
	"running ack_cancel":     "finish?- cancel?canceled -",
	"running yield":          "finish?- cancel?canceled suspended",
	"running suspend":        "finish?- cancel?canceled suspended",
	"running child":          "finish?- cancel?- external?= -",
	"running finish":         "finish?- external?= -",
	"running help":           "cancel?- hold?- =",
	"running release":        "cancel?canceled tokenless?failed used?failed hold?suspended pending",
	"running force_cancel":   "cancel?canceled -",
	"running run_deadline":   "cancel?canceled failed",
	"running request_cancel": "finish?canceled =",
	"running request_hold":   "finish?- cancel?- =",
	"running resume":         "hold?= -",

	"suspended claim":          "shutdown?running laid?running -",
	"suspended request_cancel": "canceled",
	"suspended request_hold":   "=",
	"suspended resume":         "mass_delete?- pending",
	"suspended run_deadline":   "failed",
	"suspended decline":        "external?failed -",

	"failed resume":           "external?- pending",
	"canceled request_cancel": "=",
}

// expected looks an event up for a run; note is the same in every state.
func expected(r syncline.Run, ev event) string {
	if ev == evNote {
		if r.Owner == syncline.OwnerExternal && r.Facts.FinishAskedAt.IsZero() {
			return "="
		}
		return "-"
	}
	facts := map[string]bool{
		"cancel": !r.Facts.CancelAskedAt.IsZero(), "hold": !r.Facts.HoldAskedAt.IsZero(), "used": r.Tries >= r.Max,
		"tokenless": r.Facts.Tokenless, "shutdown": r.Wait == syncline.WaitShutdown, "mass_delete": r.Wait == syncline.WaitMassDelete,
		"finish": !r.Facts.FinishAskedAt.IsZero(), "external": r.Owner == syncline.OwnerExternal, "laid": r.Wait == syncline.WaitExternal,
	}
	for c := range strings.FieldsSeq(table[string(r.State)+" "+string(ev)]) {
		fact, then, conditional := strings.Cut(c, "?")
		if !conditional {
			return c
		}
		if facts[fact] {
			return then
		}
	}
	return "-"
}

// configurations are all runs that differ in what decides.
func configurations() (out []syncline.Run) {
	both := []bool{false, true}
	for _, s := range []syncline.State{"pending", "running", "suspended", "succeeded", "failed", "canceled", "skipped"} {
		waits := []syncline.Wait{""}
		if s == syncline.StateSuspended {
			waits = []syncline.Wait{syncline.WaitHold, syncline.WaitShutdown, syncline.WaitMassDelete, syncline.WaitSchemaChange, syncline.WaitExternal}
		}
		for _, w := range waits {
			for _, cancel := range both {
				for _, hold := range both {
					for _, used := range both {
						for _, tokenless := range both {
							for _, owner := range []syncline.Owner{syncline.OwnerEngine, syncline.OwnerExternal} {
								if s != syncline.StateRunning && (cancel && s != syncline.StateCanceled || hold || tokenless) {
									continue
								}
								c := configuration(s, w, cancel, hold, used, tokenless, owner)
								if out = append(out, c); tokenless && owner == syncline.OwnerExternal || s.Final() && owner == syncline.OwnerExternal {
									c.Facts.FinishAskedAt = t0
									out = append(out, c)
								}
							}
						}
					}
				}
			}
		}
	}
	return out
}

func configuration(s syncline.State, w syncline.Wait, cancel, hold, used, tokenless bool, owner syncline.Owner) syncline.Run {
	r := syncline.Run{ID: "r", State: s, Wait: w, Head: !s.Final(), Owner: owner, Token: 7, Tries: 1, Max: 3}
	r.Facts.Tokenless = tokenless
	if used {
		r.Tries = 3
	}
	if cancel {
		r.Facts.CancelAskedAt = t0
	}
	if hold {
		r.Facts.HoldAskedAt = t0
	}
	if s == syncline.StateRunning {
		r.Attempts = []syncline.Attempt{{N: 1, Worker: "w", StartedAt: t0}}
	}
	if s.Final() {
		r.EndedAt = t0
	}
	return r
}

func sample(ev event) move {
	return move{
		event: ev, now: t0.Add(time.Minute), token: 7, issue: 100, worker: "w2", wait: syncline.WaitMassDelete,
		err: syncline.Errorf(syncline.Unavailable, "x"), retryAt: t0.Add(time.Hour),
	}
}

// TestTransitionTable checks every configuration against every event.
func TestTransitionTable(t *testing.T) {
	var accepted, refused int
	for _, r := range configurations() {
		for _, ev := range allEvents {
			before := r
			m := sample(ev)
			m.outside = r.Owner == syncline.OwnerExternal
			next, err := transition(r, m)
			if !reflect.DeepEqual(before, r) {
				t.Fatalf("%s on %+v changed its argument", ev, r)
			}
			want := expected(r, ev)
			switch {
			case want == "-":
				refused++
				if err == nil {
					t.Errorf("%s of a run %s %s %+v was accepted: now %s", ev, r.State, r.Wait, r.Facts, next.State)
				}
			case err != nil:
				t.Errorf("%s of a run %s %s %+v was refused: %v", ev, r.State, r.Wait, r.Facts, err)
			default:
				accepted++
				if want != "=" && string(next.State) != want || want == "=" && next.State != r.State {
					t.Errorf("%s of a run %s %s %+v: now %s, want %s", ev, r.State, r.Wait, r.Facts, next.State, want)
				}
				for _, broken := range violations(r, next, sample(ev)) {
					t.Errorf("%s of a run %s %s %+v: %s", ev, r.State, r.Wait, r.Facts, broken)
				}
			}
		}
	}
	for _, r := range configurations() {
		m := sample(evClaim)
		m.outside = r.Owner == syncline.OwnerEngine
		if next, err := transition(r, m); err == nil {
			t.Errorf("a worker of the wrong sort claimed a run %s %s of %s: now %s", r.State, r.Wait, r.Owner, next.State)
		}
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
	if accepted < 100 || refused < 300 {
		t.Errorf("%d accepted, %d refused: the configurations do not cover the table", accepted, refused)
	}
}

// violations lists the promises that a step from r to n broke.
func violations(r, n syncline.Run, m move) (broken []string) {
	check := func(ok bool, promise string) {
		if !ok {
			broken = append(broken, promise)
		}
	}
	check(n.Token >= r.Token, "a token fell")
	if n.State == syncline.StateRunning && r.State != syncline.StateRunning {
		check(m.event == evClaim, "running was entered without a claim")
		check(n.Token > r.Token && n.Token >= m.issue, "running was entered without a new token")
	}
	if r.State == syncline.StateRunning && n.State != syncline.StateRunning && !m.event.needsToken() {
		check(n.Token > r.Token, "ownership was taken away without raising the token")
	}
	check(n.Issued >= r.Issued, "a part's token fell")
	if n.Token != r.Token {
		check(n.Token > r.Issued, "a new token is not above those of the parts")
	}
	if m.event == evHelp {
		check(n.Issued > r.Issued && n.Issued > r.Token && n.Issued >= m.issue, "a part was given out without a new token")
		a := n.Attempts[len(n.Attempts)-1]
		check(slices.Contains(append(a.Helpers, a.Worker), m.worker), "the attempt does not name its helper")
	}
	check(n.State.Final() == !n.EndedAt.IsZero(), "ended_at does not say whether the run has ended")
	check((n.Wait != "") == (n.State == syncline.StateSuspended), "wait is not that of a suspended run")
	open := slices.ContainsFunc(n.Attempts, func(a syncline.Attempt) bool { return a.EndedAt.IsZero() })
	check(open == (n.State == syncline.StateRunning), "an attempt is open iff the run is running")
	check(r.Facts.FinishAskedAt.IsZero() || n.Facts.FinishAskedAt.Equal(r.Facts.FinishAskedAt), "a finish was taken back")
	waits := n.State == syncline.StatePending || n.State == syncline.StateSuspended && n.Wait == syncline.WaitExternal
	check(!n.UpdateBy.IsZero() == (waits && n.UpdateWithin > 0 && n.Owner == syncline.OwnerExternal), "update_by is not that of a run that waits for its source")
	check(n.State == syncline.StateRunning || n.Facts.HoldAskedAt.IsZero(), "a hold is asked of a run that nobody holds")
	return broken
}

// TestLastEnds: a run whose source is done is ended by the end of its last child, and by
// nothing else that a holder might say.
func TestLastEnds(t *testing.T) {
	for _, cancel := range []bool{false, true} {
		r := configuration(syncline.StateRunning, "", cancel, false, false, true, syncline.OwnerExternal)
		r.Facts.FinishAskedAt = t0
		for ev, want := range map[event]syncline.State{evDone: syncline.StateSucceeded, evFailPermanent: syncline.StateFailed, evAckCancel: syncline.StateCanceled} {
			m := sample(ev)
			m.last = true
			next, err := transition(r, m)
			if ev == evAckCancel && !cancel {
				want = syncline.StateRunning
			}
			if next.State != want || (err != nil) != (want == syncline.StateRunning) {
				t.Errorf("%s of a run that is finishing (cancel asked: %v): %s, %v", ev, cancel, next.State, err)
			}
		}
	}
}

// TestUpdateBy: the clock of a source that is waited for starts with the wait and with
// every word of it.
func TestUpdateBy(t *testing.T) {
	r := syncline.Run{ID: "r", State: syncline.StatePending, Head: true, Owner: syncline.OwnerExternal, Max: 3, UpdateWithin: time.Minute, NotBefore: t0.Add(time.Hour)}
	step := func(ev event, at time.Time, want time.Time) {
		t.Helper()
		m := sample(ev)
		m.now, m.outside, m.token, m.wait = at, true, r.Token, syncline.WaitExternal
		next, err := transition(r, m)
		if r = next; err != nil || !r.UpdateBy.Equal(want) {
			t.Errorf("after %s: %s, %v; want %s", ev, r.UpdateBy, err, want)
		}
	}
	step(evNote, t0, t0.Add(time.Hour+time.Minute))
	step(evNote, t0.Add(2*time.Hour), t0.Add(2*time.Hour+time.Minute))
	step(evClaim, t0.Add(2*time.Hour), time.Time{})
	step(evNote, t0.Add(3*time.Hour), time.Time{})
	step(evSuspend, t0.Add(4*time.Hour), t0.Add(4*time.Hour+time.Minute))
	step(evRequestHold, t0.Add(5*time.Hour), t0.Add(4*time.Hour+time.Minute))
	step(evRunDeadline, t0.Add(6*time.Hour), time.Time{})
}

// TestStaleTokenRefused: whoever presents another token than the run's is refused, in
// every state, and nothing changes.
func TestStaleTokenRefused(t *testing.T) {
	for _, r := range configurations() {
		for _, ev := range allEvents {
			if !ev.needsToken() {
				continue
			}
			m := sample(ev)
			m.token = 6
			if next, err := transition(r, m); err != syncline.ErrLeaseLost || !reflect.DeepEqual(next, r) {
				t.Errorf("%s with a stale token of a run that is %s: %v", ev, r.State, err)
			}
		}
	}
}

// TestHistories drives one run through random events, with zombies that present every
// token that was ever handed out.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		owner := rapid.SampledFrom([]syncline.Owner{syncline.OwnerEngine, syncline.OwnerExternal}).Draw(rt, "owner")
		r := syncline.Run{ID: "r", State: syncline.StatePending, Head: true, Owner: owner, Max: rapid.IntRange(1, 4).Draw(rt, "max")}
		if r.UpdateWithin = time.Duration(rapid.IntRange(0, 3).Draw(rt, "within")) * time.Second; awaited(r) {
			r.UpdateBy = unheardUntil(r, t0)
		}
		tokens := []int64{0}
		now, ends := t0, 0
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			now = now.Add(time.Second)
			m := sample(rapid.SampledFrom(allEvents).Draw(rt, "event"))
			m.now, m.issue = now, rapid.Int64Range(0, 50).Draw(rt, "issue") // also a clock that fell behind
			m.token, m.moved = rapid.SampledFrom(tokens).Draw(rt, "token"), rapid.Bool().Draw(rt, "moved")
			m.wait = rapid.SampledFrom([]syncline.Wait{syncline.WaitMassDelete, syncline.WaitSchemaChange, syncline.WaitExternal}).Draw(rt, "wait")
			m.outside = owner == syncline.OwnerExternal
			m.last = rapid.Bool().Draw(rt, "last")
			if rapid.Bool().Draw(rt, "confirm") {
				m.confirm = []syncline.Wait{syncline.WaitMassDelete}
			}
			next, err := transition(r, m)
			if err != nil {
				if !reflect.DeepEqual(next, r) {
					rt.Fatalf("a refused %s changed the run", m.event)
				}
				continue
			}
			if m.event == evHelp {
				tokens = append(tokens, next.Issued)
			}
			for _, broken := range violations(r, next, m) {
				rt.Fatalf("%s of %s: %s", m.event, r.State, broken)
			}
			if m.event.needsToken() && m.token != r.Token {
				rt.Fatalf("a zombie's %s was accepted", m.event)
			}
			switch {
			case next.State.Final() && !r.State.Final():
				ends++
			case r.State.Final() && !next.State.Final():
				ends--
			}
			if ends > 1 || ends < 0 {
				rt.Fatalf("the run ended %d times", ends)
			}
			tokens = append(tokens, next.Token)
			r = next
		}
		canEnd(rt, r, now)
	})
}

// canEnd checks that whatever happened to a run, a person can end it.
func canEnd(rt *rapid.T, r syncline.Run, now time.Time) {
	if r.State.Final() {
		return
	}
	r, err := transition(r, move{event: evRequestCancel, now: now})
	if err == nil && !r.State.Final() {
		r, err = transition(r, move{event: evForceCancel, now: now})
	}
	if err != nil || r.State != syncline.StateCanceled {
		rt.Fatalf("a run that is %s cannot be ended: %v", r.State, err)
	}
}
