package native

import (
	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
	"github.com/synclinehq/syncline/ledger"
)

// drawRun draws a run as everybody sees it.
func drawRun(d ledger.Detail, messages []syncline.Message) client.Run {
	r := d.Run
	out := client.Run{
		ID: r.ID, Pipeline: r.Pipeline, PipelineID: r.PipelineID, Revision: r.Revision,
		State: r.State, Facts: r.Facts, Wait: r.Wait, Why: r.Why, Owner: r.Owner, Origin: r.Origin, Parent: r.Parent, Mode: r.Mode, Window: r.Window, Load: r.Load,
		Tries: r.Tries, MaxTries: r.Max, Worker: r.Worker,
		CreatedAt: r.CreatedAt, Due: r.Due, NotBefore: r.NotBefore, StartedAt: r.StartedAt, EndedAt: r.EndedAt, UpdatedAt: r.UpdatedAt,
		Attempts: list(r.Attempts), Tasks: []client.Task{}, Error: r.Error, Messages: list(messages),
		Waiting: !r.Head && !r.State.Final(), Totals: syncline.Totals(d.Tasks),
	}
	for _, t := range d.Tasks {
		out.Tasks = append(out.Tasks, drawTask(t))
	}
	for _, l := range d.Leases {
		if l.Part == "" {
			out.Lease = drawLease(r.Owner, l)
		}
	}
	if n := len(out.Attempts); n > 0 && out.Attempts[n-1].EndedAt.IsZero() {
		out.Attempts[n-1].Read = attempted(d.Tasks)
	}
	return out
}

func drawLease(owner syncline.Owner, l syncline.Lease) *client.Lease {
	out := &client.Lease{Worker: l.Worker, Session: l.Session, SeenAt: l.SeenAt, ExpiresAt: l.ExpiresAt}
	if owner == syncline.OwnerExternal {
		out.StaleAt = l.SeenAt.Add(ledger.Stale)
	}
	return out
}

// attempted is what the attempt that is under way has read itself so far.
func attempted(tasks []*syncline.Task) (n int64) {
	for _, t := range tasks {
		n += t.Stats.Attempted
	}
	return n
}

func drawTask(t *syncline.Task) client.Task {
	return client.Task{
		Name: t.Name, State: t.State, Counts: t.Stats.Counts,
		Expected: t.Stats.Expected, TotalFrom: t.Stats.TotalFrom, Phase: t.Stats.Phase, Path: t.Stats.Path, BoundBy: t.Stats.BoundBy,
		Parts: list(t.Stats.Parts), Where: t.Where, Tries: t.Tries, Error: t.Error, StartedAt: t.StartedAt, EndedAt: t.EndedAt,
	}
}

// list makes a list that is drawn as [] rather than null, and the caller's own.
func list[T any](from []T) []T { return append([]T{}, from...) }
