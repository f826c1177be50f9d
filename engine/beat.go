package engine

import (
	"context"
	"time"

	"github.com/synclinehq/syncline"
)

// beatTimeout is shorter than the time between beats, so that one that hangs cannot keep
// the next from being sent.
const beatTimeout = 4 * time.Second

// beat extends all leases in one call. Progress never stands in its way: it has its own
// goroutine, and its store its own connection.
func (w *Worker) beat(ctx context.Context) {
	held := w.holdings()
	if len(held) == 0 {
		return
	}
	ctx, stop := context.WithTimeout(ctx, min(beatTimeout, w.o.Beat*4/5))
	defer stop()
	ask := make([]syncline.Hold, len(held))
	for i, h := range held {
		ask[i] = h.lease
	}
	sent := time.Now()
	answers, err := w.o.Door.Beat(ctx, ask)
	if err != nil {
		w.o.Log.Warn("beat", "runs", len(held), "err", err)
		return
	}
	hear(held, answers, sent)
}

// hear passes answers on: confirmed, asked to stop, or lost.
func hear(held []*holding, answers []syncline.BeatAnswer, sent time.Time) {
	got := make(map[[2]string]syncline.BeatAnswer, len(answers))
	for _, a := range answers {
		got[[2]string{a.Run, a.Part}] = a
	}
	for _, h := range held {
		if a, ok := got[[2]string{h.lease.Run, h.lease.Part}]; ok {
			h.confirm(sent, a.Ask)
		} else {
			h.stop(syncline.ErrLeaseLost)
		}
	}
}

// flush sends what has changed since the last one: progress in one call, then messages.
// A failed report is not repeated, since the next one says more; messages are.
func (w *Worker) flush(ctx context.Context) {
	w.reporting.Lock()
	defer w.reporting.Unlock()
	var reports []syncline.TaskReport
	var reported []*holding
	for _, h := range w.holdings() {
		rs := h.takeReports()
		switch {
		case len(rs) == 0:
		case h.part != nil:
			w.reportPart(ctx, h)
		default:
			reports, reported = append(reports, rs...), append(reported, h)
		}
		w.log(ctx, h)
	}
	if len(reports) == 0 {
		return
	}
	sent := time.Now()
	answers, err := w.o.Door.Report(ctx, reports)
	if err != nil {
		w.o.Log.Warn("report", "tasks", len(reports), "err", err)
		return
	}
	hear(reported, answers, sent)
}

// log stores a run's waiting messages.
func (w *Worker) log(ctx context.Context, h *holding) {
	ms := h.takeMessages()
	if len(ms) == 0 {
		return
	}
	if err := w.o.Door.Log(ctx, h.lease, ms); err != nil {
		w.o.Log.Warn("store messages", "run", h.grant.Run.ID, "err", err)
		if err != syncline.ErrLeaseLost {
			h.putBack(ms)
		}
	}
}

// putBack keeps messages that could not be stored for the next flush.
func (h *holding) putBack(ms []syncline.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.messages = append(ms, h.messages...)
	if over := len(h.messages) - maxMessages; over > 0 {
		h.messages, h.dropped = h.messages[:maxMessages], h.dropped+over
	}
}
