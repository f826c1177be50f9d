package ledger_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/bench/measure"
)

const live = 10_000

// TestBeat extends the leases of 10,000 runs in one beat.
func TestBeat(t *testing.T) {
	t.Run("PostgreSQL", func(t *testing.T) { beat(t, "PostgreSQL", openPostgres(t, durable(t))) })
	t.Run("SQLite", func(t *testing.T) { beat(t, "SQLite", openSQLite(t)) })
}

func beat(t *testing.T, where string, s syncline.Store) {
	var held []syncline.Hold
	for i := range live {
		held = append(held, syncline.Hold{Run: fmt.Sprintf("r%05d", i), Token: 1})
	}
	must(t, s.Update(t.Context(), func(tx syncline.Tx) error {
		for _, h := range held {
			if err := tx.PutLease(syncline.Lease{Run: h.Run, Token: h.Token, Worker: "host/1/abc", Session: "s"}); err != nil {
				return err
			}
		}
		return nil
	}))
	best := time.Hour
	for range 5 {
		begun := time.Now()
		answers, err := s.Beat(t.Context(), held, time.Minute)
		best = min(best, time.Since(begun))
		if err != nil || len(answers) != live {
			t.Fatalf("%d answers, %v", len(answers), err)
		}
	}
	measure.Bound(t, measure.Limit{Name: "beat of 10,000 live runs, " + where, Unit: "ms", Value: float64(best.Microseconds()) / 1000, Bar: 50, AtMost: true})
}
