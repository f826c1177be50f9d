package engine

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/task"
)

// Sharer is a Door to a ledger whose workers can help one another.
type Sharer interface {
	Shares() bool
	// Offer, TakePart and Withdraw are calls of the run's holder.
	Offer(ctx context.Context, h syncline.Hold, o syncline.Offer) error
	TakePart(ctx context.Context, h syncline.Hold, task string, have []string) (*syncline.OfferedPart, error)
	Withdraw(ctx context.Context, h syncline.Hold, task string) error
	Parts(ctx context.Context, run, task string) ([]syncline.OfferedPart, error)
	// ReportPart says how far a part has come and, in another state than taken, ends it.
	ReportPart(ctx context.Context, h syncline.Hold, p syncline.OfferedPart) error
	// Help gives a part of somebody else's run; nil: there is none.
	Help(ctx context.Context, w syncline.Worker) (*syncline.PartGrant, error)
}

var _ Sharer = (*ledger.Ledger)(nil)

// sharer is the worker's door, where others may come in by it.
func (w *Worker) sharer() Sharer {
	if s, ok := w.o.Door.(Sharer); ok && s.Shares() {
		return s
	}
	return nil
}

// share is what a task of a held run may offer.
func (w *Worker) share(h syncline.Hold, name string) task.Share {
	s := w.sharer()
	if s == nil || h.Part != "" {
		return nil
	}
	return &share{door: s, hold: h, task: name}
}

// share is one task of a held run, shared.
type share struct {
	door Sharer
	hold syncline.Hold
	task string

	mu   sync.Mutex // one Take at a time, so that have is all that was given out
	have []string
}

func (s *share) Offer(ctx context.Context, parts []string, payload json.RawMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.have = nil
	return persist(ctx, func(ctx context.Context) error {
		return s.door.Offer(ctx, s.hold, syncline.Offer{Task: s.task, Parts: parts, Payload: payload})
	})
}

func (s *share) Take(ctx context.Context) (p *syncline.OfferedPart, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = persist(ctx, func(ctx context.Context) (err error) {
		p, err = s.door.TakePart(ctx, s.hold, s.task, s.have)
		return err
	})
	if err == nil && p != nil {
		s.have = append(s.have, p.Part)
	}
	return p, err
}

func (s *share) Parts(ctx context.Context) (ps []syncline.OfferedPart, err error) {
	err = persist(ctx, func(ctx context.Context) (err error) {
		ps, err = s.door.Parts(ctx, s.hold.Run, s.task)
		return err
	})
	return ps, err
}

func (s *share) Done(ctx context.Context, p syncline.OfferedPart, c syncline.Counts) error {
	p.State, p.Counts = syncline.PartDone, c
	return endPart(ctx, s.door, s.hold, p)
}

func endPart(ctx context.Context, door Sharer, h syncline.Hold, p syncline.OfferedPart) error {
	return persist(ctx, func(ctx context.Context) error { return door.ReportPart(ctx, h, p) })
}

func (s *share) Withdraw(ctx context.Context) error {
	return persist(ctx, func(ctx context.Context) error { return s.door.Withdraw(ctx, s.hold, s.task) })
}
