package elasticsearch

import (
	"context"
	"hash/maphash"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
)

const (
	// commitBytes and commitAfter are when a checkpoint is worth a request of its own.
	commitBytes = 4 << 20
	commitAfter = 500 * time.Millisecond
)

// lane writes one part. Rows are sent while the next ones are encoded; the position moves
// when all up to it are acknowledged.
type lane struct {
	w       *writer
	part    placedPart // as it is durable
	enc     *encoder
	buckets []*bucket
	seed    maphash.Seed
	open    *epoch // rows since the last checkpoint that was asked for
	sealed  *epoch // rows whose checkpoint is under way; nil: none is
	last    time.Time
	life    context.Context // of requests, which outlast the calls in which they begin
	end     context.CancelFunc
	err     error // why nothing more can be written
}

// bucket takes the rows of some keys: it has one request under way, so that of one key
// the row that came last is written last.
type bucket struct {
	filling, spare *bulk
	sent           chan struct{} // closed when the request before is answered
}

var _ destination.Lane = (*lane)(nil)

func newLane(ctx context.Context, w *writer, p placedPart) (*lane, error) {
	enc, err := newEncoder(w, p.Part)
	if err != nil {
		return nil, err
	}
	l := &lane{w: w, part: p, enc: enc, seed: maphash.MakeSeed(), open: newEpoch(), last: w.db.env.Now()}
	l.life, l.end = context.WithCancel(context.WithoutCancel(ctx))
	for range w.db.InFlight { // a load may have no more parts than this one
		idle := make(chan struct{})
		close(idle)
		l.buckets = append(l.buckets, &bucket{filling: newBulk(w), spare: newBulk(w), sent: idle})
	}
	return l, nil
}

// Write encodes the rows and sends what fills a request.
func (l *lane) Write(ctx context.Context, b rows.Batch) (rows.Position, error) {
	if l.err == nil {
		l.err = l.write(ctx, b)
	}
	return l.part.Position, l.err
}

func (l *lane) write(ctx context.Context, b rows.Batch) error {
	if err := l.look(ctx); err != nil {
		return err
	}
	rec := l.w.shape.project(b.Record)
	defer rec.Release()
	rejects, err := l.rows(ctx, rec, b)
	if err != nil {
		return err
	}
	if len(rejects) > 0 {
		if err := l.w.target.Keep(ctx, l.part.Part, rejects); err != nil {
			return err
		}
	}
	l.open.add(syncline.Counts{
		Read: b.Read(), Rejected: int64(len(rejects) + len(b.Rejects)), Filtered: b.Filtered, Bytes: b.Bytes, Requests: b.Requests,
	})
	if b.Next == nil {
		return nil
	}
	l.open.next = b.Next
	return l.checkpoint(ctx)
}

// rows puts those that can be written into bulks and returns the others.
func (l *lane) rows(ctx context.Context, rec arrow.RecordBatch, b rows.Batch) (rejects []rows.Reject, err error) {
	key, ordinals := l.enc.keys(rec), b.Ordinals()
	for i := range int(rec.NumRows()) {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if r := l.enc.fault(rec, key, i); r != nil {
			r.Row = ordinals[i]
			rejects = append(rejects, *r)
			continue
		}
		gone := b.Ops != nil && b.Ops[i] == rows.Delete
		if err := l.put(ctx, rec, key, i, ordinals[i], gone); err != nil {
			return nil, err
		}
	}
	return rejects, nil
}

func (l *lane) put(ctx context.Context, rec arrow.RecordBatch, key []arrow.Array, i int, ordinal int64, gone bool) error {
	id := l.enc.name(key, i, ordinal)
	at := l.bucket(id)
	b := at.filling
	if gone {
		b.delete(id, ordinal)
	} else {
		b.index(id, ordinal)
		b.body = l.enc.document(b.body, rec, i)
		b.end()
	}
	switch {
	case len(b.body) > maxBody:
		return l.large(ctx, at)
	case len(b.body) >= fullBody:
		return l.flush(ctx, at)
	}
	return nil
}

func (l *lane) bucket(id []byte) *bucket {
	if len(l.buckets) == 1 {
		return l.buckets[0]
	}
	return l.buckets[maphash.Bytes(l.seed, id)%uint64(len(l.buckets))]
}

// large sends what there was before a row that is too large to stand beside it, and the
// row once nothing else is under way: two of its kind would be too much memory.
func (l *lane) large(ctx context.Context, at *bucket) error {
	if len(at.filling.items) > 1 {
		if err := at.idle(ctx); err != nil {
			return err
		}
		at.filling.carry(at.spare)
		at.filling, at.spare = at.spare, at.filling
		l.dispatch(at, at.spare)
	}
	if len(at.filling.body) < fullBody {
		return nil
	}
	for _, b := range l.buckets {
		if err := b.idle(ctx); err != nil {
			return err
		}
	}
	if err := l.flush(ctx, at); err != nil {
		return err
	}
	return at.idle(ctx)
}

// flush sends what a bucket holds.
func (l *lane) flush(ctx context.Context, at *bucket) error {
	if len(at.filling.items) == 0 {
		return nil
	}
	if err := at.idle(ctx); err != nil {
		return err
	}
	at.filling, at.spare = at.spare, at.filling
	l.dispatch(at, at.spare)
	return l.open.failure()
}

// idle waits for the request before.
func (b *bucket) idle(ctx context.Context) error {
	select {
	case <-b.sent:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dispatch sends a bulk beside what comes next. Nobody touches it until sent is closed.
func (l *lane) dispatch(at *bucket, b *bulk) {
	sent, e := make(chan struct{}), l.open
	at.sent = sent
	e.requests.Go(func() {
		defer close(sent)
		counts, err := l.carryOut(b)
		e.add(counts)
		e.fail(err)
		b.reset()
	})
}

// look takes note of a checkpoint that has become durable, or failed.
func (l *lane) look(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.sealed != nil {
		select {
		case <-l.sealed.done:
			return l.settle()
		default:
		}
	}
	return l.open.failure()
}

// Finish makes the rest durable and the part done.
func (l *lane) Finish(ctx context.Context) (rows.Position, error) {
	if l.err == nil && !l.part.Position.Done {
		l.err = l.finish(ctx)
	}
	return l.part.Position, l.err
}

func (l *lane) finish(ctx context.Context) error {
	if l.open.next == nil {
		l.open.next = l.lastNext()
	}
	if err := l.awaitSealed(ctx); err != nil {
		return err
	}
	if err := l.seal(ctx, true); err != nil {
		return err
	}
	return l.awaitSealed(ctx)
}

// Close ends the lane and waits for what it has begun.
func (l *lane) Close() error {
	l.end()
	for _, b := range l.buckets {
		<-b.sent
	}
	if l.sealed != nil {
		<-l.sealed.done
	}
	if l.err == nil {
		l.err = syncline.Errorf(syncline.FailedPrecondition, "the lane of part %s is closed", l.part.Part).Of(syncline.ClassInternal)
	}
	return nil
}
