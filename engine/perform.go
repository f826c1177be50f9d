package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/task"
)

// planner is the task kind that turns a pipeline's entities into tasks.
const planner = "transfer"

const defaultParallel = 4

// perform does the tasks of a held run and ends it, or hands it back.
func (w *Worker) perform(h *holding) {
	d, err := w.o.Opener.Open(h.ctx, h.grant.Definition)
	if err != nil {
		w.fail(h, err)
		return
	}
	tasks, err := w.plan(h, d)
	if err != nil {
		w.fail(h, err)
		return
	}
	w.leave(h, w.tasks(h, d, tasks))
}

// plan lists the run's tasks: those an earlier attempt stored, or the planner's.
func (w *Worker) plan(h *holding, d syncline.Definition) ([]*syncline.Task, error) {
	if len(h.grant.Tasks) > 0 {
		return h.grant.Tasks, nil
	}
	if h.grant.Run.Mode == syncline.ModeAccessControl {
		return nil, syncline.Errorf(syncline.Unimplemented, "no source reads yet who may see what: there is nothing an access control sync could do").
			Of(syncline.ClassConfig).Try("turn its schedule off, or leave it to an outside worker")
	}
	kind, ok := w.o.Tasks(planner)
	if !ok {
		return nil, syncline.Errorf(syncline.Internal, "this build has no task kind %q", planner)
	}
	planned, err := kind.Plan(h.ctx, d, h.grant.Run.Mode)
	if err != nil {
		return nil, err
	}
	var tasks []*syncline.Task
	err = persist(h.ctx, func(ctx context.Context) error {
		tasks, err = w.o.Door.Plan(ctx, h.grant.Hold(), planned)
		return err
	})
	return tasks, err
}

// tasks does what is not done yet, side by side, and returns the first wait for a person.
func (w *Worker) tasks(h *holding, d syncline.Definition, tasks []*syncline.Task) *task.Suspend {
	room := semaphore.NewWeighted(int64(cmp.Or(d.Parallel, defaultParallel)))
	var all sync.WaitGroup
	var mu sync.Mutex
	var wait *task.Suspend
	for _, t := range tasks {
		if t.State.Final() {
			continue
		}
		if room.Acquire(h.ctx, 1) != nil {
			break
		}
		all.Go(func() {
			defer room.Release(1)
			if s := w.one(h, d, *t); s != nil {
				mu.Lock()
				defer mu.Unlock()
				wait = cmp.Or(wait, s)
			}
		})
	}
	all.Wait()
	return wait
}

// one does one task and stores how it ended.
func (w *Worker) one(h *holding, d syncline.Definition, t syncline.Task) *task.Suspend {
	h.prime(t)
	hold := h.grant.Hold()
	err := persist(h.ctx, func(ctx context.Context) error { return w.o.Door.BeginTask(ctx, hold, t.Name) })
	if err == nil {
		err = w.do(h, d, t)
	}
	end, wait := w.judge(h, t.Name, err)
	if end == "" {
		return nil
	}
	w.end(h, t.Name, end, err)
	return wait
}

// do calls the task's kind; a panic in it is that task's failure, not the worker's.
func (w *Worker) do(h *holding, d syncline.Definition, t syncline.Task) (err error) {
	kind, ok := w.o.Tasks(t.Kind)
	if !ok {
		return syncline.Errorf(syncline.Unimplemented, "this build has no task kind %q", t.Kind)
	}
	defer w.caught(&err, "run", t.RunID, "task", t.Name)
	return kind.Do(h.ctx, w.call(h, d, t))
}

// caught turns a panic into the error of what is named; it is deferred.
func (w *Worker) caught(err *error, what ...any) {
	if p := recover(); p != nil {
		w.o.Log.Error("task panicked", append(what, "panic", p, "stack", string(debug.Stack()))...)
		*err = fmt.Errorf("panic: %v", p)
	}
}

func (w *Worker) call(h *holding, d syncline.Definition, t syncline.Task) *task.Call {
	hold := h.lease
	return &task.Call{
		Run: h.grant.Run, Token: h.grant.Run.Token, Definition: d, Task: t,
		Attempt: len(h.grant.Run.Attempts), Host: w.o.Self.Host,
		Report: func(s syncline.Stats) { h.report(t.Name, s) },
		Where:  func(where string) { h.land(t.Name, where) },
		Memo: func(ctx context.Context, memo json.RawMessage) error {
			return persist(ctx, func(ctx context.Context) error { return w.o.Door.Memo(ctx, hold, t.Name, memo) })
		},
		Keep: func(ctx context.Context, rs []syncline.Reject) error {
			return persist(ctx, func(ctx context.Context) error { return w.o.Door.Keep(ctx, hold, rs) })
		},
		Note: func(s syncline.Severity, format string, args ...any) { h.note(t.Name, s, format, args...) },
		Held: h.sure, Share: w.share(hold, t.Name),
	}
}

// judge turns what a task returned into the state its attempt ends in; "" when the run is
// no longer ours to write about.
func (w *Worker) judge(h *holding, name string, err error) (syncline.TaskState, *task.Suspend) {
	if err == nil {
		return syncline.TaskSucceeded, nil
	}
	if errors.Is(err, syncline.ErrLeaseLost) {
		h.stop(syncline.ErrLeaseLost)
		return "", nil
	}
	if h.ctx.Err() != nil {
		if errors.Is(context.Cause(h.ctx), syncline.ErrLeaseLost) {
			return "", nil
		}
		return syncline.TaskPending, nil
	}
	if s, ok := errors.AsType[*task.Suspend](err); ok {
		h.note(name, syncline.Warning, "waits (%s): %s", s.Wait, s.Err.Message)
		return syncline.TaskSuspended, s
	}
	e := w.shown(name, err)
	h.note(name, syncline.Failure, "%s", e.Message)
	if e.Retryable {
		return syncline.TaskRetryWait, nil
	}
	return syncline.TaskFailed, nil
}

// shown is an error as a person may see it: what has no code is internal, logged in full.
func (w *Worker) shown(what string, err error) *syncline.Error {
	if e, ok := errors.AsType[*syncline.Error](err); ok {
		return e
	}
	w.o.Log.Error("internal error", "task", what, "err", err)
	return syncline.Errorf(syncline.Internal, "internal error in %s", what).Of(syncline.ClassInternal).Try("the log of worker %s has the details", w.o.Self.ID)
}

// end stores how a task's attempt ended, with what it last reported.
func (w *Worker) end(h *holding, name string, state syncline.TaskState, err error) {
	w.reporting.Lock()
	defer w.reporting.Unlock()
	e := syncline.TaskEnd{Name: name, State: state}
	e.Stats, e.Where = h.last(name)
	if s, ok := errors.AsType[*task.Suspend](err); ok {
		e.Error = s.Err
	} else if state == syncline.TaskFailed || state == syncline.TaskRetryWait {
		e.Error = w.shown(name, err)
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(h.ctx), closing)
	defer stop()
	if err := persist(ctx, func(ctx context.Context) error { return w.o.Door.EndTask(ctx, h.grant.Hold(), e) }); err != nil {
		w.o.Log.Warn("store the end of a task", "run", h.grant.Run.ID, "task", name, "err", err)
		h.stop(syncline.ErrLeaseLost) // without it the run cannot be ended here
	}
}

// prime lets a task that ends without a report keep what the last attempt reported.
func (h *holding) prime(t syncline.Task) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stats[t.Name], h.where[t.Name] = t.Stats, t.Where
}

// closing bounds the last calls of a run: a ledger that is away for longer finds the
// lease ended and gives the run to somebody else.
const closing = 12 * time.Second

// leave ends a run here, in the way its context or its tasks say.
func (w *Worker) leave(h *holding, wait *task.Suspend) {
	hold := h.grant.Hold()
	cause := context.Cause(h.ctx)
	w.close(h, func(ctx context.Context) (err error) {
		switch {
		case errors.Is(cause, syncline.ErrLeaseLost):
			w.o.Log.Warn("lease lost", "run", hold.Run, "token", hold.Token)
			err = w.o.Door.Stale(ctx, hold) // whoever refused us, the run says so
		case errors.Is(cause, errCanceled):
			_, err = w.o.Door.AckCancel(ctx, hold)
		case cause != nil:
			_, err = w.o.Door.Yield(ctx, hold)
		case wait != nil:
			_, err = w.o.Door.Suspend(ctx, hold, wait.Wait, wait.Err)
		default:
			_, err = w.o.Door.Finish(ctx, hold)
		}
		return err
	})
}

// fail ends a run that did not come as far as its tasks.
func (w *Worker) fail(h *holding, err error) {
	if h.ctx.Err() != nil || errors.Is(err, syncline.ErrLeaseLost) {
		if errors.Is(err, syncline.ErrLeaseLost) {
			h.stop(err)
		}
		w.leave(h, nil)
		return
	}
	e := w.shown("the plan", err)
	h.note("", syncline.Failure, "%s", e.Message)
	w.close(h, func(ctx context.Context) error {
		_, err := w.o.Door.Fail(ctx, h.grant.Hold(), e)
		return err
	})
}

// close makes the last calls of a run.
func (w *Worker) close(h *holding, last func(context.Context) error) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(h.ctx), closing)
	defer stop()
	w.log(ctx, h)
	if err := persist(ctx, last); err != nil && !errors.Is(err, syncline.ErrLeaseLost) {
		w.o.Log.Error("end a run", "run", h.grant.Run.ID, "err", err)
	}
}

// persist repeats a ledger call while the ledger is away, at most two seconds apart. A
// call whose fate is unknown may be repeated: each is guarded by the token.
func persist(ctx context.Context, call func(context.Context) error) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := call(ctx)
		if err == nil || !transient(err) || !pause(ctx, wait) {
			return err
		}
	}
}

// transient reports whether the ledger may answer a little later.
func transient(err error) bool {
	e, ok := errors.AsType[*syncline.Error](err)
	return ok && e.Retryable
}
