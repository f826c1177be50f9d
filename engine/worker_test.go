package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/engine"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/schedule"
	"github.com/synclinehq/syncline/store/sqlite"
	"github.com/synclinehq/syncline/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const ttl = 600 * time.Millisecond

// asIs opens endpoints that hold no secrets.
type asIs struct{}

func (asIs) Open(_ context.Context, d syncline.Definition) (syncline.Definition, error) {
	return d, nil
}

// bench is a ledger with a worker on it.
type bench struct {
	*ledger.Ledger
	t     *testing.T
	store syncline.Store
	p     *syncline.Pipeline
	door  engine.Door
	stop  context.CancelFunc
	ended chan error
}

// newBench makes a pipeline whose tasks are named by entities and done by do.
func newBench(t *testing.T, do func(context.Context, *task.Call) error, entities ...string) *bench {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Ledger: ledger.New(s, ledger.Options{TTL: ttl}), t: t, store: s}
	b.door = b.Ledger
	b.p = &syncline.Pipeline{ID: "p", Name: "p", Revision: 1, Definition: syncline.Definition{Owner: syncline.OwnerEngine}}
	for _, e := range entities {
		b.p.Definition.Entities = append(b.p.Definition.Entities, syncline.EntitySpec{Name: e})
	}
	if err := s.Update(t.Context(), func(tx syncline.Tx) error { return tx.PutPipeline(b.p) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if b.stop != nil {
			b.stop()
			<-b.ended
		}
		_ = s.Close()
	})
	b.work(do)
	return b
}

// work starts a worker in place of the one before.
func (b *bench) work(do func(context.Context, *task.Call) error) {
	kind := task.Kind{Name: "transfer", Do: do, Plan: func(_ context.Context, d syncline.Definition, _ syncline.Mode) ([]syncline.Task, error) {
		var out []syncline.Task
		for _, e := range d.Entities {
			out = append(out, syncline.Task{Name: e.Name, Kind: "transfer"})
		}
		return out, nil
	}}
	w := engine.NewWorker(engine.WorkerOptions{
		Door: b.door, Opener: asIs{}, Tasks: func(string) (task.Kind, bool) { return kind, true },
		Self: syncline.Worker{ID: "h/1", Session: "s", Host: "h", Kinds: []string{"sync"}},
		Beat: 50 * time.Millisecond, Poll: 20 * time.Millisecond, Flush: 20 * time.Millisecond,
	})
	ctx, stop := context.WithCancel(b.t.Context())
	b.stop, b.ended = stop, make(chan error, 1)
	go func() { b.ended <- w.Run(ctx) }()
}

// halt stops the worker and waits for it.
func (b *bench) halt() {
	b.stop()
	<-b.ended
	b.stop = nil
}

func (b *bench) begin() string {
	b.t.Helper()
	r, _, err := b.Start(b.t.Context(), ledger.Order{PipelineID: b.p.ID})
	if err != nil {
		b.t.Fatal(err)
	}
	return r.ID
}

// until waits for a run to be as ok says.
func (b *bench) until(id string, what string, ok func(ledger.Detail) bool) ledger.Detail {
	b.t.Helper()
	var d ledger.Detail
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var err error
		if d, err = b.Run(b.t.Context(), id); err != nil {
			b.t.Fatal(err)
		}
		if ok(d) {
			return d
		}
	}
	b.t.Fatalf("not in time: %s; the run is %s %s, tasks %+v", what, d.Run.State, d.Run.Wait, d.Tasks)
	return d
}

func is(s syncline.State) func(ledger.Detail) bool {
	return func(d ledger.Detail) bool { return d.Run.State == s }
}

func stats(n int64) syncline.Stats {
	return syncline.Stats{Counts: syncline.Counts{Read: n, Inserted: n}, Expected: 100, Attempted: n}
}

// waits reports and then waits for its context's end, as a task between two batches does.
func waits(ctx context.Context, c *task.Call) error {
	c.Report(stats(7))
	<-ctx.Done()
	return ctx.Err()
}

func TestRunToItsEnd(t *testing.T) {
	b := newBench(t, func(ctx context.Context, c *task.Call) error {
		c.Report(stats(5))
		c.Where("table " + c.Task.Name)
		c.Note(syncline.Info, "copied %s", c.Task.Name)
		if err := c.Memo(ctx, json.RawMessage(`{"plan":1}`)); err != nil {
			return err
		}
		if err := c.Keep(ctx, []syncline.Reject{{Task: c.Task.Name, Row: 3, Code: "type"}}); err != nil {
			return err
		}
		return c.Held()
	}, "a", "b")
	id := b.begin()
	d := b.until(id, "success", is(syncline.StateSucceeded))
	if len(d.Tasks) != 2 || d.Tasks[0].Where != "table a" || d.Tasks[1].Stats.Counts.Read != 5 || string(d.Tasks[0].Memo) != `{"plan":1}` {
		t.Errorf("tasks %+v %+v", d.Tasks[0], d.Tasks[1])
	}
	if d.Run.Facts.Rejects != 2 || d.Run.Attempts[0].Read != 10 {
		t.Errorf("facts %+v, attempt %+v", d.Run.Facts, d.Run.Attempts[0])
	}
	if ms, err := b.Messages(t.Context(), id, 0, 10); err != nil || len(ms) != 2 || !strings.HasPrefix(ms[0].Text, "copied") {
		t.Errorf("messages %v %v", ms, err)
	}
}

// TestNobodyReadsAccess: a run that is to read who may see what says that no source can,
// and touches nothing.
func TestNobodyReadsAccess(t *testing.T) {
	b := newBench(t, func(context.Context, *task.Call) error { return errors.New("touched") }, "a")
	r, _, err := b.Start(t.Context(), ledger.Order{PipelineID: b.p.ID, Mode: syncline.ModeAccessControl})
	if err != nil {
		t.Fatal(err)
	}
	d := b.until(r.ID, "failure", is(syncline.StateFailed))
	if e := d.Run.Error; e == nil || e.Code != syncline.Unimplemented || !strings.Contains(e.Message, "no source reads yet") || len(d.Tasks) > 0 {
		t.Errorf("%+v, tasks %v", d.Run.Error, d.Tasks)
	}
}

// TestProgressShows: what a task reports is in the ledger while it runs.
func TestProgressShows(t *testing.T) {
	b := newBench(t, waits, "a")
	id := b.begin()
	b.until(id, "progress", reported)
}

func reported(d ledger.Detail) bool {
	return len(d.Tasks) == 1 && d.Tasks[0].Stats.Counts.Read == 7
}

func TestCancelAndHold(t *testing.T) {
	b := newBench(t, waits, "a")
	id := b.begin()
	b.until(id, "running", is(syncline.StateRunning))
	if _, err := b.Hold(t.Context(), id, ""); err != nil {
		t.Fatal(err)
	}
	d := b.until(id, "hold", is(syncline.StateSuspended))
	if d.Run.Wait != syncline.WaitHold || d.Run.Facts.PausedAt.IsZero() {
		t.Errorf("waits %s, paused %s", d.Run.Wait, d.Run.Facts.PausedAt)
	}
	if _, err := b.Resume(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	b.until(id, "running again", is(syncline.StateRunning))
	began := time.Now()
	if _, err := b.Cancel(t.Context(), id, "enough"); err != nil {
		t.Fatal(err)
	}
	d = b.until(id, "cancel", is(syncline.StateCanceled))
	if took := time.Since(began); took > time.Second {
		t.Errorf("cancel took %s at a beat of 50 ms", took)
	}
	if d.Tasks[0].State != syncline.TaskCanceled {
		t.Errorf("task is %s", d.Tasks[0].State)
	}
}

// TestShutdown: a worker that stops hands its run back; the next goes on, no try is spent.
func TestShutdown(t *testing.T) {
	b := newBench(t, waits, "a")
	id := b.begin()
	b.until(id, "progress", reported)
	b.halt()
	d := b.until(id, "handed back", is(syncline.StateSuspended))
	if d.Run.Wait != syncline.WaitShutdown || d.Tasks[0].State != syncline.TaskPending || d.Tasks[0].Stats.Counts.Read != 7 {
		t.Fatalf("waits %s, task %s with %+v", d.Run.Wait, d.Tasks[0].State, d.Tasks[0].Stats.Counts)
	}
	b.work(func(context.Context, *task.Call) error { return nil })
	d = b.until(id, "success", is(syncline.StateSucceeded))
	if d.Run.Tries > 1 || len(d.Run.Attempts) != 2 || d.Run.Attempts[0].Cause != "shutdown" || d.Tasks[0].Stats.Counts.Read != 7 {
		t.Errorf("tries %d, attempts %+v", d.Run.Tries, d.Run.Attempts)
	}
}

func TestFailures(t *testing.T) {
	away := syncline.Errorf(syncline.Unavailable, "away").Again()
	away.RetryAfter = time.Millisecond
	var calls atomic.Int32
	b := newBench(t, func(_ context.Context, c *task.Call) error {
		switch c.Task.Name {
		case "flaky":
			if calls.Add(1) < 3 {
				return away
			}
			return nil
		case "panics":
			panic("a bug")
		case "secret":
			return errors.New("password hunter2 is wrong")
		}
		return nil
	}, "flaky", "panics", "secret", "fine")
	id := b.begin()
	d := b.until(id, "partial success", is(syncline.StateSucceeded))
	want := map[string]syncline.TaskState{"flaky": "succeeded", "panics": "failed", "secret": "failed", "fine": "succeeded"}
	for _, k := range d.Tasks {
		if k.State != want[k.Name] {
			t.Errorf("%s is %s", k.Name, k.State)
		}
	}
	if d.Run.Facts.FailedTasks != 2 || len(d.Run.Attempts) != 3 {
		t.Errorf("%d failed, %d attempts", d.Run.Facts.FailedTasks, len(d.Run.Attempts))
	}
	if all, _ := json.Marshal(d); strings.Contains(string(all), "hunter2") {
		t.Error("an error without a code is shown as it is")
	}
}

func TestSuspendWaitsForAPerson(t *testing.T) {
	b := newBench(t, func(_ context.Context, c *task.Call) error {
		if c.Run.Facts.Confirms(syncline.WaitMassDelete) {
			return nil
		}
		return &task.Suspend{Wait: syncline.WaitMassDelete, Err: syncline.Errorf(syncline.FailedPrecondition, "all rows would go")}
	}, "a")
	id := b.begin()
	d := b.until(id, "wait", is(syncline.StateSuspended))
	if d.Run.Wait != syncline.WaitMassDelete || d.Run.Error == nil || d.Tasks[0].State != syncline.TaskSuspended {
		t.Fatalf("waits %s, error %v", d.Run.Wait, d.Run.Error)
	}
	if _, err := b.Resume(t.Context(), id, syncline.WaitMassDelete); err != nil {
		t.Fatal(err)
	}
	b.until(id, "success", is(syncline.StateSucceeded))
}

// cutOff is a door that can be shut, as a network can.
type cutOff struct {
	engine.Door
	shut atomic.Bool
}

func (c *cutOff) Beat(ctx context.Context, held []syncline.Hold) ([]syncline.BeatAnswer, error) {
	if c.shut.Load() {
		return nil, errors.New("no route to the ledger")
	}
	return c.Door.Beat(ctx, held)
}

func (c *cutOff) Claim(ctx context.Context, w syncline.Worker, n int) ([]syncline.Grant, error) {
	if c.shut.Load() {
		return nil, errors.New("no route to the ledger")
	}
	return c.Door.Claim(ctx, w, n)
}

func (c *cutOff) Report(ctx context.Context, rs []syncline.TaskReport) ([]syncline.BeatAnswer, error) {
	if c.shut.Load() {
		return nil, errors.New("no route to the ledger")
	}
	return c.Door.Report(ctx, rs)
}

// TestCutOff: a holder that the ledger does not answer stops writing before its lease
// ends, and goes on without a restart when the ledger answers in time.
func TestCutOff(t *testing.T) {
	var writes atomic.Int64
	b := newBench(t, waits, "a")
	b.halt()
	door := &cutOff{Door: b.Ledger}
	b.door = door
	b.work(func(ctx context.Context, c *task.Call) error {
		for {
			if err := c.Held(); err != nil {
				return err
			}
			writes.Add(1)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
	id := b.begin()
	b.until(id, "running", is(syncline.StateRunning))
	door.shut.Store(true)
	time.Sleep(ttl - ttl*2/15 + 20*time.Millisecond)
	stopped := writes.Load()
	time.Sleep(ttl)
	if more := writes.Load() - stopped; more > 0 {
		t.Errorf("%d writes after the lease could not be trusted", more)
	}
	door.shut.Store(false) // nobody has released it, so the same token still holds
	b.until(id, "writes go on", func(ledger.Detail) bool { return writes.Load() > stopped })
	// Now it is cut off for longer, and somebody takes the run.
	door.shut.Store(true)
	var taken syncline.Run
	for end := time.Now().Add(10 * time.Second); taken.State != syncline.StatePending; time.Sleep(10 * time.Millisecond) {
		if _, err := b.Scan(t.Context()); err != nil || time.Now().After(end) {
			t.Fatal("not released", err)
		}
		d, _ := b.Run(t.Context(), id)
		taken = d.Run
	}
	gs, err := b.Ledger.Claim(t.Context(), syncline.Worker{ID: "other", Session: "o", Host: "h", Kinds: []string{"sync"}}, 1)
	if err != nil || len(gs) != 1 {
		t.Fatalf("the released run was not claimed by another: %d, %v", len(gs), err)
	}
	door.shut.Store(false)
	before := writes.Load()
	time.Sleep(300 * time.Millisecond)
	if writes.Load() > before+1 {
		t.Error("the old holder goes on writing")
	}
	b.until(id, "the refusal is counted", func(d ledger.Detail) bool { return d.Run.Facts.Fenced > 0 })
}

func TestKeeper(t *testing.T) {
	b := newBench(t, func(context.Context, *task.Call) error { return nil }, "a")
	s := syncline.Schedule{ID: "s", Every: time.Second, Anchor: time.Now().UTC().Truncate(time.Second)}
	b.p.Definition.Schedules = []syncline.Schedule{s}
	b.p.Definition.KeepRuns = 2
	b.p.Revision++
	err := b.store.Update(t.Context(), func(tx syncline.Tx) error {
		if err := tx.PutSchedules("p", []syncline.ScheduleRow{{PipelineID: "p", Schedule: s, NextSlot: s.Anchor.Add(time.Second), Enabled: true}}); err != nil {
			return err
		}
		return tx.PutPipeline(b.p)
	})
	if err != nil {
		t.Fatal(err)
	}
	k := engine.NewKeeper(engine.KeeperOptions{
		Ledger: b.Ledger, Next: schedule.Next, Prune: 50 * time.Millisecond,
		Pipelines: func(_ context.Context, after string) ([]*syncline.Pipeline, error) {
			if after != "" {
				return nil, nil
			}
			return []*syncline.Pipeline{b.p}, nil
		},
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- k.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	// Four slots later there are not more runs than are kept, and the one under way.
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ds, err := b.Runs(t.Context(), syncline.RunFilter{PipelineID: "p"})
		if err != nil || time.Now().After(end) {
			t.Fatalf("%d runs, %v", len(ds), err)
		}
		if len(ds) == 0 {
			continue
		}
		newest := ds[0].Run
		if late := newest.CreatedAt.Sub(newest.Due); late < 0 || late > time.Second {
			t.Errorf("a run due at %s was started %s late", newest.Due, late)
		}
		if newest.Due.Sub(s.Anchor) >= 4*time.Second && len(ds) <= 3 {
			return
		}
	}
}
