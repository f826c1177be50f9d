package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
)

// parent is a run that a partner has claimed.
func (f *fixture) parent(name string) (*syncline.Pipeline, syncline.Run) {
	f.t.Helper()
	p := f.pipeline(name, external)
	return p, f.hand(f.start(p, ledger.Order{}).ID, "k")
}

func load(tasks ...string) (cs []ledger.Child) {
	for _, t := range tasks {
		cs = append(cs, ledger.Child{Task: t, Definition: syncline.Definition{Source: syncline.Endpoint{Kind: "of " + t}}})
	}
	return cs
}

func (f *fixture) children(parent string, beside int, tasks ...string) []syncline.Run {
	f.t.Helper()
	rs, err := f.StartChildren(f.t.Context(), parent, by("k"), beside, load(tasks...)...)
	f.must(err)
	return rs
}

// claims takes all that can be taken.
func (f *fixture) claims() map[string]syncline.Grant {
	f.t.Helper()
	gs, err := f.Claim(f.t.Context(), f.w, 100)
	f.must(err)
	all := map[string]syncline.Grant{}
	for _, g := range gs {
		all[g.Run.Parent.Name()] = g
	}
	return all
}

// ends finishes a child whose only task came to n rows, or failed with e.
func (f *fixture) ends(g syncline.Grant, s syncline.Stats, e *syncline.Error) {
	f.t.Helper()
	end := syncline.TaskEnd{Name: "rows", State: syncline.TaskSucceeded, Stats: s, Error: e}
	if e != nil {
		end.State = syncline.TaskFailed
	}
	f.plan(g, end)
	_, err := f.Finish(f.t.Context(), g.Hold())
	f.must(err)
}

func (f *fixture) log(id string) (texts []string) {
	f.t.Helper()
	ms, err := f.Messages(f.t.Context(), id, 0, 100)
	f.must(err)
	for _, m := range ms {
		if m.Severity != syncline.Info {
			f.t.Errorf("%s: %s", m.Severity, m.Text)
		}
		texts = append(texts, m.Text)
	}
	return texts
}

func names(grants map[string]syncline.Grant) string {
	var all []string
	for _, n := range []string{"a", "a #2", "b", "c"} {
		if _, ok := grants[n]; ok {
			all = append(all, n)
		}
	}
	return strings.Join(all, " ")
}

// TestFinishAfterChildren: a run whose source is done ends with its last child, by what
// they came to.
func TestFinishAfterChildren(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p, r := f.parent("x")
		made := f.children(r.ID, 0, "orders", "lines")
		if c := made[0]; c.Parent.Run != r.ID || c.Owner != syncline.OwnerEngine || c.PipelineID != p.ID || c.Origin != syncline.OriginChild || !c.Head {
			t.Errorf("child %+v", c)
		}
		for _, to := range []syncline.State{syncline.StateSucceeded, syncline.StateCanceled, syncline.StateSuspended} {
			_, err := f.EndOutside(t.Context(), r.ID, by("k"), to, nil)
			f.refused(err, syncline.FailedPrecondition, "children")
		}
		asked, err := f.FinishOutside(t.Context(), r.ID, by("k"))
		f.must(err)
		if asked.State != syncline.StateRunning || asked.Facts.FinishAskedAt.IsZero() || len(f.detail(r.ID).Leases) > 0 {
			t.Errorf("after it: %s, %+v, leases %v", asked.State, asked.Facts, f.detail(r.ID).Leases)
		}
		f.nothingMore(r.ID)

		gs := f.claims()
		if d := gs["orders"].Definition; d.Source.Kind != "of orders" || len(gs) != 2 {
			t.Fatalf("%d children claimed; orders by %+v", len(gs), d)
		}
		if got := f.detail(r.ID).Tasks[1]; got.Name != "orders" || got.State != syncline.TaskRunning || got.Kind != ledger.ChildTask {
			t.Errorf("the task of a child is %+v", got)
		}
		s := read(1000)
		s.Counts.Read, s.Counts.Rejected = 1003, 3
		f.ends(gs["orders"], s, nil)
		f.state(r.ID, syncline.StateRunning)
		f.ends(gs["lines"], read(20), nil)
		f.state(r.ID, syncline.StateSucceeded)
		d := f.detail(r.ID)
		if sum := syncline.Totals(d.Tasks); sum.Read != 1023 || sum.Inserted != 1020 || d.Run.Facts.Rejects != 3 || d.Run.Aspect() != syncline.AspectRejects {
			t.Errorf("counts %+v, facts %+v", sum, d.Run.Facts)
		}
		log := strings.Join(f.log(r.ID), "\n")
		for _, want := range []string{"the load of orders, has begun", "the load of lines, has begun", "the load of orders, has ended: succeeded, 1003 rows read, 3 rejected", "the load of lines, has ended: succeeded, 20 rows read"} {
			if strings.Count(log, want) != 1 {
				t.Errorf("%q is not once in\n%s", want, log)
			}
		}
		f.nothingMore(r.ID)
	})
}

// nothingMore checks that a finished run hears nothing.
func (f *fixture) nothingMore(id string) {
	f.t.Helper()
	before := f.detail(id).Run
	_, err := f.FinishOutside(f.t.Context(), id, by("k"))
	f.refused(err, syncline.FailedPrecondition, "state")
	_, err = f.NoteOutside(f.t.Context(), id, indexed("k", 1))
	f.refused(err, syncline.FailedPrecondition, "state")
	f.refused(f.LogOutside(f.t.Context(), id, by("k"), []syncline.Message{{Text: "x"}}), syncline.FailedPrecondition, "state")
	_, err = f.StartChildren(f.t.Context(), id, by("k"), 0, load("late")...)
	f.refused(err, syncline.FailedPrecondition, "state")
	_, err = f.ClaimOutside(f.t.Context(), id, by("k"))
	f.refused(err, syncline.FailedPrecondition, "state")
	if before.State == syncline.StateRunning {
		_, err = f.EndOutside(f.t.Context(), id, by("k"), syncline.StateFailed, nil)
		f.refused(err, syncline.FailedPrecondition, "state")
	}
	if after := f.detail(id).Run; after.Version != before.Version {
		f.t.Errorf("what was refused has changed the run: %+v", after)
	}
}

// TestFinishAtOnce: without children that live, the end is now; one that failed for good
// fails the run with its error.
func TestFinishAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		_, empty := f.parent("empty")
		r, err := f.FinishOutside(t.Context(), empty.ID, by("k"))
		f.must(err)
		if r.State != syncline.StateSucceeded || f.detail(r.ID).Tasks[0].State != syncline.TaskSucceeded || len(f.detail(r.ID).Leases) > 0 {
			t.Errorf("%+v", f.detail(r.ID))
		}
		_, failed := f.parent("failed")
		f.children(failed.ID, 0, "good", "bad", "worse")
		gs := f.claims()
		f.ends(gs["worse"], read(0), syncline.Errorf(syncline.NotFound, "no file"))
		f.ends(gs["bad"], read(1), syncline.Errorf(syncline.InvalidArgument, "bad file"))
		f.ends(gs["good"], read(5), nil)
		r, err = f.FinishOutside(t.Context(), failed.ID, by("k"))
		f.must(err)
		if r.State != syncline.StateFailed || syncline.CodeOf(r.Error) != syncline.InvalidArgument || r.Facts.FailedTasks != 2 {
			t.Errorf("%s with %v, %d failed; want that of the first child", r.State, r.Error, r.Facts.FailedTasks)
		}
		if n := syncline.Totals(f.detail(r.ID).Tasks).Read; n != 6 {
			t.Errorf("%d rows", n)
		}
		_, stranger := f.parent("stranger")
		_, err = f.FinishOutside(t.Context(), stranger.ID, by("other"))
		f.refused(err, syncline.PermissionDenied, ledger.ReasonHeld)
		waits := f.start(f.pipeline("waits", external), ledger.Order{})
		_, err = f.FinishOutside(t.Context(), waits.ID, by("k"))
		f.refused(err, syncline.FailedPrecondition, "state")
	})
}

// TestDeclined: a source may fail a run that it has not taken, and none that somebody has.
func TestDeclined(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("x", external)
		first, second := f.start(p, ledger.Order{}), f.start(p, ledger.Order{})
		o := noting("k", `{"declined":true}`)
		r, err := f.DeclineOutside(t.Context(), first.ID, o, syncline.Errorf(syncline.Unauthenticated, "no token"))
		f.must(err)
		if r.State != syncline.StateFailed || syncline.CodeOf(r.Error) != syncline.Unauthenticated || !r.StartedAt.IsZero() || len(r.Ext) != 1 {
			t.Errorf("%+v", r)
		}
		if !f.detail(second.ID).Run.Head {
			t.Error("the next run of the lane does not go on")
		}
		f.hand(second.ID, "k")
		for _, id := range []string{first.ID, second.ID, f.start(f.pipeline("ours", nil), ledger.Order{}).ID} {
			_, err = f.DeclineOutside(t.Context(), id, by("k"), nil)
			f.refused(err, syncline.FailedPrecondition, "state")
		}
	})
}

// TestChildrenTakeTurns: of one word one at a time, and no more beside each other than
// asked.
func TestChildrenTakeTurns(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		_, r := f.parent("x")
		f.children(r.ID, 2, "a", "a", "b", "c")
		gs := f.claims()
		if names(gs) != "a b" {
			t.Fatalf("%s begin, want a and b", names(gs))
		}
		f.ends(gs["b"], read(1), nil)
		if more := f.claims(); names(more) != "c" {
			t.Fatalf("after b %s begin, want c", names(more))
		}
		f.ends(gs["a"], read(1), nil)
		more := f.claims()
		if names(more) != "a #2" {
			t.Fatalf("after a %s begin, want a #2", names(more))
		}
		again := f.children(r.ID, 0, "a")
		if again[0].Head || again[0].Parent.Iteration != 2 {
			t.Errorf("a third child of a: %+v", again[0].Parent)
		}
		if _, err := f.Cancel(t.Context(), again[0].ID, "not that"); err != nil {
			t.Error(err)
		}
		_, err := f.FinishOutside(t.Context(), r.ID, by("k"))
		f.must(err)
	})
}

// TestChildrenEndWithParent: whatever ends a run over the heads of its children, they are
// canceled, waiting or at work.
func TestChildrenEndWithParent(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		for name, end := range map[string]func(r syncline.Run){
			"canceled": func(r syncline.Run) {
				_, err := f.Cancel(t.Context(), r.ID, "enough")
				f.must(err)
				f.state(r.ID, syncline.StateRunning) // its source is to answer
			},
			"finished and canceled": func(r syncline.Run) {
				_, err := f.FinishOutside(t.Context(), r.ID, by("k"))
				f.must(err)
				_, err = f.Cancel(t.Context(), r.ID, "enough")
				f.must(err)
				f.state(r.ID, syncline.StateCanceled)
			},
			"failed": func(r syncline.Run) {
				_, err := f.EndOutside(t.Context(), r.ID, by("k"), syncline.StateFailed, syncline.Errorf(syncline.Internal, "exception"))
				f.must(err)
			},
		} {
			_, r := f.parent(name)
			made := f.children(r.ID, 1, "a", "b")
			g := f.claims()["a"]
			end(r)
			_, err := f.Scan(t.Context())
			f.must(err)
			f.state(made[1].ID, syncline.StateCanceled)
			if bs, err := f.Beat(t.Context(), []syncline.Hold{g.Hold()}); err != nil || len(bs) != 1 || bs[0].Ask != syncline.AskCancel {
				t.Errorf("%s: the child's worker hears %v, %v", name, bs, err)
			}
			_, err = f.AckCancel(t.Context(), g.Hold())
			f.must(err)
			if n, err := f.Scan(t.Context()); n != 0 || err != nil {
				t.Errorf("%s: another scan changed %d, %v", name, n, err)
			}
			if name == "canceled" {
				_, err := f.FinishOutside(t.Context(), r.ID, by("k"))
				f.must(err)
				f.state(r.ID, syncline.StateCanceled)
			}
		}
	})
}

// TestFinishingOutlivesSilence: once its source is done, a run does not end because nobody
// says anything.
func TestFinishingOutlivesSilence(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		_, r := f.parent("x")
		f.children(r.ID, 0, "a")
		_, err := f.FinishOutside(t.Context(), r.ID, by("k"))
		f.must(err)
		for end := time.Now().Add(2*ttl + silent); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			_, err := f.Scan(t.Context())
			f.must(err)
			f.must(f.HearOutside(t.Context(), r.ID, "k", silent))
		}
		f.state(r.ID, syncline.StateRunning)
		f.ends(f.claims()["a"], read(1), nil)
		f.state(r.ID, syncline.StateSucceeded)
	})
}

// TestChildGoesOn: a child that failed for good may be resumed while its parent runs.
func TestChildGoesOn(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		_, r := f.parent("x")
		c := f.children(r.ID, 0, "a")[0]
		f.ends(f.claims()["a"], read(2), syncline.Errorf(syncline.NotFound, "no file"))
		_, err := f.Resume(t.Context(), c.ID)
		f.must(err)
		if d := f.detail(r.ID); d.Tasks[1].State != syncline.TaskPending || !d.Tasks[1].EndedAt.IsZero() {
			t.Errorf("the child's task is %+v", d.Tasks[1])
		}
		_, err = f.FinishOutside(t.Context(), r.ID, by("k"))
		f.must(err)
		g := f.claims()["a"]
		f.must(f.EndTask(t.Context(), g.Hold(), syncline.TaskEnd{Name: "rows", State: syncline.TaskSucceeded, Stats: read(9)}))
		_, err = f.Finish(t.Context(), g.Hold())
		f.must(err)
		f.state(r.ID, syncline.StateSucceeded)
		if n := syncline.Totals(f.detail(r.ID).Tasks).Read; n != 9 {
			t.Errorf("%d rows", n)
		}
	})
}

// TestChildrenGoWithParent: deleting a run, by a person or by retention, and deleting a
// pipeline leave nothing of a child's definition behind.
func TestChildrenGoWithParent(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p, r := f.parent("x")
		p.Definition.KeepRuns = 1
		f.children(r.ID, 0, "a", "b")
		f.ends(f.claims()["a"], read(1), nil)
		f.must(f.Delete(t.Context(), r.ID))
		f.removed(p, r)

		r = f.hand(f.start(p, ledger.Order{}).ID, "k")
		f.children(r.ID, 0, "a", "b")
		for _, g := range f.claims() {
			f.ends(g, read(1), nil)
		}
		_, err := f.FinishOutside(t.Context(), r.ID, by("k"))
		f.must(err)
		if n, err := f.Prune(t.Context(), p); n != 0 || err != nil {
			t.Errorf("children count as runs: %d pruned, %v", n, err)
		}
		newer := f.hand(f.start(p, ledger.Order{}).ID, "k")
		_, err = f.FinishOutside(t.Context(), newer.ID, by("k"))
		f.must(err)
		if n, err := f.Prune(t.Context(), p); n != 1 || err != nil {
			t.Errorf("%d pruned, %v", n, err)
		}
		f.removed(p, r)

		r = f.hand(f.start(p, ledger.Order{}).ID, "k")
		c := f.children(r.ID, 0, "a")[0]
		f.must(f.store.Update(t.Context(), func(tx syncline.Tx) error { return tx.DeletePipeline(p.ID) }))
		f.must(f.store.View(t.Context(), func(tx syncline.Tx) error {
			_, err := tx.Revision(p.ID, c.Revision)
			f.refused(err, syncline.NotFound, "")
			return nil
		}))
	})
}

func (f *fixture) removed(p *syncline.Pipeline, r syncline.Run) {
	f.t.Helper()
	f.must(f.store.View(f.t.Context(), func(tx syncline.Tx) error {
		_, err := tx.Run(r.ID)
		f.refused(err, syncline.NotFound, "")
		rs, err := tx.Runs(syncline.RunFilter{ParentRun: r.ID})
		if err != nil || len(rs) > 0 {
			f.t.Errorf("%d children are left, %v", len(rs), err)
		}
		_, err = tx.Revision(p.ID, -1)
		f.refused(err, syncline.NotFound, "")
		return nil
	}))
}

// TestUnheardWhileItWaits: a run that its source does not take, or does not speak of, ends
// at its deadline; every word of the source starts it anew.
func TestUnheardWhileItWaits(t *testing.T) {
	const within = time.Second
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("x", func(p *syncline.Pipeline) {
			external(p)
			p.Definition.UpdateWithin = within
		})
		untaken, spoken, taken := f.start(p, ledger.Order{}), f.start(p, ledger.Order{}), f.start(p, ledger.Order{})
		later := f.start(p, ledger.Order{Due: untaken.CreatedAt.Add(time.Hour)})
		quiet := ledger.Outside{By: "k", Worker: "h"}
		_, err := f.ClaimOutside(t.Context(), taken.ID, quiet)
		f.must(err)
		f.soon(within/2, func() bool { return f.now().Sub(untaken.CreatedAt) > within/2 })
		f.must(f.LogOutside(t.Context(), spoken.ID, quiet, []syncline.Message{{Severity: syncline.Info, Text: "not yet"}}))
		f.must(f.LogOutside(t.Context(), untaken.ID, quiet, nil)) // which says nothing
		f.soon(5*time.Second, func() bool { return f.scanned(untaken.ID).State.Final() })
		at := f.now()
		f.unheard(untaken.ID)
		f.state(spoken.ID, syncline.StatePending)
		if early := at.Sub(untaken.CreatedAt); early < within {
			t.Errorf("ended after %s", early)
		}
		f.soon(5*time.Second, func() bool { return f.scanned(taken.ID).State.Final() && f.scanned(spoken.ID).State.Final() })
		f.unheard(taken.ID)
		f.unheard(spoken.ID)
		f.state(later.ID, syncline.StatePending)
		_, err = f.ClaimOutside(t.Context(), untaken.ID, quiet)
		f.refused(err, syncline.FailedPrecondition, "state")
	})
}

func (f *fixture) unheard(id string) {
	f.t.Helper()
	r := f.state(id, syncline.StateFailed)
	if r.Error == nil || r.Error.Code != syncline.DeadlineExceeded || r.Error.Reason != "update_deadline" {
		f.t.Errorf("run %s ended with %v", id, r.Error)
	}
}

func (f *fixture) scanned(id string) syncline.Run {
	f.t.Helper()
	_, err := f.Scan(f.t.Context())
	f.must(err)
	return f.detail(id).Run
}

func (f *fixture) now() time.Time {
	now, err := f.store.Now(f.t.Context())
	f.must(err)
	return now
}

// soon waits until ok says so.
func (f *fixture) soon(most time.Duration, ok func() bool) {
	f.t.Helper()
	for end := time.Now().Add(most + 5*time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatal("not in time")
		}
	}
}

// TestChildrenRace: children that begin and end side by side, while the source finishes and
// people cancel, leave every parent ended once, with the rows of its children.
func TestChildrenRace(t *testing.T) {
	const parents, each = 4, 12
	onBoth(t, func(t *testing.T, f *fixture) {
		var ids []string
		for i := range parents {
			p := f.pipeline(fmt.Sprint("x", i), external)
			ids = append(ids, f.hand(f.start(p, ledger.Order{}).ID, "k").ID)
			f.children(ids[i], 3, slices.Repeat([]string{"a", "b", "c"}, each/3)...)
		}
		canceled := ids[parents-1]
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() { f.workOff(ids) })
		}
		for _, id := range ids {
			all.Go(func() {
				if _, err := f.FinishOutside(t.Context(), id, by("k")); err != nil {
					t.Error(err)
				}
				if id == canceled {
					if _, err := f.Cancel(t.Context(), id, "enough"); err != nil && syncline.CodeOf(err) != syncline.FailedPrecondition {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		for _, id := range ids {
			d := f.detail(id)
			if n := syncline.Totals(d.Tasks).Read; id != canceled && (d.Run.State != syncline.StateSucceeded || n != each) {
				t.Errorf("run %s is %s with %d rows, %v", id, d.Run.State, n, d.Run.Error)
			}
			if log := f.log(id); id != canceled && len(log) != 2*each {
				t.Errorf("%d messages, want %d: %v", len(log), 2*each, log)
			}
		}
	})
}

// workOff does children until all parents and children have ended.
func (f *fixture) workOff(parents []string) {
	for !f.t.Failed() {
		gs, err := f.Claim(f.t.Context(), f.w, 4)
		if err != nil {
			f.t.Error(err)
			return
		}
		for _, g := range gs {
			f.one(g)
		}
		if len(gs) > 0 {
			continue
		}
		if _, err := f.Scan(f.t.Context()); err != nil {
			f.t.Error(err)
		}
		live, err := f.Runs(f.t.Context(), syncline.RunFilter{UnfinishedIn: true})
		if err != nil || len(live) == 0 {
			return
		}
	}
}

// one does a child, or leaves it when it was canceled.
func (f *fixture) one(g syncline.Grant) {
	ctx, h := f.t.Context(), g.Hold()
	_, err := f.Plan(ctx, h, []syncline.Task{{Name: "rows", Kind: "transfer"}})
	if err == nil {
		err = f.EndTask(ctx, h, syncline.TaskEnd{Name: "rows", State: syncline.TaskSucceeded, Stats: read(1)})
	}
	if err == nil {
		_, err = f.Finish(ctx, h)
	}
	if err != nil && !errors.Is(err, syncline.ErrLeaseLost) {
		f.t.Error(err)
	}
}
