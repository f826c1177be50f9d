package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
)

// What ends a run's context here, beside the worker's own end.
var (
	errCanceled = errors.New("somebody asked to cancel the run")
	errHeld     = errors.New("somebody put the run on hold")
)

// holding is a run this worker holds, and how sure it can be of that.
type holding struct {
	grant syncline.Grant
	lease syncline.Hold
	part  *syncline.OfferedPart // what a helper holds instead of the run
	ctx   context.Context
	stop  context.CancelCauseFunc

	mu        sync.Mutex
	confirmed time.Time     // when the last beat that was answered had been sent
	doubt     chan struct{} // closed at the next confirmation
	stats     map[string]syncline.Stats
	fresh     map[string]bool // stats that have not been reported
	messages  []syncline.Message
	dropped   int
	where     map[string]string
}

// maxMessages bounds the messages that wait to be stored.
const maxMessages = 1000

func newHolding(ctx context.Context, g syncline.Grant, sent time.Time) *holding {
	h := &holding{
		grant: g, lease: g.Hold(), confirmed: sent, doubt: make(chan struct{}),
		stats: map[string]syncline.Stats{}, fresh: map[string]bool{}, where: map[string]string{},
	}
	h.ctx, h.stop = context.WithCancelCause(ctx)
	return h
}

// confirm notes that the ledger answered for the lease when asked at sent, and passes on
// what is asked of its holder.
func (h *holding) confirm(sent time.Time, ask syncline.Ask) {
	h.mu.Lock()
	h.confirmed = sent
	close(h.doubt)
	h.doubt = make(chan struct{})
	h.mu.Unlock()
	switch ask {
	case syncline.AskCancel:
		h.stop(errCanceled)
	case syncline.AskHold:
		h.stop(errHeld)
	}
}

// margin is how long before a lease ends its holder stops writing: two of fifteen seconds.
func (h *holding) margin() time.Duration { return h.grant.TTL * 2 / 15 }

// sure waits while the lease is in doubt. It only saves work: safety rests on the token.
func (h *holding) sure() error {
	for {
		h.mu.Lock()
		doubt, left := h.doubt, h.grant.TTL-h.margin()-time.Since(h.confirmed)
		h.mu.Unlock()
		if err := context.Cause(h.ctx); err != nil {
			return err
		}
		if left > 0 {
			return nil
		}
		select {
		case <-h.ctx.Done():
		case <-doubt:
		}
	}
}

// report keeps the newest stats of a task for the next flush.
func (h *holding) report(task string, s syncline.Stats) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats[task], h.fresh[task] = s, true
}

// note keeps a message for the next flush; it never blocks.
func (h *holding) note(task string, sev syncline.Severity, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.messages) >= maxMessages {
		h.dropped++
		return
	}
	h.messages = append(h.messages, syncline.Message{At: time.Now().UTC().Truncate(time.Microsecond), Severity: sev, Text: fmt.Sprintf(format, args...), Task: task})
}

// takeMessages hands over the messages that wait to be stored.
func (h *holding) takeMessages() []syncline.Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	ms := h.messages
	if h.dropped > 0 {
		ms = append(ms, syncline.Message{Severity: syncline.Warning, Text: fmt.Sprintf("%d more messages were dropped: too many in a second", h.dropped)})
	}
	h.messages, h.dropped = nil, 0
	return ms
}

// takeReports hands over the stats that have changed since the last call.
func (h *holding) takeReports() []syncline.TaskReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []syncline.TaskReport
	for task := range h.fresh {
		out = append(out, syncline.TaskReport{Run: h.grant.Run.ID, Token: h.grant.Run.Token, Task: task, Stats: h.stats[task]})
	}
	clear(h.fresh)
	return out
}

// last is the newest stats of a task; from then on there is nothing left to report of it.
func (h *holding) last(task string) (syncline.Stats, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.fresh, task)
	return h.stats[task], h.where[task]
}

func (h *holding) land(task, where string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.where[task] = where
}
