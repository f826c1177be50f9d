package transfer

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestRooms: the parts of all transfers of one run share its places, those of another run
// do not, and nothing is kept of a run that has ended.
func TestRooms(t *testing.T) {
	r := newRooms()
	var now, most atomic.Int64
	var all sync.WaitGroup
	for range 5 {
		in, leave := r.enter("a", 3)
		all.Go(func() {
			defer leave()
			for range 20 {
				give, err := in.take(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Millisecond)
				now.Add(-1)
				give()
			}
		})
	}
	other, leave := r.enter("b", 1)
	if _, err := other.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := other.take(ctx); err == nil {
		t.Error("two places where there is one")
	}
	leave()
	all.Wait()
	if most.Load() != 3 {
		t.Errorf("%d side by side, want 3", most.Load())
	}
	if len(r.run) != 0 {
		t.Errorf("%d runs are kept", len(r.run))
	}
}
