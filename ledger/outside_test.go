package ledger_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
)

// silent is how long the tests' outside workers may be silent.
const silent = 700 * time.Millisecond

func external(p *syncline.Pipeline) {
	p.Definition.Owner, p.Definition.Overlap = syncline.OwnerExternal, syncline.OverlapQueue
}

func by(key string) ledger.Outside {
	return ledger.Outside{By: key, Worker: "host of " + key, Silence: silent}
}

func indexed(key string, n int64) ledger.Outside {
	o := by(key)
	o.Counts = func(c *syncline.Counts) { c.Read, c.Inserted = n, n }
	return o
}

func noting(key, doc string) ledger.Outside {
	o := by(key)
	o.Edit = func(r *syncline.Run, _ time.Time) error {
		r.Ext = map[string]json.RawMessage{"x": json.RawMessage(doc)}
		return nil
	}
	return o
}

func (f *fixture) hand(id, key string) syncline.Run {
	f.t.Helper()
	r, err := f.ClaimOutside(f.t.Context(), id, by(key))
	f.must(err)
	return r
}

func (f *fixture) over(id, key string, to syncline.State) syncline.Run {
	f.t.Helper()
	r, err := f.EndOutside(f.t.Context(), id, by(key), to, nil)
	f.must(err)
	return r
}

// refused checks code and reason of an error.
func (f *fixture) refused(err error, code syncline.Code, reason string) {
	f.t.Helper()
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok || e.Code != code || e.Reason != reason {
		f.t.Errorf("got %v, want %s (%s)", err, code, reason)
	}
}

func (f *fixture) detail(id string) ledger.Detail {
	f.t.Helper()
	d, err := f.Run(f.t.Context(), id)
	f.must(err)
	return d
}

func TestOutsideClaim(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", external)
		r := f.start(p, ledger.Order{Mode: syncline.ModeFull, Tasks: []syncline.Task{{Name: "index", Kind: ledger.OutsideTask}}})
		if gs, err := f.Claim(t.Context(), f.w, 1); err != nil || len(gs) > 0 {
			t.Fatalf("an engine's worker was given an outside run: %v, %v", gs, err)
		}
		got := f.hand(r.ID, "k")
		if got.State != syncline.StateRunning || got.Worker != "host of k" || !got.Facts.Tokenless || got.Version != f.detail(r.ID).Run.Version {
			t.Errorf("claimed: %+v, stored version %d", got, f.detail(r.ID).Run.Version)
		}
		if d := f.detail(r.ID); d.Tasks[0].State != syncline.TaskRunning || d.Tasks[0].Name != "index" {
			t.Errorf("its task is %s, %s", d.Tasks[0].Name, d.Tasks[0].State)
		}
		if again := f.hand(r.ID, "k"); again.Version != got.Version || again.Token != got.Token || len(again.Attempts) != 1 {
			t.Errorf("the repeated claim is another one: %+v", again)
		}
		_, err := f.ClaimOutside(t.Context(), r.ID, by("other"))
		f.refused(err, syncline.Aborted, ledger.ReasonHeld)
		stranger := by("k")
		stranger.Worker = "another host"
		_, err = f.ClaimOutside(t.Context(), r.ID, stranger)
		f.refused(err, syncline.Aborted, ledger.ReasonHeld)
		_, err = f.NoteOutside(t.Context(), r.ID, indexed("k", 3))
		f.must(err)
		_, err = f.ClaimOutside(t.Context(), r.ID, by("k")) // it has reported: this is somebody else
		f.refused(err, syncline.Aborted, ledger.ReasonHeld)
		f.over(r.ID, "k", syncline.StateSucceeded)
		_, err = f.ClaimOutside(t.Context(), r.ID, by("k"))
		f.refused(err, syncline.FailedPrecondition, "state")
		_, err = f.ClaimOutside(t.Context(), "absent", by("k"))
		f.refused(err, syncline.NotFound, "")

		ours := f.start(f.pipeline("engine", nil), ledger.Order{})
		_, err = f.ClaimOutside(t.Context(), ours.ID, by("k"))
		f.refused(err, syncline.FailedPrecondition, "state")
		f.claim()
		_, err = f.ClaimOutside(t.Context(), ours.ID, by("k"))
		f.refused(err, syncline.FailedPrecondition, "state")
	})
}

// TestOutsideLane: which run of a lane is done first is the outside worker's choice, but
// one at a time; who may see what is apart.
func TestOutsideLane(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", external)
		first, second, third := f.start(p, ledger.Order{}), f.start(p, ledger.Order{}), f.start(p, ledger.Order{})
		f.hand(second.ID, "k")
		if f.detail(first.ID).Run.Head || !f.detail(second.ID).Run.Head {
			t.Error("the claimed run is not the head of its lane")
		}
		_, err := f.ClaimOutside(t.Context(), first.ID, by("k"))
		f.refused(err, syncline.Aborted, ledger.ReasonHeld)
		access := f.start(p, ledger.Order{Mode: syncline.ModeAccessControl})
		f.hand(access.ID, "k2")
		f.over(second.ID, "k", syncline.StateSuspended)
		if got := f.hand(third.ID, "k"); got.State != syncline.StateRunning {
			t.Errorf("%s in front of one that was laid down", got.State)
		}
		_, err = f.ClaimOutside(t.Context(), second.ID, by("k"))
		f.refused(err, syncline.Aborted, ledger.ReasonHeld)
		f.over(third.ID, "k", syncline.StateSucceeded)
		if got := f.hand(second.ID, "k3"); len(got.Attempts) != 2 || got.Tries != 1 {
			t.Errorf("claimed again with %d attempts, %d tries", len(got.Attempts), got.Tries)
		}
		f.over(second.ID, "k3", syncline.StateFailed)
		if !f.detail(first.ID).Run.Head {
			t.Error("the last run of the lane is not its head")
		}
		f.state(access.ID, syncline.StateRunning)
	})
}

// TestOutsideStepsBack: a run of the engine's that has begun is found again only as the
// head of its lane, so it stays there.
func TestOutsideStepsBack(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", func(p *syncline.Pipeline) { p.Definition.Overlap = syncline.OverlapQueue })
		ours := f.start(p, ledger.Order{})
		_, err := f.Yield(t.Context(), f.claim().Hold())
		f.must(err)
		external(p)
		p.Revision++
		f.must(f.store.Update(t.Context(), func(tx syncline.Tx) error { return tx.PutPipeline(p) }))
		theirs := f.start(p, ledger.Order{})
		_, err = f.ClaimOutside(t.Context(), theirs.ID, by("k"))
		f.refused(err, syncline.Aborted, ledger.ReasonHeld)
		_, err = f.Cancel(t.Context(), ours.ID, "")
		f.must(err)
		f.hand(theirs.ID, "k")
	})
}

func TestOutsideNote(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r := f.start(f.pipeline("a", external), ledger.Order{})
		say := func(what string, n int64, want syncline.State) {
			t.Helper()
			got, err := f.NoteOutside(t.Context(), r.ID, indexed("k", n))
			f.must(err)
			d := f.detail(r.ID)
			if got.State != want || d.Tasks[0].Stats.Counts.Inserted != n || got.Version != d.Run.Version {
				t.Errorf("%s: %s with %+v, version %d, stored %d", what, got.State, d.Tasks[0].Stats.Counts, got.Version, d.Run.Version)
			}
		}
		say("never claimed", 1, syncline.StatePending)
		claimed := f.hand(r.ID, "k")
		say("claimed", 2, syncline.StateRunning)
		if lease := f.detail(r.ID).Leases[0]; !lease.SeenAt.After(claimed.StartedAt) || lease.ExpiresAt.Sub(lease.SeenAt) != silent {
			t.Errorf("a report moved the lease to %v, %v", lease.SeenAt, lease.ExpiresAt)
		}
		_, err := f.NoteOutside(t.Context(), r.ID, indexed("other", 9))
		f.refused(err, syncline.PermissionDenied, ledger.ReasonHeld)
		_, err = f.EndOutside(t.Context(), r.ID, by("other"), syncline.StateFailed, nil)
		f.refused(err, syncline.PermissionDenied, ledger.ReasonHeld)
		f.over(r.ID, "k", syncline.StateSuspended)
		say("laid down", 4, syncline.StateSuspended)
		f.hand(r.ID, "k")
		f.over(r.ID, "k", syncline.StateSucceeded)
		say("ended", 5, syncline.StateSucceeded)

		before := f.detail(r.ID).Run
		said, err := f.NoteOutside(t.Context(), r.ID, noting("k", `{"a":1}`))
		f.must(err)
		if said.Version != before.Version+1 || string(said.Ext["x"]) != `{"a":1}` {
			t.Errorf("noted %s, version %d after %d", said.Ext["x"], said.Version, before.Version)
		}
		for _, o := range []ledger.Outside{noting("k", `{"a":1}`), indexed("k", 5), by("k")} {
			if same, err := f.NoteOutside(t.Context(), r.ID, o); err != nil || same.Version != said.Version {
				t.Errorf("what changes nothing stored version %d, %v", same.Version, err)
			}
		}
		ours := f.start(f.pipeline("engine", nil), ledger.Order{})
		_, err = f.NoteOutside(t.Context(), ours.ID, by("k"))
		f.refused(err, syncline.InvalidArgument, "")
	})
}

func TestOutsideEnds(t *testing.T) {
	broken := syncline.Errorf(syncline.Unknown, "no such host").Of(syncline.ClassSource)
	for _, c := range []struct {
		to    syncline.State
		task  syncline.TaskState
		cause string
		err   *syncline.Error
	}{
		{syncline.StateSucceeded, syncline.TaskSucceeded, "succeeded", nil},
		{syncline.StateFailed, syncline.TaskFailed, "failed", broken},
		{syncline.StateCanceled, syncline.TaskCanceled, "canceled", nil},
		{syncline.StateSuspended, syncline.TaskSuspended, "external", nil},
	} {
		t.Run(string(c.to), func(t *testing.T) {
			onBoth(t, func(t *testing.T, f *fixture) {
				p := f.pipeline("a", external)
				r, next := f.start(p, ledger.Order{}), f.start(p, ledger.Order{})
				_, err := f.EndOutside(t.Context(), r.ID, by("k"), c.to, c.err)
				f.refused(err, syncline.FailedPrecondition, "state") // nobody has claimed it
				f.hand(r.ID, "k")
				got, err := f.EndOutside(t.Context(), r.ID, indexed("k", 7), c.to, c.err)
				f.must(err)
				d := f.detail(r.ID)
				if got.State != c.to || d.Run.State != c.to || d.Tasks[0].State != c.task || d.Tasks[0].Stats.Counts.Read != 7 || len(d.Leases) > 0 {
					t.Errorf("%s, task %s with %+v, %d leases", d.Run.State, d.Tasks[0].State, d.Tasks[0].Stats.Counts, len(d.Leases))
				}
				if a := d.Run.Attempts[0]; a.Cause != c.cause || (d.Run.Error == nil) != (c.err == nil) {
					t.Errorf("attempt ended by %s, error %v", a.Cause, d.Run.Error)
				}
				if f.detail(next.ID).Run.Head != c.to.Final() {
					t.Errorf("the next run is head: %v", f.detail(next.ID).Run.Head)
				}
				if !c.to.Final() {
					return
				}
				for i, late := range []syncline.State{syncline.StateSuspended, syncline.StateFailed, syncline.StateSucceeded, syncline.StateCanceled} {
					after := f.over(r.ID, "other", late)
					if after.State != c.to || after.Facts.Fenced != int64(i+1) || !after.EndedAt.Equal(got.EndedAt) {
						t.Errorf("a late %s: %s, fenced %d", late, after.State, after.Facts.Fenced)
					}
				}
			})
		})
	}
}

// TestOutsideSilence: a worker that says nothing has lost its run for good.
func TestOutsideSilence(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", external)
		r, next := f.start(p, ledger.Order{}), f.start(p, ledger.Order{})
		f.hand(r.ID, "k")
		began := time.Now()
		for time.Since(began) < 2*silent { // it lives as long as it says something
			time.Sleep(silent / 5)
			_, err := f.NoteOutside(t.Context(), r.ID, by("k"))
			f.must(err)
			_, err = f.Scan(t.Context())
			f.must(err)
		}
		f.state(r.ID, syncline.StateRunning)
		got := f.scanUntil(r.ID, syncline.StateFailed)
		if got.Error == nil || got.Error.Reason != "lease_lost" || got.Attempts[0].Cause != "lease_lost" {
			t.Errorf("ended with %v, attempt %+v", got.Error, got.Attempts[0])
		}
		if d := f.detail(r.ID); d.Tasks[0].State != syncline.TaskFailed || len(d.Leases) > 0 {
			t.Errorf("its task is %s, %d leases", d.Tasks[0].State, len(d.Leases))
		}
		_, err := f.ClaimOutside(t.Context(), r.ID, by("k"))
		f.refused(err, syncline.FailedPrecondition, "state")
		f.over(r.ID, "k", syncline.StateSucceeded)
		f.state(r.ID, syncline.StateFailed)
		f.hand(next.ID, "k")
	})
}

// TestHearOutside: a call that changes nothing is a sign of life, of the holder only.
func TestHearOutside(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r := f.start(f.pipeline("a", external), ledger.Order{})
		f.must(f.HearOutside(t.Context(), r.ID, "k", silent)) // of nobody
		claimed := f.hand(r.ID, "k")
		f.must(f.HearOutside(t.Context(), r.ID, "k", silent)) // too soon to be worth a write
		seen := func() time.Time { return f.detail(r.ID).Leases[0].SeenAt }
		if !seen().Equal(claimed.StartedAt) {
			t.Error("a sign of life right after another was written down")
		}
		age := func() {
			f.must(f.store.Update(t.Context(), func(tx syncline.Tx) error {
				lease, err := tx.Lease(r.ID, "")
				lease.SeenAt = lease.SeenAt.Add(-time.Minute)
				return errors.Join(err, tx.PutLease(*lease))
			}))
		}
		age()
		was := seen()
		f.must(f.HearOutside(t.Context(), r.ID, "other", silent))
		if !seen().Equal(was) {
			t.Error("another key's call was taken for the holder's")
		}
		for _, key := range []string{"k", ""} {
			f.must(f.HearOutside(t.Context(), r.ID, key, time.Hour))
			if l := f.detail(r.ID).Leases[0]; !l.SeenAt.After(was) || l.ExpiresAt.Sub(l.SeenAt) != time.Hour {
				t.Errorf("heard of %q: %+v", key, l)
			}
			age()
		}
		if f.detail(r.ID).Run.Version != claimed.Version {
			t.Error("a sign of life changed the run")
		}
	})
}

func TestOutsideCancel(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", external)
		waiting, laid, held := f.start(p, ledger.Order{}), f.start(p, ledger.Order{}), f.start(p, ledger.Order{})
		f.hand(laid.ID, "k")
		f.over(laid.ID, "k", syncline.StateSuspended)
		f.hand(held.ID, "k")
		for _, r := range []syncline.Run{waiting, laid, held} {
			_, err := f.Cancel(t.Context(), r.ID, "enough")
			f.must(err)
		}
		f.state(waiting.ID, syncline.StateCanceled)
		f.state(laid.ID, syncline.StateCanceled)
		if got := f.state(held.ID, syncline.StateRunning); got.Aspect() != syncline.AspectCanceling {
			t.Errorf("a running one shows %s", got.Aspect())
		}
		_, err := f.NoteOutside(t.Context(), held.ID, indexed("k", 4)) // its worker may still say how far it came
		f.must(err)
		if got := f.over(held.ID, "k", syncline.StateSuspended); got.State != syncline.StateCanceled {
			t.Errorf("laid down while it was to be canceled: %s", got.State)
		}
		finished := f.start(p, ledger.Order{})
		f.hand(finished.ID, "k")
		_, err = f.Cancel(t.Context(), finished.ID, "too late")
		f.must(err)
		f.over(finished.ID, "k", syncline.StateSucceeded)
		f.state(finished.ID, syncline.StateSucceeded)
	})
}

func TestDelete(t *testing.T) {
	begin := map[string]func(f *fixture, p *syncline.Pipeline, id string){
		"pending": func(*fixture, *syncline.Pipeline, string) {},
		"running": func(f *fixture, _ *syncline.Pipeline, id string) { f.hand(id, "k") },
		"suspended": func(f *fixture, _ *syncline.Pipeline, id string) {
			f.hand(id, "k")
			f.over(id, "k", syncline.StateSuspended)
		},
		"succeeded": func(f *fixture, _ *syncline.Pipeline, id string) {
			f.hand(id, "k")
			f.over(id, "k", syncline.StateSucceeded)
		},
		"canceled": func(f *fixture, _ *syncline.Pipeline, id string) {
			_, err := f.Cancel(f.t.Context(), id, "")
			f.must(err)
		},
	}
	for name, begin := range begin {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, f *fixture) {
				p := f.pipeline("a", external)
				r, next := f.start(p, ledger.Order{}), f.start(p, ledger.Order{})
				begin(f, p, r.ID)
				f.must(f.Delete(t.Context(), r.ID))
				_, err := f.Run(t.Context(), r.ID)
				f.refused(err, syncline.NotFound, "")
				if !f.detail(next.ID).Run.Head {
					t.Error("the next run of the lane is not its head")
				}
				f.refused(f.Delete(t.Context(), r.ID), syncline.NotFound, "")
				_, err = f.NoteOutside(t.Context(), r.ID, by("k"))
				f.refused(err, syncline.NotFound, "")
				f.hand(next.ID, "k")
			})
		})
	}
}

// TestDeleteHeld: the engine's worker finds that it has lost a run that was deleted.
func TestDeleteHeld(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r := f.start(f.pipeline("a", nil), ledger.Order{})
		g := f.claim()
		f.must(f.Delete(t.Context(), r.ID))
		if answers, err := f.Beat(t.Context(), []syncline.Hold{g.Hold()}); err != nil || len(answers) != 0 {
			t.Errorf("its beat was answered %v, %v", answers, err)
		}
		_, err := f.Finish(t.Context(), g.Hold())
		f.refused(err, syncline.NotFound, "")
	})
}

// TestOutsideRace: of many that claim at once, through two servers, one is given the run.
func TestOutsideRace(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		servers := []*ledger.Ledger{f.Ledger, ledger.New(f.store, ledger.Options{TTL: ttl})}
		p := f.pipeline("a", external)
		for range 5 {
			a, b := f.start(p, ledger.Order{}), f.start(p, ledger.Order{})
			var won, lost atomic.Int32
			var winner atomic.Value
			var all sync.WaitGroup
			for i := range 10 {
				all.Go(func() {
					r := []syncline.Run{a, b}[i/5%2] // two runs of one lane: still one winner
					key := fmt.Sprint("k", i)
					_, err := servers[i%2].ClaimOutside(t.Context(), r.ID, by(key))
					switch e, _ := errors.AsType[*syncline.Error](err); {
					case err == nil:
						won.Add(1)
						winner.Store([2]string{r.ID, key})
					case e != nil && e.Reason == ledger.ReasonHeld:
						lost.Add(1)
					default:
						t.Errorf("claim: %v", err)
					}
				})
			}
			all.Wait()
			if won.Load() != 1 || lost.Load() != 9 {
				t.Fatalf("%d were given the run, %d were refused", won.Load(), lost.Load())
			}
			w := winner.Load().([2]string)
			f.over(w[0], w[1], syncline.StateSucceeded)
			for _, r := range []syncline.Run{a, b} {
				if r.ID != w[0] {
					f.must(f.Delete(t.Context(), r.ID))
				}
			}
		}
	})
}
