package client

import (
	"context"
	"encoding/json"

	"github.com/synclinehq/syncline"
)

// The calls of a worker. They are those of engine.Door: an error that says the run is no
// longer the caller's is syncline.ErrLeaseLost.

// WorkerClaim asks for runs.
type WorkerClaim struct {
	Worker syncline.Worker `json:"worker"`
	Limit  int             `json:"limit"`
}

// WorkerCall is what a worker says of a run it holds; which fields count depends on the call.
type WorkerCall struct {
	Hold     syncline.Hold      `json:"hold"`
	Task     string             `json:"task,omitempty"`
	Tasks    []syncline.Task    `json:"tasks,omitempty"`
	End      *syncline.TaskEnd  `json:"end,omitempty"`
	Memo     json.RawMessage    `json:"memo,omitempty"`
	Rejects  []syncline.Reject  `json:"rejects,omitempty"`
	Messages []syncline.Message `json:"messages,omitempty"`
	Wait     syncline.Wait      `json:"wait,omitempty"`
	Error    *syncline.Error    `json:"error,omitempty"`
}

// Claim takes up to n runs.
func (c *Client) Claim(ctx context.Context, w syncline.Worker, n int) (gs []syncline.Grant, err error) {
	err = c.post(ctx, "/worker/claim", WorkerClaim{w, n}, &gs)
	return gs, err
}

// Beat extends leases.
func (c *Client) Beat(ctx context.Context, held []syncline.Hold) (as []syncline.BeatAnswer, err error) {
	err = c.post(ctx, "/worker/beat", held, &as)
	return as, err
}

// Report says how far tasks have come.
func (c *Client) Report(ctx context.Context, reports []syncline.TaskReport) (as []syncline.BeatAnswer, err error) {
	err = c.post(ctx, "/worker/report", reports, &as)
	return as, err
}

// Plan stores the tasks of a run that has none yet.
func (c *Client) Plan(ctx context.Context, h syncline.Hold, tasks []syncline.Task) (ts []*syncline.Task, err error) {
	err = c.post(ctx, "/worker/plan", WorkerCall{Hold: h, Tasks: tasks}, &ts)
	return ts, err
}

// BeginTask marks a task as running.
func (c *Client) BeginTask(ctx context.Context, h syncline.Hold, name string) error {
	return c.post(ctx, "/worker/begin-task", WorkerCall{Hold: h, Task: name}, nil)
}

// EndTask says how a task's attempt ended.
func (c *Client) EndTask(ctx context.Context, h syncline.Hold, e syncline.TaskEnd) error {
	return c.post(ctx, "/worker/end-task", WorkerCall{Hold: h, End: &e}, nil)
}

// Memo stores what the next attempt of a task needs.
func (c *Client) Memo(ctx context.Context, h syncline.Hold, task string, memo json.RawMessage) error {
	return c.post(ctx, "/worker/memo", WorkerCall{Hold: h, Task: task, Memo: memo}, nil)
}

// Keep stores rejects.
func (c *Client) Keep(ctx context.Context, h syncline.Hold, rs []syncline.Reject) error {
	return c.post(ctx, "/worker/keep", WorkerCall{Hold: h, Rejects: rs}, nil)
}

// Log appends to the run's log.
func (c *Client) Log(ctx context.Context, h syncline.Hold, ms []syncline.Message) error {
	return c.post(ctx, "/worker/log", WorkerCall{Hold: h, Messages: ms}, nil)
}

// Stale notes that a destination refused a stale write.
func (c *Client) Stale(ctx context.Context, h syncline.Hold) error {
	return c.post(ctx, "/worker/stale", WorkerCall{Hold: h}, nil)
}

// Finish ends a run whose tasks have all ended.
func (c *Client) Finish(ctx context.Context, h syncline.Hold) (syncline.Run, error) {
	return c.leave(ctx, "finish", WorkerCall{Hold: h})
}

// Fail ends a run that could not come as far as its tasks.
func (c *Client) Fail(ctx context.Context, h syncline.Hold, e *syncline.Error) (syncline.Run, error) {
	return c.leave(ctx, "fail", WorkerCall{Hold: h, Error: e})
}

// AckCancel ends a run because somebody asked to cancel it.
func (c *Client) AckCancel(ctx context.Context, h syncline.Hold) (syncline.Run, error) {
	return c.leave(ctx, "ack-cancel", WorkerCall{Hold: h})
}

// Yield hands a run back because the worker stops.
func (c *Client) Yield(ctx context.Context, h syncline.Hold) (syncline.Run, error) {
	return c.leave(ctx, "yield", WorkerCall{Hold: h})
}

// Suspend makes a run wait for a person.
func (c *Client) Suspend(ctx context.Context, h syncline.Hold, w syncline.Wait, e *syncline.Error) (syncline.Run, error) {
	return c.leave(ctx, "suspend", WorkerCall{Hold: h, Wait: w, Error: e})
}

func (c *Client) leave(ctx context.Context, what string, call WorkerCall) (r syncline.Run, err error) {
	err = c.post(ctx, "/worker/"+what, call, &r)
	return r, err
}

// Changed never wakes anybody: what changes the ledger happens in another process, and a
// worker's poll finds it.
func (c *Client) Changed() <-chan struct{} { return nil }
