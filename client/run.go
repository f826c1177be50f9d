package client

import (
	"context"
	"crypto/rand"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
)

// Run is a run as people and scripts see it: `runs show --json` prints it.
type Run struct {
	ID         string             `json:"id"`
	Pipeline   string             `json:"pipeline"`
	PipelineID string             `json:"pipeline_id"`
	Revision   int64              `json:"revision"`
	State      syncline.State     `json:"state"`
	Facts      syncline.Facts     `json:"facts"`
	Wait       syncline.Wait      `json:"wait"`          // "" unless suspended
	Why        string             `json:"why,omitempty"` // why a skipped run did not run
	Owner      syncline.Owner     `json:"owner"`         // who executes it: the engine, or an outside worker
	Origin     syncline.Origin    `json:"origin"`
	Parent     *syncline.Parent   `json:"parent,omitempty"` // of which run's work this is a part
	Mode       syncline.Mode      `json:"mode,omitempty"`
	Window     *syncline.Window   `json:"window,omitempty"` // the stretch of time it replaces
	Load       string             `json:"load"`
	Tries      int                `json:"tries"`
	MaxTries   int                `json:"max_tries"`
	Worker     string             `json:"worker,omitempty"`
	Lease      *Lease             `json:"lease,omitempty"` // while somebody holds the run
	CreatedAt  time.Time          `json:"created_at"`
	Due        time.Time          `json:"due"`
	NotBefore  time.Time          `json:"not_before"`
	StartedAt  time.Time          `json:"started_at,omitzero"`
	EndedAt    time.Time          `json:"ended_at,omitzero"`
	UpdatedAt  time.Time          `json:"updated_at"`
	Attempts   []syncline.Attempt `json:"attempts"`
	Tasks      []Task             `json:"tasks"`
	Totals     syncline.Counts    `json:"totals"` // summed over tasks
	Error      *syncline.Error    `json:"error"`
	Messages   []syncline.Message `json:"messages"` // the newest; all: Messages
	// Waiting: the run stands behind another one of its pipeline.
	Waiting bool `json:"waiting,omitempty"`
}

// Task is one entity of a run.
type Task struct {
	Name      string             `json:"name"`
	State     syncline.TaskState `json:"state"`
	Counts    syncline.Counts    `json:"counts"`
	Expected  int64              `json:"expected"` // rows; -1 unknown
	TotalFrom string             `json:"total_from,omitempty"`
	Phase     string             `json:"phase,omitempty"`
	Path      string             `json:"path"`
	BoundBy   string             `json:"bound_by"`
	Parts     []syncline.Part    `json:"parts"`
	Where     string             `json:"where,omitempty"`
	Tries     int                `json:"tries"`
	Error     *syncline.Error    `json:"error,omitempty"`
	StartedAt time.Time          `json:"started_at,omitzero"`
	EndedAt   time.Time          `json:"ended_at,omitzero"`
}

// Lease is who holds a run, and until when without another sign of life.
type Lease struct {
	Worker    string    `json:"worker"`
	Session   string    `json:"session"`
	SeenAt    time.Time `json:"seen_at"`
	ExpiresAt time.Time `json:"expires_at"`
	// StaleAt is when a silence of an outside worker begins to look like its end.
	StaleAt time.Time `json:"stale_at,omitzero"`
}

// Order asks for a run of a pipeline.
type Order struct {
	Mode syncline.Mode `json:"mode,omitempty"`
	// Adopt goes on with what is unfinished instead of starting anew.
	Adopt bool `json:"adopt,omitempty"`
	// Window limits the run to a stretch of the entities' cursors, which is read and replaced
	// whole. Such a run queues behind what lives, whatever the pipeline's overlap policy.
	Window *syncline.Window `json:"window,omitempty"`
	// Every cuts the window into runs of this length, such as "24h", the newest first.
	Every string `json:"every,omitempty"`
	// DedupeKey makes a repeated call harmless; Start draws one when it is empty.
	DedupeKey string `json:"dedupe_key,omitempty"`
}

// Started is the answer to an Order.
type Started struct {
	How string `json:"how"` // "started", "queued", "adopted", "repeated"
	Run Run    `json:"run"`
	// Runs are all that an order with a window has made, in the order in which they go; Run
	// is the first.
	Runs []Run `json:"runs,omitempty"`
}

// Start starts a run of a pipeline, or adopts an unfinished one.
func (c *Client) Start(ctx context.Context, pipeline string, o Order) (s Started, err error) {
	if o.DedupeKey == "" {
		o.DedupeKey = rand.Text()
	}
	err = c.post(ctx, "/pipelines/"+url.PathEscape(pipeline)+"/runs", o, &s)
	return s, err
}

// RunFilter selects runs.
type RunFilter struct {
	Pipeline string
	States   []syncline.State
	Limit    int // 0: 20
}

// Runs lists runs, newest first.
func (c *Client) Runs(ctx context.Context, f RunFilter) (rs []Run, err error) {
	q := url.Values{}
	if f.Pipeline != "" {
		q.Set("pipeline", f.Pipeline)
	}
	var states []string
	for _, s := range f.States {
		states = append(states, string(s))
	}
	if len(states) > 0 {
		q.Set("state", strings.Join(states, ","))
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	err = c.get(ctx, "/runs", q, &rs)
	return rs, err
}

// Run reads one run. ref is its id, a piece of it, or "last".
func (c *Client) Run(ctx context.Context, ref string) (r Run, err error) {
	err = c.get(ctx, runPath(ref, ""), nil, &r)
	return r, err
}

// Cancel asks to end a run.
func (c *Client) Cancel(ctx context.Context, ref, reason string) (Run, error) {
	return c.ask(ctx, ref, "cancel", Ask{Reason: reason})
}

// Hold asks a run to wait for a person.
func (c *Client) Hold(ctx context.Context, ref, reason string) (Run, error) {
	return c.ask(ctx, ref, "hold", Ask{Reason: reason})
}

// Resume lets a waiting or failed run go on. confirm names the waits the caller agrees to.
func (c *Client) Resume(ctx context.Context, ref string, confirm ...syncline.Wait) (Run, error) {
	return c.ask(ctx, ref, "resume", Ask{Confirm: confirm})
}

// Ask is what a person wants of a run, and why.
type Ask struct {
	Reason  string          `json:"reason,omitempty"`
	Confirm []syncline.Wait `json:"confirm,omitempty"`
}

func (c *Client) ask(ctx context.Context, ref, what string, a Ask) (r Run, err error) {
	err = c.post(ctx, runPath(ref, "/"+what), a, &r)
	return r, err
}

// Messages lists a run's log after a seq.
func (c *Client) Messages(ctx context.Context, ref string, after int64, limit int) (ms []syncline.Message, err error) {
	q := url.Values{"after": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(limit)}}
	err = c.get(ctx, runPath(ref, "/messages"), q, &ms)
	return ms, err
}

// Events lists a run's journal after a seq.
func (c *Client) Events(ctx context.Context, ref string, after int64, limit int) (es []syncline.Event, err error) {
	q := url.Values{"after": {strconv.FormatInt(after, 10)}, "limit": {strconv.Itoa(limit)}}
	err = c.get(ctx, runPath(ref, "/events"), q, &es)
	return es, err
}

// Rejects lists the rows of a run that could not be kept, of one entity or ("") of all.
func (c *Client) Rejects(ctx context.Context, ref, entity string, offset, limit int) (rs []syncline.Reject, err error) {
	q := url.Values{"offset": {strconv.Itoa(offset)}, "limit": {strconv.Itoa(limit)}}
	if entity != "" {
		q.Set("entity", entity)
	}
	err = c.get(ctx, runPath(ref, "/rejects"), q, &rs)
	return rs, err
}

func runPath(ref, rest string) string { return "/runs/" + url.PathEscape(ref) + rest }
