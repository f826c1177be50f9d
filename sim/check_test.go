package sim

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
)

// checker follows what is committed and knows what must hold after every transaction.
type checker struct {
	w      *world
	runs   map[string]syncline.Run
	order  []string // ids as they were made
	events map[string][]syncline.Event
	tokens map[syncline.Hold]bool // handed out
	since  map[syncline.Hold]time.Time
	slots  map[time.Time]string // of the schedule
	upTo   time.Time            // the slot that the schedule would have used next
}

func newChecker(w *world) *checker {
	return &checker{
		w: w, runs: map[string]syncline.Run{}, events: map[string][]syncline.Event{}, tokens: map[syncline.Hold]bool{},
		since: map[syncline.Hold]time.Time{}, slots: map[time.Time]string{},
	}
}

// settled checks every transaction that has been committed since the last call.
func (c *checker) settled() {
	for _, e := range c.w.audit.take() {
		if !e.void {
			c.entry(e)
		}
	}
}

func (c *checker) entry(e *entry) {
	for _, l := range e.leases {
		c.lease(l, e)
	}
	for _, s := range e.slots {
		if other := c.slots[s.At]; other != "" {
			c.w.t.Errorf("slot %s became the runs %s and %s", s.At, other, s.RunID)
		}
		c.slots[s.At] = s.RunID
		c.w.note("slot")
	}
	for _, after := range e.runs {
		before, known := c.runs[after.ID]
		if !known {
			c.order = append(c.order, after.ID)
		}
		kind := c.journal(e, after)
		c.change(e, before, after, kind)
		c.runs[after.ID] = after
	}
	c.lanes()
}

// lease: nobody is promised more than one lease, and each token to one holder.
func (c *checker) lease(l syncline.Lease, e *entry) {
	if got := l.ExpiresAt.Sub(l.SeenAt); got > ttl || l.SeenAt.Sub(e.at) > time.Second {
		c.w.t.Errorf("run %s: a lease of %s from %s, at %s", l.Run, got, l.SeenAt, e.at)
	}
	h := syncline.Hold{Run: l.Run, Token: l.Token}
	if c.tokens[h] {
		c.w.t.Errorf("run %s: token %d was handed out twice", l.Run, l.Token)
	}
	c.tokens[h], c.since[h] = true, e.at
}

// journal: events are numbered without holes and say the state; it returns the kind of
// the one that goes with this change.
func (c *checker) journal(e *entry, after syncline.Run) (kind string) {
	for i := 0; i < len(e.events); i++ {
		ev := e.events[i]
		if ev.RunID != after.ID {
			continue
		}
		if ev.Seq != int64(len(c.events[ev.RunID]))+1 || ev.State != after.State {
			c.w.t.Errorf("run %s (%s): event %d %s (%s) after %d", after.ID, after.State, ev.Seq, ev.Kind, ev.State, len(c.events[ev.RunID]))
		}
		c.events[ev.RunID] = append(c.events[ev.RunID], ev)
		e.events = slices.Delete(e.events, i, i+1)
		i--
		kind = ev.Kind
		c.w.note(kind)
	}
	if after.LastEvent != int64(len(c.events[after.ID])) {
		c.w.t.Errorf("run %s: its last event is %d of %d", after.ID, after.LastEvent, len(c.events[after.ID]))
	}
	return kind
}

// change: what may become of a run in one transaction.
func (c *checker) change(e *entry, before, after syncline.Run, kind string) {
	if before.ID == "" {
		return
	}
	running, runs := before.State == syncline.StateRunning, after.State == syncline.StateRunning
	switch {
	case after.Token < before.Token:
		c.w.t.Errorf("run %s: its token fell from %d to %d", after.ID, before.Token, after.Token)
	case runs && kind == "claim" && after.Token <= before.Token:
		c.w.t.Errorf("run %s: claimed without a new token", after.ID)
	case runs && !running && kind != "claim":
		c.w.t.Errorf("run %s: %s made it run", after.ID, kind)
	case before.State.Final() && after.State != before.State && (before.State != syncline.StateFailed || kind != "resume"):
		c.w.t.Errorf("run %s: %s was final, %s made it %s", after.ID, before.State, kind, after.State)
	case before.State != after.State && kind == "":
		c.w.t.Errorf("run %s: became %s without an event", after.ID, after.State)
	case slices.Contains(holders, kind) && e.by != nil && e.by.name != before.Worker:
		c.w.t.Errorf("run %s: %s by %s, while %s held it", after.ID, kind, e.by.name, before.Worker)
	case kind == "release" && after.Token == before.Token:
		c.w.t.Errorf("run %s: released under the token of its holder", after.ID)
	}
	if after.Facts.Fenced > before.Facts.Fenced {
		c.w.note("stale call refused")
	}
	if kind == "release" {
		c.released(e, before)
	}
}

// holders are the events that are only the holder's to say.
var holders = []string{"done", "fail_retryable", "fail_permanent", "ack_cancel", "yield", "suspend"}

// released: nobody is taken for dead within one lease of his last sign of life, unless he
// is known to be.
func (c *checker) released(e *entry, before syncline.Run) {
	h := syncline.Hold{Run: before.ID, Token: before.Token}
	alive := later(c.since[h], c.w.audit.beat(h.Run, h.Token))
	session := "session of " + before.Worker
	c.w.mu.Lock()
	gone := c.w.gone[session]
	c.w.mu.Unlock()
	if !gone && e.at.Sub(alive) < ttl {
		c.w.t.Errorf("run %s: taken from %s %s after its last sign of life", before.ID, before.Worker, e.at.Sub(alive))
	}
}

// lanes: a lane has at most one head, which alone may run.
func (c *checker) lanes() {
	heads := map[string]string{}
	for _, id := range c.order {
		r := c.runs[id]
		if r.State == syncline.StateRunning && !r.Head {
			c.w.t.Errorf("run %s runs without being its lane's head", id)
		}
		if !r.Head {
			continue
		}
		if other := heads[r.Lane]; other != "" || r.State.Final() {
			c.w.t.Errorf("lane %s has the heads %q and %s, which is %s", r.Lane, other, id, r.State)
		}
		heads[r.Lane] = id
	}
}

// unfinished lists the runs that have not ended, as far as is known.
func (c *checker) unfinished() (ids []string) {
	for _, id := range c.order {
		if !c.runs[id].State.Final() {
			ids = append(ids, id)
		}
	}
	return ids
}

// end checks what must be true when everything is over.
func (c *checker) end() {
	err := c.w.audit.View(context.Background(), func(tx syncline.Tx) error {
		for _, id := range c.order {
			if err := c.stored(tx, id); err != nil {
				return err
			}
			c.rows(c.runs[id])
		}
		return nil
	})
	if err != nil {
		c.w.t.Error(err)
	}
	for at := c.w.began.UTC().Add(minute); at.Before(c.upTo); at = at.Add(minute) {
		if _, ok := c.runs[c.slots[at]]; !ok {
			c.w.t.Errorf("slot %s of %d was missed", at, len(c.slots))
		}
	}
}

// stored: the file holds what was written down, run by run and event by event.
func (c *checker) stored(tx syncline.Tx, id string) error {
	r, err := tx.Run(id)
	if err != nil {
		return err
	}
	es, err := tx.Events(id, 0, 1000)
	if err != nil {
		return err
	}
	leases, err := tx.Leases(id)
	if err != nil {
		return err
	}
	if want := c.runs[id]; r.Version != want.Version || r.State != want.State || r.Token != want.Token || len(es) != len(c.events[id]) || len(leases) > 0 {
		c.w.t.Errorf("run %s is %s at version %d with %d events and %d leases, want %s at %d with %d", id, r.State, r.Version, len(es), len(leases), want.State, want.Version, len(c.events[id]))
	}
	if got := kinds(es); got != kinds(c.events[id]) {
		c.w.t.Errorf("run %s: events %s, want %s", id, got, kinds(c.events[id]))
	}
	return nil
}

func kinds(es []syncline.Event) string {
	var all []string
	for _, e := range es {
		all = append(all, e.Kind)
	}
	return strings.Join(all, " ")
}

// rows: what succeeded is at the destination as a whole.
func (c *checker) rows(r syncline.Run) {
	if r.State != syncline.StateSucceeded || r.Facts.FailedTasks > 0 {
		return
	}
	for _, task := range []string{"a", "b"} {
		if l := c.w.dest.loads[r.ID+"/"+task]; l == nil || l.rows != rowsPerTask {
			c.w.t.Errorf("run %s succeeded, and task %s has written %+v", r.ID, task, l)
		}
	}
}
