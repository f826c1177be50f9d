package engine

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/task"
)

// Opener opens the endpoints of a definition: secrets unsealed, references resolved.
type Opener interface {
	Open(ctx context.Context, d syncline.Definition) (syncline.Definition, error)
}

// WorkerOptions configures a Worker. Door, Opener, Tasks and Self are required.
type WorkerOptions struct {
	Door   Door
	Opener Opener
	Tasks  func(kind string) (task.Kind, bool)
	Self   syncline.Worker
	Log    *slog.Logger
	Runs   int           // side by side; default 4
	Beat   time.Duration // between beats; default 5 s
	Poll   time.Duration // between looks for work when nothing is known to have changed; default 1 s
	Flush  time.Duration // between reports of progress; default 1 s
	// Once, if set, is told which run was claimed: the first one is the only one. The worker
	// goes on with it, also when it comes back for another try, until ctx ends, and helps
	// with no other.
	Once func(run string)
}

// Worker claims runs and does their tasks.
type Worker struct {
	o      WorkerOptions
	runs   sync.WaitGroup
	mu     sync.Mutex
	active map[syncline.Hold]*holding
	only   []string
	freed  chan struct{} // a run has ended: there is room for another
	// reporting orders reports and ends of tasks, so that an older report cannot
	// overwrite what a task ended with.
	reporting sync.Mutex
}

// NewWorker makes a worker; Run sets it to work.
func NewWorker(o WorkerOptions) *Worker {
	o.Runs = cmp.Or(o.Runs, 4)
	o.Beat = cmp.Or(o.Beat, 5*time.Second)
	o.Poll = cmp.Or(o.Poll, time.Second)
	o.Flush = cmp.Or(o.Flush, time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Worker{o: o, active: map[syncline.Hold]*holding{}, only: o.Self.Only, freed: make(chan struct{}, 1)}
}

// Allow lets a worker that is limited to some pipelines claim runs of one more.
func (w *Worker) Allow(pipelineID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.only = append(w.only, pipelineID)
}

// Busy is how many runs, and parts of others', the worker holds.
func (w *Worker) Busy() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.active)
}

// ErrNothing is what Run returns with Once when there was nothing to claim.
var ErrNothing = errors.New("nothing to claim")

// Run works until ctx ends; then it claims no more, hands back what it holds, which costs
// no try, and returns when all it started has ended.
func (w *Worker) Run(ctx context.Context) error {
	side, stop := context.WithCancel(context.WithoutCancel(ctx))
	var loops sync.WaitGroup
	loops.Go(func() { w.every(side, w.o.Beat, w.beat) })
	loops.Go(func() { w.every(side, w.o.Flush, w.flush) })
	err := w.claim(ctx)
	w.runs.Wait()
	stop()
	loops.Wait()
	return err
}

// claim takes runs as long as there is room for them.
func (w *Worker) claim(ctx context.Context) error {
	for ctx.Err() == nil {
		changed := w.o.Door.Changed()
		n, err := w.take(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			w.o.Log.Warn("claim", "err", err)
		case n > 0:
			continue
		case w.o.Once != nil && err == nil && w.self().Run == "":
			return ErrNothing
		case err == nil && w.o.Once == nil && w.help(ctx):
			continue
		}
		w.idle(ctx, changed)
	}
	return nil
}

// idle waits until there may be something to claim.
func (w *Worker) idle(ctx context.Context, changed <-chan struct{}) {
	// A busy ledger changes all the time; one look every tenth of a second is enough.
	const breath = 100 * time.Millisecond
	pause(ctx, min(breath, w.o.Poll))
	poll := time.NewTimer(w.o.Poll)
	defer poll.Stop()
	select {
	case <-ctx.Done():
	case <-changed:
	case <-w.freed:
	case <-poll.C:
	}
}

// take claims what there is room for and sets it going.
func (w *Worker) take(ctx context.Context) (int, error) {
	room := w.o.Runs - w.Busy()
	if w.o.Once != nil {
		room = min(room, 1)
	}
	if room <= 0 {
		return 0, nil
	}
	sent := time.Now()
	grants, err := w.o.Door.Claim(ctx, w.self(), room)
	if err != nil {
		return 0, err
	}
	for _, g := range grants {
		w.settle(g.Run.ID)
		w.begin(newHolding(ctx, g, sent), w.perform)
	}
	return len(grants), nil
}

// settle makes the first run the only one, if there is to be but one.
func (w *Worker) settle(run string) {
	if w.o.Once == nil || w.self().Run != "" {
		return
	}
	w.mu.Lock()
	w.o.Self.Run = run
	w.mu.Unlock()
	w.o.Once(run)
}

func (w *Worker) self() syncline.Worker {
	w.mu.Lock()
	defer w.mu.Unlock()
	self := w.o.Self
	self.Only = append([]string(nil), w.only...)
	return self
}

// begin sets to work on what was claimed.
func (w *Worker) begin(h *holding, do func(*holding)) {
	w.mu.Lock()
	w.active[h.lease] = h
	w.mu.Unlock()
	w.runs.Go(func() { w.hold(h, do) })
}

// hold does one run, or a part, from claim to whatever ends it here.
func (w *Worker) hold(h *holding, do func(*holding)) {
	defer func() {
		w.mu.Lock()
		delete(w.active, h.lease)
		w.mu.Unlock()
		h.stop(nil)
		select {
		case w.freed <- struct{}{}:
		default:
		}
	}()
	do(h)
}

func (w *Worker) holdings() []*holding {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]*holding, 0, len(w.active))
	for _, h := range w.active {
		out = append(out, h)
	}
	return out
}

// every calls fn at an interval until ctx ends.
func (w *Worker) every(ctx context.Context, d time.Duration, fn func(context.Context)) {
	for pause(ctx, d) {
		fn(ctx)
	}
}

// pause waits; false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
