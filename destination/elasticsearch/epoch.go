package elasticsearch

import (
	"context"
	"errors"
	"sync"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
)

// epoch is what lies between two checkpoints: requests, and what became of their rows.
type epoch struct {
	requests sync.WaitGroup
	next     []byte        // the position after it
	done     chan struct{} // closed when its checkpoint is durable or has failed
	durable  placedPart    // then, where the part stands

	mu     sync.Mutex
	counts syncline.Counts
	err    error
}

func newEpoch() *epoch { return &epoch{done: make(chan struct{})} }

func (e *epoch) add(c syncline.Counts) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.counts = e.counts.Add(c)
}

func (e *epoch) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
	}
}

func (e *epoch) failure() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// checkpoint asks for one when it is worth it. While one is under way the epoch grows.
func (l *lane) checkpoint(ctx context.Context) error {
	c := l.open.total()
	if c.Bytes < commitBytes && l.w.db.env.Now().Sub(l.last) < commitAfter {
		return nil
	}
	if l.sealed != nil {
		if c.Bytes < 4*commitBytes {
			return nil
		}
		if err := l.awaitSealed(ctx); err != nil {
			return err
		}
	}
	return l.seal(ctx, false)
}

func (e *epoch) total() syncline.Counts {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.counts
}

// seal ends the epoch: what it holds is sent, and when all of it is acknowledged the part's
// document is written, beside what comes next.
func (l *lane) seal(ctx context.Context, done bool) error {
	for _, b := range l.buckets {
		if err := l.flush(ctx, b); err != nil {
			return err
		}
	}
	e, p := l.open, l.part
	l.open, l.sealed, l.last = newEpoch(), e, l.w.db.env.Now()
	go func() {
		defer close(e.done)
		e.requests.Wait()
		if e.failure() != nil {
			return
		}
		p.Position = rows.Position{Next: e.next, Done: done, Counts: p.Position.Counts.Add(e.total())}
		var err error
		if e.durable, err = l.w.save(l.life, p); errors.Is(err, errStale) {
			err = syncline.ErrLeaseLost
		}
		e.fail(err)
	}()
	return nil
}

// awaitSealed waits for the checkpoint that is under way.
func (l *lane) awaitSealed(ctx context.Context) error {
	if l.sealed == nil {
		return nil
	}
	select {
	case <-l.sealed.done:
		return l.settle()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// settle takes over what a checkpoint came to.
func (l *lane) settle() error {
	e := l.sealed
	l.sealed = nil
	if err := e.failure(); err != nil {
		return err
	}
	l.part = e.durable
	return nil
}

// lastNext is the newest position that was ever given.
func (l *lane) lastNext() []byte {
	if l.sealed != nil {
		return l.sealed.next
	}
	return l.part.Position.Next
}
