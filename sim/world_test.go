package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/engine"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/schedule"
	"github.com/synclinehq/syncline/store/sqlite"
	"github.com/synclinehq/syncline/task"
)

const (
	ttl     = 15 * time.Second
	trouble = 75 * time.Second // of faults, before everything is well again
	patient = 10 * time.Minute // for all runs to end then
	minute  = 20 * time.Second // between the slots of the schedule
)

// world is one seed's ledger with all who work on it.
type world struct {
	t      *testing.T
	rand   *rand.Rand
	began  time.Time
	audit  *audit
	check  *checker
	dest   *destination
	people *process
	desk   *ledger.Ledger // people's own way
	live   []*process
	left   []*process // those that end or have ended

	mu   sync.Mutex
	did  map[string]int
	away time.Time       // nobody reaches the store until then
	gone map[string]bool // sessions whose process is known to have ended
	n    int
}

func newWorld(t *testing.T, seed uint64, path string) *world {
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 0)), began: time.Now(), did: map[string]int{}, gone: map[string]bool{}}
	w.audit = &audit{Store: db, beats: map[syncline.Hold]time.Time{}}
	w.check = newChecker(w)
	w.dest = &destination{w: w, loads: map[string]*load{}, grants: map[syncline.Hold]*process{}}
	w.people = w.process("people")
	w.desk = w.ledger(w.people)
	for i, overlap := range []syncline.Overlap{syncline.OverlapSkip, syncline.OverlapQueue, syncline.OverlapAllow} {
		w.pipeline(fmt.Sprint("p", i), overlap)
	}
	return w
}

// pipeline stores a pipeline; the second, whose runs queue, has a schedule.
func (w *world) pipeline(id string, overlap syncline.Overlap) {
	now := time.Now().UTC()
	p := &syncline.Pipeline{ID: id, Name: id, Revision: 1, CreatedAt: now, UpdatedAt: now}
	p.Definition = syncline.Definition{Owner: syncline.OwnerEngine, Overlap: overlap, MaxTries: 4, Parallel: 1}
	err := w.audit.Update(context.Background(), func(tx syncline.Tx) error {
		if overlap == syncline.OverlapSkip {
			s := syncline.Schedule{ID: "s", Every: minute, Anchor: now}
			if err := tx.PutSchedules(id, []syncline.ScheduleRow{{PipelineID: id, Schedule: s, NextSlot: now.Add(minute), Enabled: true}}); err != nil {
				return err
			}
		}
		return tx.PutPipeline(p)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) process(what string) *process {
	w.n++
	p := &process{audit: w.audit, w: w, name: fmt.Sprint(what, w.n), rand: rand.New(rand.NewPCG(w.rand.Uint64(), 1)), ended: make(chan struct{})}
	p.session = "session of " + p.name
	return p
}

func (w *world) ledger(p *process) *ledger.Ledger {
	return ledger.New(p, ledger.Options{TTL: ttl, Dead: func(session string) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.gone[session]
	}})
}

// begin starts a process with its own ledger.
func (w *world) begin(what string, run func(context.Context, *process, *ledger.Ledger) error) {
	p := w.process(what)
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	w.live = append(w.live, p)
	l := w.ledger(p)
	go func() {
		defer close(p.ended)
		_ = run(ctx, p, l)
	}()
}

func (w *world) worker() {
	w.begin("worker", func(ctx context.Context, p *process, l *ledger.Ledger) error {
		kind := w.dest.kind(p, l)
		return engine.NewWorker(engine.WorkerOptions{
			Door: l, Opener: asIs{}, Tasks: func(string) (task.Kind, bool) { return kind, true }, Runs: 1, Poll: 3 * time.Second,
			// Its flush waits for a lock that is held across calls, where no virtual time
			// can pass; tasks report by themselves here.
			Flush: 24 * time.Hour,
			Self:  syncline.Worker{ID: p.name, Session: p.session, Host: "h", Kinds: []string{"sync"}},
		}).Run(ctx)
	})
}

func (w *world) server() {
	w.begin("server", func(ctx context.Context, _ *process, l *ledger.Ledger) error {
		return engine.NewKeeper(engine.KeeperOptions{
			Ledger: l, Next: schedule.Next, Scan: 2 * time.Second, Tick: 3 * time.Second, Prune: time.Hour,
			Pipelines: func(context.Context, string) ([]*syncline.Pipeline, error) { return nil, nil },
		}).Run(ctx)
	})
}

// asIs opens endpoints that hold no secrets.
type asIs struct{}

func (asIs) Open(_ context.Context, d syncline.Definition) (syncline.Definition, error) {
	return d, nil
}

func (w *world) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.did[what]++
}

func (w *world) awayUntil() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.away
}

// play lets trouble happen, then waits until everything has come to its end.
func (w *world) play() {
	w.server()
	w.server()
	for range 4 {
		w.worker()
	}
	for time.Since(w.began) < trouble && !w.t.Failed() {
		time.Sleep(time.Duration(w.rand.IntN(4000)) * time.Millisecond)
		w.act()
		w.check.settled()
	}
	w.heal()
	w.quiet()
	for _, p := range slices.Concat(w.live, w.left) {
		p.stop()
		<-p.ended
	}
	w.check.settled()
	w.check.end()
	if err := w.audit.Close(); err != nil {
		w.t.Error(err)
	}
}

// act does one thing, good or bad.
func (w *world) act() {
	victim := w.live[w.rand.IntN(len(w.live))]
	span := time.Duration(1+w.rand.IntN(35)) * time.Second
	switch w.rand.IntN(16) {
	case 0, 1:
		w.note("pause")
		victim.set(func() { victim.pause = time.Now().Add(span) })
	case 2:
		w.crash(victim)
	case 3, 4:
		w.note("partition")
		victim.set(func() { victim.cut, victim.how = time.Now().Add(span), cut(w.rand.IntN(int(cuts))) })
	case 5:
		w.note("slow")
		victim.set(func() { victim.slow = time.Now().Add(span) })
	case 6:
		w.halt(victim)
	case 7:
		w.lose(span)
	case 8:
		w.jump()
	default:
		w.person()
	}
}

// lose takes the store from everybody; what is not heard of meanwhile is not dead.
func (w *world) lose(span time.Duration) {
	w.note("away")
	w.mu.Lock()
	w.away = time.Now().Add(span)
	w.mu.Unlock()
}

// crash ends a process without a word. Half of them are seen to be gone by the others.
func (w *world) crash(p *process) {
	w.note("crash")
	p.set(func() { p.dead = true })
	p.stop()
	if w.rand.IntN(2) == 0 {
		w.mu.Lock()
		w.gone[p.session] = true
		w.mu.Unlock()
	}
	w.replace(p)
}

// halt asks a process to stop; it may be in any trouble while it does.
func (w *world) halt(p *process) {
	w.note("stop")
	p.stop()
	w.replace(p)
}

// replace puts another process of its kind into the place of one that ends; that one is
// waited for at the end.
func (w *world) replace(p *process) {
	w.live = slices.DeleteFunc(w.live, func(q *process) bool { return q == p })
	w.left = append(w.left, p)
	if p.name[0] == 's' {
		w.server()
	} else {
		w.worker()
	}
}

// jump is a server that looks for due slots with its clock an hour off.
func (w *world) jump() {
	w.note("jump")
	p := w.process("jumper")
	p.skew = -time.Hour
	if w.rand.IntN(12) == 0 {
		p.skew = time.Hour // every slot of that hour is used up at once
	}
	_, _ = w.ledger(p).Tick(context.Background(), schedule.Next)
}

// person starts a run, or does something to one that there is.
func (w *world) person() {
	ctx := context.Background()
	runs := w.check.unfinished()
	if len(runs) < 2 || len(runs) < 8 && w.rand.IntN(2) == 0 {
		o := ledger.Order{PipelineID: fmt.Sprint("p", w.rand.IntN(3)), Adopt: w.rand.IntN(4) == 0}
		if _, _, err := w.desk.Start(ctx, o); err == nil {
			w.note("start")
		}
		return
	}
	run := runs[w.rand.IntN(len(runs))]
	var err error
	var what string
	switch w.rand.IntN(5) {
	case 0:
		what = "cancel"
		_, err = w.desk.Cancel(ctx, run, "")
	case 1, 2:
		what = "hold"
		_, err = w.desk.Hold(ctx, run, "")
	default:
		what = "resume"
		_, err = w.desk.Resume(ctx, run, syncline.WaitMassDelete)
	}
	if err == nil {
		w.note(what)
	}
}
