package storetest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
)

// Bench measures how many changes, and how many runs that do nothing, a store makes
// durable in a second for callers that come at once.
func Bench(b *testing.B, open func(b *testing.B) syncline.Store) {
	b.Run("update", func(b *testing.B) { benchUpdate(b, open(b)) })
	b.Run("run", func(b *testing.B) { benchRuns(b, open(b)) })
	b.Run("beat", func(b *testing.B) { benchBeat(b, open(b)) })
}

func benchUpdate(b *testing.B, s syncline.Store) {
	defer s.Close()
	var seq atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := seq.Add(1)
			if err := s.Update(b.Context(), func(tx syncline.Tx) error { return tx.AppendEvents(syncline.Event{RunID: "r", Seq: n}) }); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}

// benchRuns starts, claims and ends runs as the ledger does, each in its transactions.
func benchRuns(b *testing.B, s syncline.Store) {
	defer s.Close()
	t := &ops{s, b}
	claimed := make(chan *syncline.Run, b.N)
	var wg sync.WaitGroup
	b.ResetTimer()
	var started, taken atomic.Int64
	for range 32 {
		wg.Go(func() {
			for n := started.Add(1); n <= int64(b.N); n = started.Add(1) {
				t.start(name("r", int(n)), name("l", int(n)))
			}
		})
		wg.Go(func() {
			for r := range claimed {
				t.finish(r.ID)
			}
		})
	}
	wg.Go(func() {
		defer close(claimed)
		for taken.Load() < int64(b.N) && !b.Failed() {
			got := t.claim("w", 64)
			for _, r := range got {
				claimed <- r
			}
			if taken.Add(int64(len(got))); len(got) == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
}

// benchBeat is one beat for the 200 runs of one worker among 10,000.
func benchBeat(b *testing.B, s syncline.Store) {
	defer s.Close()
	var held []syncline.Hold
	for i := range 10_000 {
		held = append(held, syncline.Hold{Run: name("r", i), Token: 1})
	}
	err := s.Update(b.Context(), func(tx syncline.Tx) error {
		for _, h := range held {
			if err := tx.PutLease(syncline.Lease{Run: h.Run, Token: h.Token, Worker: "host/1/abc", Session: "s"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for n := range b.N {
		from := n * 200 % len(held)
		answers, err := s.Beat(b.Context(), held[from:from+200], time.Minute)
		if err != nil || len(answers) != 200 {
			b.Fatalf("%d answers, %v", len(answers), err)
		}
	}
}
