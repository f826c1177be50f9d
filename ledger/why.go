package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/synclinehq/syncline"
)

// Reason is one line of the answer to "why did it run, or not?".
type Reason struct {
	At   time.Time `json:"at,omitzero"`
	What string    `json:"what"` // "slot", "pause", "overlap", "misfire", "run", "lease", "retry", "queue", "wait", "schedule"
	Text string    `json:"text"`
	Run  string    `json:"run,omitempty"`
}

// whyNear is how far around the asked time slots and runs are told of.
const whyNear = 30 * time.Minute

// Why says what the ledger knows of a pipeline around a time (zero: now): its slots and
// what became of them, pause, the run in its lane with its holder's lease, its retry wait
// or its place in the queue, and when it is due next.
func (l *Ledger) Why(ctx context.Context, pipelineID string, at time.Time) (out []Reason, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		out = nil
		now, err := tx.Now()
		if err != nil {
			return err
		}
		p, err := tx.Pipeline(pipelineID)
		if err != nil {
			return err
		}
		w := why{tx: tx, p: p, now: now, at: at}
		if at.IsZero() {
			w.at = now
		}
		if err := w.slots(); err != nil {
			return err
		}
		if err := w.present(); err != nil {
			return err
		}
		out = w.out
		return nil
	})
	return out, err
}

type why struct {
	tx      syncline.Tx
	p       *syncline.Pipeline
	now, at time.Time
	out     []Reason
}

func (w *why) say(at time.Time, what, run, format string, args ...any) {
	w.out = append(w.out, Reason{At: at, What: what, Run: run, Text: fmt.Sprintf(format, args...)})
}

// slots tells what became of the slots around the time.
func (w *why) slots() error {
	slots, err := w.tx.SlotsBetween(w.p.ID, w.at.Add(-whyNear), w.at.Add(whyNear), 20)
	if err != nil {
		return err
	}
	if len(slots) == 0 && !w.at.Equal(w.now) {
		w.say(w.at, "slot", "", "no slot was due within %s of this time", whyNear)
	}
	for _, s := range slots {
		r, err := w.tx.Run(s.RunID)
		switch {
		case syncline.CodeOf(err) == syncline.NotFound:
			w.say(s.At, "slot", s.RunID, "became run %s, which retention has removed", s.RunID)
		case err != nil:
			return err
		case r.State == syncline.StateSkipped:
			w.say(s.At, "slot", r.ID, "did not run: %s", r.Why)
		default:
			w.say(s.At, "slot", r.ID, "became run %s, %s", r.ID, stands(r, w.now))
		}
	}
	return nil
}

// present tells what holds now.
func (w *why) present() error {
	if !w.p.PausedAt.IsZero() {
		w.say(w.p.PausedAt, "pause", "", "the pipeline is paused: its slots are recorded as skipped until syncline unpause %s", w.p.Name)
	}
	if err := w.lane(); err != nil {
		return err
	}
	return w.due()
}

func (w *why) lane() error {
	runs, err := w.tx.Runs(syncline.RunFilter{PipelineID: w.p.ID, UnfinishedIn: true, Limit: 100})
	if err != nil {
		return err
	}
	for _, r := range runs {
		if err := w.unfinished(r); err != nil {
			return err
		}
	}
	if len(runs) == 0 {
		w.say(w.now, "run", "", "no run of this pipeline is unfinished")
	}
	return nil
}

func (w *why) unfinished(r *syncline.Run) error {
	if !r.Head {
		before, err := w.tx.LaneWaiting(r.Lane, r)
		if err != nil {
			return err
		}
		w.say(r.CreatedAt, "queue", r.ID, "run %s waits in the queue, %d before it", r.ID, before)
		return nil
	}
	what := "run"
	switch {
	case r.State == syncline.StateSuspended:
		what = "wait"
	case r.State == syncline.StatePending && !r.StartedAt.IsZero():
		what = "retry"
	}
	w.say(r.StateAt, what, r.ID, "run %s %s", r.ID, stands(r, w.now))
	lease, err := w.tx.Lease(r.ID, "")
	if err != nil || lease == nil {
		return err
	}
	w.say(lease.SeenAt, "lease", r.ID, "held by worker %s, last seen %s ago, its lease ends in %s",
		lease.Worker, w.now.Sub(lease.SeenAt).Round(100*time.Millisecond), lease.ExpiresAt.Sub(w.now).Round(100*time.Millisecond))
	return nil
}

// due tells when the pipeline runs next.
func (w *why) due() error {
	rows, err := w.tx.Schedules(w.p.ID)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		w.say(w.now, "schedule", "", "the pipeline has no schedule: it runs only when somebody starts it")
	}
	for _, s := range rows {
		switch {
		case !s.Enabled:
			w.say(w.now, "schedule", "", "schedule %s is off", s.Schedule.ID)
		case s.NextSlot.IsZero():
			w.say(w.now, "schedule", "", "schedule %s is never due again", s.Schedule.ID)
		default:
			w.say(s.NextSlot, "schedule", "", "schedule %s is due next at %s", s.Schedule.ID, s.NextSlot.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// stands says in words where a run stands.
func stands(r *syncline.Run, now time.Time) string {
	switch {
	case r.State == syncline.StatePending && r.NotBefore.After(now) && !r.StartedAt.IsZero():
		return fmt.Sprintf("waits for retry %d until %s: %s", len(r.Attempts)+1, r.NotBefore.UTC().Format(time.RFC3339), message(r.Error))
	case r.State == syncline.StatePending && r.NotBefore.After(now):
		return "is due at " + r.NotBefore.UTC().Format(time.RFC3339)
	case r.State == syncline.StatePending:
		return "waits for a worker"
	case r.State == syncline.StateSuspended && r.Error != nil:
		return fmt.Sprintf("waits (%s): %s", r.Wait, r.Error.Message)
	case r.State == syncline.StateSuspended:
		return fmt.Sprintf("waits (%s)", r.Wait)
	case r.State == syncline.StateRunning:
		return "is running since " + r.Attempts[len(r.Attempts)-1].StartedAt.UTC().Format(time.RFC3339)
	case r.Error != nil:
		return fmt.Sprintf("%s: %s", r.State, r.Error.Message)
	}
	return string(r.State)
}
