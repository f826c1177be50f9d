package native

import (
	"context"
	"net/http"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/client"
)

type workerCall = body[client.WorkerCall]

// work registers what workers call. Each is the ledger's call of the same name. A key that
// is for some pipelines alone is no worker here: a claim is for runs of anybody.
func (a *API) work() {
	l := a.o.Ledger
	handle(a, auth.Work, "worker-claim", http.MethodPost, "/worker/claim", "Take runs", func(ctx context.Context, in *body[client.WorkerClaim]) ([]syncline.Grant, error) {
		gs, err := l.Claim(ctx, in.Body.Worker, in.Body.Limit)
		return list(gs), err
	})
	handle(a, auth.Work, "worker-beat", http.MethodPost, "/worker/beat", "Extend leases", func(ctx context.Context, in *body[[]syncline.Hold]) ([]syncline.BeatAnswer, error) {
		as, err := l.Beat(ctx, in.Body)
		return list(as), err
	})
	handle(a, auth.Work, "worker-report", http.MethodPost, "/worker/report", "Say how far tasks have come", func(ctx context.Context, in *body[[]syncline.TaskReport]) ([]syncline.BeatAnswer, error) {
		as, err := l.Report(ctx, in.Body)
		return list(as), err
	})
	handle(a, auth.Work, "worker-plan", http.MethodPost, "/worker/plan", "Store the tasks of a run", func(ctx context.Context, in *workerCall) ([]*syncline.Task, error) {
		ts, err := l.Plan(ctx, in.Body.Hold, in.Body.Tasks)
		return list(ts), err
	})
	a.tasks()
	a.endings()
}

// tasks registers what a worker says of the tasks of a run it holds.
func (a *API) tasks() {
	l := a.o.Ledger
	a.say("begin-task", "Mark a task as running", func(ctx context.Context, c client.WorkerCall) error { return l.BeginTask(ctx, c.Hold, c.Task) })
	a.say("end-task", "Say how a task's attempt ended", func(ctx context.Context, c client.WorkerCall) error {
		if c.End == nil {
			return syncline.Errorf(syncline.InvalidArgument, "the call says nothing of how the task ended")
		}
		return l.EndTask(ctx, c.Hold, *c.End)
	})
	a.say("memo", "Store what the next attempt of a task needs", func(ctx context.Context, c client.WorkerCall) error {
		return l.Memo(ctx, c.Hold, c.Task, c.Memo)
	})
	a.say("keep", "Store rejects", func(ctx context.Context, c client.WorkerCall) error { return l.Keep(ctx, c.Hold, c.Rejects) })
	a.say("log", "Append to a run's log", func(ctx context.Context, c client.WorkerCall) error { return l.Log(ctx, c.Hold, c.Messages) })
	a.say("stale", "Note a stale write that was refused", func(ctx context.Context, c client.WorkerCall) error { return l.Stale(ctx, c.Hold) })
}

// endings registers the ways a worker lets go of a run.
func (a *API) endings() {
	l := a.o.Ledger
	a.leave("finish", "End a run whose tasks have ended", func(ctx context.Context, c client.WorkerCall) (syncline.Run, error) { return l.Finish(ctx, c.Hold) })
	a.leave("fail", "End a run that did not come to its tasks", func(ctx context.Context, c client.WorkerCall) (syncline.Run, error) {
		if c.Error == nil {
			return syncline.Run{}, syncline.Errorf(syncline.InvalidArgument, "the call says nothing of what failed")
		}
		return l.Fail(ctx, c.Hold, c.Error)
	})
	a.leave("ack-cancel", "End a run that was asked to", func(ctx context.Context, c client.WorkerCall) (syncline.Run, error) { return l.AckCancel(ctx, c.Hold) })
	a.leave("yield", "Hand a run back", func(ctx context.Context, c client.WorkerCall) (syncline.Run, error) { return l.Yield(ctx, c.Hold) })
	a.leave("suspend", "Make a run wait for a person", func(ctx context.Context, c client.WorkerCall) (syncline.Run, error) {
		return l.Suspend(ctx, c.Hold, c.Wait, c.Error)
	})
}

func (a *API) say(name, summary string, fn func(context.Context, client.WorkerCall) error) {
	handle(a, auth.Work, "worker-"+name, http.MethodPost, "/worker/"+name, summary, func(ctx context.Context, in *workerCall) (done, error) {
		return done{true}, fn(ctx, in.Body)
	})
}

func (a *API) leave(name, summary string, fn func(context.Context, client.WorkerCall) (syncline.Run, error)) {
	handle(a, auth.Work, "worker-"+name, http.MethodPost, "/worker/"+name, summary, func(ctx context.Context, in *workerCall) (syncline.Run, error) {
		return fn(ctx, in.Body)
	})
}
