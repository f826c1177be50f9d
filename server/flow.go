package server

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/synclinehq/syncline/auth"
)

const (
	perSecond  = 100
	perBurst   = 200
	maxAtOnce  = 100 // requests of a key that are under way, streams among them
	maxPatient = time.Second
)

// flows bounds what one key may take. Workers are bounded by the runs they have.
type flows struct {
	mu    sync.Mutex
	byKey map[string]*flow
}

type flow struct {
	rate   *rate.Limiter
	inside int
}

func newFlows() *flows { return &flows{byKey: map[string]*flow{}} }

// enter admits a request of who. Who is somewhat too fast is slowed down; only who does not
// wait for answers is refused.
func (f *flows) enter(ctx context.Context, who auth.Principal) (leave func(), err error) {
	if who.Role == auth.Worker || who.Key == anybody.Key {
		return func() {}, nil
	}
	one, ok := f.inside(who.Key)
	if !ok {
		return nil, tooOften("too many requests of this key are under way", maxPatient)
	}
	leave = func() { f.leave(one) }
	turn := one.rate.Reserve()
	wait := turn.Delay()
	if wait > maxPatient {
		turn.Cancel()
		leave()
		return nil, tooOften("this key asks too often", wait)
	}
	if err := pause(ctx, wait); err != nil {
		turn.Cancel()
		leave()
		return nil, err
	}
	return leave, nil
}

func (f *flows) inside(key string) (*flow, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.byKey[key]
	if one == nil {
		f.tidy()
		one = &flow{rate: rate.NewLimiter(perSecond, perBurst)}
		f.byKey[key] = one
	}
	if one.inside >= maxAtOnce {
		return nil, false
	}
	one.inside++
	return one, true
}

// tidy forgets keys that do not ask any more, when there are many.
func (f *flows) tidy() {
	if len(f.byKey) < maxTracked {
		return
	}
	for key, one := range f.byKey {
		if one.inside == 0 {
			delete(f.byKey, key)
		}
	}
}

func (f *flows) leave(one *flow) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one.inside--
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
