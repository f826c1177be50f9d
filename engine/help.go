package engine

import (
	"context"
	"errors"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/task"
)

// maxHelp is how many parts a worker helps with side by side: each opens both ends anew,
// and a part that waits here could be under way elsewhere.
const maxHelp = 2

// help takes a part of another worker's run; false when there is none or no room for it.
// Claims come first: it is called only when there was nothing to claim.
func (w *Worker) help(ctx context.Context) bool {
	s := w.sharer()
	if s == nil || w.Busy() >= w.o.Runs || w.helping() >= maxHelp {
		return false
	}
	sent := time.Now()
	g, err := s.Help(ctx, w.self())
	if err != nil && ctx.Err() == nil {
		w.o.Log.Warn("look for a part to help with", "err", err)
	}
	if g == nil || err != nil {
		return false
	}
	h := newHolding(ctx, syncline.Grant{Run: g.Run, Definition: g.Definition, TTL: g.TTL}, sent)
	h.lease, h.part = g.Hold(), &g.Part
	h.prime(syncline.Task{Name: g.Task.Name, Stats: syncline.Stats{Counts: g.Part.Counts}})
	w.begin(h, func(h *holding) { w.assist(h, s, g) })
	return true
}

// helping is how many parts of others' runs the worker holds.
func (w *Worker) helping() (n int) {
	for _, h := range w.holdings() {
		if h.part != nil {
			n++
		}
	}
	return n
}

// assist does one part and gives it back, done or not.
func (w *Worker) assist(h *holding, s Sharer, g *syncline.PartGrant) {
	err := w.doPart(h, g)
	p := g.Part
	p.State = w.judgePart(h, g, err)
	stats, _ := h.last(g.Task.Name)
	p.Counts = stats.Counts
	w.reporting.Lock() // a report under way must not come after it
	defer w.reporting.Unlock()
	w.close(h, func(ctx context.Context) error { return endPart(ctx, s, h.lease, p) })
}

// doPart calls the kind of the part's task.
func (w *Worker) doPart(h *holding, g *syncline.PartGrant) (err error) {
	kind, ok := w.o.Tasks(g.Task.Kind)
	if !ok || kind.Help == nil {
		return syncline.Errorf(syncline.Unimplemented, "this build does not help with tasks of kind %q", g.Task.Kind)
	}
	d, err := w.o.Opener.Open(h.ctx, g.Definition)
	if err != nil {
		return err
	}
	defer w.caught(&err, "run", g.Run.ID, "task", g.Task.Name, "part", g.Part.Part)
	return kind.Help(h.ctx, w.call(h, d, g.Task), task.Part{ID: g.Part.Part, Token: g.Part.Token, Payload: g.Payload})
}

// judgePart says in which state a part is given back. One that failed here is left to the
// holder of the run: it fails there too, where that counts, or it was not the part's fault.
// Whoever has lost the part is refused when giving it back, and counted as fenced.
func (w *Worker) judgePart(h *holding, g *syncline.PartGrant, err error) syncline.PartState {
	switch {
	case err == nil:
		return syncline.PartDone
	case errors.Is(err, syncline.ErrLeaseLost) || errors.Is(context.Cause(h.ctx), syncline.ErrLeaseLost):
		w.o.Log.Warn("lost a part", "run", g.Run.ID, "task", g.Task.Name, "part", g.Part.Part)
		return syncline.PartReserved
	case h.ctx.Err() != nil:
		return syncline.PartOpen
	}
	h.note(g.Task.Name, syncline.Warning, "helper %s gives part %s back: %s", w.o.Self.ID, g.Part.Part, w.shown(g.Task.Name, err).Message)
	return syncline.PartReserved
}

// reportPart sends how far a helper has come. The lease lives by beats.
func (w *Worker) reportPart(ctx context.Context, h *holding) {
	h.mu.Lock()
	p := *h.part
	for _, s := range h.stats {
		p.Counts = s.Counts
	}
	h.mu.Unlock()
	err := w.sharer().ReportPart(ctx, h.lease, p)
	if errors.Is(err, syncline.ErrLeaseLost) {
		h.stop(err)
	} else if err != nil {
		w.o.Log.Warn("report a part", "run", h.lease.Run, "part", h.lease.Part, "err", err)
	}
}
