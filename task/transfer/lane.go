package transfer

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// lane moves one part: a goroutine reads the next batch while the one before is written,
// so that two are in flight and no more.
type lane struct {
	*transfer
	part  source.Part
	token int64 // the run's, or one for the part alone: then others may have written it before
	from  rows.Position
	purse *purse

	durable rows.Position // when it is done
	read    int64         // rows the source counted since from
	readErr error         // set before batches is closed
	seen    time.Time
}

// parcel is a batch with what was paid for it.
type parcel struct {
	rows.Batch
	paid int64
}

// run moves the part as soon as there is room for it.
func (l *lane) run(ctx context.Context) error {
	give, err := l.room.take(ctx)
	if err != nil {
		return err
	}
	defer give()
	return l.move(ctx)
}

// move ends with the part done, or with an error and nothing half-written.
func (l *lane) move(ctx context.Context) (err error) {
	defer l.caught("write", &err)
	l.seen = time.Now()
	l.progress.started(l.part.ID)
	to, err := l.writer.Part(ctx, l.part.ID, l.token)
	if err != nil {
		return fmt.Errorf("open part %s: %w", l.part.ID, err)
	}
	defer func() { _ = to.Close() }()
	if at, ok := to.(destination.Placed); ok && l.token != l.call.Token {
		l.from = at.At()
		l.progress.moved(l.part.ID, l.from)
		if l.durable = l.from; l.from.Done {
			return nil
		}
	}
	batches, stop := l.start(ctx)
	defer stop()
	if err := l.writeAll(ctx, to, batches); err != nil {
		return err
	}
	if l.readErr != nil {
		return fmt.Errorf("read part %s: %w", l.part.ID, l.readErr)
	}
	return l.finish(ctx, to)
}

// start sets the reader to work; stop ends it, waits for it and lets go of what it holds.
func (l *lane) start(ctx context.Context) (batches <-chan parcel, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	out := make(chan parcel)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(out)
		l.readErr = l.readAll(ctx, out)
	})
	return out, func() {
		cancel()
		for p := range out {
			p.Release()
			l.purse.spent(p.paid, false)
		}
		reading.Wait()
		l.purse.empty()
	}
}

func (l *lane) readAll(ctx context.Context, out chan<- parcel) (err error) {
	var paid int64
	defer func() { l.purse.budget.Give(paid) }()
	defer l.caught("read", &err)
	if paid, err = l.pay(ctx); err != nil {
		return err
	}
	for b, err := range l.src.Read(ctx, l.order.query, l.memo.Plan, l.part, l.from.Next) {
		if err != nil {
			return err
		}
		l.read += b.Read()
		l.progress.read(b.Read())
		p := parcel{b, l.purse.weigh(paid, &b)}
		paid = 0
		if !l.send(ctx, out, p) {
			p.Release()
			l.purse.budget.Give(p.paid)
			return ctx.Err()
		}
		if paid, err = l.pay(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (l *lane) pay(ctx context.Context) (int64, error) {
	asked := time.Now()
	defer func() { l.progress.waited(waits{reader: time.Since(asked)}) }()
	return l.purse.take(ctx)
}

func (l *lane) send(ctx context.Context, out chan<- parcel, p parcel) bool {
	asked := time.Now()
	defer func() { l.progress.waited(waits{reader: time.Since(asked)}) }()
	select {
	case out <- p:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *lane) writeAll(ctx context.Context, to destination.Lane, batches <-chan parcel) error {
	for {
		asked := time.Now()
		p, more := <-batches
		l.progress.waited(waits{writer: time.Since(asked), total: l.elapsed()})
		if !more {
			return nil
		}
		if err := l.write(ctx, to, p); err != nil {
			return err
		}
	}
}

// write makes one batch durable. The lease is asked for as late as can be.
func (l *lane) write(ctx context.Context, to destination.Lane, p parcel) error {
	defer func() { l.purse.spent(p.paid, p.Next == nil) }()
	defer p.Release()
	if err := l.rejects.keep(ctx, l.part.ID, p.Rejects); err != nil {
		return err
	}
	if err := l.call.Held(); err != nil {
		return err
	}
	at, err := to.Write(ctx, p.Batch)
	if err != nil {
		return cmp.Or(l.rejects.cause(), fmt.Errorf("write part %s: %w", l.part.ID, err))
	}
	l.progress.moved(l.part.ID, at)
	return nil
}

// finish marks the part done and checks its books: every row that the source counted must
// be accounted for.
func (l *lane) finish(ctx context.Context, to destination.Lane) error {
	if err := l.call.Held(); err != nil {
		return err
	}
	at, err := to.Finish(ctx)
	if err != nil {
		return cmp.Or(l.rejects.cause(), fmt.Errorf("finish part %s: %w", l.part.ID, err))
	}
	l.progress.moved(l.part.ID, at)
	l.durable = at
	read := l.from.Counts.Read + l.read
	if !at.Done || !at.Counts.Balanced() || at.Counts.Read != read {
		return unbalanced("part %s of %s: the source read %d rows, the destination accounts for %s", l.part.ID, l.call.Task.Name, read, books(at.Counts))
	}
	return nil
}

func books(c syncline.Counts) string {
	return fmt.Sprintf("%d (inserted %d, updated %d, unchanged %d, superseded %d, deleted %d, rejected %d, filtered %d)",
		c.Read, c.Inserted, c.Updated, c.Unchanged, c.Superseded, c.Deleted, c.Rejected, c.Filtered)
}

// caught turns a panic at either end into the failure of this entity; the process has
// other runs to look after.
func (l *lane) caught(what string, err *error) {
	if p := recover(); p != nil {
		l.Env.Log.Error("panic", "doing", what, "run", l.call.Run.ID, "task", l.call.Task.Name, "part", l.part.ID, "panic", p, "stack", string(debug.Stack()))
		*err = fmt.Errorf("panic: %s part %s: %v", what, l.part.ID, p)
	}
}

// elapsed is the time since it was asked last.
func (l *lane) elapsed() time.Duration {
	last := l.seen
	l.seen = time.Now()
	return l.seen.Sub(last)
}
