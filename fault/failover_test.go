package fault_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/store/postgres"
)

var failovers = flag.Int("failovers", 0, "kills of the ledger's primary under Patroni; 0 skips them (make failover)")

const (
	failoverTTL     = 3 * time.Second
	failoverServers = 3
	workersEach     = 4
)

// TestFailover: the ledger's primary is killed again and again while servers start, claim
// and finish runs. What was acknowledged is there in the end, no run was held twice at
// once, and what a dead worker held was taken over within lease and failover.
func TestFailover(t *testing.T) {
	if *failovers == 0 {
		t.Skip("make failover")
	}
	t.Logf("seed %d", *seed)
	c := newCluster(t)
	execute(t, connect(t, c.url("postgres")), "create database ledger")
	l := newLoad(t, c)
	var away time.Duration
	for n := range *failovers {
		c.until("commits wait for both servers", time.Minute, c.synchronous)
		acked := l.acked.Load()
		c.until("the ledger is at work", time.Minute, func() bool { return l.acked.Load() > acked+100 })
		took := c.kill()
		away = max(away, took)
		t.Logf("failover %d: the other server led after %s; %d acknowledged so far", n+1, took.Round(10*time.Millisecond), l.acked.Load())
	}
	c.until("commits wait for both servers", time.Minute, c.synchronous)
	acked := l.acked.Load()
	c.until("the ledger is at work", time.Minute, func() bool { return l.acked.Load() > acked+100 })
	l.stop()
	l.check(away)
}

// load is servers that share the ledger, and what they were told.
type load struct {
	t       *testing.T
	servers []*ledger.Ledger
	acked   atomic.Int64
	quit    chan struct{}
	all     sync.WaitGroup

	mu       sync.Mutex
	started  map[string]bool
	claims   map[string][]claimed // by run
	finished map[string]bool
	dropped  map[string]time.Time // runs whose worker died, since when
	resumed  []time.Duration      // how long that lasted
	failed   int                  // calls whose answer was an error
}

type claimed struct {
	token  int64
	worker string
}

func newLoad(t *testing.T, c *cluster) *load {
	l := &load{t: t, quit: make(chan struct{}), started: map[string]bool{}, claims: map[string][]claimed{}, finished: map[string]bool{}, dropped: map[string]time.Time{}}
	for i := range failoverServers {
		s, err := postgres.Open(t.Context(), c.url("ledger"), postgres.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		led := ledger.New(s, ledger.Options{TTL: failoverTTL})
		l.servers = append(l.servers, led)
		l.all.Go(func() { l.scan(led) })
		for w := range workersEach {
			l.pipeline(s, fmt.Sprintf("p%d-%d", i, w))
			l.all.Go(func() { l.work(led, fmt.Sprintf("p%d-%d", i, w), rand.New(rand.NewPCG(*seed, uint64(i*100+w)))) })
		}
	}
	return l
}

func (l *load) pipeline(s syncline.Store, name string) {
	p := &syncline.Pipeline{ID: name, Name: name, Revision: 1, CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC()}
	p.Definition.Owner, p.Definition.Overlap = syncline.OwnerEngine, syncline.OverlapQueue
	if err := s.Update(l.t.Context(), func(tx syncline.Tx) error { return tx.PutPipeline(p) }); err != nil {
		l.t.Fatal(err)
	}
}

// call repeats a call while the ledger is away, as the engine does.
func (l *load) call(fn func(context.Context) error) error {
	for {
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		err := fn(ctx)
		stop()
		if err == nil {
			l.acked.Add(1)
			return nil
		}
		e, ok := errors.AsType[*syncline.Error](err)
		if !ok || !e.Retryable {
			return err
		}
		l.mu.Lock()
		l.failed++
		l.mu.Unlock()
		time.Sleep(50 * time.Millisecond)
	}
}

func (l *load) stopped() bool {
	select {
	case <-l.quit:
		return true
	default:
		return false
	}
}

func (l *load) stop() {
	close(l.quit)
	l.all.Wait()
}

func (l *load) scan(led *ledger.Ledger) {
	for !l.stopped() {
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		_, _ = led.Scan(ctx) // the next one sees what this one did not
		stop()
		time.Sleep(200 * time.Millisecond)
	}
}

// work starts a run, and claims and finishes whichever is next; then again.
func (l *load) work(led *ledger.Ledger, pipeline string, r *rand.Rand) {
	w := syncline.Worker{ID: pipeline, Session: pipeline, Host: "h", Kinds: []string{"sync"}}
	for !l.stopped() {
		err := l.start(led, pipeline)
		for done := false; err == nil && !done && !l.stopped(); {
			if done, err = l.claim(led, w, r); !done {
				time.Sleep(20 * time.Millisecond)
			}
		}
		if err != nil {
			l.t.Errorf("worker of %s: %v", pipeline, err)
			return
		}
	}
}

func (l *load) start(led *ledger.Ledger, pipeline string) error {
	var run syncline.Run
	key := fmt.Sprintf("%s/%d", pipeline, time.Now().UnixNano()) // a repeated call starts no second run
	err := l.call(func(ctx context.Context) (err error) {
		run, _, err = led.Start(ctx, ledger.Order{PipelineID: pipeline, DedupeKey: key})
		return err
	})
	if err == nil {
		l.mu.Lock()
		l.started[run.ID] = true
		l.mu.Unlock()
	}
	return err
}

// claim takes the next run and ends it; some workers die instead.
func (l *load) claim(led *ledger.Ledger, w syncline.Worker, r *rand.Rand) (some bool, err error) {
	var grants []syncline.Grant
	err = l.call(func(ctx context.Context) (err error) {
		grants, err = led.Claim(ctx, w, 1)
		return err
	})
	for _, g := range grants {
		l.held(g.Run, w.ID)
		if r.IntN(20) == 0 {
			l.mu.Lock()
			l.dropped[g.Run.ID] = time.Now()
			l.mu.Unlock()
			continue
		}
		time.Sleep(time.Duration(r.Int64N(int64(50 * time.Millisecond))))
		if err := l.finish(led, g); err != nil {
			return false, err
		}
	}
	return len(grants) > 0, err
}

// held enters a claim in the register.
func (l *load) held(run syncline.Run, worker string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.claims[run.ID] {
		if c.token >= run.Token {
			l.t.Errorf("run %s was given to %s with token %d, after %d to %s", run.ID, worker, run.Token, c.token, c.worker)
		}
	}
	if l.finished[run.ID] {
		l.t.Errorf("run %s was given to %s after it had ended", run.ID, worker)
	}
	l.claims[run.ID] = append(l.claims[run.ID], claimed{run.Token, worker})
	if since, ok := l.dropped[run.ID]; ok {
		l.resumed = append(l.resumed, time.Since(since))
		delete(l.dropped, run.ID)
	}
}

// finish ends a run. One whose lease ended while the ledger was away belongs to another.
func (l *load) finish(led *ledger.Ledger, g syncline.Grant) error {
	err := l.call(func(ctx context.Context) error {
		_, err := led.Finish(ctx, g.Hold())
		return err
	})
	if errors.Is(err, syncline.ErrLeaseLost) {
		return nil
	}
	if err == nil {
		l.mu.Lock()
		l.finished[g.Run.ID] = true
		l.mu.Unlock()
	}
	return err
}

// check holds what the servers were told against what the ledger says.
func (l *load) check(away time.Duration) {
	var longest time.Duration
	for _, d := range l.resumed {
		longest = max(longest, d)
	}
	l.t.Logf("%d runs, %d finished, %d calls failed and were repeated, %d taken over from the dead, the last after %s", len(l.started), len(l.finished), l.failed, len(l.resumed), longest.Round(10*time.Millisecond))
	if l.failed == 0 || len(l.resumed) == 0 {
		l.t.Error("no call met a failover, or nobody died: this proves nothing")
	}
	// A lease, another one in which a ledger that was away releases nothing, a second of scanning.
	if limit := 2*failoverTTL + away + 2*time.Second; longest > limit {
		l.t.Errorf("a dead worker's run was taken over after %s, want %s", longest, limit)
	}
	for id := range l.started {
		l.checkRun(id)
	}
}

func (l *load) checkRun(id string) {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	detail, err := l.servers[0].Run(ctx, id)
	if err != nil {
		l.t.Errorf("run %s was acknowledged: %v", id, err)
		return
	}
	run := detail.Run
	events, err := l.servers[0].Events(ctx, id, 0, 1000)
	if err != nil {
		l.t.Errorf("run %s: %v", id, err)
		return
	}
	claims, ends := 0, 0
	for i, e := range events {
		if e.Seq != int64(i+1) {
			l.t.Errorf("run %s: event %d is numbered %d", id, i+1, e.Seq)
		}
		if e.Kind == "claim" {
			claims++
		}
		if e.State.Final() {
			ends++
		}
	}
	if got := l.claims[id]; claims < len(got) || len(got) > 0 && run.Token < got[len(got)-1].token {
		l.t.Errorf("run %s was claimed %d times, the ledger knows of %d", id, len(got), claims)
	}
	if ends > 1 || l.finished[id] && (ends != 1 || run.State != syncline.StateSucceeded) {
		l.t.Errorf("run %s: acknowledged as finished %t; it ended %d times and is %s", id, l.finished[id], ends, run.State)
	}
}
