package ledger_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/bench/measure"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/schedule"
)

const due = 10_000

// TestSchedules has 10,000 schedules fall due in one second on two servers, each with
// workers of its own: every slot becomes one run, and one worker gets it.
func TestSchedules(t *testing.T) {
	dsn := durable(t)
	s := openPostgres(t, dsn)
	pipelines(t, s, "due", due, func(p *syncline.Pipeline) { p.Definition.Overlap = syncline.OverlapQueue })
	at := schedules(t, s)
	var claimed sync.Map
	var n, twice atomic.Int64
	ticked := make([]int, 2)
	var wg sync.WaitGroup
	for i := range ticked {
		l := open(openPostgres(t, dsn))
		wg.Go(func() { ticked[i] = tick(t, l, at, &n) })
		wg.Go(func() {
			for n.Load() < due && time.Since(at) < time.Minute {
				grants, err := l.Claim(t.Context(), self, 64)
				if err != nil {
					t.Error(err)
				}
				for _, g := range grants {
					if _, known := claimed.LoadOrStore(g.Run.PipelineID, true); known {
						twice.Add(1)
					}
					n.Add(1)
				}
				if len(grants) == 0 {
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(at)
	if n.Load() != due || twice.Load() > 0 || ticked[0]+ticked[1] != due {
		t.Fatalf("%d runs claimed, %d of them twice, of %v slots; want %d once", n.Load(), twice.Load(), ticked, due)
	}
	t.Logf("the servers used %v slots", ticked)
	measure.Bound(t, measure.Limit{Name: "10,000 schedules due in one second, two servers, until the last is claimed", Unit: "s", Value: took.Seconds(), Bar: 5, AtMost: true})
}

// schedules gives every pipeline one that is due soon, once.
func schedules(t *testing.T, s syncline.Store) (at time.Time) {
	now, err := s.Now(t.Context())
	must(t, err)
	at = now.Add(10 * time.Second).Truncate(time.Second)
	for from := 0; from < due; from += 500 {
		must(t, s.Update(t.Context(), func(tx syncline.Tx) error {
			for i := from; i < from+500; i++ {
				id := pipelineID("due", i)
				slot := at.Add(time.Duration(i) * time.Second / due)
				row := syncline.ScheduleRow{PipelineID: id, Schedule: syncline.Schedule{ID: "s", Every: 24 * time.Hour, Anchor: slot}, NextSlot: slot, Enabled: true}
				if err := tx.PutSchedules(id, []syncline.ScheduleRow{row}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if time.Now().After(at) {
		t.Fatal("storing the schedules took longer than until the first was due")
	}
	return at
}

func tick(t *testing.T, l *ledger.Ledger, at time.Time, claimed *atomic.Int64) (slots int) {
	time.Sleep(time.Until(at))
	for claimed.Load() < due && time.Since(at) < time.Minute {
		n, err := l.Tick(t.Context(), schedule.Next)
		if err != nil {
			t.Error(err)
		}
		if slots += n; n == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	return slots
}
