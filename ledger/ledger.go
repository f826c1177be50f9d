// Package ledger is the only way a run changes. The engine's workers, outside workers,
// dialects and the command line all come through here; each method is one transaction,
// and what becomes of a run is decided by one unexported pure function, transition.
package ledger

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/synclinehq/syncline"
)

// callTimeout bounds every call; a store that does not answer by then is away.
const callTimeout = 10 * time.Second

// Projection keeps what a dialect's protocol stores at a pipeline about its runs. It sees
// every change of the runs of pipelines that had a drawer of the dialect when the run was
// made; those runs have one too.
type Projection struct {
	Dialect string
	// Project is pure and runs inside the run's transaction. It may replace
	// p.Ext[Dialect] and touches nothing else. before is the zero Run when after has just
	// been made; tasks are after's when it has ended, else nil.
	Project func(p *syncline.Pipeline, before, after syncline.Run, tasks []*syncline.Task)
}

// Options of a ledger. Zero values mean the defaults.
type Options struct {
	TTL         time.Duration // of a lease; default 15 s
	Log         *slog.Logger
	Projections []Projection
	// Dead reports whether a session's process is known to have ended: then its leases
	// need not run out. nil: never known.
	Dead func(session string) bool
}

// Ledger is the door to a store. It is safe for concurrent use.
type Ledger struct {
	store syncline.Store
	ttl   time.Duration
	log   *slog.Logger
	proj  []Projection
	dead  func(session string) bool
	scan  scanClock
	ends  ends

	mu   sync.Mutex
	wake chan struct{} // closed and replaced after every change
}

// New makes a ledger on a store.
func New(store syncline.Store, o Options) *Ledger {
	if o.TTL == 0 {
		o.TTL = 15 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dead == nil {
		o.Dead = func(string) bool { return false }
	}
	return &Ledger{store: store, ttl: o.TTL, log: o.Log, proj: o.Projections, dead: o.Dead, wake: make(chan struct{})}
}

// TTL is how long a lease lives without a beat.
func (l *Ledger) TTL() time.Duration { return l.ttl }

// Changed is closed at the next change that goes through this Ledger. It only saves
// waiting: other processes change the store too, so whoever waits on it polls as well.
func (l *Ledger) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wake
}

func (l *Ledger) update(ctx context.Context, fn func(syncline.Tx) error) error {
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	if err := l.store.Update(ctx, fn); err != nil {
		return err
	}
	l.mu.Lock()
	close(l.wake)
	l.wake = make(chan struct{})
	l.mu.Unlock()
	return nil
}

func (l *Ledger) view(ctx context.Context, fn func(syncline.Tx) error) error {
	ctx, stop := context.WithTimeout(ctx, callTimeout)
	defer stop()
	return l.store.View(ctx, fn)
}

// change applies one move to one run: it locks lane and run, lets transition decide, and
// puts everything that follows from it into the same transaction.
func (l *Ledger) change(ctx context.Context, id string, ev event, fill filler) (out syncline.Run, err error) {
	var stale bool
	err = l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.RunInLane(id)
		if err != nil {
			return err
		}
		before := *r
		if out, stale, err = l.apply(tx, r, ev, fill); err != nil || stale {
			return err
		}
		return promoted(tx, before, out)
	})
	if err == nil && stale {
		return out, syncline.ErrLeaseLost
	}
	return out, err
}

// filler completes a move by what it finds in the transaction.
type filler func(tx syncline.Tx, r *syncline.Run, m *move) error

// apply does what change promises but for the lane's next head. stale says that the move
// came from a holder that has lost the run; that is counted.
func (l *Ledger) apply(tx syncline.Tx, r *syncline.Run, ev event, fill filler) (out syncline.Run, stale bool, err error) {
	now, err := tx.Now()
	if err != nil {
		return out, false, err
	}
	m := move{event: ev, now: now, issue: now.UnixMicro()}
	if err := fill(tx, r, &m); err != nil {
		return out, false, err
	}
	out, err = transition(*r, m)
	if err == syncline.ErrLeaseLost {
		return out, true, countFenced(tx, r)
	}
	if err != nil {
		return out, false, err
	}
	return out, false, l.write(tx, *r, &out, m)
}

// countFenced notes that a stale holder was refused.
func countFenced(tx syncline.Tx, r *syncline.Run) error {
	r.Facts.Fenced++
	return tx.PutRun(r)
}

// put stores a changed run with all that follows from the change: event, leases, the
// lane's next head, the dialects' projections.
func (l *Ledger) put(tx syncline.Tx, before syncline.Run, after *syncline.Run, m move) error {
	if err := l.write(tx, before, after, m); err != nil {
		return err
	}
	return promoted(tx, before, *after)
}

// write is put but for the lane's next head.
func (l *Ledger) write(tx syncline.Tx, before syncline.Run, after *syncline.Run, m move) error {
	if err := l.settle(tx, before, after, m); err != nil {
		return err
	}
	if err := appendEvent(tx, after, m); err != nil {
		return err
	}
	if err := tx.PutRun(after); err != nil {
		return err
	}
	if err := l.project(tx, before, *after); err != nil {
		return err
	}
	return l.relay(tx, before, *after, m)
}

// settle brings leases and the lane's head in line with the new state.
func (l *Ledger) settle(tx syncline.Tx, before syncline.Run, after *syncline.Run, m move) error {
	if before.State == syncline.StateRunning && after.State != syncline.StateRunning {
		if err := letGo(tx, before); err != nil {
			return err
		}
	}
	if before.State == syncline.StateRunning && after.State == syncline.StateRunning {
		if err := tell(tx, before, *after); err != nil {
			return err
		}
	}
	switch {
	case after.State.Final():
		after.Head = false
		return endTasks(tx, after, m)
	case before.State.Final():
		if err := reopenTasks(tx, after); err != nil {
			return err
		}
		return readmit(tx, after)
	case after.Waits() && !before.Waits() && !after.Head:
		return readmit(tx, after) // its lane may have emptied while it was held
	}
	return nil
}

// letGo ends the leases of a run and its parts, and with them what was offered of it.
func letGo(tx syncline.Tx, r syncline.Run) error {
	if err := tx.DeleteLeases(r.ID); err != nil || r.Issued == 0 {
		return err
	}
	return tx.DeleteOffers(r.ID, "")
}

// tell passes a changed wish on to the holders.
func tell(tx syncline.Tx, before, after syncline.Run) error {
	if ask(before) == ask(after) {
		return nil
	}
	return tx.SetAsk(after.ID, ask(after))
}

func ask(r syncline.Run) syncline.Ask {
	switch {
	case canceling(r):
		return syncline.AskCancel
	case !r.Facts.HoldAskedAt.IsZero():
		return syncline.AskHold
	}
	return syncline.AskNothing
}

// readmit puts a resumed run back into its lane: at the head if that is free.
func readmit(tx syncline.Tx, r *syncline.Run) error {
	head, err := tx.LaneHead(r.Lane)
	r.Head = err == nil && head == nil
	return err
}

// promoted makes the next run of a lane its head when a run has left that place. A lane
// named after its run is that run's alone.
func promoted(tx syncline.Tx, before, after syncline.Run) error {
	if !before.Head || after.Head || after.Lane == after.ID {
		return nil
	}
	next, err := tx.LaneNext(after.Lane)
	if err != nil || next == nil {
		return err
	}
	next.Head = true
	return tx.PutRun(next)
}

func appendEvent(tx syncline.Tx, r *syncline.Run, m move) error {
	r.LastEvent++
	text := m.reason
	if text == "" && m.err != nil {
		text = m.err.Message
	}
	return tx.AppendEvents(syncline.Event{RunID: r.ID, Seq: r.LastEvent, At: m.now, Kind: string(m.event), Text: text, State: r.State})
}

func (l *Ledger) project(tx syncline.Tx, before, after syncline.Run) error {
	if len(after.Ext) == 0 || len(l.proj) == 0 {
		return nil
	}
	p, err := tx.Pipeline(after.PipelineID)
	if syncline.CodeOf(err) == syncline.NotFound {
		return nil // its runs outlive a deleted pipeline
	}
	if err != nil {
		return err
	}
	var tasks []*syncline.Task
	if after.State.Final() {
		if tasks, err = tx.Tasks(after.ID); err != nil {
			return err
		}
	}
	was := maps.Clone(p.Ext)
	for _, x := range l.proj {
		if after.Ext[x.Dialect] != nil {
			x.Project(p, before, after, tasks)
		}
	}
	if maps.EqualFunc(was, p.Ext, slices.Equal[json.RawMessage]) {
		return nil
	}
	return tx.PutPipeline(p)
}

// jitter draws the wait before a retry: anything up to base doubled with every try, so
// that many workers that failed together do not come back together.
func jitter(try int) time.Duration {
	const base, most = time.Second, 5 * time.Minute
	limit := most
	if try < 9 {
		limit = min(most, base<<max(0, try-1))
	}
	return time.Duration(rand.Int64N(int64(limit)) + 1)
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }
