package ledger_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/bench/measure"
	"github.com/synclinehq/syncline/ledger"
)

// callers is how many start runs at once, and how many end them.
const callers = 32

// TestNoop starts, claims and ends runs, each of the three durable, each run by a call of
// its own, beside River working off jobs that were inserted one by one.
func TestNoop(t *testing.T) {
	t.Run("PostgreSQL", func(t *testing.T) {
		dsn := durable(t)
		river := newRiver(t, dsn)
		compare(t, "PostgreSQL", 2000, openPostgres(t, dsn), river)
	})
	t.Run("SQLite", func(t *testing.T) { compare(t, "SQLite FULL", 1000, openSQLite(t), nil) })
}

func compare(t *testing.T, where string, bar float64, s syncline.Store, theirs measure.Side) {
	round := 0
	ours := func(t testing.TB) measure.Sample {
		round++
		ids := pipelines(t, s, fmt.Sprintf("noop%d-", round), 64, func(*syncline.Pipeline) {})
		return noops(t, open(s), ids)
	}
	best := 0.0
	keep := func(t testing.TB) measure.Sample {
		sample := ours(t)
		best = max(best, sample.Rate())
		return sample
	}
	if theirs != nil {
		measure.Compare(t, measure.Comparison{Name: "no-op runs, " + where, Against: "River, jobs inserted one by one, FetchCooldown 1 ms", Unit: "runs/s", Bar: 0.5, Ours: keep, Theirs: theirs})
	} else {
		for range 3 {
			keep(t)
		}
	}
	measure.Bound(t, measure.Limit{Name: "durable no-op runs, " + where, Unit: "runs/s", Value: best, Bar: bar})
}

// noops is one round; nobody may see a run twice, and every run must end.
func noops(t testing.TB, l *ledger.Ledger, pipelines []string) measure.Sample {
	n := int64(*runs)
	claimed := make(chan syncline.Hold, n)
	var started, taken, ended atomic.Int64
	var seen sync.Map
	var wg sync.WaitGroup
	begun := time.Now()
	for range callers {
		wg.Go(func() {
			for i := started.Add(1); i <= n; i = started.Add(1) {
				if _, _, err := l.Start(t.Context(), ledger.Order{PipelineID: pipelines[i%int64(len(pipelines))]}); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for h := range claimed {
				if r, err := l.Finish(t.Context(), h); err != nil || r.State != syncline.StateSucceeded {
					t.Errorf("finish: %s, %v", r.State, err)
					continue
				}
				ended.Add(1)
			}
		})
	}
	wg.Go(func() {
		defer close(claimed)
		for taken.Load() < n && !t.Failed() {
			grants, err := l.Claim(t.Context(), self, 64)
			if err != nil {
				t.Error(err)
			}
			for _, g := range grants {
				if _, twice := seen.LoadOrStore(g.Run.ID, true); twice {
					t.Errorf("run %s was claimed twice", g.Run.ID)
				}
				claimed <- g.Hold()
			}
			if taken.Add(int64(len(grants))); len(grants) == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	wg.Wait()
	took := time.Since(begun)
	if ended.Load() != n {
		t.Fatalf("%d of %d runs ended", ended.Load(), n)
	}
	return measure.Sample{Count: n, Took: took}
}
