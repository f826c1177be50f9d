package transfer

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/synclinehq/syncline/task"
)

// rooms bounds, for each run, the parts that all of its entities move side by side.
type rooms struct {
	mu  sync.Mutex
	run map[string]*room
}

// attempt names an attempt at a run: one that has lost it, and hangs, takes no place from
// the next in the same process.
func attempt(c *task.Call) string { return fmt.Sprintf("%s/%d", c.Run.ID, c.Token) }

type room struct {
	*semaphore.Weighted
	users int // transfers of the run
}

func newRooms() *rooms { return &rooms{run: map[string]*room{}} }

// enter is for a transfer that begins; leave must be called when it ends.
func (r *rooms) enter(run string, parallel int) (in *room, leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	in = r.run[run]
	if in == nil {
		in = &room{Weighted: semaphore.NewWeighted(int64(parallel))}
		r.run[run] = in
	}
	in.users++
	return in, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if in.users--; in.users == 0 {
			delete(r.run, run)
		}
	}
}

// take waits for a place; the caller gives it back.
func (r *room) take(ctx context.Context) (give func(), err error) {
	if err := r.Acquire(ctx, 1); err != nil {
		return nil, context.Cause(ctx)
	}
	return func() { r.Release(1) }, nil
}
