package storetest

import (
	"slices"

	"github.com/synclinehq/syncline"
)

var laneChecks = []check{
	{"a lane has a head and an order", laneOrder},
	{"workers are offered what they may claim", claimable},
	{"what one has locked others pass over", passedOver},
	{"many runs are read in their lanes, but for those that others have", runsInLanes},
}

func laneOrder(t *T) {
	waiting := func(id string, priority, due int) *syncline.Run {
		return run(id, func(r *syncline.Run) { r.Lane, r.Head, r.Priority, r.NotBefore = "l", false, priority, at(due) })
	}
	t.update(func(tx syncline.Tx) error {
		must(t, tx.LockLane("l"))
		head, err := tx.LaneHead("l")
		if head != nil || err != nil {
			t.Fatalf("head of an empty lane: %v, %v", head, err)
		}
		next, err := tx.LaneNext("l")
		if next != nil || err != nil {
			t.Fatalf("next of an empty lane: %v, %v", next, err)
		}
		return nil
	})
	low, late, early, twin := waiting("a", 9, 0), waiting("b", 1, 5), waiting("d", 1, 1), waiting("c", 1, 1)
	t.insert(run("h", func(r *syncline.Run) { r.Lane = "l" }), low, late, early, twin, run("elsewhere"),
		run("done", func(r *syncline.Run) { r.Lane, r.Head, r.State = "l", false, syncline.StateSkipped }))
	var order []string
	t.update(func(tx syncline.Tx) error {
		order = nil
		must(t, tx.LockLane("l"))
		head, err := tx.LaneHead("l")
		must(t, err)
		equal(t.T, "head", head.ID, "h")
		for i, r := range []*syncline.Run{twin, early, late, low} {
			n, err := tx.LaneWaiting("l", r)
			must(t, err)
			equal(t.T, "waiting before "+r.ID, n, i)
		}
		for {
			next, err := tx.LaneNext("l")
			if err != nil || next == nil {
				return err
			}
			order = append(order, next.ID)
			head.Head, head.State, next.Head = false, syncline.StateSucceeded, true
			must(t, tx.PutRun(head))
			must(t, tx.PutRun(next))
			head = next
		}
	})
	equal(t.T, "order", order, []string{"c", "d", "b", "a"})
}

func claimable(t *T) {
	now := must1(t.Now(t.Context()))
	due := func(id string, change ...func(*syncline.Run)) *syncline.Run {
		return run(id, append([]func(*syncline.Run){func(r *syncline.Run) { r.NotBefore = now.Add(-1) }}, change...)...)
	}
	t.insert(
		due("b"), due("a"),
		due("first", func(r *syncline.Run) { r.Priority = -1 }),
		due("older", func(r *syncline.Run) { r.NotBefore = day.AddDate(-10, 0, 0) }),
		due("later", func(r *syncline.Run) { r.NotBefore = now.AddDate(1, 0, 0) }),
		due("waits", func(r *syncline.Run) { r.Head = false }),
		due("outside", func(r *syncline.Run) { r.Owner = syncline.OwnerExternal }),
		due("running", func(r *syncline.Run) { r.State = syncline.StateRunning }),
		due("stopped", func(r *syncline.Run) {
			r.State, r.Wait, r.Priority = syncline.StateSuspended, syncline.WaitShutdown, 1
		}),
		due("held", func(r *syncline.Run) { r.State, r.Wait = syncline.StateSuspended, syncline.WaitHold }),
		due("pinned", func(r *syncline.Run) { r.Host, r.Priority = "h1", 2 }),
		due("graph", func(r *syncline.Run) { r.Kind, r.Priority = "graph", 3 }),
		due("of q", func(r *syncline.Run) { r.PipelineID, r.Priority = "q", 4 }),
	)
	sync := []string{"sync"}
	for what, c := range map[string]struct {
		f    syncline.ClaimFilter
		want []string
	}{
		"all":       {syncline.ClaimFilter{Kinds: sync, Host: "h2"}, []string{"first", "older", "a", "b", "stopped", "of q"}},
		"host":      {syncline.ClaimFilter{Kinds: sync, Host: "h1"}, []string{"first", "older", "a", "b", "stopped", "pinned", "of q"}},
		"kinds":     {syncline.ClaimFilter{Kinds: []string{"sync", "graph"}, Only: []string{"p", "x"}}, []string{"first", "older", "a", "b", "stopped", "graph"}},
		"no kinds":  {syncline.ClaimFilter{}, []string{}},
		"pipelines": {syncline.ClaimFilter{Kinds: sync, Only: []string{"x", "q"}}, []string{"of q"}},
		"one run":   {syncline.ClaimFilter{Kinds: sync, Run: "b"}, []string{"b"}},
		"not due":   {syncline.ClaimFilter{Kinds: sync, Run: "later"}, []string{}},
		"limit":     {syncline.ClaimFilter{Kinds: sync, Limit: 2}, []string{"first", "older"}},
	} {
		var got []string
		t.update(func(tx syncline.Tx) error {
			runs, err := tx.Claimable(c.f)
			got = ids(runs)
			return err
		})
		equal(t.T, what, got, c.want)
	}
}

func must1[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// passedOver holds that a selection never waits for, nor repeats, what another
// transaction works on. Where one writer is alone there is nothing to pass over.
func passedOver(t *T) {
	if !t.Shared() {
		t.Skip("one writer at a time")
	}
	early := day.AddDate(-1, 0, 0)
	for _, id := range []string{"a", "b"} {
		t.insert(run(id, func(r *syncline.Run) { r.NotBefore, r.Deadline = early, early }))
		t.update(func(tx syncline.Tx) error {
			must(t, tx.PutSchedules(id, []syncline.ScheduleRow{{PipelineID: id, Schedule: syncline.Schedule{ID: "s"}, Enabled: true, NextSlot: early}}))
			return tx.PutLease(syncline.Lease{Run: id, ExpiresAt: early})
		})
	}
	for what, pick := range map[string]func(tx syncline.Tx) ([]string, error){
		"claims": func(tx syncline.Tx) ([]string, error) {
			runs, err := tx.Claimable(syncline.ClaimFilter{Kinds: []string{"sync"}, Limit: 1})
			return ids(runs), err
		},
		"alarms": func(tx syncline.Tx) ([]string, error) {
			runs, err := tx.Alarmed(day, 1)
			return ids(runs), err
		},
		"leases": func(tx syncline.Tx) (got []string, err error) {
			ls, err := tx.ExpiredLeases(day, 1)
			for _, l := range ls {
				got = append(got, l.Run)
			}
			return got, err
		},
		"schedules": func(tx syncline.Tx) (got []string, err error) {
			rows, err := tx.DueSchedules(day, 1)
			for _, r := range rows {
				got = append(got, r.PipelineID)
			}
			return got, err
		},
	} {
		t.update(func(tx syncline.Tx) error {
			mine, err := pick(tx)
			must(t, err)
			equal(t.T, what, len(mine), 1)
			var others []string
			t.update(func(tx syncline.Tx) error {
				others, err = pick(tx)
				return err
			})
			equal(t.T, what+" of another", len(others), 1)
			if others[0] == mine[0] {
				t.Fatalf("%s: both have %s", what, mine[0])
			}
			return nil
		})
	}
}

func runsInLanes(t *T) {
	t.insert(run("a"), run("b"), run("c"), run("d"))
	found := func() (got []string) {
		t.update(func(tx syncline.Tx) error {
			all, err := tx.RunsInLanes("d", "absent", "a", "b")
			got = ids(all)
			return err
		})
		slices.Sort(got)
		return got
	}
	equal(t.T, "found", found(), []string{"a", "b", "d"})
	if !t.Shared() {
		return // nobody else can have one
	}
	t.update(func(tx syncline.Tx) error {
		_, err := tx.Run("a")
		must(t, err)
		must(t, tx.LockLane(run("b").Lane))
		_, err = tx.LaneHead(run("b").Lane) // what locks a lane travels with the next question
		must(t, err)
		equal(t.T, "free", found(), []string{"d"})
		return nil
	})
}
