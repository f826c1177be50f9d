package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

// messagesShown is how many of a run's newest messages `runs show` repeats.
const messagesShown = 10

// show writes all there is to know of a run.
func (c *command) show(r client.Run) {
	now := time.Now()
	c.say("run       %s", r.ID)
	if r.Parent == nil {
		c.say("pipeline  %s (revision %d)", plain(r.Pipeline), r.Revision)
	} else {
		c.say("pipeline  %s", plain(r.Pipeline))
		c.say("part of   run %s, as %s", r.Parent.Run, plain(r.Parent.Name()))
	}
	c.say("state     %s", word(r))
	c.facts(r, now)
	if len(r.Attempts) > 0 {
		c.say("")
		c.attempts(r, now)
	}
	if len(r.Tasks) > 0 {
		c.say("")
		c.tasks(r, now)
	}
	c.lastMessages(r)
	if r.Error != nil {
		c.say("")
		c.say("error     %s", plainLines(r.Error.Message))
		if r.Error.Hint != "" {
			c.say("  next    %s", plainLines(r.Error.Hint))
		}
	}
	if r.Facts.Rejects > 0 {
		c.say("\n%s: syncline runs rejects %s", plural(r.Facts.Rejects, "reject"), tail(r.ID))
	}
}

// facts writes what is true of the run beside its state.
func (c *command) facts(r client.Run, now time.Time) {
	c.say("created   %s (%s)", clock(r.CreatedAt, now), r.Origin)
	if !r.StartedAt.IsZero() {
		c.say("took      %s", lasted(r, now))
	}
	if r.Window != nil {
		c.say("window    %s", stretch(r))
	}
	if r.Why != "" {
		c.say("why       %s", plain(r.Why))
	}
	if text := standing(r); text != "" && r.Owner == syncline.OwnerExternal {
		c.say("stands    %s", text)
	}
	if r.Lease != nil {
		c.say("held by   %s", holder(r, now))
	}
	if f := r.Facts; !f.CancelAskedAt.IsZero() {
		c.say("cancel    asked at %s %s", clock(f.CancelAskedAt, now), plain(f.CancelReason))
	}
	if f := r.Facts; f.Overrun {
		c.say("overrun   another run fell due while this one lived")
	}
	if f := r.Facts; f.Fenced > 0 {
		c.say("fenced    %s of a worker that had lost the run", plural(f.Fenced, "write"))
	}
	if r.State == syncline.StatePending && r.NotBefore.After(now) {
		c.say("due       %s", clock(r.NotBefore, now))
	}
}

// holder says who holds a run, and what becomes of it when nothing more is heard of an
// outside worker.
func holder(r client.Run, now time.Time) string {
	text := fmt.Sprintf("%s, last seen %s ago", plain(r.Lease.Worker), took(max(0, now.Sub(r.Lease.SeenAt))))
	if r.Owner != syncline.OwnerExternal {
		return text
	}
	text += ", an outside worker"
	if stale(r, now) {
		text += fmt.Sprintf("; without another sign of life the run ends in %s", took(max(0, r.Lease.ExpiresAt.Sub(now))))
	}
	return text
}

func (c *command) attempts(r client.Run, now time.Time) {
	t := newTable(c.Out, "attempt", "worker", "started", "took", "read", "ended by", "why")
	right(t, 1, 4, 5)
	for _, a := range r.Attempts {
		end, cause := a.EndedAt, a.Cause
		if end.IsZero() {
			end, cause = now, "(under way)"
		}
		why := ""
		if a.Error != nil {
			why = clip(plain(a.Error.Message), 80)
		}
		t.AppendRow(table.Row{a.N, strings.Join(append([]string{a.Worker}, a.Helpers...), ", "), clock(a.StartedAt, now), took(end.Sub(a.StartedAt)), count(a.Read), cause, why})
	}
	t.Render()
}

func (c *command) tasks(r client.Run, now time.Time) {
	t := newTable(c.Out, "entity", "state", "read", "inserted", "updated", "unchanged", "deleted", "rejected", "took", "bound by", "landed in")
	right(t, 3, 4, 5, 6, 7, 8, 9)
	short, shared := placed(r.Tasks)
	for _, task := range short {
		n := task.Counts
		t.AppendRow(table.Row{
			plain(task.Name), doing(task), count(n.Read), count(n.Inserted), count(n.Updated), count(n.Unchanged),
			count(deleted(n)), count(n.Rejected), spent(task, now), task.BoundBy, plain(task.Where),
		})
	}
	t.Render()
	if shared != "" {
		c.say("all in %s", plain(shared))
	}
	for _, task := range r.Tasks {
		if task.Path != "" {
			c.say("%s: %s", plain(task.Name), plain(task.Path))
		}
		if task.Error != nil {
			c.say("%s: %s", plain(task.Name), reason(task.Error))
		}
	}
}

func doing(t client.Task) string {
	if t.State == syncline.TaskRunning && t.Phase != "" {
		return fmt.Sprintf("%s (%s)", t.State, t.Phase)
	}
	return string(t.State)
}

func spent(t client.Task, now time.Time) string {
	switch {
	case t.StartedAt.IsZero():
		return ""
	case t.EndedAt.IsZero():
		return took(now.Sub(t.StartedAt))
	}
	return took(t.EndedAt.Sub(t.StartedAt))
}

func (c *command) lastMessages(r client.Run) {
	ms := r.Messages
	if len(ms) == 0 {
		return
	}
	c.say("")
	if n := len(ms); n > messagesShown {
		c.say("… earlier: syncline runs logs %s", tail(r.ID))
		ms = ms[n-messagesShown:]
	}
	for _, m := range ms {
		c.message(m)
	}
}
