package tasktest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/task"
)

// Fixture is one task kind on the bench.
type Fixture struct {
	Kind task.Kind
	// New makes fresh work that ends with the test.
	New func(t testing.TB) Work
}

// Work is a pipeline whose tasks can be planned and done.
type Work struct {
	Definition syncline.Definition
	// Check looks at what was done, by means of its own: all of it, once.
	Check func(t testing.TB)
}

// Run holds a task kind to the contract.
func Run(t *testing.T, f Fixture) {
	t.Run("Plan", f.plan)
	t.Run("Do", f.do)
	t.Run("DoneAgain", f.doneAgain)
	t.Run("EndedBefore", f.endedBefore)
	t.Run("EndedAtEveryAsking", f.endedAtEveryAsking)
	t.Run("LeaseLostAtEveryAsking", f.leaseLost)
}

// plan: the tasks of a run are the same however often they are planned.
func (f Fixture) plan(t *testing.T) {
	w := f.New(t)
	tasks := f.planned(t, w)
	names := map[string]bool{}
	for i, one := range tasks {
		if one.Name == "" || names[one.Name] {
			t.Errorf("task %d is called %q, like another or nothing", i, one.Name)
		}
		names[one.Name] = true
		if one.Kind != f.Kind.Name || one.Ordinal != i {
			t.Errorf("task %q is of kind %q and number %d, not %d", one.Name, one.Kind, one.Ordinal, i)
		}
	}
	if again := f.planned(t, w); !reflect.DeepEqual(tasks, again) {
		t.Errorf("planned again:\n%+v\nbefore:\n%+v", again, tasks)
	}
}

func (f Fixture) do(t *testing.T) {
	r := f.begin(t)
	r.finish()
	r.work.Check(t)
	for _, one := range r.tasks {
		last := one.Task()
		if last.Where == "" {
			t.Errorf("%s does not say where it landed", last.Name)
		}
		if c := last.Stats.Counts; last.Stats.Attempted != c.Read || last.Stats.Phase == "" {
			t.Errorf("%s: %+v", last.Name, last.Stats)
		}
	}
}

// doneAgain: a worker may die after the work is done and before that is stored.
func (f Fixture) doneAgain(t *testing.T) {
	r := f.begin(t)
	r.finish()
	before := r.counts()
	r.finish()
	if after := r.counts(); after != before {
		t.Errorf("done again, it counts %+v; before: %+v", after, before)
	}
	r.work.Check(t)
}

func (f Fixture) endedBefore(t *testing.T) {
	r := f.begin(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for _, one := range r.tasks {
		if err := r.within(ctx, time.Second, one); !errors.Is(err, context.Canceled) {
			t.Errorf("under an ended context: %v", err)
		}
	}
	r.finish()
	r.work.Check(t)
}

// endedAtEveryAsking ends the context where the task asks for its lease, which it does
// before every write; the next attempt goes on.
func (f Fixture) endedAtEveryAsking(t *testing.T) {
	f.everywhere(t, func(r *running, one *Recorder, at int) bool {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ended := time.Time{}
		one.Held = func() error {
			if one.Asked() == at {
				ended = time.Now()
				stop()
			}
			return nil
		}
		err := one.Do(ctx, r.Kind)
		one.Held = nil
		if ended.IsZero() {
			r.must(err)
			return false
		}
		if took := time.Since(ended); took > time.Second {
			t.Errorf("asking %d: ended %s after its context", at, took)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("asking %d: %v", at, err)
		}
		return true
	})
}

// leaseLost denies the lease at each asking: the task must stop with ErrLeaseLost.
func (f Fixture) leaseLost(t *testing.T) {
	f.everywhere(t, func(r *running, one *Recorder, at int) bool {
		denied := false
		one.Held = func() error {
			if one.Asked() < at {
				return nil
			}
			denied = true
			return syncline.ErrLeaseLost
		}
		err := one.Do(t.Context(), r.Kind)
		one.Held = nil
		if !denied {
			r.must(err)
			return false
		}
		if !errors.Is(err, syncline.ErrLeaseLost) {
			t.Errorf("asking %d: the lost lease was answered by %v", at, err)
		}
		return true
	})
}

// everywhere breaks the first attempt of every task at the first asking, of fresh work at
// the second, and so on, until break says that there are no more; later attempts must
// bring the work to its end.
func (f Fixture) everywhere(t *testing.T, breaks func(r *running, one *Recorder, at int) bool) {
	for at := 1; ; at++ {
		more := false
		t.Run("", func(t *testing.T) {
			r := f.begin(t)
			for _, one := range r.tasks {
				more = breaks(r, one, at) || more
			}
			r.finish()
			r.work.Check(t)
		})
		if t.Failed() || !more {
			if at == 1 {
				t.Error("no task asked for its lease")
			}
			return
		}
	}
}

// running is a run of the work.
type running struct {
	Fixture
	t     *testing.T
	work  Work
	tasks []*Recorder
}

func (f Fixture) begin(t *testing.T) *running {
	t.Helper()
	r := &running{Fixture: f, t: t, work: f.New(t)}
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	run := syncline.Run{ID: "run-1", Load: "run-1", PipelineID: "pipeline-1"}
	for _, one := range f.planned(t, r.work) {
		r.tasks = append(r.tasks, NewRecorder(t, run, r.work.Definition, one))
	}
	return r
}

func (f Fixture) planned(t *testing.T, w Work) []syncline.Task {
	t.Helper()
	tasks, err := f.Kind.Plan(t.Context(), w.Definition, "")
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	if len(tasks) == 0 {
		t.Fatal("nothing is planned")
	}
	return tasks
}

// finish does every task until it is done.
func (r *running) finish() {
	r.t.Helper()
	for _, one := range r.tasks {
		r.must(r.within(r.t.Context(), time.Minute, one))
	}
}

func (r *running) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("do: %v", err)
	}
}

func (r *running) within(ctx context.Context, d time.Duration, one *Recorder) error {
	r.t.Helper()
	began := time.Now()
	err := one.Do(ctx, r.Kind)
	if took := time.Since(began); took > d {
		r.t.Errorf("it took %s, more than %s", took, d)
	}
	return err
}

func (r *running) counts() syncline.Counts {
	var sum syncline.Counts
	for _, one := range r.tasks {
		sum = sum.Add(one.Stats().Counts)
	}
	return sum
}
