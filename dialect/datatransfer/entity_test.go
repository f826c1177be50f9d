package datatransfer

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/ledger"
)

// A partner's run is no entity: its loads are, and those of one table are one.
func TestEntityOfLoads(t *testing.T) {
	t.Parallel()
	ours := &syncline.Pipeline{Ext: map[string]json.RawMessage{Name: json.RawMessage("{}")}}
	outside := &syncline.Pipeline{Definition: syncline.Definition{Entities: []syncline.EntitySpec{{Name: "docs"}}}}
	whole := &syncline.Task{Name: "nightly", Kind: ledger.OutsideTask, State: syncline.TaskRunning}
	load := func(name string, s syncline.TaskState) *syncline.Task {
		return &syncline.Task{Name: name, Kind: ledger.ChildTask, State: s}
	}
	transfer := &syncline.Task{Name: "orders #2", Kind: "transfer", State: syncline.TaskPending}
	for what, c := range map[string]struct {
		p     *syncline.Pipeline
		tasks []*syncline.Task
		want  map[string]pb.ResourceTransferState
	}{
		"a partner's run":         {ours, []*syncline.Task{whole}, map[string]pb.ResourceTransferState{}},
		"its loads":               {ours, []*syncline.Task{whole, load("a", syncline.TaskSucceeded), load("b #x", syncline.TaskFailed)}, map[string]pb.ResourceTransferState{"a": entitySucceeded, "b #x": entityFailed}},
		"several, one to come":    {ours, []*syncline.Task{load("a", syncline.TaskSucceeded), load("a #2", syncline.TaskPending)}, map[string]pb.ResourceTransferState{"a": entityRunning}},
		"several, all to come":    {ours, []*syncline.Task{load("a", syncline.TaskPending), load("a #2", syncline.TaskPending)}, map[string]pb.ResourceTransferState{"a": entityPending}},
		"several, one at work":    {ours, []*syncline.Task{load("a", syncline.TaskFailed), load("a #2", syncline.TaskRetryWait)}, map[string]pb.ResourceTransferState{"a": entityRunning}},
		"several, one failed":     {ours, []*syncline.Task{load("a", syncline.TaskFailed), load("a #12", syncline.TaskSucceeded)}, map[string]pb.ResourceTransferState{"a": entityFailed}},
		"several, one cancelled":  {ours, []*syncline.Task{load("a", syncline.TaskCanceled), load("a #2", syncline.TaskSucceeded)}, map[string]pb.ResourceTransferState{"a": entityCancelled}},
		"a table of such a name":  {ours, []*syncline.Task{transfer}, map[string]pb.ResourceTransferState{"orders #2": entityPending}},
		"an outside worker's run": {outside, []*syncline.Task{whole}, map[string]pb.ResourceTransferState{"docs": entityRunning}},
	} {
		loads := (&config{p: c.p}).loads(c.tasks)
		got := map[string]pb.ResourceTransferState{}
		for name, tasks := range loads {
			got[name] = (&entity{run: &syncline.Run{}, tasks: tasks}).state()
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
}

// Every state of a task and of a run has its word.
func TestEntityStates(t *testing.T) {
	t.Parallel()
	for _, s := range []syncline.TaskState{
		syncline.TaskPending, syncline.TaskRunning, syncline.TaskRetryWait, syncline.TaskSuspended,
		syncline.TaskSucceeded, syncline.TaskFailed, syncline.TaskSkipped, syncline.TaskCanceled,
	} {
		word := (&entity{run: &syncline.Run{}, tasks: []*syncline.Task{{State: s}}}).state()
		if word == 0 || s.Final() == (word == entityRunning || word == entityPending) || (s == syncline.TaskSucceeded) != (word == entitySucceeded) {
			t.Errorf("a task that is %s: %s", s, word)
		}
	}
	for _, s := range begun {
		word := (&entity{run: &syncline.Run{State: s}}).state()
		if s != syncline.StateSucceeded && (word == 0 || s.Final() == (word == entityPending)) {
			t.Errorf("a run that is %s, of no tasks: %s", s, word)
		}
	}
}

// A total that one load does not know is known of none.
func TestEntityStats(t *testing.T) {
	t.Parallel()
	of := func(expected ...int64) int64 {
		e := &entity{}
		for _, n := range expected {
			e.tasks = append(e.tasks, &syncline.Task{Stats: syncline.Stats{Expected: n}})
		}
		return e.stats().Expected
	}
	if got := []int64{of(2, 3), of(2, -1, 3), of(-1), of()}; !slices.Equal(got, []int64{5, -1, -1, 0}) {
		t.Errorf("expected: %v", got)
	}
	if s := summary(entityRunning, syncline.Stats{Expected: -1, Counts: syncline.Counts{Read: 3}}); len(s.GetMetrics()) != 1 || s.GetMetrics()[0].GetTotal() != 0 || s.GetMetrics()[0].GetCompleted() != 3 {
		t.Errorf("without a total: %v", s)
	}
}

func TestResourceID(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, want := range map[string]string{
		"public.orders": "public.orders", "Orders-2_x": "Orders-2_x", "a b": "a~20b", "a~20b": "a~7e20b", ".": "~2e", "..": "~2e.", "a/b": "a~2fb", "a%2fb": "a~252fb",
		"ü": "~c3~bc", `"x"`: "~22x~22", "tbl:1?#": "tbl~3a1~3f~23",
	} {
		if got := resourceID(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	long := strings.Repeat("ü", 1000)
	for _, name := range []string{long, long + "a", long[:150], strings.Repeat("a", 900), strings.Repeat("a", 901)} {
		id := resourceID(name)
		if len(id) > 1000 || seen[id] != "" {
			t.Errorf("a name of %d bytes has an id of %d, as that of %d", len(name), len(id), len(seen[id]))
		}
		seen[id] = name
	}
}
