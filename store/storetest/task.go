package storetest

import (
	"reflect"
	"time"

	"github.com/synclinehq/syncline"
)

var taskChecks = []check{
	{"a task keeps every field", taskFields},
	{"tasks come in their order, with their newest stats", taskOrder},
	{"reports count only under the lease they name", reports},
}

func (t *T) tasks(id string) []*syncline.Task {
	t.Helper()
	return get(t, func(tx syncline.Tx) ([]*syncline.Task, error) { return tx.Tasks(id) })
}

func taskFields(t *T) {
	k := filled[syncline.Task](t)
	t.update(func(tx syncline.Tx) error { return tx.PutTask(k) })
	stats := k.Stats
	k.Stats = syncline.Stats{}
	equal(t.T, "without stats", t.tasks(k.RunID), []*syncline.Task{k})
	t.update(func(tx syncline.Tx) error { return tx.PutStats(k.RunID, k.Name, stats) })
	k.Stats = stats
	equal(t.T, "with stats", t.tasks(k.RunID), []*syncline.Task{k})
	equal(t.T, "by name", get(t, func(tx syncline.Tx) (*syncline.Task, error) { return tx.Task(k.RunID, k.Name) }), k)
	bare := &syncline.Task{RunID: k.RunID, Name: k.Name}
	t.update(func(tx syncline.Tx) error { return tx.PutTask(bare) })
	bare.Stats = stats
	equal(t.T, "replaced, its stats left", t.tasks(k.RunID), []*syncline.Task{bare})
	t.view(func(tx syncline.Tx) error {
		_, err := tx.Task(k.RunID, "absent")
		refused(t.T, err, syncline.NotFound, "absent")
		return nil
	})
}

func taskOrder(t *T) {
	t.update(func(tx syncline.Tx) error {
		for i, name := range []string{"z", "b", "a"} {
			must(t, tx.PutTask(&syncline.Task{RunID: "r", Name: name, Ordinal: i}))
		}
		must(t, tx.PutTask(&syncline.Task{RunID: "r", Name: "B", Ordinal: 1}))
		must(t, tx.PutTask(&syncline.Task{RunID: "other", Name: "z"}))
		must(t, tx.PutStats("r", "b", syncline.Stats{Expected: 1}))
		return tx.PutStats("r", "b", syncline.Stats{Expected: 2})
	})
	var names []string
	for _, k := range t.tasks("r") {
		names = append(names, k.Name)
		if k.Name == "b" {
			equal(t.T, "stats", k.Stats.Expected, 2)
		}
	}
	equal(t.T, "order", names, []string{"z", "B", "b", "a"})
	both := get(t, func(tx syncline.Tx) ([]*syncline.Task, error) { return tx.Tasks("r", "absent", "other") })
	equal(t.T, "of several runs", len(both), 5)
	equal(t.T, "of none", len(get(t, func(tx syncline.Tx) ([]*syncline.Task, error) { return tx.Tasks() })), 0)
	for _, k := range both {
		if one := get(t, func(tx syncline.Tx) (*syncline.Task, error) { return tx.Task(k.RunID, k.Name) }); !reflect.DeepEqual(one, k) {
			t.Errorf("listed: %+v, alone: %+v", k, one)
		}
	}
	t.update(func(tx syncline.Tx) error { return tx.DeleteTasks("r") })
	equal(t.T, "after delete", len(t.tasks("r")), 0)
	equal(t.T, "the other run's", len(t.tasks("other")), 1)
	t.update(func(tx syncline.Tx) error { return tx.PutTask(&syncline.Task{RunID: "r", Name: "b"}) })
	equal(t.T, "stats went with it", t.tasks("r")[0].Stats.Expected, 0)
}

func reports(t *T) {
	const ttl = 15 * time.Second
	t.update(func(tx syncline.Tx) error {
		for _, id := range []string{"a", "b", "lost"} {
			must(t, tx.PutTask(&syncline.Task{RunID: id, Name: "k"}))
		}
		must(t, tx.PutTask(&syncline.Task{RunID: "a", Name: "l"}))
		must(t, tx.PutLease(syncline.Lease{Run: "a", Token: 5}))
		must(t, tx.PutLease(syncline.Lease{Run: "a", Part: "1", Token: 6}))
		return tx.PutLease(syncline.Lease{Run: "b", Token: 7, Ask: syncline.AskCancel})
	})
	read := func(n int64) syncline.Stats { return syncline.Stats{Counts: syncline.Counts{Read: n}} }
	before := must1(t.Now(t.Context()))
	answers := must1(t.Report(t.Context(), []syncline.TaskReport{
		{Run: "b", Token: 7, Task: "k", Stats: read(3)},
		{Run: "a", Token: 5, Task: "k", Stats: read(1)},
		{Run: "a", Token: 5, Task: "l", Stats: read(2)},
		{Run: "a", Token: 4, Task: "k", Stats: read(99)}, // an older claim of the same run
		{Run: "a", Token: 6, Task: "l", Stats: read(99)}, // a part's token is not the run's
		{Run: "lost", Token: 1, Task: "k", Stats: read(99)},
	}, ttl))
	after := must1(t.Now(t.Context()))
	equal(t.T, "answers", answers, []syncline.BeatAnswer{{Run: "b", Ask: syncline.AskCancel}, {Run: "a"}})
	got := map[string]int64{}
	for _, id := range []string{"a", "b", "lost"} {
		for _, k := range t.tasks(id) {
			got[id+"/"+k.Name] = k.Stats.Counts.Read
		}
	}
	equal(t.T, "stats", got, map[string]int64{"a/k": 1, "a/l": 2, "b/k": 3, "lost/k": 0})
	lease := get(t, func(tx syncline.Tx) (*syncline.Lease, error) { return tx.Lease("a", "") })
	if !extended(*lease, ttl, before, after) {
		t.Fatalf("the lease was not extended by the store's clock: %+v", lease)
	}
	if part := get(t, func(tx syncline.Tx) (*syncline.Lease, error) { return tx.Lease("a", "1") }); !part.SeenAt.IsZero() {
		t.Fatal("a report extended the lease of a part")
	}
	t.progress(before)
	equal(t.T, "nothing to say", len(must1(t.Report(t.Context(), nil, ttl))), 0)
}

// progress holds that At moves only when read, inserted or rejected move.
func (t *T) progress(before time.Time) {
	t.Helper()
	say := func(s syncline.Stats) time.Time {
		must1(t.Report(t.Context(), []syncline.TaskReport{{Run: "a", Token: 5, Task: "k", Stats: s}}, time.Second))
		return t.tasks("a")[0].Stats.At
	}
	first := t.tasks("a")[0].Stats.At
	if first.Before(before) {
		t.Fatalf("stats are stamped %s, before %s", first, before)
	}
	equal(t.T, "no progress", say(syncline.Stats{Counts: syncline.Counts{Read: 1, Updated: 1}, Phase: "publish"}), first)
	if second := say(syncline.Stats{Counts: syncline.Counts{Read: 2}}); !second.After(first) {
		t.Fatalf("progress did not move At: %s, %s", first, second)
	}
}
