package ledger_test

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/schedule"
	"github.com/synclinehq/syncline/store/postgres"
	"github.com/synclinehq/syncline/store/sqlite"
	"github.com/synclinehq/syncline/testserver"
)

var contests = flag.Int("contests", 1000, "races of a cancel with a finish, and slots of many servers")

// TestManyCancelsRaceFinishes: a run that is canceled while it finishes ends once. If the finish
// came first the cancel hears that it is too late; if not, the holder is told.
func TestManyCancelsRaceFinishes(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
		if err != nil {
			t.Fatal(err)
		}
		contest(t, s, *contests)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		s, err := postgres.Open(t.Context(), testserver.Database(t), postgres.Options{AcceptDataLoss: true})
		if err != nil {
			t.Fatal(err)
		}
		contest(t, s, *contests)
	})
}

func contest(t *testing.T, s syncline.Store, n int) {
	t.Cleanup(func() { _ = s.Close() })
	l := ledger.New(s, ledger.Options{TTL: time.Minute})
	f := &fixture{Ledger: l, t: t, store: s}
	p := f.pipeline("a", func(p *syncline.Pipeline) { p.Definition.Overlap = syncline.OverlapAllow })
	var mu sync.Mutex
	var late, told int
	races := make(chan int, n)
	for i := range n {
		races <- i
	}
	close(races)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for i := range races {
				first, err := race(t.Context(), l, p.ID, fmt.Sprintf("race-%d", i), i%3)
				if err != nil {
					t.Errorf("race %d: %v", i, err)
					return
				}
				mu.Lock()
				if first {
					late++
				} else {
					told++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	t.Logf("%d races: %d finished before the cancel, %d canceled before the finish", n, late, told)
	if late < n/100 || told < n/100 {
		t.Errorf("%d and %d: that was no race", late, told)
	}
}

// race cancels and finishes one run at once and reports whether the finish was first.
func race(ctx context.Context, l *ledger.Ledger, pipeline, id string, turn int) (finished bool, err error) {
	if _, _, err := l.Start(ctx, ledger.Order{PipelineID: pipeline, ID: id}); err != nil {
		return false, err
	}
	gs, err := l.Claim(ctx, syncline.Worker{ID: "w", Session: "s", Kinds: []string{"sync"}, Run: id}, 1)
	if err != nil || len(gs) != 1 {
		return false, fmt.Errorf("claimed %d runs: %w", len(gs), err)
	}
	var cancelErr, finishErr error
	var both sync.WaitGroup
	calls := []func(){
		func() { _, cancelErr = l.Cancel(ctx, id, "") },
		func() { _, finishErr = l.Finish(ctx, gs[0].Hold()) },
	}
	if turn == 0 {
		slices.Reverse(calls)
	}
	for _, call := range calls {
		both.Go(call)
	}
	both.Wait()
	if finishErr != nil {
		return false, fmt.Errorf("finish: %w", finishErr)
	}
	return judge(ctx, l, id, cancelErr)
}

// judge reads how a race ended: the finish always wins in the end, since finishing beats a
// cancel that came while the run ran.
func judge(ctx context.Context, l *ledger.Ledger, id string, cancelErr error) (finished bool, err error) {
	d, err := l.Run(ctx, id)
	if err != nil {
		return false, err
	}
	es, err := l.Events(ctx, id, 0, 100)
	if err != nil {
		return false, err
	}
	var kinds []string
	for i, e := range es {
		kinds = append(kinds, e.Kind)
		if e.State.Final() && i < len(es)-1 || e.Seq != int64(i+1) {
			return false, fmt.Errorf("events %v go on after the end", kinds)
		}
	}
	finished = !slices.Contains(kinds, "request_cancel")
	if wrong := finished != (syncline.CodeOf(cancelErr) == syncline.FailedPrecondition); wrong || !finished && cancelErr != nil {
		return false, fmt.Errorf("events %v, and the cancel heard %w", kinds, cancelErr)
	}
	if d.Run.State != syncline.StateSucceeded || len(d.Leases) > 0 {
		return false, fmt.Errorf("it is %s with %d leases after %v", d.Run.State, len(d.Leases), kinds)
	}
	return finished, nil
}

// TestManyServersManySlots: however many servers look for due slots, each slot becomes one
// run, and all servers take part.
func TestManyServersManySlots(t *testing.T) {
	const servers = 20
	n := *contests
	url := testserver.NewPostgres(t, "max_connections=300").Database(t)
	stores := make([]*postgres.Store, servers)
	for i := range stores {
		var err error
		if stores[i], err = postgres.Open(t.Context(), url, postgres.Options{AcceptDataLoss: true}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stores[i].Close() })
	}
	due(t, stores[0], n)
	began := time.Now()
	won := make([]int, servers)
	var all sync.WaitGroup
	for i, s := range stores {
		all.Go(func() {
			l := ledger.New(s, ledger.Options{})
			for t.Context().Err() == nil {
				used, err := l.Tick(t.Context(), schedule.Next)
				if err != nil {
					t.Errorf("server %d: %v", i, err)
					return
				}
				if won[i] += used; used == 0 && idle(t, l) {
					return
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d servers used %d slots in %s: %v", servers, n, time.Since(began).Round(time.Millisecond), won)
	slotsAreRuns(t, stores[0], n)
	if i := slices.Index(won, 0); i >= 0 && n >= 5000 {
		t.Errorf("server %d used no slot", i)
	}
}

// idle reports whether no slot is due: a tick that finds all due ones taken by others
// uses none either.
func idle(t *testing.T, l *ledger.Ledger) bool {
	at, err := l.NearestSlot(t.Context())
	if err != nil {
		t.Error(err)
	}
	return err != nil || at.IsZero() || at.After(time.Now().Add(time.Minute))
}

// due makes n pipelines whose only slot is due now.
func due(t *testing.T, s syncline.Store, n int) {
	t.Helper()
	at := time.Now().UTC().Truncate(time.Second)
	for from := 0; from < n; from += 500 {
		err := s.Update(t.Context(), func(tx syncline.Tx) error {
			for i := from; i < min(from+500, n); i++ {
				p := &syncline.Pipeline{ID: fmt.Sprintf("p%05d", i), Name: fmt.Sprintf("p%05d", i), Revision: 1, CreatedAt: at, UpdatedAt: at}
				p.Definition.Owner = syncline.OwnerEngine
				if err := tx.PutPipeline(p); err != nil {
					return err
				}
				row := syncline.ScheduleRow{PipelineID: p.ID, Schedule: syncline.Schedule{ID: "s", Every: time.Hour, Anchor: at}, NextSlot: at, Enabled: true}
				if err := tx.PutSchedules(p.ID, []syncline.ScheduleRow{row}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// slotsAreRuns checks that each of n schedules has one slot and one pending run.
func slotsAreRuns(t *testing.T, s syncline.Store, n int) {
	t.Helper()
	for i := range n {
		id := fmt.Sprintf("p%05d", i)
		err := s.View(context.Background(), func(tx syncline.Tx) error {
			runs, err := tx.Runs(syncline.RunFilter{PipelineID: id})
			if err != nil {
				return err
			}
			slots, err := tx.SlotsBetween(id, time.Time{}, time.Now().Add(time.Hour), 10)
			if err != nil {
				return err
			}
			if len(runs) != 1 || len(slots) != 1 || slots[0].RunID != runs[0].ID || runs[0].State != syncline.StatePending {
				t.Errorf("%s has %d runs and %d slots", id, len(runs), len(slots))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
