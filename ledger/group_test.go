package ledger_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
)

// TestFinishTogether ends many runs at once: those that are held end once, each with its
// own outcome, the next of their lanes go on, and stale or unknown holders are refused.
func TestFinishTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		const n = 150
		f.w.Session = "together"
		var next []string
		held, want := map[string]syncline.Hold{}, map[string]syncline.State{}
		for i := range n {
			p := f.pipeline(fmt.Sprint("together", i), func(p *syncline.Pipeline) { p.Definition.Overlap = syncline.OverlapQueue })
			f.start(p, ledger.Order{})
			next = append(next, f.start(p, ledger.Order{}).ID)
		}
		for len(held) < n {
			gs, err := f.Claim(t.Context(), f.w, n)
			f.must(err)
			for _, g := range gs {
				held[g.Run.ID], want[g.Run.ID] = g.Hold(), syncline.StateSucceeded
				if len(held)%10 == 0 {
					f.plan(g, syncline.TaskEnd{Name: "t", State: syncline.TaskFailed, Error: syncline.Errorf(syncline.Unknown, "no")})
					want[g.Run.ID] = syncline.StateFailed
				}
			}
		}
		var wg sync.WaitGroup
		lost := func(h syncline.Hold, is func(error) bool) {
			wg.Go(func() {
				if r, err := f.Finish(t.Context(), h); !is(err) {
					t.Errorf("finish %v: %s, %v", h, r.State, err)
				}
			})
		}
		i := 0
		for id, h := range held {
			wg.Go(func() {
				r, err := f.Finish(t.Context(), h)
				if err != nil || r.State != want[id] || r.Head {
					t.Errorf("finish %s: %s, head %t, %v, want %s", id, r.State, r.Head, err, want[id])
				}
			})
			switch i++; i % 5 {
			case 0:
				lost(syncline.Hold{Run: id, Token: h.Token - 1}, func(err error) bool { return err == syncline.ErrLeaseLost })
			case 1:
				lost(syncline.Hold{Run: "absent" + id, Token: 1}, func(err error) bool { return syncline.CodeOf(err) == syncline.NotFound })
			}
		}
		wg.Wait()
		for _, id := range next {
			d, err := f.Run(t.Context(), id)
			f.must(err)
			if !d.Run.Head {
				t.Errorf("run %s was next in its lane and has not become its head", id)
			}
		}
		for id := range held {
			d, err := f.Run(t.Context(), id)
			f.must(err)
			if d.Run.State != want[id] || len(d.Leases) > 0 || len(d.Run.Attempts) != 1 || d.Run.Attempts[0].EndedAt.IsZero() {
				t.Errorf("run %s: %s, %d leases, attempts %v", id, d.Run.State, len(d.Leases), d.Run.Attempts)
			}
		}
	})
}
