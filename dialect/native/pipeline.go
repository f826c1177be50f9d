package native

import (
	"context"
	"net/http"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/client"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/schedule"
)

// PipelinePath names a pipeline.
type PipelinePath struct {
	Pipeline string `path:"pipeline" doc:"A pipeline's name or id"`
}

type startInput struct {
	PipelinePath
	Body client.Order
}

type whyQuery struct {
	PipelinePath
	At time.Time `query:"at" doc:"Around this time; default: now"`
}

func (a *API) pipelines() {
	handle(a, auth.Read, "list-pipelines", http.MethodGet, "/pipelines", "List pipelines by name", a.listPipelines)
	handle(a, auth.Read, "get-pipeline", http.MethodGet, "/pipelines/{pipeline}", "Read a pipeline", func(ctx context.Context, in *PipelinePath) (client.Pipeline, error) {
		return drawn(a.pipeline(ctx, in.Pipeline))
	})
	handle(a, auth.Edit, "delete-pipeline", http.MethodDelete, "/pipelines/{pipeline}", "Remove a pipeline; its runs stay", func(ctx context.Context, in *PipelinePath) (done, error) {
		return done{true}, a.o.Catalog.Delete(ctx, in.Pipeline)
	})
	handle(a, auth.Operate, "pause-pipeline", http.MethodPost, "/pipelines/{pipeline}/pause", "Start no more scheduled runs", func(ctx context.Context, in *PipelinePath) (client.Pipeline, error) {
		return a.alter(ctx, in.Pipeline, a.o.Catalog.Pause)
	})
	handle(a, auth.Operate, "unpause-pipeline", http.MethodPost, "/pipelines/{pipeline}/unpause", "Start scheduled runs again", func(ctx context.Context, in *PipelinePath) (client.Pipeline, error) {
		return a.alter(ctx, in.Pipeline, a.o.Catalog.Unpause)
	})
	handle(a, auth.Read, "why", http.MethodGet, "/pipelines/{pipeline}/why", "Say why runs did or did not happen", a.why)
	handle(a, auth.Operate, "start-run", http.MethodPost, "/pipelines/{pipeline}/runs", "Start a run, or go on with an unfinished one", a.start)
	a.definitions()
}

// definitions registers the ways in which pipelines come to be.
func (a *API) definitions() {
	handle(a, auth.Edit, "put-adhoc", http.MethodPost, "/adhoc", "Find or make the pipeline of a sync command", a.adhoc)
	handle(a, auth.Edit, "apply", http.MethodPost, "/apply", "Make pipelines what configuration files say", a.apply)
	handle(a, auth.Edit, "check", http.MethodPost, "/check", "Say what works at an endpoint", a.check)
}

// pipeline finds the one that is meant. To a key that is not for it, it is not there.
func (a *API) pipeline(ctx context.Context, ref string) (*syncline.Pipeline, error) {
	p, err := a.o.Catalog.Find(ctx, ref)
	if err == nil && !auth.From(ctx).Sees(p.Name) {
		return nil, catalog.NotThere(ref)
	}
	return p, err
}

func (a *API) alter(ctx context.Context, ref string, do func(context.Context, string) (*syncline.Pipeline, error)) (client.Pipeline, error) {
	p, err := a.pipeline(ctx, ref)
	if err != nil {
		return client.Pipeline{}, err
	}
	return drawn(do(ctx, p.ID))
}

func (a *API) listPipelines(ctx context.Context, _ *struct{}) ([]client.Pipeline, error) {
	out := []client.Pipeline{}
	for p, err := range a.o.Catalog.All(ctx) {
		if err != nil {
			return out, err
		}
		if auth.From(ctx).Sees(p.Name) {
			out = append(out, drawPipeline(p))
		}
	}
	return out, nil
}

func (a *API) why(ctx context.Context, in *whyQuery) ([]client.Reason, error) {
	p, err := a.pipeline(ctx, in.Pipeline)
	if err != nil {
		return nil, err
	}
	rs, err := a.o.Ledger.Why(ctx, p.ID, in.At)
	out := []client.Reason{}
	for _, r := range rs {
		out = append(out, client.Reason(r))
	}
	return out, err
}

func (a *API) start(ctx context.Context, in *startInput) (client.Started, error) {
	p, err := a.pipeline(ctx, in.Pipeline)
	if err != nil {
		return client.Started{}, err
	}
	if in.Body.Window != nil || in.Body.Every != "" {
		return a.backfill(ctx, p, in.Body)
	}
	r, how, err := a.o.Ledger.Start(ctx, ledger.Order{PipelineID: p.ID, Mode: in.Body.Mode, Adopt: in.Body.Adopt, DedupeKey: in.Body.DedupeKey})
	if err != nil {
		return client.Started{}, err
	}
	d, err := a.o.Ledger.Run(ctx, r.ID)
	if err != nil {
		return client.Started{}, err
	}
	run, err := a.draw(ctx, d)
	return client.Started{How: string(how), Run: run}, err
}

func (a *API) adhoc(ctx context.Context, in *body[client.Adhoc]) (client.Pipeline, error) {
	b := in.Body
	name, d, err := a.o.Catalog.Adhoc(catalog.Adhoc{
		Source: b.Source, Destination: b.Destination, Cwd: b.Dir, Name: b.Name,
		Entities: b.Entities, Mode: b.Mode, Cursor: b.Cursor, Key: b.Key, Write: b.Write,
	})
	if err != nil {
		return client.Pipeline{}, err
	}
	p, _, err := a.o.Catalog.Put(ctx, name, d, catalog.PutOptions{})
	return drawn(p, err)
}

func (a *API) apply(ctx context.Context, in *body[client.Apply]) ([]client.Change, error) {
	var files []catalog.File
	for _, f := range in.Body.Files {
		files = append(files, catalog.File{Name: f.Name, Text: []byte(f.Text), Dir: f.Dir})
	}
	docs, err := a.o.Catalog.Parse(files)
	if err != nil {
		return nil, err
	}
	do := a.o.Catalog.Apply
	if in.Body.DryRun {
		do = a.o.Catalog.Plan
	}
	changes, err := do(ctx, docs)
	out := []client.Change{}
	for _, c := range changes {
		one := client.Change{Pipeline: c.Pipeline, What: string(c.What), Revision: c.Revision, Fields: []client.FieldChange{}}
		for _, f := range c.Fields {
			one.Fields = append(one.Fields, client.FieldChange(f))
		}
		out = append(out, one)
	}
	return out, err
}

func (a *API) check(ctx context.Context, in *body[client.CheckURL]) ([]client.Checked, error) {
	found, err := a.o.Catalog.CheckURL(ctx, in.Body.URL, in.Body.Dir)
	out := []client.Checked{}
	for _, c := range found {
		one := client.Checked{Side: string(c.Side), Kind: c.Kind, URL: c.Shown, Findings: []client.Finding{}}
		for _, f := range c.Findings {
			one.Findings = append(one.Findings, client.Finding{Level: string(f.Level), What: f.What, Text: f.Text, Remedy: f.Remedy})
		}
		out = append(out, one)
	}
	return out, err
}

func drawn(p *syncline.Pipeline, err error) (client.Pipeline, error) {
	if err != nil {
		return client.Pipeline{}, err
	}
	return drawPipeline(p), nil
}

func drawPipeline(p *syncline.Pipeline) client.Pipeline {
	d := p.Definition
	out := client.Pipeline{
		ID: p.ID, Name: p.Name, Revision: p.Revision,
		Source:      client.Endpoint{Kind: d.Source.Kind, URL: d.Source.Shown},
		Destination: client.Endpoint{Kind: d.Destination.Kind, URL: d.Destination.Shown},
		Entities:    list(d.Entities), Schedules: []client.Schedule{}, Overlap: d.Overlap,
		PausedAt: p.PausedAt, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
	for _, s := range d.Schedules {
		out.Schedules = append(out.Schedules, drawSchedule(s))
	}
	return out
}

func drawSchedule(s syncline.Schedule) client.Schedule {
	out := client.Schedule{ID: s.ID, Cron: s.Cron, Zone: s.Zone, Off: s.Off}
	if s.Every > 0 {
		out.Every = s.Every.String()
	}
	if next, err := schedule.Next(s, time.Now()); err == nil && !s.Off {
		out.Next = next
	}
	return out
}
