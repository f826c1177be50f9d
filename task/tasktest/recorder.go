// Package tasktest holds every task kind to the contract of package task, and stands in
// for the engine where a test calls a task by itself. It is imported by tests only.
package tasktest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/task"
)

// Recorder is the engine's side of one task: it keeps what the task reports from attempt
// to attempt, as the ledger would, and gives every attempt a higher token.
type Recorder struct {
	Run        syncline.Run
	Definition syncline.Definition
	// Held is asked before every write, after the recorder has counted it; nil: the lease
	// is held.
	Held func() error
	// OnReport sees every report, under the recorder's lock.
	OnReport func(syncline.Stats)

	t       testing.TB
	mu      sync.Mutex
	task    syncline.Task
	attempt int
	rejects map[string]syncline.Reject
	notes   []string
	held    int
}

// NewRecorder begins a task of a run.
func NewRecorder(t testing.TB, run syncline.Run, d syncline.Definition, planned syncline.Task) *Recorder {
	planned.RunID = run.ID
	return &Recorder{t: t, Run: run, Definition: d, task: planned, rejects: map[string]syncline.Reject{}}
}

// Do makes one attempt.
func (r *Recorder) Do(ctx context.Context, kind task.Kind) error {
	r.t.Helper()
	return kind.Do(ctx, r.Call())
}

// Call is the next attempt's, with a higher token than all before.
func (r *Recorder) Call() *task.Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempt++
	r.Run.Token++
	return &task.Call{
		Run: r.Run, Token: r.Run.Token, Definition: r.Definition, Task: r.task, Attempt: r.attempt, Host: "test",
		Report: r.report, Where: r.where, Memo: r.memo, Keep: r.keep, Note: r.note, Held: r.asked,
	}
}

// Task is the task as the ledger would have it now.
func (r *Recorder) Task() syncline.Task {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.task
}

// Stats are those last reported.
func (r *Recorder) Stats() syncline.Stats { return r.Task().Stats }

// Rejects are the rows that were kept aside, once each.
func (r *Recorder) Rejects() []syncline.Reject {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []syncline.Reject
	for _, one := range r.rejects {
		all = append(all, one)
	}
	return all
}

// Notes are the messages of all attempts.
func (r *Recorder) Notes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.notes...)
}

// Asked is how often the task asked for its lease.
func (r *Recorder) Asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held
}

func (r *Recorder) report(s syncline.Stats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !s.Counts.Balanced() {
		r.t.Errorf("reported counts do not balance: %+v", s.Counts)
	}
	r.task.Stats = s
	if r.OnReport != nil {
		r.OnReport(s)
	}
}

func (r *Recorder) where(where string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.task.Where = where
}

func (r *Recorder) memo(ctx context.Context, memo json.RawMessage) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !json.Valid(memo) {
		r.t.Errorf("memo is not JSON: %q", memo)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.task.Memo = append(json.RawMessage(nil), memo...)
	return nil
}

func (r *Recorder) keep(ctx context.Context, rs []syncline.Reject) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range rs {
		if one.RunID != r.Run.ID || one.Task != r.task.Name || one.Code == "" || one.Message == "" {
			r.t.Errorf("reject without run, task, code or message: %+v", one)
		}
		one.Sample = append([]byte(nil), one.Sample...)
		r.rejects[fmt.Sprintf("%s/%d", one.Part, one.Row)] = one
	}
	return nil
}

func (r *Recorder) note(s syncline.Severity, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf("%s: "+format, append([]any{s}, args...)...))
}

func (r *Recorder) asked() error {
	r.mu.Lock()
	r.held++
	ask := r.Held
	r.mu.Unlock()
	if ask == nil {
		return nil
	}
	return ask()
}
