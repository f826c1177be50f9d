package ledger_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
)

// startAll orders runs of one pipeline.
func (f *fixture) startAll(p *syncline.Pipeline, orders ...ledger.Order) []syncline.Run {
	f.t.Helper()
	for i := range orders {
		orders[i].PipelineID = p.ID
	}
	rs, err := f.StartAll(f.t.Context(), orders)
	f.must(err)
	if len(rs) != len(orders) {
		f.t.Fatalf("%d runs for %d orders", len(rs), len(orders))
	}
	return rs
}

// next claims the one run that may be claimed, and ends it.
func (f *fixture) next() string {
	f.t.Helper()
	gs, err := f.Claim(f.t.Context(), f.w, 10)
	f.must(err)
	if len(gs) != 1 {
		f.t.Fatalf("%d runs of one lane are claimable", len(gs))
	}
	if gs, err := f.Claim(f.t.Context(), f.w, 10); err != nil || len(gs) != 0 {
		f.t.Fatalf("more is handed out while it runs: %v %v", gs, err)
	}
	f.plan(gs[0], syncline.TaskEnd{Name: "x", State: syncline.TaskSucceeded})
	_, err = f.Finish(f.t.Context(), gs[0].Hold())
	f.must(err)
	return gs[0].Run.ID
}

func (f *fixture) idle() {
	f.t.Helper()
	if gs, err := f.Claim(f.t.Context(), f.w, 10); err != nil || len(gs) != 0 {
		f.t.Fatalf("something is claimable: %+v %v", gs, err)
	}
}

func window(day int) *syncline.Window {
	from := time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC)
	return &syncline.Window{From: from, To: from.AddDate(0, 0, 1)}
}

// Runs go in the order given, whatever their ids and the overlap policy; one after another.
func TestStartAllQueues(t *testing.T) {
	for _, policy := range []syncline.Overlap{syncline.OverlapSkip, syncline.OverlapQueue, syncline.OverlapAllow} {
		t.Run(string(policy), func(t *testing.T) {
			onBoth(t, func(t *testing.T, f *fixture) {
				p := f.pipeline("a", func(p *syncline.Pipeline) { p.Definition.Overlap = policy })
				rs := f.startAll(p, ledger.Order{ID: "c", Window: window(3)}, ledger.Order{ID: "b", Window: window(2)}, ledger.Order{ID: "a", Window: window(1), Due: time.Now().Add(-time.Hour)})
				for i, day := range []int{3, 2, 1} {
					if r := rs[i]; !r.Window.From.Equal(window(day).From) || r.Head != (i == 0) || r.State != syncline.StatePending {
						t.Errorf("order %d is answered with %+v", i, r)
					}
				}
				more := f.startAll(p, ledger.Order{ID: "0", Window: window(4)})
				if more[0].Head {
					t.Error("a later order is the head")
				}
				for _, want := range []string{"c", "b", "a", "0"} {
					if id := f.next(); id != want {
						t.Errorf("run %s goes, want %s", id, want)
					}
				}
				f.idle()
			})
		})
	}
}

// Under skip they queue behind a run that lives, and are in the way of ordinary starts.
func TestStartAllBehindARun(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", nil)
		first := f.start(p, ledger.Order{})
		rs := f.startAll(p, ledger.Order{}, ledger.Order{})
		if _, _, err := f.Start(t.Context(), ledger.Order{PipelineID: p.ID}); syncline.CodeOf(err) != syncline.FailedPrecondition {
			t.Errorf("an ordinary start under skip: %v", err)
		}
		for _, want := range []string{first.ID, rs[0].ID, rs[1].ID} {
			if id := f.next(); id != want {
				t.Errorf("run %s goes, want %s", id, want)
			}
		}
	})
}

// What is due later waits for its time, and keeps nobody from going before.
func TestStartAllByDue(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", func(p *syncline.Pipeline) { p.Definition.Overlap = syncline.OverlapQueue })
		hour, soon := time.Now().Add(time.Hour), time.Now().Add(700*time.Millisecond)
		rs := f.startAll(p, ledger.Order{ID: "hour", Due: hour}, ledger.Order{ID: "soon", Due: soon}, ledger.Order{ID: "now"})
		if rs[0].Head || rs[1].Head || !rs[2].Head {
			t.Errorf("heads %v %v %v", rs[0].Head, rs[1].Head, rs[2].Head)
		}
		if id := f.next(); id != "now" {
			t.Errorf("run %s goes first", id)
		}
		f.idle() // "soon" is the head, and not due
		f.startAll(p, ledger.Order{ID: "after"})
		if id := f.next(); id != "after" {
			t.Errorf("run %s goes, and the one that is due does not", id)
		}
		f.start(p, ledger.Order{ID: "single"})
		if id := f.next(); id != "single" {
			t.Errorf("run %s goes, and the single one does not", id)
		}
		time.Sleep(time.Until(soon) + 10*time.Millisecond)
		if id := f.next(); id != "soon" {
			t.Errorf("run %s goes, want the one whose time has come", id)
		}
		f.idle()
		if r := f.state("hour", syncline.StatePending); !r.Head {
			t.Error("what is due in an hour is not the head of a lane in which it is alone")
		}
	})
}

// A slot of a schedule is not kept waiting by what is due later either.
func TestSlotBeforeALaterRun(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		slot := time.Now().UTC().Truncate(time.Minute)
		p := f.scheduled("a", time.Hour, slot, func(p *syncline.Pipeline) { p.Definition.Overlap = syncline.OverlapQueue })
		f.startAll(p, ledger.Order{ID: "hour", Due: time.Now().Add(time.Hour)})
		f.tick()
		if id := f.next(); id == "hour" {
			t.Error("a run went before its time")
		}
	})
}

// A head that has begun is not overtaken, though it waits for its next try.
func TestStartAllBehindARetry(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", nil)
		f.start(p, ledger.Order{ID: "tries"})
		away := syncline.Errorf(syncline.Unavailable, "the source is away").Again()
		away.RetryAfter = time.Hour
		_, err := f.Fail(t.Context(), f.claim().Hold(), away)
		f.must(err)
		if rs := f.startAll(p, ledger.Order{}); rs[0].Head {
			t.Error("a run that has begun was pushed off its place")
		}
		f.idle()
		if !f.state("tries", syncline.StatePending).Head {
			t.Error("the run that has begun is not the head any more")
		}
	})
}

// All or none, and twice is once.
func TestStartAllOrNone(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", nil)
		empty := &syncline.Window{From: window(2).From, To: window(2).From.Add(time.Nanosecond)}
		good := ledger.Order{PipelineID: p.ID, ID: "good"}
		tests := map[string]struct {
			orders []ledger.Order
			code   syncline.Code
			says   string
		}{
			"no such pipeline": {[]ledger.Order{good, {PipelineID: "none"}}, syncline.NotFound, "none"},
			"an id twice":      {[]ledger.Order{good, good}, syncline.AlreadyExists, "good"},
			"backwards":        {[]ledger.Order{good, {PipelineID: p.ID, Window: &syncline.Window{From: window(2).To, To: window(2).From}}}, syncline.InvalidArgument, "empty"},
			"empty":            {[]ledger.Order{good, {PipelineID: p.ID, Window: empty}}, syncline.InvalidArgument, "empty"},
			"of no rows":       {[]ledger.Order{good, {PipelineID: p.ID, Window: window(1), Mode: syncline.ModeAccessControl}}, syncline.InvalidArgument, "window"},
			"too many":         {slices.Repeat([]ledger.Order{{PipelineID: p.ID}}, 1001), syncline.InvalidArgument, "1001"},
		}
		for name, test := range tests {
			rs, err := f.StartAll(t.Context(), test.orders)
			if syncline.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.says) || rs != nil {
				t.Errorf("%s: %v, %d runs", name, err, len(rs))
			}
		}
		if _, _, err := f.Start(t.Context(), ledger.Order{PipelineID: p.ID, Window: empty}); syncline.CodeOf(err) != syncline.InvalidArgument {
			t.Errorf("one with an empty window: %v", err)
		}
		f.idle()

		orders := []ledger.Order{{DedupeKey: "k1"}, {DedupeKey: "k2"}}
		first, again := f.startAll(p, orders...), f.startAll(p, orders...)
		if first[0].ID != again[0].ID || first[1].ID != again[1].ID || first[0].ID == first[1].ID {
			t.Errorf("the same orders twice: %s %s, then %s %s", first[0].ID, first[1].ID, again[0].ID, again[1].ID)
		}
		if rs, err := f.StartAll(t.Context(), nil); err != nil || len(rs) != 0 {
			t.Errorf("no orders: %v %v", rs, err)
		}
	})
}

// Many at once, of pipelines named in any order: nobody waits for ever, and each lane has one
// head and goes in the order of each call.
func TestStartAllTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ps := []*syncline.Pipeline{f.pipeline("a", nil), f.pipeline("b", nil)}
		var wg sync.WaitGroup
		for caller := range 4 {
			wg.Go(func() {
				var orders []ledger.Order
				for i := range 10 {
					orders = append(orders, ledger.Order{PipelineID: ps[(caller+i)%2].ID, ID: fmt.Sprintf("%d-%d", caller, 9-i)})
				}
				if _, err := f.StartAll(t.Context(), orders); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		seen := map[byte]byte{} // caller and lane → last
		for range 20 {
			gs, err := f.Claim(t.Context(), f.w, 10)
			f.must(err)
			if len(gs) != 2 || gs[0].Run.PipelineID == gs[1].Run.PipelineID {
				t.Fatalf("%d are claimable", len(gs))
			}
			for _, g := range gs {
				id := g.Run.ID
				key := id[0]*2 + id[2]%2
				if last, ok := seen[key]; ok && id[2] > last {
					t.Errorf("%s goes after %c", id, last)
				}
				seen[key] = id[2]
				f.plan(g, syncline.TaskEnd{Name: "x", State: syncline.TaskSucceeded})
				_, err := f.Finish(t.Context(), g.Hold())
				f.must(err)
			}
		}
	})
}

// A run of a stretch that failed is not what somebody means who wants all of it.
func TestAdoptLeavesWindows(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", nil)
		r := f.startAll(p, ledger.Order{Window: window(1)})[0]
		_, err := f.Fail(t.Context(), f.claim().Hold(), syncline.Errorf(syncline.NotFound, "no table"))
		f.must(err)
		got, how, err := f.Start(t.Context(), ledger.Order{PipelineID: p.ID, Adopt: true})
		f.must(err)
		if how != ledger.Started || got.ID == r.ID || got.Window != nil {
			t.Errorf("%s run %s of the window %+v", how, got.ID, got.Window)
		}
	})
}
