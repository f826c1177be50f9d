package ledger_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/schedule"
	"github.com/synclinehq/syncline/store/postgres"
	"github.com/synclinehq/syncline/store/sqlite"
	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// onBoth runs a test on both stores.
func onBoth(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
		if err != nil {
			t.Fatal(err)
		}
		test(t, newFixture(t, s))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		s, err := postgres.Open(t.Context(), testserver.Database(t), postgres.Options{AcceptDataLoss: true})
		if err != nil {
			t.Fatal(err)
		}
		test(t, newFixture(t, s))
	})
}

const ttl = 400 * time.Millisecond

type fixture struct {
	*ledger.Ledger
	t     *testing.T
	store syncline.Store
	dead  sync.Map // sessions whose process is gone
	w     syncline.Worker
}

func newFixture(t *testing.T, s syncline.Store) *fixture {
	t.Cleanup(func() { _ = s.Close() })
	f := &fixture{t: t, store: s, w: syncline.Worker{ID: "h/1", Session: "s1", Host: "h", Kinds: []string{"sync"}}}
	f.Ledger = ledger.New(s, ledger.Options{TTL: ttl, Dead: func(session string) bool { _, ok := f.dead.Load(session); return ok }})
	return f
}

// pipeline stores a pipeline; change alters its definition first.
func (f *fixture) pipeline(name string, change func(*syncline.Pipeline)) *syncline.Pipeline {
	f.t.Helper()
	p := &syncline.Pipeline{ID: "p-" + name, Name: name, Revision: 1, CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC()}
	p.Definition.Owner = syncline.OwnerEngine
	if change != nil {
		change(p)
	}
	f.must(f.store.Update(f.t.Context(), func(tx syncline.Tx) error { return tx.PutPipeline(p) }))
	return p
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) start(p *syncline.Pipeline, o ledger.Order) syncline.Run {
	f.t.Helper()
	o.PipelineID = p.ID
	r, _, err := f.Start(f.t.Context(), o)
	f.must(err)
	return r
}

// claim takes exactly one run.
func (f *fixture) claim() syncline.Grant {
	f.t.Helper()
	gs, err := f.Claim(f.t.Context(), f.w, 1)
	f.must(err)
	if len(gs) != 1 {
		f.t.Fatalf("claimed %d runs, want 1", len(gs))
	}
	return gs[0]
}

// plan gives a held run tasks that ended as said.
func (f *fixture) plan(g syncline.Grant, ends ...syncline.TaskEnd) {
	f.t.Helper()
	var tasks []syncline.Task
	for _, e := range ends {
		tasks = append(tasks, syncline.Task{Name: e.Name, Kind: "transfer"})
	}
	_, err := f.Plan(f.t.Context(), g.Hold(), tasks)
	f.must(err)
	for _, e := range ends {
		f.must(f.BeginTask(f.t.Context(), g.Hold(), e.Name))
		f.must(f.EndTask(f.t.Context(), g.Hold(), e))
	}
}

func (f *fixture) state(id string, want syncline.State) syncline.Run {
	f.t.Helper()
	d, err := f.Run(f.t.Context(), id)
	f.must(err)
	if d.Run.State != want {
		f.t.Fatalf("run is %s (%s), want %s", d.Run.State, d.Run.Wait, want)
	}
	return d.Run
}

func read(n int64) syncline.Stats {
	return syncline.Stats{Counts: syncline.Counts{Read: n, Inserted: n}, Attempted: n}
}

func TestLife(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", nil)
		r := f.start(p, ledger.Order{})
		g := f.claim()
		if g.Run.ID != r.ID || g.Run.Token <= 0 {
			t.Fatalf("claimed %s with token %d", g.Run.ID, g.Run.Token)
		}
		if more, err := f.Claim(t.Context(), f.w, 1); err != nil || len(more) != 0 {
			t.Fatalf("a held run was handed out again: %v %v", more, err)
		}
		f.plan(g, syncline.TaskEnd{Name: "x", State: syncline.TaskSucceeded, Stats: read(10), Where: "table x"})
		_, err := f.Finish(t.Context(), g.Hold())
		f.must(err)
		got := f.state(r.ID, syncline.StateSucceeded)
		if len(got.Attempts) != 1 || got.Attempts[0].Read != 10 || got.Attempts[0].Cause != "succeeded" || got.Head {
			t.Errorf("attempts %+v, head %v", got.Attempts, got.Head)
		}
		if _, err := f.Finish(t.Context(), g.Hold()); !errors.Is(err, syncline.ErrLeaseLost) {
			t.Errorf("finishing twice: %v", err)
		}
	})
}

func TestOutcome(t *testing.T) {
	broken := syncline.Errorf(syncline.NotFound, "no table").Of(syncline.ClassSource)
	ok, bad := syncline.TaskEnd{Name: "ok", State: syncline.TaskSucceeded}, syncline.TaskEnd{Name: "bad", State: syncline.TaskFailed, Error: broken}
	cases := map[string]struct {
		rule  syncline.Outcome
		ends  []syncline.TaskEnd
		want  syncline.State
		parts int
	}{
		"some failed":             {"", []syncline.TaskEnd{ok, bad}, syncline.StateSucceeded, 1},
		"some failed, all needed": {syncline.OutcomeAll, []syncline.TaskEnd{ok, bad}, syncline.StateFailed, 1},
		"all failed":              {"", []syncline.TaskEnd{bad}, syncline.StateFailed, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, f *fixture) {
				r := f.start(f.pipeline("a", func(p *syncline.Pipeline) { p.Definition.Outcome = c.rule }), ledger.Order{})
				g := f.claim()
				f.plan(g, c.ends...)
				_, err := f.Finish(t.Context(), g.Hold())
				f.must(err)
				got := f.state(r.ID, c.want)
				if got.Facts.FailedTasks != c.parts || got.Error == nil || !strings.Contains(got.Error.Message, "no table") {
					t.Errorf("failed tasks %d, error %v", got.Facts.FailedTasks, got.Error)
				}
			})
		})
	}
}

// TestRetry: a retryable failure goes back to wait until the tries are used up; progress
// gives them back.
func TestRetry(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", func(p *syncline.Pipeline) { p.Definition.MaxTries = 2 })
		r := f.start(p, ledger.Order{})
		away := syncline.Errorf(syncline.Unavailable, "the source is away").Again()
		away.RetryAfter = time.Millisecond
		for try, durable := range []int64{10, 10, 10} { // the first attempt makes progress
			g := f.until()
			if try == 0 {
				f.plan(g, syncline.TaskEnd{Name: "x", State: syncline.TaskRetryWait, Stats: read(durable), Error: away})
			} else {
				f.must(f.BeginTask(t.Context(), g.Hold(), "x"))
				f.must(f.EndTask(t.Context(), g.Hold(), syncline.TaskEnd{Name: "x", State: syncline.TaskRetryWait, Stats: read(durable), Error: away}))
			}
			_, err := f.Finish(t.Context(), g.Hold())
			f.must(err)
		}
		got := f.state(r.ID, syncline.StateFailed)
		if len(got.Attempts) != 3 || got.Error == nil || got.Error.Message != away.Message {
			t.Errorf("%d attempts, error %v", len(got.Attempts), got.Error)
		}
		// A failed run is resumed: same load, and its tasks start again.
		_, err := f.Resume(t.Context(), r.ID)
		f.must(err)
		g := f.claim()
		if g.Run.Load != r.ID || g.Tasks[0].State != syncline.TaskPending || g.Run.Attempts[3].ReadBase != 10 {
			t.Errorf("resumed with load %s, task %s, base %d", g.Run.Load, g.Tasks[0].State, g.Run.Attempts[3].ReadBase)
		}
	})
}

// until claims, waiting for a retry's end.
func (f *fixture) until() syncline.Grant {
	f.t.Helper()
	for range 100 {
		gs, err := f.Claim(f.t.Context(), f.w, 1)
		f.must(err)
		if len(gs) == 1 {
			return gs[0]
		}
		time.Sleep(20 * time.Millisecond)
	}
	f.t.Fatal("nothing to claim")
	return syncline.Grant{}
}

// TestTakeover: a run whose holder gives no sign of life is released after its lease, and
// the old holder is refused and counted.
func TestTakeover(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r := f.start(f.pipeline("a", nil), ledger.Order{})
		old := f.claim()
		began := time.Now()
		next := f.scanUntil(r.ID, syncline.StatePending)
		if took := time.Since(began); took < ttl {
			t.Errorf("released after %s, before its lease of %s had ended", took, ttl)
		}
		if next.Attempts[0].Cause != "lease_lost" || next.Token <= old.Run.Token {
			t.Errorf("attempt %+v, token %d after %d", next.Attempts[0], next.Token, old.Run.Token)
		}
		g := f.claim()
		for name, call := range map[string]func() error{
			"finish": func() error { _, err := f.Finish(t.Context(), old.Hold()); return err },
			"keep":   func() error { return f.Keep(t.Context(), old.Hold(), []syncline.Reject{{Task: "x"}}) },
			"log":    func() error { return f.Log(t.Context(), old.Hold(), []syncline.Message{{Text: "x"}}) },
			"plan":   func() error { _, err := f.Plan(t.Context(), old.Hold(), nil); return err },
		} {
			if err := call(); !errors.Is(err, syncline.ErrLeaseLost) {
				t.Errorf("a stale %s: %v", name, err)
			}
		}
		if answers, err := f.Beat(t.Context(), []syncline.Hold{old.Hold(), g.Hold()}); err != nil || len(answers) != 1 {
			t.Errorf("beats answered %v, %v", answers, err)
		}
		if got := f.state(r.ID, syncline.StateRunning); got.Facts.Fenced != 4 {
			t.Errorf("fenced %d, want 4", got.Facts.Fenced)
		}
	})
}

// scanUntil scans until the run is in a state.
func (f *fixture) scanUntil(id string, want syncline.State) syncline.Run {
	f.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		_, err := f.Scan(f.t.Context())
		f.must(err)
		if d, err := f.Run(f.t.Context(), id); err == nil && d.Run.State == want {
			return d.Run
		}
	}
	f.t.Fatalf("the run did not become %s", want)
	return syncline.Run{}
}

// TestBeatKeeps: beats and reports keep a lease alive past its end.
func TestBeatKeeps(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r := f.start(f.pipeline("a", nil), ledger.Order{})
		g := f.claim()
		for end := time.Now().Add(3 * ttl); time.Now().Before(end); time.Sleep(ttl / 8) {
			if _, err := f.Beat(t.Context(), []syncline.Hold{g.Hold()}); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Scan(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		f.state(r.ID, syncline.StateRunning)
	})
}

// TestDeadProcess: a lease need not run out when its process is known to be gone.
func TestDeadProcess(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r := f.start(f.pipeline("a", nil), ledger.Order{})
		f.claim()
		f.dead.Store("s1", true)
		if n, err := f.Scan(t.Context()); err != nil || n != 1 {
			t.Fatalf("released %d, %v", n, err)
		}
		f.state(r.ID, syncline.StatePending)
	})
}

// TestAsks: cancel and hold reach the holder with its next beat; resume takes a hold back.
func TestAsks(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r := f.start(f.pipeline("a", nil), ledger.Order{})
		g := f.claim()
		asked := func(want syncline.Ask) {
			t.Helper()
			if as, err := f.Beat(t.Context(), []syncline.Hold{g.Hold()}); err != nil || len(as) != 1 || as[0].Ask != want {
				t.Fatalf("beat answered %v, %v; want ask %d", as, err, want)
			}
		}
		asked(syncline.AskNothing)
		_, err := f.Hold(t.Context(), r.ID, "")
		f.must(err)
		asked(syncline.AskHold)
		_, err = f.Resume(t.Context(), r.ID)
		f.must(err)
		asked(syncline.AskNothing)
		_, err = f.Cancel(t.Context(), r.ID, "not wanted")
		f.must(err)
		asked(syncline.AskCancel)
		_, err = f.AckCancel(t.Context(), g.Hold())
		f.must(err)
		if got := f.state(r.ID, syncline.StateCanceled); got.Facts.CancelReason != "not wanted" {
			t.Errorf("reason %q", got.Facts.CancelReason)
		}
		if _, err := f.Cancel(t.Context(), r.ID, ""); err != nil {
			t.Errorf("canceling twice: %v", err)
		}
	})
}

// TestMassDeleteNeedsConfirmation: resuming everything must not delete a table.
func TestMassDeleteNeedsConfirmation(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r := f.start(f.pipeline("a", nil), ledger.Order{})
		g := f.claim()
		_, err := f.Suspend(t.Context(), g.Hold(), syncline.WaitMassDelete, syncline.Errorf(syncline.FailedPrecondition, "9 of 10 rows"))
		f.must(err)
		if _, err := f.Resume(t.Context(), r.ID); syncline.CodeOf(err) != syncline.FailedPrecondition {
			t.Fatalf("resumed without a confirmation: %v", err)
		}
		_, err = f.Resume(t.Context(), r.ID, syncline.WaitMassDelete)
		f.must(err)
		if g := f.claim(); !g.Run.Facts.Confirms(syncline.WaitMassDelete) {
			t.Error("the confirmation is lost")
		}
	})
}

func TestYieldCostsNoTry(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.start(f.pipeline("a", nil), ledger.Order{})
		g := f.claim()
		_, err := f.Yield(t.Context(), g.Hold())
		f.must(err)
		again := f.claim()
		if again.Run.Tries != g.Run.Tries || again.Run.Token <= g.Run.Token {
			t.Errorf("tries %d then %d, token %d then %d", g.Run.Tries, again.Run.Tries, g.Run.Token, again.Run.Token)
		}
	})
}

func TestOverlap(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		skip := f.pipeline("skip", nil)
		first := f.start(skip, ledger.Order{})
		_, _, err := f.Start(t.Context(), ledger.Order{PipelineID: skip.ID})
		if e, ok := errors.AsType[*syncline.Error](err); !ok || e.Reason != ledger.ReasonBusy || !strings.Contains(e.Message, first.ID) {
			t.Fatalf("a second run of a busy pipeline: %v", err)
		}
		_, err = f.Cancel(t.Context(), first.ID, "")
		f.must(err)

		queue := f.pipeline("queue", func(p *syncline.Pipeline) { p.Definition.Overlap = syncline.OverlapQueue })
		a, b := f.start(queue, ledger.Order{}), f.start(queue, ledger.Order{})
		g := f.claim()
		if g.Run.ID != a.ID || b.Head {
			t.Fatalf("claimed %s; the second is head: %v", g.Run.ID, b.Head)
		}
		if more, _ := f.Claim(t.Context(), f.w, 1); len(more) != 0 {
			t.Fatal("two runs of one lane at once")
		}
		_, err = f.Fail(t.Context(), g.Hold(), syncline.Errorf(syncline.NotFound, "x"))
		f.must(err)
		if g := f.claim(); g.Run.ID != b.ID {
			t.Fatalf("after the first the lane went on with %s", g.Run.ID)
		}

		allow := f.pipeline("allow", func(p *syncline.Pipeline) { p.Definition.Overlap = syncline.OverlapAllow })
		f.start(allow, ledger.Order{})
		f.start(allow, ledger.Order{})
		if gs, err := f.Claim(t.Context(), f.w, 5); err != nil || len(gs) != 2 {
			t.Fatalf("claimed %d of two runs that may overlap, %v", len(gs), err)
		}
	})
}

// TestAdopt: the same command goes on with what is unfinished.
func TestAdopt(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", nil)
		adopt := ledger.Order{PipelineID: p.ID, Adopt: true}
		first, how, err := f.Start(t.Context(), adopt)
		if err != nil || how != ledger.Started {
			t.Fatal(how, err)
		}
		g := f.claim()
		if _, _, err := f.Start(t.Context(), adopt); syncline.CodeOf(err) != syncline.FailedPrecondition {
			t.Fatalf("adopted a run that somebody holds: %v", err)
		}
		_, err = f.Yield(t.Context(), g.Hold())
		f.must(err)
		if r, how, err := f.Start(t.Context(), adopt); err != nil || how != ledger.Adopted || r.ID != first.ID {
			t.Fatalf("after a shutdown: %s %s %v", r.ID, how, err)
		}
		g = f.claim()
		_, err = f.Fail(t.Context(), g.Hold(), syncline.Errorf(syncline.NotFound, "no table"))
		f.must(err)
		if r, how, err := f.Start(t.Context(), adopt); err != nil || how != ledger.Adopted || r.ID != first.ID || r.State != syncline.StatePending {
			t.Fatalf("after a failure: %s %s %v", r.ID, how, err)
		}
		g = f.claim()
		_, err = f.Finish(t.Context(), g.Hold())
		f.must(err)
		if r, how, err := f.Start(t.Context(), adopt); err != nil || how != ledger.Started || r.ID == first.ID {
			t.Fatalf("after a success: %s %s %v", r.ID, how, err)
		}
	})
}

func TestDedupe(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", nil)
		a := f.start(p, ledger.Order{DedupeKey: "k"})
		b, how, err := f.Start(t.Context(), ledger.Order{PipelineID: p.ID, DedupeKey: "k"})
		if err != nil || how != ledger.Repeated || b.ID != a.ID {
			t.Fatalf("%s %s %v", b.ID, how, err)
		}
	})
}

// scheduled stores a pipeline with one schedule whose next slot is at next.
func (f *fixture) scheduled(name string, every time.Duration, next time.Time, change func(*syncline.Pipeline)) *syncline.Pipeline {
	f.t.Helper()
	s := syncline.Schedule{ID: "s", Every: every, Anchor: next}
	p := f.pipeline(name, func(p *syncline.Pipeline) {
		p.Definition.Schedules = []syncline.Schedule{s}
		if change != nil {
			change(p)
			s.Misfire = p.Definition.Schedules[0].Misfire
		}
	})
	f.must(f.store.Update(f.t.Context(), func(tx syncline.Tx) error {
		return tx.PutSchedules(p.ID, []syncline.ScheduleRow{{PipelineID: p.ID, Schedule: s, NextSlot: next, Enabled: true}})
	}))
	return p
}

func (f *fixture) tick() {
	f.t.Helper()
	for {
		n, err := f.Tick(f.t.Context(), schedule.Next)
		f.must(err)
		if n == 0 {
			return
		}
	}
}

// byState counts a pipeline's runs.
func (f *fixture) byState(p *syncline.Pipeline) map[syncline.State]int {
	f.t.Helper()
	ds, err := f.Runs(f.t.Context(), syncline.RunFilter{PipelineID: p.ID, Limit: 1000})
	f.must(err)
	out := map[syncline.State]int{}
	for _, d := range ds {
		out[d.Run.State]++
		if d.Run.State == syncline.StateSkipped && d.Run.Why == "" {
			f.t.Errorf("run %s was skipped without a reason", d.Run.ID)
		}
	}
	return out
}

func TestTick(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		now := time.Now().UTC().Truncate(time.Minute)
		latest := f.scheduled("latest", time.Hour, now.Add(-3*time.Hour), nil)
		none := f.scheduled("none", time.Hour, now.Add(-3*time.Hour-2*time.Minute), func(p *syncline.Pipeline) { p.Definition.Schedules[0].Misfire = syncline.MisfireNone })
		paused := f.scheduled("paused", time.Hour, now, func(p *syncline.Pipeline) { p.PausedAt = now })
		busy := f.scheduled("busy", time.Hour, now, nil)
		f.start(busy, ledger.Order{})
		later := f.scheduled("later", time.Hour, now.Add(time.Hour), nil)
		f.tick()
		f.tick() // nothing is used twice
		for p, want := range map[*syncline.Pipeline][2]int{latest: {1, 3}, none: {0, 4}, paused: {0, 1}, busy: {1, 1}, later: {0, 0}} {
			got := f.byState(p)
			if got[syncline.StatePending] != want[0] || got[syncline.StateSkipped] != want[1] {
				t.Errorf("%s: %v, want %d pending and %d skipped", p.Name, got, want[0], want[1])
			}
		}
		if ds, _ := f.Runs(t.Context(), syncline.RunFilter{PipelineID: busy.ID, UnfinishedIn: true}); len(ds) != 1 || !ds[0].Run.Facts.Overrun {
			t.Error("the run that was in the way has no overrun")
		}
		reasons, err := f.Why(t.Context(), busy.ID, now)
		f.must(err)
		if len(reasons) == 0 || !strings.Contains(reasons[0].Text, "overlap") {
			t.Errorf("why: %v", reasons)
		}
	})
}

// TestTickTogether: many servers tick at once; each slot becomes exactly one run.
func TestTickTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		const pipelines, servers = 30, 8
		now := time.Now().UTC().Truncate(time.Minute)
		var all []*syncline.Pipeline
		for i := range pipelines {
			all = append(all, f.scheduled("p"+string(rune('a'+i%26))+string(rune('a'+i/26)), time.Hour, now.Add(-2*time.Hour), nil))
		}
		var wg sync.WaitGroup
		for range servers {
			wg.Go(func() {
				l := ledger.New(f.store, ledger.Options{TTL: ttl})
				for range 5 {
					if _, err := l.Tick(t.Context(), schedule.Next); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for _, p := range all {
			if got := f.byState(p); got[syncline.StatePending] != 1 || got[syncline.StateSkipped] != 2 {
				t.Errorf("%s: %v", p.Name, got)
			}
		}
	})
}

// TestCancelRacesFinish: exactly one of them ends the run.
func TestCancelRacesFinish(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", nil)
		var finished, canceled atomic.Int64
		for range 50 {
			r := f.start(p, ledger.Order{})
			g := f.claim()
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := f.Finish(t.Context(), g.Hold()); err != nil {
					t.Error(err) // a holder may always finish: that beats a cancel that was only asked
				}
				finished.Add(1)
			})
			wg.Go(func() {
				switch _, err := f.Cancel(t.Context(), r.ID, ""); syncline.CodeOf(err) {
				case "":
					canceled.Add(1)
				case syncline.FailedPrecondition: // it had ended
				default:
					t.Error(err)
				}
			})
			wg.Wait()
			f.state(r.ID, syncline.StateSucceeded)
			es, err := f.Events(t.Context(), r.ID, 0, 100)
			f.must(err)
			final := 0
			for _, e := range es {
				if e.State.Final() {
					final++
				}
			}
			if final != 1 {
				t.Fatalf("%d events ended the run", final)
			}
		}
		t.Logf("%d finished, %d of them with a cancel asked first", finished.Load(), canceled.Load())
	})
}

// TestDeadlines: a run that outlives its deadline fails, and a worker that does not answer
// a cancel is canceled over its head.
func TestDeadline(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r := f.start(f.pipeline("a", func(p *syncline.Pipeline) { p.Definition.Deadline = 50 * time.Millisecond }), ledger.Order{})
		g := f.claim()
		got := f.scanUntil(r.ID, syncline.StateFailed)
		if got.Error == nil || got.Error.Reason != "run_deadline" || got.Token <= g.Run.Token {
			t.Errorf("error %v, token %d after %d", got.Error, got.Token, g.Run.Token)
		}
	})
}

func TestPrune(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", func(p *syncline.Pipeline) { p.Definition.KeepRuns = 3 })
		for range 7 {
			f.start(p, ledger.Order{})
			g := f.claim()
			f.plan(g, syncline.TaskEnd{Name: "x", State: syncline.TaskSucceeded})
			_, err := f.Finish(t.Context(), g.Hold())
			f.must(err)
		}
		live := f.start(p, ledger.Order{})
		if n, err := f.Prune(t.Context(), p); err != nil || n != 4 {
			t.Fatalf("pruned %d, %v", n, err)
		}
		if got := f.byState(p); got[syncline.StateSucceeded] != 3 || got[syncline.StatePending] != 1 {
			t.Errorf("left %v", got)
		}
		f.state(live.ID, syncline.StatePending)
	})
}

// TestWatch sees a run end without polling for long.
func TestWatch(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		r := f.start(f.pipeline("a", nil), ledger.Order{})
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		var states []syncline.State
		for d, err := range f.Watch(ctx, r.ID, 10*time.Second) {
			f.must(err)
			states = append(states, d.Run.State)
			if len(states) == 1 {
				go f.Cancel(t.Context(), r.ID, "")
			}
		}
		if len(states) < 2 || states[len(states)-1] != syncline.StateCanceled {
			t.Errorf("saw %v", states)
		}
	})
}

// TestHeldBehind holds a run that waits behind another, and resumes it when the lane is
// empty, taken, or has gone on to a third.
func TestHeldBehind(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("queue", func(p *syncline.Pipeline) { p.Definition.Overlap = syncline.OverlapQueue })
		first, second := f.start(p, ledger.Order{}), f.start(p, ledger.Order{})
		held := func() {
			t.Helper()
			_, err := f.Hold(t.Context(), second.ID, "")
			f.must(err)
		}
		resumed := func(head bool) {
			t.Helper()
			r, err := f.Resume(t.Context(), second.ID)
			f.must(err)
			if r.State != syncline.StatePending || r.Head != head {
				t.Fatalf("resumed: %s, head %t, want %t", r.State, r.Head, head)
			}
		}
		ended := func(id string) {
			t.Helper()
			_, err := f.Cancel(t.Context(), id, "")
			f.must(err)
		}
		held()
		resumed(false) // the first one is still there
		held()
		third := f.start(p, ledger.Order{})
		ended(first.ID) // the third goes on
		resumed(false)
		held()
		ended(third.ID)
		resumed(true)
		if g := f.claim(); g.Run.ID != second.ID {
			t.Fatalf("claimed %s, want %s", g.Run.ID, second.ID)
		}
	})
}
