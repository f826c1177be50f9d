package server

import (
	"context"
	"time"

	"github.com/synclinehq/syncline"
)

// Observe is a store whose calls are counted. Nothing is read for it that was not read
// anyway.
func (m *Metrics) Observe(s syncline.Store) syncline.Store {
	m.registry.MustRegister(&ledgerState{store: s})
	return &observed{Store: s, m: m}
}

type observed struct {
	syncline.Store
	m *Metrics
}

func (o *observed) timed(call string) func() {
	begun := time.Now()
	return func() { o.m.calls.WithLabelValues(call).Observe(time.Since(begun).Seconds()) }
}

func (o *observed) View(ctx context.Context, fn func(syncline.Tx) error) error {
	defer o.timed("view")()
	return o.Store.View(ctx, fn)
}

func (o *observed) Update(ctx context.Context, fn func(syncline.Tx) error) error {
	defer o.timed("update")()
	var seen *seen
	err := o.Store.Update(ctx, func(tx syncline.Tx) error {
		seen = newSeen(tx) // anew each time: it may be called again
		return fn(seen)
	})
	if err == nil && seen != nil {
		seen.count(o.m)
	}
	return err
}

func (o *observed) Beat(ctx context.Context, held []syncline.Hold, ttl time.Duration) ([]syncline.BeatAnswer, error) {
	defer o.timed("beat")()
	return o.Store.Beat(ctx, held, ttl)
}

func (o *observed) Report(ctx context.Context, reports []syncline.TaskReport, ttl time.Duration) ([]syncline.BeatAnswer, error) {
	defer o.timed("report")()
	return o.Store.Report(ctx, reports, ttl)
}

// seen is a transaction that remembers what is to be counted if it succeeds.
type seen struct {
	syncline.Tx
	events []syncline.Event
	delays []time.Duration
	counts map[string]map[string]syncline.Counts // of runs, by their tasks
}

func newSeen(tx syncline.Tx) *seen {
	return &seen{Tx: tx, counts: map[string]map[string]syncline.Counts{}}
}

func (s *seen) AppendEvents(es ...syncline.Event) error {
	s.events = append(s.events, es...)
	return s.Tx.AppendEvents(es...)
}

func (s *seen) InsertSlot(slot syncline.Slot) (bool, error) {
	added, err := s.Tx.InsertSlot(slot)
	if err != nil || !added {
		return added, err
	}
	now, err := s.Now()
	s.delays = append(s.delays, max(0, now.Sub(slot.At)))
	return added, err
}

func (s *seen) Tally(rs ...*syncline.Run) ([]syncline.Tally, error) {
	ts, err := s.Tx.Tally(rs...)
	for i, t := range ts {
		for _, task := range t.Tasks {
			s.note(rs[i].ID, task.Name, task.Stats.Counts)
		}
	}
	return ts, err
}

func (s *seen) PutStats(run, task string, stats syncline.Stats) error {
	s.note(run, task, stats.Counts)
	return s.Tx.PutStats(run, task, stats)
}

func (s *seen) note(run, task string, c syncline.Counts) {
	if s.counts[run] == nil {
		s.counts[run] = map[string]syncline.Counts{}
	}
	s.counts[run][task] = c
}

// count is called when the transaction has succeeded.
func (s *seen) count(m *Metrics) {
	for _, d := range s.delays {
		m.delay.Observe(d.Seconds())
	}
	for _, e := range s.events {
		m.changes.WithLabelValues(e.Kind).Inc()
		if !e.State.Final() {
			continue
		}
		for _, c := range s.counts[e.RunID] {
			m.ended(c)
		}
		delete(s.counts, e.RunID)
	}
}
