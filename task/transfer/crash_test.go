package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/task/tasktest"
)

var errCrash = errors.New("crash")

// variant is one way to move the same rows.
type variant struct {
	name string
	set  func(*rig)
	// anew: an interrupted read starts from the beginning.
	anew bool
}

var variants = []variant{
	{name: "replace", set: func(*rig) {}},
	{name: "parts", set: func(r *rig) { r.from.parts = 3 }},
	{name: "many parts", set: func(r *rig) { r.from.parts, r.lanes = 7, 1 }},
	{name: "few positions", set: func(r *rig) { r.from.every = 3 }},
	{name: "append", set: func(r *rig) { r.entity.Write = syncline.Append }},
	{name: "upsert", set: func(r *rig) { r.entity.Write = syncline.Upsert; r.from.parts = 2 }},
	{name: "incremental", set: func(r *rig) { r.entity.Mode, r.entity.Cursor = syncline.ModeIncremental, "at" }},
	{name: "restart", set: func(r *rig) { r.from.resume = source.ResumeRestart; r.from.parts = 2 }, anew: true},
}

// TestCrashAtEveryStep ends the first attempt at each of its steps in turn, before the step
// or after it took effect, by an error or by the end of the context; the second attempt
// must bring the same rows and the same books as if nothing had happened.
func TestCrashAtEveryStep(t *testing.T) {
	for _, v := range variants {
		for _, how := range []string{"error", "context"} {
			t.Run(v.name+" by "+how, func(t *testing.T) {
				for at := 1; ; at++ {
					if !crashAt(t, v, how, at) {
						if at < 10 {
							t.Fatalf("only %d steps", at)
						}
						return
					}
				}
			})
		}
	}
}

// crashAt reports whether the first attempt came to the step.
func crashAt(t *testing.T, v variant, how string, at int) bool {
	const n = 120
	r := setup(t, n, v.set)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var steps atomic.Int64
	r.to.fault = func(string) error {
		if steps.Add(1) != int64(at) {
			return nil
		}
		if how == "context" {
			stop()
			return nil
		}
		return errCrash
	}
	rec := r.begin()
	err := r.doWith(ctx, rec)
	r.to.fault = nil
	if steps.Load() < int64(at) {
		if err != nil {
			t.Fatalf("without a crash: %v", err)
		}
		return false
	}
	if how == "error" && !errors.Is(err, errCrash) {
		t.Fatalf("step %d: the crash was answered by %v", at, err)
	}
	if how == "context" && err != nil && !errors.Is(err, context.Canceled) {
		t.Fatalf("step %d: the end of the context was answered by %v", at, err)
	}
	goesOn(t, r, v, rec, at)
	return true
}

func goesOn(t *testing.T, r *rig, v variant, rec *tasktest.Recorder, at int) {
	const n = 120
	before := r.from.read
	durable := rec.Stats().Counts.Read
	if err := r.do(rec); err != nil {
		t.Fatalf("step %d: the second attempt: %v", at, err)
	}
	r.shows(orders(0, n))
	s := rec.Stats()
	if s.Counts.Read != n || s.Counts.Inserted != n {
		t.Errorf("step %d: counts %+v", at, s.Counts)
	}
	again := r.from.read - before
	if s.Attempted != again {
		t.Errorf("step %d: the second attempt read %d rows and says %d", at, again, s.Attempted)
	}
	lanes := int64(min(max(r.from.parts, 1), r.lanes) * max(r.from.every, 1))
	if limit := n - durable + lanes*2*int64(r.from.batch); again > limit && !v.anew {
		t.Errorf("step %d: the second attempt read %d rows, %d were left", at, again, n-durable)
	}
	if r.to.stale > 0 {
		t.Errorf("step %d: %d stale writes", at, r.to.stale)
	}
}

// TestCutSource: a source that fails in the middle is never taken for one at its end.
func TestCutSource(t *testing.T) {
	for _, parts := range []int{1, 3} {
		for cut := range 60 {
			r := setup(t, 60, func(r *rig) { r.from.parts = parts })
			lost := syncline.Errorf(syncline.Unavailable, "connection lost").Of(syncline.ClassNetwork).Again().Try("nothing")
			var done atomic.Int64
			r.from.fault = func(context.Context, string, int64) error {
				if done.Add(1) == int64(cut)+1 {
					return lost
				}
				return nil
			}
			rec := r.begin()
			if err := r.do(rec); !errors.Is(err, lost) || !r.coded(err, syncline.Unavailable, "", "connection lost").Retryable {
				t.Fatalf("cut at row %d: %v", cut, err)
			}
			if len(r.to.tables) != 0 {
				t.Fatalf("cut at row %d: something was published", cut)
			}
			r.from.fault = nil
			if err := r.do(rec); err != nil {
				t.Fatal(err)
			}
			r.shows(orders(0, 60))
		}
	}
}

// TestWhatWasReadBeforeTheCutIsKept: the batches in flight are written, not thrown away.
func TestWhatWasReadBeforeTheCutIsKept(t *testing.T) {
	r := setup(t, 100)
	r.from.fault = func(_ context.Context, _ string, n int64) error {
		if n == 55 {
			return errCrash
		}
		return nil
	}
	rec := r.begin()
	if err := r.do(rec); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	if c := rec.Stats().Counts; c.Read != 50 {
		t.Errorf("%d rows are durable, 50 came in whole batches", c.Read)
	}
}

// TestLeaseLostAtEveryAsking: not one write happens after the lease was denied.
func TestLeaseLostAtEveryAsking(t *testing.T) {
	for at := 1; ; at++ {
		r := setup(t, 60)
		rec := r.begin()
		writes := 0
		lost := false
		rec.Held = func() error {
			if rec.Asked() < at {
				return nil
			}
			lost = true
			return syncline.ErrLeaseLost
		}
		r.to.fault = func(string) error {
			if lost {
				writes++
			}
			return nil
		}
		err := r.do(rec)
		if !lost {
			if err != nil || at < 8 {
				t.Fatalf("asked %d times: %v", rec.Asked(), err)
			}
			return
		}
		if !errors.Is(err, syncline.ErrLeaseLost) || writes > 0 {
			t.Fatalf("denied at asking %d: %v, and %d steps after it", at, err, writes)
		}
		rec.Held = nil
		if err := r.do(rec); err != nil {
			t.Fatal(err)
		}
		r.shows(orders(0, 60))
	}
}

// TestZombie: the first attempt is stopped at a step, a second one does everything, and
// then the first wakes up.
func TestZombie(t *testing.T) {
	for _, v := range variants {
		for _, step := range []string{"write", "commit", "finish", "publish"} {
			t.Run(v.name+" at "+step, func(t *testing.T) {
				r := setup(t, 120, v.set)
				stopped, wake := make(chan struct{}), make(chan struct{})
				var first atomic.Bool
				r.to.fault = func(s string) error {
					if s == step && first.CompareAndSwap(false, true) {
						close(stopped)
						<-wake
					}
					return nil
				}
				rec := r.begin()
				zombie := make(chan error)
				go func() { zombie <- r.doWith(t.Context(), rec) }()
				<-stopped
				if err := r.do(rec); err != nil {
					t.Fatalf("the successor: %v", err)
				}
				r.shows(orders(0, 120))
				close(wake)
				if err := <-zombie; !errors.Is(err, syncline.ErrLeaseLost) {
					t.Errorf("the zombie: %v", err)
				}
				r.shows(orders(0, 120))
			})
		}
	}
}

// TestEndOfContextWhereverItStands: blocked in the source, in the destination, or waiting
// for the budget, it ends within a second.
func TestEndOfContextWhereverItStands(t *testing.T) {
	stuck := make(chan struct{}, 1)
	blocks := map[string]func(*rig, context.Context){
		"source": func(r *rig, _ context.Context) {
			r.from.fault = func(ctx context.Context, _ string, n int64) error {
				if n == 50 {
					r.to.waitFor(5) // nothing is on its way that could fail otherwise
					stuck <- struct{}{}
					<-ctx.Done()
					return syncline.Errorf(syncline.Unavailable, "connection closed").Again()
				}
				return nil
			}
		},
		"destination": func(r *rig, _ context.Context) {
			r.to.serial = make(chan struct{}, 1)
			r.to.serial <- struct{}{}
			r.to.fault = func(s string) error {
				if s == "write" {
					stuck <- struct{}{}
				}
				return nil
			}
		},
		"budget": func(r *rig, ctx context.Context) {
			n, err := r.budget.Take(ctx, budget)
			if err != nil {
				t.Fatal(err)
			}
			r.Cleanup(func() { r.budget.Give(n) })
			r.to.fault = func(s string) error {
				if s == "part" {
					stuck <- struct{}{}
				}
				return nil
			}
		},
	}
	for name, block := range blocks {
		t.Run(name, func(t *testing.T) {
			r := setup(t, 200)
			ctx, stop := context.WithCancelCause(t.Context())
			block(r, ctx)
			ended := make(chan error)
			go func() { ended <- r.doWith(ctx, r.begin()) }()
			<-stuck
			why := errors.New("somebody pressed Ctrl-C")
			stop(why)
			select {
			case err := <-ended:
				if !errors.Is(err, context.Canceled) && !errors.Is(err, why) {
					t.Error(err)
				}
			case <-time.After(time.Second):
				t.Fatal("not ended after a second")
			}
		})
	}
}

// TestBudgetIsShared: many lanes of many transfers, a budget of two batches, and a
// destination where one open transaction keeps all others out.
func TestBudgetIsShared(t *testing.T) {
	r := setup(t, 300, func(r *rig) {
		r.budget = rows.NewBudget(2 * rows.MaxBatchBytes)
		r.from.parts, r.from.every, r.from.bytes = 3, 4, rows.MaxBatchBytes
		r.to.serial = make(chan struct{}, 1)
		for i := range 8 {
			r.from.tables[fmt.Sprintf("db.t%d", i)] = orders(0, 300)
		}
	})
	var all sync.WaitGroup
	for i := range 8 {
		r.entity.Name = fmt.Sprintf("db.t%d", i)
		rec := r.begin()
		all.Go(func() {
			if err := r.do(rec); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range 8 {
		if n := len(r.to.tables[fmt.Sprintf("db.t%d", i)]); n != 300 {
			t.Errorf("t%d has %d rows", i, n)
		}
	}
	if n, ok := r.budget.Try(2 * rows.MaxBatchBytes); !ok {
		t.Error("bytes of the budget were not given back")
	} else {
		r.budget.Give(n)
	}
	r.budget = rows.NewBudget(budget)
}

// TestPanicsFailOneEntity, and give back what they held.
func TestPanicsFailOneEntity(t *testing.T) {
	for _, end := range []string{"source", "write", "commit", "finish"} {
		t.Run(end, func(t *testing.T) {
			r := setup(t, 100, func(r *rig) { r.from.parts = 2 })
			r.from.fault = func(_ context.Context, _ string, n int64) error {
				if end == "source" && n == 25 {
					panic("poison")
				}
				return nil
			}
			r.to.fault = func(s string) error {
				if s == end {
					panic("poison")
				}
				return nil
			}
			if err := r.do(r.begin()); syncline.CodeOf(err) != syncline.Internal {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestTheSourceChangesOnce(t *testing.T) {
	for _, reason := range []string{"source_changed", "plan_void"} {
		r := setup(t, 100)
		changed := false
		r.from.fault = func(_ context.Context, _ string, n int64) error {
			if n == 55 && !changed {
				changed = true
				r.from.tables["db.orders"] = orders(50, 200)
				return syncline.Errorf(syncline.Aborted, "the file has changed").Because(reason).Try("wait")
			}
			return nil
		}
		rec := r.begin()
		if err := r.do(rec); err != nil {
			t.Fatal(err)
		}
		r.shows(orders(50, 200))
		if c := rec.Stats().Counts; c.Read != 150 {
			t.Errorf("%+v", c)
		}
		r.hasNote(rec, "starts anew: the source has changed under it")
	}
}

func TestTheSourceChangesAgainAndAgain(t *testing.T) {
	r := setup(t, 100)
	n := 0
	r.from.fault = func(context.Context, string, int64) error {
		n++
		return syncline.Errorf(syncline.Aborted, "the file has changed").Because("source_changed").Try("wait").Again()
	}
	r.coded(r.do(r.begin()), syncline.Aborted, "source_changed", "the file has changed")
	if n != 2 {
		t.Errorf("%d tries in one attempt", n)
	}
}

func TestAppendedRowsAreNotAppendedAgain(t *testing.T) {
	r := setup(t, 100, func(r *rig) { r.entity.Write = syncline.Append; r.from.resume = source.ResumeRestart })
	crash := true
	r.from.fault = func(_ context.Context, _ string, n int64) error {
		if n == 55 && crash {
			return errCrash
		}
		return nil
	}
	rec := r.begin()
	if err := r.do(rec); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	crash = false
	e := r.coded(r.do(rec), syncline.FailedPrecondition, "append_interrupted", "50 rows of db.orders are appended already")
	if e.Retryable {
		t.Error("to be tried again")
	}
	r.shows(orders(0, 50))
}

func TestOtherColumnsBeginTheLoadAnew(t *testing.T) {
	r := setup(t, 100)
	crash := true
	r.from.fault = func(_ context.Context, _ string, n int64) error {
		if n == 55 && crash {
			return errCrash
		}
		return nil
	}
	rec := r.begin()
	if err := r.do(rec); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	crash = false
	r.from.fields = append(r.from.schema().Fields(), arrow.Field{Name: "more", Type: arrow.BinaryTypes.String, Nullable: true})
	if err := r.do(rec); err != nil {
		t.Fatal(err)
	}
	r.shows(orders(0, 100))
	r.hasNote(rec, "starts anew: the source's columns or the pipeline's settings have changed since")
}
