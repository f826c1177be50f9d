package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/sqlstore"
)

const (
	// groupSize and groupTime bound what one commit makes durable together: the first
	// in a group waits for the others.
	groupSize = 64
	groupTime = 10 * time.Millisecond
)

var errClosed = syncline.Errorf(syncline.Unavailable, "the ledger is closed")

// writer owns the only connection that writes. A disk can make few commits a second but
// big ones, so the writer takes what waits, each caller in a savepoint of its own, and
// commits it together; nobody hears of success before.
type writer struct {
	conn  *conn
	ops   chan *op // without a buffer: what was received is always answered
	quit  chan struct{}
	done  chan struct{}
	close func() bool // false when it was closed before
}

// op is one caller's change. The caller's own goroutine makes it when the writer gives
// it the turn, so that one that waits for something holds up the others only until its
// ctx ends, and one that panics only hurts itself.
type op struct {
	ctx    context.Context
	turn   chan turn // given again when another's failure has undone it
	result chan error
}

type turn struct {
	s    *session
	said chan error
}

func newWriter(c *conn) *writer {
	w := &writer{conn: c, ops: make(chan *op), quit: make(chan struct{}), done: make(chan struct{})}
	var once sync.Once
	w.close = func() (first bool) {
		once.Do(func() { close(w.quit); first = true })
		<-w.done
		return first
	}
	go w.serve()
	return w
}

func (w *writer) serve() {
	defer close(w.done)
	for {
		select {
		case op := <-w.ops:
			w.group(op)
		case <-w.quit:
			return
		}
	}
}

// do makes a change and returns when it is durable or undone.
func (w *writer) do(ctx context.Context, fn func(*session) error) error {
	o := &op{ctx: ctx, turn: make(chan turn, 1), result: make(chan error, 1)}
	select {
	case w.ops <- o:
	case <-w.quit:
		return errClosed
	case <-ctx.Done():
		return sqlstore.Late(ctx)
	}
	return o.wait(fn)
}

// wait takes the turn when it comes, and waits for the commit.
func (o *op) wait(fn func(*session) error) error {
	late, taken := o.ctx.Done(), false
	var grace <-chan time.Time
	for {
		select {
		case t := <-o.turn:
			taken = true
			t.take(fn)
		case err := <-o.result:
			return err
		case <-late:
			if !taken {
				return sqlstore.Late(o.ctx)
			}
			late, grace = nil, time.After(sqlstore.Grace)
		case <-grace:
			return sqlstore.Unknown(o.ctx.Err())
		}
	}
}

var errExited = errors.New("a goroutine ended in a transaction of the ledger")

// take makes the change and says how it went, also when fn ends its goroutine.
func (t turn) take(fn func(*session) error) {
	err := errExited
	defer func() { t.said <- err }()
	err = fn(t.s)
}

// group makes the change of o and of those that wait behind it, and commits them.
func (w *writer) group(o *op) {
	if err := w.conn.run("begin immediate"); err != nil {
		o.result <- fmt.Errorf("begin to change the ledger: %w", explain(err))
		return
	}
	var kept []*op
	begun := time.Now()
	for n := 1; o != nil; n++ {
		err, lost := w.try(o)
		if lost {
			o.result <- err
			w.again(kept)
			return
		}
		if err == nil {
			kept = append(kept, o)
		} else {
			o.result <- err
		}
		o = nil
		if n < groupSize && time.Since(begun) < groupTime {
			o = w.waiting()
		}
	}
	w.commit(kept)
}

func (w *writer) waiting() *op {
	select {
	case o := <-w.ops:
		return o
	default:
		return nil
	}
}

// try gives o the turn and undoes what it did if it fails. lost says that SQLite has
// given up the transaction, and everybody's changes with it.
func (w *writer) try(o *op) (err error, lost bool) {
	if o.ctx.Err() != nil {
		return sqlstore.Late(o.ctx), false
	}
	if err := w.conn.run("savepoint op"); err != nil {
		return w.abandon(err), true
	}
	t := turn{s: &session{conn: w.conn, ctx: o.ctx, stmtCtx: context.Background()}, said: make(chan error, 1)}
	o.turn <- t
	select {
	case err = <-t.said:
	case <-o.ctx.Done():
		err = sqlstore.Late(o.ctx)
	}
	t.s.end()
	if err != nil {
		if e := w.conn.run("rollback to op"); e != nil {
			_ = w.abandon(e)
			return err, true
		}
	}
	if e := w.conn.run("release op"); e != nil {
		return errors.Join(err, w.abandon(e)), true
	}
	return err, false
}

// abandon rolls back what may be left of a transaction.
func (w *writer) abandon(err error) error {
	_ = w.conn.run("rollback") // it may be gone already
	return fmt.Errorf("change the ledger: %w", explain(err))
}

// again repeats changes that were undone with another's, each on its own.
func (w *writer) again(ops []*op) {
	for _, o := range ops {
		if err := w.conn.run("begin immediate"); err != nil {
			o.result <- fmt.Errorf("begin to change the ledger: %w", explain(err))
			continue
		}
		switch err, lost := w.try(o); {
		case err == nil:
			w.commit([]*op{o})
		case lost:
			o.result <- err
		default:
			o.result <- err
			_ = w.conn.run("rollback") // nothing is in it
		}
	}
}

// commit makes changes durable and answers for them.
func (w *writer) commit(ops []*op) {
	err := w.conn.run("commit")
	if err != nil {
		_ = w.conn.run("rollback") // it may be gone already
		err = fmt.Errorf("commit to the ledger: %w", explain(err))
	}
	for _, o := range ops {
		o.result <- err
	}
}
