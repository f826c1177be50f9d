package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/source"
)

// breaker hands out connections that break at the commit of a transaction in which a
// certain statement was sent: before the server has it, or before its answer is read.
type breaker struct {
	after  string // the statement
	before bool   // the commit is lost, not its answer
	armed  atomic.Bool
	broken atomic.Int64
}

func (b *breaker) env() source.Env {
	e := env()
	e.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &breaking{Conn: c, b: b}, err
	}
	return e
}

type breaking struct {
	net.Conn
	b    *breaker
	seen bool
}

func (c *breaking) Write(p []byte) (int, error) {
	c.seen = c.seen || bytes.Contains(p, []byte(c.b.after))
	if !c.seen || !bytes.Contains(p, []byte("commit\x00")) || !c.b.armed.CompareAndSwap(true, false) {
		return c.Conn.Write(p)
	}
	c.b.broken.Add(1)
	if c.b.before {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Write(p)
	_, _ = c.Read(make([]byte, 1)) // the server has committed; nobody reads its answer
	_ = c.Close()
	return n, err
}

const checkpointed = "set seq = $4 + 1"

// A commit whose answer was lost is looked up: what has landed is not written again.
func TestAnswerOfACommitIsLost(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, how := range []syncline.Disposition{syncline.Append, syncline.Upsert, syncline.Replace} {
		t.Run(string(how), func(t *testing.T) {
			p.anew(t)
			b := &breaker{after: checkpointed}
			l, err := p.startIn(t, b.env(), "people", feed{}.of(how), func(to *destination.Target) { to.Disposition = how })
			if err != nil {
				t.Fatal(err)
			}
			lane, err := l.w.Part(t.Context(), "0", l.target.Fence.Token)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = lane.Close() }()
			for n := range 4 {
				b.armed.Store(true)
				l.feed.rows = numbered(n*100, n*100+100).rows
				batch := l.batch(fmt.Sprint(n))
				batch.First = int64(n * 100)
				_, err := lane.Write(t.Context(), batch)
				batch.Release()
				if err != nil {
					t.Fatalf("batch %d: %v", n, err)
				}
			}
			b.armed.Store(true)
			at, err := lane.Finish(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.w.Publish(t.Context(), nil, at.Counts, nil); err != nil {
				t.Fatal(err)
			}
			p.shows(t, "select count(*), count(distinct id) from people", "(400,400)")
			if at.Counts.Inserted != 400 || !at.Counts.Balanced() {
				t.Errorf("%+v", at.Counts)
			}
			if b.broken.Load() == 0 {
				t.Fatal("no commit was cut: this shows nothing")
			}
		})
	}
}

// of are the fields of people, without a key where rows are appended.
func (f feed) of(how syncline.Disposition) feed {
	f = people()
	if how == syncline.Append {
		f.key = nil
	}
	return f
}

// A commit that did not arrive is not taken for one: the step fails as retryable, and the
// next attempt goes on at the last checkpoint.
func TestCommitIsLost(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	b := &breaker{after: checkpointed, before: true}
	l, err := p.startIn(t, b.env(), "people", numbered(0, 50), upsert)
	if err != nil {
		t.Fatal(err)
	}
	b.armed.Store(true)
	err = l.write(t.Context())
	if e, ok := errors.AsType[*syncline.Error](err); !ok || !e.Retryable || e.Class != syncline.ClassNetwork {
		t.Fatalf("%v", err)
	}
	again, out := p.mustLoad(t, "people", numbered(0, 50), upsert, func(to *destination.Target) { to.Load = l.target.Load })
	if again.sum.Inserted != 50 || out.Counts.Read != 50 {
		t.Errorf("%+v", again.sum)
	}
	p.shows(t, "select count(*) from people", "(50)")
}

// A publish whose answer was lost was done once, and says so as if nothing had happened.
func TestAnswerOfAPublishIsLost(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, before := range []bool{false, true} {
		p.anew(t)
		p.mustLoad(t, "people", numbered(0, 3))
		b := &breaker{after: "set done = true", before: before}
		l, err := p.startIn(t, b.env(), "people", numbered(1, 5))
		if err == nil {
			err = l.write(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		b.armed.Store(true)
		out, err := l.publish(t.Context())
		if err != nil || out.Total != 4 || out.Swept != 1 || b.broken.Load() != 1 {
			t.Errorf("before the commit %t: %+v, %d cut: %v", before, out, b.broken.Load(), err)
		}
		p.shows(t, "select id from people", "(1)\n(2)\n(3)\n(4)")
		if left := p.Leftovers(t); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// stopper stops a connection in the middle of COPY, as SIGSTOP does a process: it holds
// what it has locked, and neither end closes it.
type stopper struct {
	armed   atomic.Bool
	once    sync.Once
	stopped chan struct{}
	goOn    chan struct{}
}

func (s *stopper) env() source.Env {
	e := env()
	e.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return &stopping{Conn: c, s: s}, err
	}
	return e
}

type stopping struct {
	net.Conn
	s *stopper
}

func (c *stopping) Write(p []byte) (int, error) {
	if c.s.armed.Load() && bytes.HasPrefix(p, []byte{'d'}) { // CopyData
		half, err := c.Conn.Write(p[:len(p)/2])
		if err != nil {
			return half, err
		}
		c.s.once.Do(func() { close(c.s.stopped) })
		<-c.s.goOn
		rest, err := c.Conn.Write(p[len(p)/2:])
		return half + rest, err
	}
	return c.Conn.Write(p)
}

// The holder is stopped within COPY into a table with a key that its successor needs.
func TestHolderIsStoppedWithinCopy(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, how := range []syncline.Disposition{syncline.Append, syncline.Upsert, syncline.Replace} {
		t.Run(string(how), func(t *testing.T) {
			p.anew(t)
			s := &stopper{stopped: make(chan struct{}), goOn: make(chan struct{})}
			f := numbered(0, 5000)
			f.key = feed{}.of(how).key
			as := func(to *destination.Target) { to.Disposition, to.Load = how, "load" }
			old, err := p.startIn(t, s.env(), "people", f, as)
			if err != nil {
				t.Fatal(err)
			}
			s.armed.Store(true)
			ended := make(chan error, 1)
			go func() { ended <- old.write(context.Background()) }()
			<-s.stopped
			began := time.Now()
			p.mustLoad(t, "people", f, as)
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the successor was held up for %s", took)
			}
			close(s.goOn)
			if err := <-ended; !errors.Is(err, syncline.ErrLeaseLost) {
				t.Errorf("the stopped holder went on: %v", err)
			}
			p.shows(t, "select count(*) from people", "(5000)")
		})
	}
}

// The holder is stopped within Publish, with the target locked.
func TestHolderIsStoppedWithinPublish(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.mustLoad(t, "people", numbered(0, 3))
	f := numbered(0, 50)
	same := func(to *destination.Target) { to.Load = "load" }
	old, err := p.start(t, "people", f, same)
	if err == nil {
		err = old.write(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	tx := &publishing{writer: old.w.(*writer), phase: func(string) {}, sum: old.sum}
	if tx.tx, err = tx.conn.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.publish(t.Context()); err != nil { // all but the commit
		t.Fatal(err)
	}
	next, err := p.start(t, "people", f, same)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.tx.Commit(t.Context()); err == nil {
		t.Error("the stopped holder committed")
	}
	next.sum = next.at.Parts["0"].Counts
	if _, err := old.publish(t.Context()); !errors.Is(err, syncline.ErrLeaseLost) {
		t.Errorf("the stopped holder published: %v", err)
	}
	if _, err := next.publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.shows(t, "select count(*) from people", "(50)")
}

// Many first writers at once make one checkpoint table.
func TestFirstWritersRace(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for range 3 {
		p.exec(t, "drop schema if exists new cascade")
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				table := fmt.Sprintf("new.people_%d", n)
				if _, _, err := p.load(t, table, numbered(0, 3)); err != nil {
					t.Errorf("%s: %v", table, err)
				}
			})
		}
		all.Wait()
		p.shows(t, "select count(*) from new._syncline_checkpoints where done", "(8)")
	}
}

// Cancelled while it waits for a lock, a step ends at once and leaves no goroutine behind.
func TestCancelWithinPublish(t *testing.T) {
	p := newPlace(t)
	p.mustLoad(t, "people", numbered(0, 3))
	blocker := placeAt(t, p.url)
	running := goleak.IgnoreCurrent()
	l, err := p.start(t, "people", numbered(0, 5))
	if err == nil {
		err = l.write(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	blocker.exec(t, "begin; lock table people in access exclusive mode")
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	began := time.Now()
	_, err = l.publish(ctx)
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 1300*time.Millisecond {
		t.Errorf("after %s: %v", took, err)
	}
	l.close()
	goleak.VerifyNone(t, running)
	blocker.exec(t, "rollback")
	p.mustLoad(t, "people", numbered(0, 5), func(to *destination.Target) { to.Load = l.target.Load })
}

func TestServerIsGone(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	l, err := p.start(t, "people", numbered(0, 5))
	if err == nil {
		err = l.write(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	// As a restart of the server would: every session ends, the stage stays.
	p.exec(t, "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
	if _, err := l.publish(t.Context()); err != nil {
		t.Fatalf("publish does not come back: %v", err)
	}
	p.shows(t, "select count(*) from people", "(5)")
}

func TestPasswordNeverShows(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	doc := strings.Replace(p.url, "postgres@", "nobody:canary@", 1)
	_, err := (&place{url: doc}).tryOpen(t, env())
	if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "canary") {
		t.Errorf("%v", err)
	}
}

// Where no session can be ended, the token alone refuses the older holder: at a commit of
// rows, at Publish, at Discard and at a new part.
func TestTokenAlone(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	old, err := p.start(t, "people", numbered(0, 5))
	if err != nil {
		t.Fatal(err)
	}
	lane, err := old.w.Part(t.Context(), "0", old.target.Fence.Token)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.writeAs(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	newer := *old.w.(*writer)
	newer.token = nextToken()
	conn := placeAt(t, p.url).conn
	if _, err := newer.tryRaise(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	b := old.batch("end")
	defer b.Release()
	_, err = lane.Write(t.Context(), b)
	if err == nil {
		_, err = lane.Finish(t.Context())
	}
	for step, err := range map[string]error{
		"write":   err,
		"publish": func() error { _, err := old.w.Publish(t.Context(), nil, old.sum, nil); return err }(),
		"discard": old.w.Discard(t.Context()),
		"part":    func() error { _, err := old.w.Part(t.Context(), "2", old.target.Fence.Token); return err }(),
	} {
		if !errors.Is(err, syncline.ErrLeaseLost) {
			t.Errorf("%s: %v", step, err)
		}
	}
}

// A newer holder that comes while Publish is under way is noticed by its last statement.
func TestTokenMovesWithinPublish(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.mustLoad(t, "people", numbered(0, 3))
	l, err := p.start(t, "people", numbered(0, 5))
	if err == nil {
		err = l.write(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	newer := *l.w.(*writer)
	newer.token = nextToken()
	conn := placeAt(t, p.url).conn
	_, err = l.w.Publish(t.Context(), nil, l.sum, func(phase string) {
		if phase == "publish" {
			if _, err := newer.tryRaise(t.Context(), conn); err != nil {
				t.Error(err)
			}
		}
	})
	if !errors.Is(err, syncline.ErrLeaseLost) {
		t.Errorf("%v", err)
	}
	p.shows(t, "select count(*) from people", "(3)")
}
