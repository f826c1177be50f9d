package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
)

var runChecks = []check{
	{"a run keeps every field", runFields},
	{"runs compare and swap", runSwap},
	{"many runs are changed at once, and each is answered for", manyRuns},
	{"what is unique about a run", runUnique},
	{"runs are listed in pages, the newest first", runPages},
	{"runs are listed by what a filter asks", runFilters},
	{"runs are listed and counted by how they look, page by page", runAspects},
	{"a run is found by either end of its id", runLike},
	{"a deleted run leaves nothing", runDelete},
	{"retention takes the old and the surplus", prunable},
	{"alarms ring for unfinished runs only", alarmed},
	{"children whose parents have ended are found", orphans},
	{"children are told from other runs", roots},
}

func (t *T) run(id string) *syncline.Run {
	t.Helper()
	return get(t, func(tx syncline.Tx) (*syncline.Run, error) { return tx.Run(id) })
}

func (t *T) runs(f syncline.RunFilter) []string {
	t.Helper()
	return ids(get(t, func(tx syncline.Tx) ([]*syncline.Run, error) { return tx.Runs(f) }))
}

func runFields(t *T) {
	r := filled[syncline.Run](t)
	t.insert(r)
	equal(t.T, "version", r.Version, 1)
	equal(t.T, "inserted", t.run(r.ID), r)
	equal(t.T, "by key", get(t, func(tx syncline.Tx) (*syncline.Run, error) { return tx.RunByDedupeKey(r.DedupeKey) }), r)
	t.update(func(tx syncline.Tx) error {
		got, err := tx.RunInLane(r.ID)
		must(t, err)
		equal(t.T, "run in its lane", got, r)
		return nil
	})
	bare := &syncline.Run{ID: r.ID, Version: 1}
	t.update(func(tx syncline.Tx) error { return tx.PutRun(bare) })
	equal(t.T, "emptied", t.run(r.ID), &syncline.Run{ID: r.ID, Version: 2})
	r.Version = 2
	t.update(func(tx syncline.Tx) error { return tx.PutRun(r) })
	equal(t.T, "filled again", t.run(r.ID), r)
}

func runSwap(t *T) {
	r := run("r")
	t.insert(r)
	mine, theirs := *r, *r
	mine.Why = "mine"
	t.update(func(tx syncline.Tx) error { return tx.PutRun(&mine) })
	equal(t.T, "version", mine.Version, 2)
	mine.Worker = "w"
	got := t.answers(
		putting(&theirs),
		putting(run("absent", func(r *syncline.Run) { r.Version = 1 })),
		putting(&mine),
	)
	refused(t.T, got[0], syncline.Aborted, `"r"`)
	refused(t.T, got[1], syncline.NotFound, "absent")
	must(t, got[2])
	mine.Version = 3
	equal(t.T, "stored", t.run("r"), &mine)
	t.update(func(tx syncline.Tx) error {
		_, err := tx.RunInLane("absent")
		refused(t.T, err, syncline.NotFound, "absent")
		return nil
	})
	t.view(func(tx syncline.Tx) error {
		_, err := tx.Run("absent")
		refused(t.T, err, syncline.NotFound, "absent")
		_, err = tx.RunByDedupeKey("no key")
		refused(t.T, err, syncline.NotFound, "no key")
		return nil
	})
}

func runUnique(t *T) {
	one := run("one", func(r *syncline.Run) { r.Lane, r.DedupeKey = "l", "k" })
	two := run("two", func(r *syncline.Run) { r.Lane, r.Head = "l", false })
	t.insert(one, two)
	head, keyed := *two, *two
	head.Head, keyed.DedupeKey, one.Head = true, "k", false
	got := t.answers(
		inserting(run("one")),
		inserting(run("x", func(r *syncline.Run) { r.DedupeKey = "k" })),
		inserting(run("x", func(r *syncline.Run) { r.Lane = "l" })),
		putting(&head),
		putting(&keyed),
		putting(one), // with its own key
		putting(&head),
	)
	for i, named := range []string{`"one"`, `"k"`, `"l"`, `"l"`, `"k"`} {
		refused(t.T, got[i], syncline.AlreadyExists, named)
	}
	must(t, errors.Join(got[5:]...))
	t.insert(run("x"), run("y")) // no keys: not unique
	equal(t.T, "head", get(t, func(tx syncline.Tx) (*syncline.Run, error) { return tx.LaneHead("l") }).ID, "two")
}

// inserting and putting work on a copy: they may be called twice.
func inserting(r *syncline.Run) func(tx syncline.Tx) error {
	return func(tx syncline.Tx) error {
		c := *r
		return tx.InsertRun(&c)
	}
}

// manyRuns changes many in one transaction, some twice, one with a stale version, one
// whose lane is taken.
func manyRuns(t *T) {
	var runs []*syncline.Run
	for i := range 40 {
		runs = append(runs, run(name("r", i)))
	}
	t.insert(runs...)
	stale, second := *runs[7], *runs[8]
	second.Lane = runs[9].Lane
	t.update(func(tx syncline.Tx) error {
		for _, r := range runs {
			c := *r
			c.Why = "once"
			must(t, tx.PutRun(&c))
			must(t, tx.PutLease(syncline.Lease{Run: r.ID, Token: 1}))
			must(t, tx.AppendEvents(syncline.Event{RunID: r.ID, Seq: 1}))
			if r == runs[3] {
				c.Why = "twice"
				must(t, tx.PutRun(&c))
				must(t, tx.DeleteLeases(r.ID))
			}
		}
		return nil
	})
	for i, r := range runs {
		want, version, leases := "once", int64(2), 1
		if i == 3 {
			want, version, leases = "twice", 3, 0
		}
		got := t.run(r.ID)
		equal(t.T, r.ID, got.Why, want)
		equal(t.T, "version", got.Version, version)
		held := get(t, func(tx syncline.Tx) ([]syncline.Lease, error) { return tx.Leases(r.ID) })
		equal(t.T, "leases", len(held), leases)
		*r = *got
	}
	second.Version = 2
	got := t.answers(putting(runs[5]), putting(&stale), putting(runs[6]), putting(&second))
	must(t, got[0])
	refused(t.T, got[1], syncline.Aborted, stale.ID)
	must(t, got[2])
	refused(t.T, got[3], syncline.AlreadyExists, runs[9].ID)
}

func putting(r *syncline.Run) func(tx syncline.Tx) error {
	return func(tx syncline.Tx) error {
		c := *r
		return tx.PutRun(&c)
	}
}

func runPages(t *T) {
	var want []string
	for i := range 25 {
		r := run(name("r", i), func(r *syncline.Run) { r.CreatedAt = at(i / 3) }) // some at the same time
		t.insert(r)
		want = append(want, r.ID)
	}
	slices.Reverse(want)
	var seen []string
	for f := (syncline.RunFilter{Limit: 4}); ; {
		page := get(t, func(tx syncline.Tx) ([]*syncline.Run, error) { return tx.Runs(f) })
		if len(page) == 0 {
			break
		}
		seen = append(seen, ids(page)...)
		last := page[len(page)-1]
		f.BeforeAt, f.BeforeID = last.CreatedAt, last.ID
		t.insert(run(name("z", len(seen)), func(r *syncline.Run) { r.CreatedAt = at(1000) })) // shifts nothing
	}
	equal(t.T, "all", seen, want)
	equal(t.T, "default page", len(t.runs(syncline.RunFilter{})), 32)
}

func runFilters(t *T) {
	states := []syncline.State{"pending", "running", "suspended", "succeeded", "failed", "canceled", "skipped"}
	for i, s := range states {
		for j, p := range []string{"p", "q"} {
			t.insert(run(name(p, i), func(r *syncline.Run) {
				r.PipelineID, r.State, r.CreatedAt = p, s, at(2*i+j)
				if p == "q" {
					r.Parent = &syncline.Parent{Run: "p0003"}
				}
			}))
		}
	}
	for what, c := range map[string]struct {
		f    syncline.RunFilter
		want []string
	}{
		"pipeline":            {syncline.RunFilter{PipelineID: "p", Limit: 2}, []string{"p0006", "p0005"}},
		"state":               {syncline.RunFilter{States: states[4:5]}, []string{"q0004", "p0004"}},
		"states":              {syncline.RunFilter{States: states[3:6], Limit: 3}, []string{"q0005", "p0005", "q0004"}},
		"pipeline and states": {syncline.RunFilter{PipelineID: "q", States: states[3:5]}, []string{"q0004", "q0003"}},
		"parent":              {syncline.RunFilter{ParentRun: "p0003", Limit: 1}, []string{"q0006"}},
		"unfinished":          {syncline.RunFilter{UnfinishedIn: true}, []string{"q0002", "p0002", "q0001", "p0001", "q0000", "p0000"}},
		"unfinished of states": {
			syncline.RunFilter{UnfinishedIn: true, States: []syncline.State{"running", "failed"}},
			[]string{"q0001", "p0001"},
		},
		"unfinished of final": {syncline.RunFilter{UnfinishedIn: true, States: states[4:5]}, []string{}},
		"unfinished of pipeline": {
			syncline.RunFilter{UnfinishedIn: true, PipelineID: "p"},
			[]string{"p0002", "p0001", "p0000"},
		},
		"before": {syncline.RunFilter{States: states[:2], BeforeAt: at(2), BeforeID: "p0001"}, []string{"q0000", "p0000"}},
		"none":   {syncline.RunFilter{PipelineID: "absent"}, []string{}},
	} {
		equal(t.T, what, t.runs(c.f), c.want)
	}
}

// runAspects makes runs of every aspect in two modes and two pipelines, and holds every
// filter, page and count against what a look at all runs finds.
func runAspects(t *T) {
	var all []*syncline.Run
	for i, a := range syncline.Aspects {
		for j, p := range []string{"p", "q", "p"} {
			r := run(name(p, 10*i+j), func(r *syncline.Run) {
				r.PipelineID, r.Mode, r.CreatedAt = p, []syncline.Mode{"", syncline.ModeFull, syncline.ModeIncremental}[(i+j)%3], at((7*i+3*j)%11)
				show(r, a)
			})
			equal(t.T, "aspect", r.Aspect(), a)
			all = append(all, r)
		}
	}
	t.insert(all[:20]...)
	late := all[20:]
	for _, r := range late { // some get there by a change
		begun := *r
		begun.State, begun.Wait, begun.Facts, begun.Mode = syncline.StateRunning, "", syncline.Facts{}, "other"
		t.insert(&begun)
		r.Version = 1
	}
	t.update(func(tx syncline.Tx) error {
		for _, r := range late {
			c := *r
			must(t, tx.PutRun(&c))
		}
		return nil
	})
	slices.SortFunc(all, func(a, b *syncline.Run) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID)) })
	for _, f := range manyFilters() {
		var want []string
		for _, r := range all {
			if lets(f, r) {
				want = append(want, r.ID)
			}
		}
		what := fmt.Sprintf("%+v", f)
		equal(t.T, what, t.runs(f), append([]string{}, want...))
		n := get(t, func(tx syncline.Tx) (int64, error) { return tx.CountRuns(f) })
		equal(t.T, what+" counted", n, int64(len(want)))
		f.Offset, f.Limit = 2, 3
		equal(t.T, what+" paged", t.runs(f), append([]string{}, want[min(2, len(want)):min(5, len(want))]...))
		f.Offset = len(want)
		equal(t.T, what+" beyond", t.runs(f), []string{})
	}
}

func show(r *syncline.Run, a syncline.Aspect) {
	switch r.State = syncline.State(a); a {
	case syncline.AspectAgain:
		r.State, r.StartedAt = syncline.StatePending, day
	case syncline.AspectCanceling:
		r.State, r.Facts.CancelAskedAt = syncline.StateRunning, day
	case syncline.AspectRejects:
		r.State, r.Facts.Rejects = syncline.StateSucceeded, 1
	case syncline.AspectPartly:
		r.State, r.Facts.FailedTasks = syncline.StateSucceeded, 1
	case syncline.AspectSuspended:
		r.Wait = syncline.WaitHold
	}
}

func manyFilters() (fs []syncline.RunFilter) {
	for _, pipelines := range [][]string{nil, {"p"}, {"q", "p", "q"}, {"absent"}} {
		for _, aspects := range [][]syncline.Aspect{nil, {"partly", "failed"}, {"again", "running"}, {"succeeded"}, syncline.Aspects} {
			for _, modes := range [][]syncline.Mode{nil, {"", "full"}, {"incremental"}} {
				for _, states := range [][]syncline.State{nil, {"pending", "succeeded"}} {
					for _, live := range []bool{false, true} {
						fs = append(fs, syncline.RunFilter{Pipelines: pipelines, Aspects: aspects, Modes: modes, States: states, UnfinishedIn: live})
					}
				}
			}
		}
	}
	return append(fs, syncline.RunFilter{PipelineID: "p", Pipelines: []string{"q", "p"}}, syncline.RunFilter{PipelineID: "p", Pipelines: []string{"q"}})
}

// lets reports whether a filter lets a run through.
func lets(f syncline.RunFilter, r *syncline.Run) bool {
	return (f.PipelineID == "" || f.PipelineID == r.PipelineID) &&
		(f.Pipelines == nil || slices.Contains(f.Pipelines, r.PipelineID)) &&
		(f.Aspects == nil || slices.Contains(f.Aspects, r.Aspect())) &&
		(f.Modes == nil || slices.Contains(f.Modes, r.Mode)) &&
		(f.States == nil || slices.Contains(f.States, r.State)) &&
		(!f.UnfinishedIn || !r.State.Final())
}

func runLike(t *T) {
	for _, id := range []string{"019a-1111-aaaa", "019a-2222-bbbb", "019b-3333-aaaa", "aaaa-4444-ä%_x", "%"} {
		t.insert(run(id))
	}
	for fragment, want := range map[string]string{
		"019a": "019a-1111-aaaa 019a-2222-bbbb", "aaaa": "019a-1111-aaaa 019b-3333-aaaa aaaa-4444-ä%_x",
		"ä%_x": "aaaa-4444-ä%_x", "%": "%", "_": "", "1111": "", "019a-1111-aaaa": "019a-1111-aaaa", "": "",
	} {
		found := ids(get(t, func(tx syncline.Tx) ([]*syncline.Run, error) { return tx.RunsLike(fragment, 10) }))
		slices.Sort(found)
		equal(t.T, fragment, strings.Join(found, " "), want)
	}
	equal(t.T, "limit", len(get(t, func(tx syncline.Tx) ([]*syncline.Run, error) { return tx.RunsLike("019a", 1) })), 1)
}

func runDelete(t *T) {
	t.put(pipeline("p"))
	for _, id := range []string{"r", "other"} {
		t.insert(run(id))
		t.hang(id)
	}
	t.update(func(tx syncline.Tx) error { return tx.DeleteRun("r") })
	for id, n := range map[string]int{"r": 0, "other": 1} {
		equal(t.T, "what hangs on "+id, t.hanging(id), []int{n, n, n, n, n, n})
	}
	// Its stats went with its tasks: a task of the same name begins anew.
	t.update(func(tx syncline.Tx) error { return tx.PutTask(&syncline.Task{RunID: "r", Name: "task"}) })
	equal(t.T, "stats", get(t, func(tx syncline.Tx) (*syncline.Task, error) { return tx.Task("r", "task") }).Stats.Expected, 0)
	refused(t.T, t.Update(t.Context(), func(tx syncline.Tx) error { return tx.DeleteRun("r") }), syncline.NotFound, `"r"`)
}

// hang gives a run one of everything.
func (t *T) hang(id string) {
	t.Helper()
	t.update(func(tx syncline.Tx) error {
		must(t, tx.PutTask(&syncline.Task{RunID: id, Name: "task"}))
		must(t, tx.PutStats(id, "task", syncline.Stats{Expected: 7}))
		must(t, tx.PutLease(syncline.Lease{Run: id, Token: 1}))
		must(t, tx.AppendEvents(syncline.Event{RunID: id, Seq: 1}))
		must(t, tx.AppendMessages(syncline.Message{RunID: id, Seq: 1}))
		_, err := tx.PutRejects(syncline.Reject{RunID: id, Task: "task"})
		must(t, err)
		_, err = tx.InsertSlot(syncline.Slot{PipelineID: "p", ScheduleID: id, At: day, RunID: id})
		return err
	})
}

func (t *T) hanging(id string) (n []int) {
	t.Helper()
	t.view(func(tx syncline.Tx) error {
		tasks, err := tx.Tasks(id)
		must(t, err)
		leases, err := tx.Leases(id)
		must(t, err)
		events, err := tx.Events(id, 0, 10)
		must(t, err)
		messages, err := tx.Messages(id, 0, 10)
		must(t, err)
		rejects, err := tx.Rejects(id, "", 0, 10)
		must(t, err)
		slots, err := tx.SlotsBetween("p", day, day, 10)
		must(t, err)
		slots = slices.DeleteFunc(slots, func(s syncline.Slot) bool { return s.RunID != id })
		n = []int{len(tasks), len(leases), len(events), len(messages), len(rejects), len(slots)}
		return nil
	})
	return n
}

func prunable(t *T) {
	for i := range 12 {
		t.insert(run(name("r", i), func(r *syncline.Run) {
			r.CreatedAt, r.State, r.EndedAt = at(i), syncline.StateSucceeded, at(i+1)
			switch i {
			case 1: // old, but alive
				r.State, r.EndedAt = syncline.StateRunning, time.Time{}
			case 2:
				r.State = syncline.StateFailed
			case 3: // began early and ended late
				r.EndedAt = at(100)
			case 4:
				r.State = syncline.StateSkipped
			}
		}), childOf(name("r", i), name("child", i), func(r *syncline.Run) {
			r.PipelineID, r.CreatedAt, r.State, r.EndedAt = "p", at(i), syncline.StateSucceeded, at(i)
		}), run(name("other", i), func(r *syncline.Run) {
			r.PipelineID, r.CreatedAt, r.State, r.EndedAt = "q", at(i), syncline.StateSucceeded, at(i)
		}))
	}
	for what, c := range map[string]struct {
		keep   int
		cutoff time.Time
		limit  int
		want   string
	}{
		"no limits":  {0, time.Time{}, 100, ""},
		"by age":     {0, at(6), 100, "r0000 r0002 r0004"},
		"by number":  {7, time.Time{}, 100, "r0000 r0002 r0003 r0004"},
		"enough":     {11, time.Time{}, 100, ""},
		"one over":   {10, time.Time{}, 100, "r0000"},
		"both":       {9, at(6), 100, "r0000 r0002 r0004"},
		"both, more": {7, at(2), 100, "r0000 r0002 r0003 r0004"},
		"limited":    {2, at(6), 4, "r0000 r0002 r0003 r0004"},
	} {
		got := get(t, func(tx syncline.Tx) ([]string, error) { return tx.Prunable("p", c.keep, c.cutoff, c.limit) })
		slices.Sort(got)
		equal(t.T, what, strings.Join(got, " "), c.want)
	}
}

func alarmed(t *T) {
	mk := func(id string, s syncline.State, deadline, cancelBy time.Time) *syncline.Run {
		return run(id, func(r *syncline.Run) { r.State, r.Deadline, r.Facts.CancelBy = s, deadline, cancelBy })
	}
	late := mk("late", syncline.StateRunning, at(5), at(1))
	unheard := mk("unheard", syncline.StatePending, at(20), time.Time{})
	unheard.UpdateBy = at(4)
	t.insert(
		mk("none", syncline.StateRunning, time.Time{}, time.Time{}),
		mk("cancel", syncline.StateRunning, time.Time{}, at(3)),
		mk("deadline", syncline.StateSuspended, at(2), at(9)),
		late, unheard,
		mk("ended", syncline.StateFailed, at(1), at(1)),
		mk("future", syncline.StatePending, at(10), time.Time{}),
	)
	ring := func(now time.Time, limit int) (got []string) {
		t.update(func(tx syncline.Tx) error {
			runs, err := tx.Alarmed(now, limit)
			got = ids(runs)
			return err
		})
		return got
	}
	equal(t.T, "all that are due, in their order", ring(at(9), 10), []string{"late", "deadline", "cancel", "unheard"})
	equal(t.T, "limited", ring(at(9), 1), []string{"late"})
	equal(t.T, "not yet past", ring(at(1), 10), []string{})
	late.State = syncline.StateCanceled
	t.update(func(tx syncline.Tx) error { return tx.PutRun(late) })
	equal(t.T, "ended since", ring(at(9), 10), []string{"deadline", "cancel", "unheard"})
}

func childOf(parent, id string, change func(*syncline.Run)) *syncline.Run {
	return run(id, func(r *syncline.Run) {
		r.State, r.Parent = syncline.StateRunning, &syncline.Parent{Run: parent, Task: "t"}
		if change != nil {
			change(r)
		}
	})
}

func hasEnded(r *syncline.Run) { r.State, r.EndedAt, r.Head = syncline.StateSucceeded, day, false }

func asked(r *syncline.Run) { r.Facts.CancelAskedAt = day }

func orphans(t *T) {
	t.insert(
		run("p-lives"), run("p-ended", hasEnded), run("p-canceling", func(r *syncline.Run) { r.State = syncline.StateRunning }, asked),
		childOf("p-lives", "kept", nil),
		childOf("p-ended", "a", nil),
		childOf("p-ended", "over", hasEnded),
		childOf("p-ended", "told", asked),
		childOf("p-canceling", "b", func(r *syncline.Run) { r.State, r.Head = syncline.StatePending, false }),
		childOf("p-gone", "c", func(r *syncline.Run) { r.State, r.Wait = syncline.StateSuspended, syncline.WaitHold }),
	)
	find := func(limit int) []string {
		got := get(t, func(tx syncline.Tx) ([]string, error) { return tx.Orphans(limit) })
		slices.Sort(got)
		return got
	}
	equal(t.T, "orphans", find(0), []string{"a", "b", "c"})
	equal(t.T, "limited", len(find(2)), 2)
}

func roots(t *T) {
	t.insert(run("a"), childOf("a", "b", nil), childOf("a", "c", hasEnded), run("d", hasEnded))
	for what, c := range map[string]struct {
		f    syncline.RunFilter
		want []string
	}{
		"roots":             {syncline.RunFilter{Roots: true}, []string{"a", "d"}},
		"of a pipeline":     {syncline.RunFilter{Roots: true, PipelineID: "p"}, []string{"a", "d"}},
		"that live":         {syncline.RunFilter{Roots: true, UnfinishedIn: true}, []string{"a"}},
		"children":          {syncline.RunFilter{ParentRun: "a"}, []string{"b", "c"}},
		"children and both": {syncline.RunFilter{ParentRun: "a", Roots: true}, []string{}},
	} {
		got := ids(get(t, func(tx syncline.Tx) ([]*syncline.Run, error) { return tx.Runs(c.f) }))
		slices.Sort(got)
		equal(t.T, what, got, c.want)
		equal(t.T, what+", counted", get(t, func(tx syncline.Tx) (int64, error) { return tx.CountRuns(c.f) }), int64(len(c.want)))
	}
}
