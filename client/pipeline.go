package client

import (
	"context"
	"net/url"
	"time"

	"github.com/synclinehq/syncline"
)

// Pipeline is a pipeline as people and scripts see it, without its secrets.
type Pipeline struct {
	ID          string                `json:"id"`
	Name        string                `json:"name"`
	Revision    int64                 `json:"revision"`
	Source      Endpoint              `json:"source"`
	Destination Endpoint              `json:"destination"`
	Entities    []syncline.EntitySpec `json:"entities"`
	Schedules   []Schedule            `json:"schedules"`
	Overlap     syncline.Overlap      `json:"overlap"`
	PausedAt    time.Time             `json:"paused_at,omitzero"`
	CreatedAt   time.Time             `json:"created_at"`
	UpdatedAt   time.Time             `json:"updated_at"`
}

// Endpoint is one end of a pipeline.
type Endpoint struct {
	Kind string `json:"kind"`
	URL  string `json:"url"` // without secrets
}

// Schedule is when a pipeline runs by itself.
type Schedule struct {
	ID    string    `json:"id"`
	Every string    `json:"every,omitempty"`
	Cron  string    `json:"cron,omitempty"`
	Zone  string    `json:"zone,omitempty"`
	Off   bool      `json:"off,omitempty"`
	Next  time.Time `json:"next,omitzero"` // when it is due next
}

// Adhoc describes what `sync` does. The same description is the same pipeline.
type Adhoc struct {
	Source      string               `json:"source"` // a URL or a path
	Destination string               `json:"destination"`
	Dir         string               `json:"dir"` // what relative paths count from
	Name        string               `json:"name,omitempty"`
	Entities    []string             `json:"entities,omitempty"`
	Mode        syncline.Mode        `json:"mode,omitempty"`
	Cursor      string               `json:"cursor,omitempty"`
	Key         []string             `json:"key,omitempty"`
	Write       syncline.Disposition `json:"write,omitempty"`
}

// Reason is one line of why a run did or did not happen.
type Reason struct {
	At   time.Time `json:"at,omitzero"`
	What string    `json:"what"`
	Text string    `json:"text"`
	Run  string    `json:"run,omitempty"`
}

// Apply is pipelines as configuration files say them.
type Apply struct {
	Files  []File `json:"files"`
	DryRun bool   `json:"dry_run,omitempty"`
}

// File is one configuration file.
type File struct {
	Name string `json:"name"`
	Text string `json:"text"`
	Dir  string `json:"dir"` // what relative paths in it count from
}

// Change is what applying does, or would do, to one pipeline.
type Change struct {
	Pipeline string        `json:"pipeline"`
	What     string        `json:"what"` // "created", "changed", "unchanged"
	Revision int64         `json:"revision"`
	Fields   []FieldChange `json:"fields"`
}

// FieldChange is one field that changes; "" means not there. Secrets are never shown.
type FieldChange struct {
	Field string `json:"field"`
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
}

// CheckURL asks what works at an endpoint.
type CheckURL struct {
	URL string `json:"url"`
	Dir string `json:"dir"` // what a relative path counts from
}

// Checked is what was found at an endpoint, used as one side of a pipeline.
type Checked struct {
	Side     string    `json:"side"`
	Kind     string    `json:"kind"`
	URL      string    `json:"url"` // without secrets
	Findings []Finding `json:"findings"`
}

// Finding is one thing that works or does not.
type Finding struct {
	Level  string `json:"level"` // "ok", "warn", "fail"
	What   string `json:"what"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// Pipelines lists pipelines by name.
func (c *Client) Pipelines(ctx context.Context) (ps []Pipeline, err error) {
	err = c.get(ctx, "/pipelines", nil, &ps)
	return ps, err
}

// Pipeline reads one pipeline, by name or id.
func (c *Client) Pipeline(ctx context.Context, ref string) (p Pipeline, err error) {
	err = c.get(ctx, pipelinePath(ref, ""), nil, &p)
	return p, err
}

// Adhoc finds or makes the pipeline of a description.
func (c *Client) Adhoc(ctx context.Context, a Adhoc) (p Pipeline, err error) {
	err = c.post(ctx, "/adhoc", a, &p)
	return p, err
}

// Pause stops a pipeline's schedules from starting runs.
func (c *Client) Pause(ctx context.Context, ref string) (p Pipeline, err error) {
	err = c.post(ctx, pipelinePath(ref, "/pause"), nil, &p)
	return p, err
}

// Unpause lets them start runs again.
func (c *Client) Unpause(ctx context.Context, ref string) (p Pipeline, err error) {
	err = c.post(ctx, pipelinePath(ref, "/unpause"), nil, &p)
	return p, err
}

// Why says why runs of a pipeline did or did not happen around a time; zero: now.
func (c *Client) Why(ctx context.Context, ref string, at time.Time) (rs []Reason, err error) {
	q := url.Values{}
	if !at.IsZero() {
		q.Set("at", at.Format(time.RFC3339Nano))
	}
	err = c.get(ctx, pipelinePath(ref, "/why"), q, &rs)
	return rs, err
}

// Apply makes pipelines what files say they are.
func (c *Client) Apply(ctx context.Context, a Apply) (cs []Change, err error) {
	err = c.post(ctx, "/apply", a, &cs)
	return cs, err
}

// Check opens an endpoint and says what works there.
func (c *Client) Check(ctx context.Context, u CheckURL) (found []Checked, err error) {
	err = c.post(ctx, "/check", u, &found)
	return found, err
}

func pipelinePath(ref, rest string) string { return "/pipelines/" + url.PathEscape(ref) + rest }
