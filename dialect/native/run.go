package native

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/client"
	"github.com/synclinehq/syncline/ledger"
)

// messagesShown is how many of a run's newest messages come with the run itself.
const messagesShown = 100

// RunPath names a run. It is exported because the framework fills in nothing else.
type RunPath struct {
	Run string `path:"run" doc:"A run's id, the beginning or end of one, or \"last\""`
}

type runsQuery struct {
	Pipeline string `query:"pipeline" doc:"Only runs of this pipeline, by name or id"`
	State    string `query:"state" doc:"Only runs in these states, separated by commas"`
	Limit    int    `query:"limit" minimum:"0" maximum:"1000" doc:"At most so many; default 20"`
}

type askInput struct {
	RunPath
	Body client.Ask
}

type pageInput struct {
	RunPath
	After  int64  `query:"after" minimum:"0" doc:"Only what comes after this seq"`
	Offset int    `query:"offset" minimum:"0"`
	Limit  int    `query:"limit" minimum:"0" maximum:"10000" doc:"At most so many; default 100"`
	Entity string `query:"entity" doc:"Only of this entity"`
}

func (p pageInput) limit() int {
	if p.Limit == 0 {
		return 100
	}
	return p.Limit
}

func (a *API) runs() {
	handle(a, auth.Read, "list-runs", http.MethodGet, "/runs", "List runs, newest first", a.listRuns)
	handle(a, auth.Read, "get-run", http.MethodGet, "/runs/{run}", "Read a run", func(ctx context.Context, in *RunPath) (client.Run, error) {
		d, err := a.find(ctx, in.Run)
		if err != nil {
			return client.Run{}, err
		}
		return a.draw(ctx, d)
	})
	handle(a, auth.Operate, "cancel-run", http.MethodPost, "/runs/{run}/cancel", "Ask to end a run", func(ctx context.Context, in *askInput) (client.Run, error) {
		return a.ask(ctx, in.Run, func(id string) (syncline.Run, error) { return a.o.Ledger.Cancel(ctx, id, in.Body.Reason) })
	})
	handle(a, auth.Operate, "hold-run", http.MethodPost, "/runs/{run}/hold", "Ask a run to wait for a person", func(ctx context.Context, in *askInput) (client.Run, error) {
		return a.ask(ctx, in.Run, func(id string) (syncline.Run, error) { return a.o.Ledger.Hold(ctx, id, in.Body.Reason) })
	})
	handle(a, auth.Operate, "resume-run", http.MethodPost, "/runs/{run}/resume", "Let a waiting or failed run go on", func(ctx context.Context, in *askInput) (client.Run, error) {
		return a.ask(ctx, in.Run, func(id string) (syncline.Run, error) { return a.o.Ledger.Resume(ctx, id, in.Body.Confirm...) })
	})
	a.journals()
	a.watch()
}

// journals registers what is read page by page.
func (a *API) journals() {
	handle(a, auth.Read, "list-messages", http.MethodGet, "/runs/{run}/messages", "Read a run's log", func(ctx context.Context, in *pageInput) ([]syncline.Message, error) {
		d, err := a.find(ctx, in.Run)
		if err != nil {
			return nil, err
		}
		ms, err := a.o.Ledger.Messages(ctx, d.Run.ID, in.After, in.limit())
		return list(ms), err
	})
	handle(a, auth.Read, "list-events", http.MethodGet, "/runs/{run}/events", "Read a run's journal", func(ctx context.Context, in *pageInput) ([]syncline.Event, error) {
		d, err := a.find(ctx, in.Run)
		if err != nil {
			return nil, err
		}
		es, err := a.o.Ledger.Events(ctx, d.Run.ID, in.After, in.limit())
		return list(es), err
	})
	handle(a, auth.Read, "list-rejects", http.MethodGet, "/runs/{run}/rejects", "List rows that could not be kept", func(ctx context.Context, in *pageInput) ([]syncline.Reject, error) {
		d, err := a.find(ctx, in.Run)
		if err != nil {
			return nil, err
		}
		rs, err := a.o.Ledger.Rejects(ctx, d.Run.ID, in.Entity, in.Offset, in.limit())
		return list(rs), err
	})
}

func (a *API) listRuns(ctx context.Context, in *runsQuery) ([]client.Run, error) {
	f := syncline.RunFilter{Limit: in.Limit}
	if f.Limit == 0 {
		f.Limit = 20
	}
	var err error
	if f.States, err = states(in.State); err != nil {
		return nil, err
	}
	if in.Pipeline != "" {
		p, err := a.pipeline(ctx, in.Pipeline)
		if err != nil {
			return nil, err
		}
		f.PipelineID = p.ID
	}
	ds, err := a.newest(ctx, f)
	if err != nil {
		return nil, err
	}
	out := []client.Run{}
	for _, d := range ds {
		out = append(out, drawRun(d, nil))
	}
	return out, nil
}

// newest lists the newest runs of the pipelines that the caller sees.
func (a *API) newest(ctx context.Context, f syncline.RunFilter) (out []ledger.Detail, err error) {
	scope := auth.From(ctx).Scope
	if len(scope) == 0 || f.PipelineID != "" {
		return a.o.Ledger.Runs(ctx, f)
	}
	for _, name := range scope {
		p, err := a.pipeline(ctx, name)
		if syncline.CodeOf(err) == syncline.NotFound {
			continue // made later, or gone
		}
		if err != nil {
			return nil, err
		}
		f.PipelineID = p.ID
		ds, err := a.o.Ledger.Runs(ctx, f)
		if err != nil {
			return nil, err
		}
		out = append(out, ds...)
	}
	slices.SortFunc(out, func(x, y ledger.Detail) int {
		return cmp.Or(y.Run.CreatedAt.Compare(x.Run.CreatedAt), strings.Compare(y.Run.ID, x.Run.ID))
	})
	return out[:min(len(out), f.Limit)], nil
}

var knownStates = []syncline.State{
	syncline.StatePending, syncline.StateRunning, syncline.StateSuspended,
	syncline.StateSucceeded, syncline.StateFailed, syncline.StateCanceled, syncline.StateSkipped,
}

func states(text string) (out []syncline.State, err error) {
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		s := syncline.State(strings.ToLower(word))
		if !known(s) {
			return nil, syncline.Invalid("state", "no run state %q", word).Try("known are: pending, running, suspended, succeeded, failed, canceled, skipped")
		}
		out = append(out, s)
	}
	return out, nil
}

func known(s syncline.State) bool {
	for _, k := range knownStates {
		if s == k {
			return true
		}
	}
	return false
}

// find reads the run that a person means: an id, a piece of one, or "last". To a key that
// is not for its pipeline, it is not there.
func (a *API) find(ctx context.Context, ref string) (ledger.Detail, error) {
	if ref != "last" {
		d, err := a.o.Ledger.Find(ctx, ref)
		if err == nil && !auth.From(ctx).Sees(d.Run.Pipeline) {
			return ledger.Detail{}, syncline.Errorf(syncline.NotFound, "no run %q", ref)
		}
		return d, err
	}
	ds, err := a.newest(ctx, syncline.RunFilter{Limit: 1})
	if err != nil {
		return ledger.Detail{}, err
	}
	if len(ds) == 0 {
		return ledger.Detail{}, syncline.Errorf(syncline.NotFound, "there is no run yet").Try("syncline sync SOURCE DESTINATION, or syncline run PIPELINE")
	}
	return a.o.Ledger.Run(ctx, ds[0].Run.ID)
}

// ask does what a person asks of a run and answers with the run as it is then.
func (a *API) ask(ctx context.Context, ref string, do func(id string) (syncline.Run, error)) (client.Run, error) {
	d, err := a.find(ctx, ref)
	if err != nil {
		return client.Run{}, err
	}
	if _, err := do(d.Run.ID); err != nil {
		return client.Run{}, err
	}
	if d, err = a.o.Ledger.Run(ctx, d.Run.ID); err != nil {
		return client.Run{}, err
	}
	return a.draw(ctx, d)
}

// draw draws a run with its newest messages.
func (a *API) draw(ctx context.Context, d ledger.Detail) (client.Run, error) {
	ms, err := a.o.Ledger.Messages(ctx, d.Run.ID, max(0, d.Run.LastMessage-messagesShown), messagesShown)
	return drawRun(d, ms), err
}
