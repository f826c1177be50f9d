package sim

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
)

// audit stands before the store and writes down what each transaction changes, in the
// order they are committed: the file has one writer, so a change is written down while
// it has the turn.
type audit struct {
	syncline.Store
	mu      sync.Mutex
	entries []*entry
	beats   map[syncline.Hold]time.Time // when a lease was last extended
}

// entry is one transaction.
type entry struct {
	by      *process
	at      time.Time // of the bubble
	settled bool
	void    bool // it came to nothing
	runs    []syncline.Run
	events  []syncline.Event
	leases  []syncline.Lease
	slots   []syncline.Slot
}

func (a *audit) update(ctx context.Context, by *process, fn func(syncline.Tx) error) error {
	var e *entry
	err := a.Update(ctx, func(tx syncline.Tx) error {
		a.settle(e, true) // called again: what it did before is undone
		e = &entry{by: by, at: time.Now()}
		err := fn(&watched{Tx: tx, entry: e})
		a.mu.Lock()
		defer a.mu.Unlock()
		a.entries = append(a.entries, e)
		return err
	})
	a.settle(e, err != nil)
	return err
}

func (a *audit) settle(e *entry, void bool) {
	if e == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	e.settled, e.void = true, void
}

// take hands over what is known to have been committed, or not.
func (a *audit) take() (out []*entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := slices.IndexFunc(a.entries, func(e *entry) bool { return !e.settled })
	if n < 0 {
		n = len(a.entries)
	}
	out, a.entries = a.entries[:n:n], a.entries[n:]
	return out
}

// extended notes which leases a beat or a report has extended.
func (a *audit) extended(answers []syncline.BeatAnswer, token func(run string) int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, answer := range answers {
		a.beats[syncline.Hold{Run: answer.Run, Token: token(answer.Run)}] = time.Now()
	}
}

func (a *audit) beat(run string, token int64) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.beats[syncline.Hold{Run: run, Token: token}]
}

// watched is a transaction that writes down what it changes.
type watched struct {
	syncline.Tx
	entry *entry
}

func (w *watched) InsertRun(r *syncline.Run) error {
	err := w.Tx.InsertRun(r)
	if err == nil {
		w.entry.runs = append(w.entry.runs, *r)
	}
	return err
}

func (w *watched) PutRun(r *syncline.Run) error {
	err := w.Tx.PutRun(r)
	if err == nil {
		w.entry.runs = append(w.entry.runs, *r)
	}
	return err
}

func (w *watched) AppendEvents(es ...syncline.Event) error {
	w.entry.events = append(w.entry.events, es...)
	return w.Tx.AppendEvents(es...)
}

func (w *watched) PutLease(l syncline.Lease) error {
	w.entry.leases = append(w.entry.leases, l)
	return w.Tx.PutLease(l)
}

func (w *watched) InsertSlot(s syncline.Slot) (bool, error) {
	fresh, err := w.Tx.InsertSlot(s)
	if fresh && err == nil {
		w.entry.slots = append(w.entry.slots, s)
	}
	return fresh, err
}
