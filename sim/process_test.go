package sim

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
)

// process is one server or worker as the others see it: it can pause, die, be cut off
// from the ledger, or find it slow. It is that process's way to the store.
type process struct {
	*audit
	w       *world
	name    string
	session string

	mu    sync.Mutex
	rand  *rand.Rand
	dead  bool
	pause time.Time // stopped until then
	cut   time.Time // cut off until then
	how   cut
	slow  time.Time // finds the store slow until then
	skew  time.Duration
	ended chan struct{} // closed when its Run has returned
	stop  context.CancelFunc
}

// cut is how a call ends that cannot get through.
type cut int

const (
	refused cut = iota // at once, nothing done
	hangs              // nothing, until the caller gives up or the way is free
	silent             // the call arrives, its answer does not
	cuts
)

var errGone = syncline.Errorf(syncline.Internal, "the process is gone")

// away is what a caller hears who does not get through.
func away() error { return syncline.Errorf(syncline.Unavailable, "no way to the ledger").Again() }

// call makes a call to the store as the process's state allows.
func (p *process) call(ctx context.Context, fn func() error) error {
	if err := p.stopped(); err != nil {
		return err
	}
	p.mu.Lock()
	cut, how, wait := p.cut, p.how, p.latency()
	p.mu.Unlock()
	if err := p.sleep(ctx, wait); err != nil {
		return err
	}
	if until := time.Until(later(cut, p.w.awayUntil())); until > 0 && how != silent {
		if how == hangs {
			if err := p.sleep(ctx, until); err != nil {
				return err
			}
		}
		return away()
	}
	err := fn()
	if gone := p.stopped(); gone != nil {
		return gone
	}
	if time.Until(cut) > 0 && how == silent {
		p.w.note("answer lost")
		return away()
	}
	return err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stopped waits while the process does not run: nothing in it notices.
func (p *process) stopped() error {
	for {
		p.mu.Lock()
		dead, left := p.dead, time.Until(p.pause)
		p.mu.Unlock()
		if dead {
			return errGone
		}
		if left <= 0 {
			return nil
		}
		time.Sleep(left)
	}
}

// latency is drawn with p.mu held.
func (p *process) latency() time.Duration {
	switch {
	case time.Until(p.slow) <= 0:
		return time.Duration(p.rand.IntN(20)) * time.Millisecond
	case p.rand.IntN(4) == 0:
		return 9*time.Second + rand.N(4*time.Second)
	}
	return time.Duration(p.rand.IntN(2000)) * time.Millisecond
}

func (p *process) sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		p.w.note("late")
		return syncline.Errorf(syncline.DeadlineExceeded, "the ledger did not answer: %w", ctx.Err()).Again()
	}
}

func (p *process) set(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn()
}

func (p *process) View(ctx context.Context, fn func(syncline.Tx) error) error {
	return p.call(ctx, func() error { return p.Store.View(ctx, p.skewed(fn)) })
}

func (p *process) Update(ctx context.Context, fn func(syncline.Tx) error) error {
	return p.call(ctx, func() error { return p.update(ctx, p, p.skewed(fn)) })
}

func (p *process) Now(ctx context.Context) (now time.Time, err error) {
	err = p.call(ctx, func() error { now, err = p.Store.Now(ctx); return err })
	return now.Add(p.skew), err
}

func (p *process) Beat(ctx context.Context, held []syncline.Hold, ttl time.Duration) (answers []syncline.BeatAnswer, err error) {
	err = p.call(ctx, func() error {
		if answers, err = p.Store.Beat(ctx, held, ttl); err != nil {
			return err
		}
		p.extended(answers, func(run string) int64 {
			for _, h := range held {
				if h.Run == run {
					return h.Token
				}
			}
			return 0
		})
		return nil
	})
	return answers, err
}

func (p *process) Report(ctx context.Context, reports []syncline.TaskReport, ttl time.Duration) (answers []syncline.BeatAnswer, err error) {
	err = p.call(ctx, func() error {
		if answers, err = p.Store.Report(ctx, reports, ttl); err != nil {
			return err
		}
		p.extended(answers, func(run string) int64 {
			for _, r := range reports {
				if r.Run == run {
					return r.Token
				}
			}
			return 0
		})
		return nil
	})
	return answers, err
}

// skewed gives a transaction the clock that this process believes in.
func (p *process) skewed(fn func(syncline.Tx) error) func(syncline.Tx) error {
	if p.skew == 0 {
		return fn
	}
	return func(tx syncline.Tx) error { return fn(&wrongClock{Tx: tx, skew: p.skew}) }
}

type wrongClock struct {
	syncline.Tx
	skew time.Duration
}

func (w *wrongClock) Now() (time.Time, error) {
	now, err := w.Tx.Now()
	return now.Add(w.skew), err
}
