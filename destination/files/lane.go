package files

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/durable"
	"github.com/synclinehq/syncline/rows"
)

// lane writes one part to its stage. Rows go to the file as they come; they are valid
// once the part's marker says so.
type lane struct {
	w      *Writer
	part   part // as it is durable
	f      *os.File
	member io.WriteCloser  // open since the last checkpoint; each is one of the codec's
	counts syncline.Counts // of all that is written
	fresh  int64           // bytes written since the last save began
	saving *saving
	life   context.Context // of saves, which outlast the calls in which they begin
	end    context.CancelFunc
	buf    []byte
	err    error // of a step that failed: what the file holds behind Size is not known
}

var _ destination.Lane = (*lane)(nil)

// newLane opens the stage at the end of what is valid.
func (w *Writer) newLane(ctx context.Context, p part) (*lane, error) {
	f, err := w.tree.OpenFile(p.File, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, failed("make", p.File, err)
	}
	l := &lane{w: w, part: p, f: f, counts: p.Position.Counts}
	l.life, l.end = context.WithCancel(context.WithoutCancel(ctx))
	if err := l.begin(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *lane) begin(ctx context.Context) error {
	err := l.f.Truncate(l.part.Size)
	if err == nil {
		_, err = l.f.Seek(l.part.Size, io.SeekStart)
	}
	if err == nil {
		err = durable.SyncDir(l.w.tree, filepath.Dir(l.part.File))
	}
	if err != nil {
		return failed("make", l.part.File, err)
	}
	if l.part.Size == 0 && len(l.w.format.header) > 0 {
		// In a member of its own, so that joining stages can leave it out.
		if err := errors.Join(l.put(l.w.format.header), l.endMember()); err != nil {
			return failed("write", l.part.File, err)
		}
	}
	// From here on lanes with an older token are refused.
	return l.w.fenced(ctx, func(*stream) error {
		there, ok, err := l.w.markers.readPart(l.part.ID)
		if err == nil && ok && there.Token > l.part.Token {
			err = syncline.ErrLeaseLost
		}
		if err != nil || ok && there.Token == l.part.Token {
			return err
		}
		return l.w.markers.writePart(l.part)
	})
}

// Write encodes the rows, and has all that is written made durable when the batch ends at
// a checkpoint.
func (l *lane) Write(ctx context.Context, b rows.Batch) (rows.Position, error) {
	if l.err != nil {
		return l.part.Position, l.err
	}
	if l.err = l.write(ctx, b); l.err == nil {
		l.err = l.checkpoint(ctx, b.Next)
	}
	return l.part.Position, l.err
}

func (l *lane) write(ctx context.Context, b rows.Batch) error {
	for _, op := range b.Ops {
		if op != rows.Put {
			return syncline.Errorf(syncline.Unimplemented, "a row of %s asks to be deleted, which a file cannot do", l.w.t.Entity.Name).
				Of(syncline.ClassDestination).Try("write to a database, or read in full mode")
		}
	}
	rec := l.w.columns.project(b.Record)
	defer rec.Release()
	rejects, err := l.rows(ctx, rec, b.Ordinals)
	if err != nil {
		return err
	}
	if len(rejects) > 0 {
		// Kept before a checkpoint passes them.
		if err := l.w.t.Keep(ctx, l.part.ID, rejects); err != nil {
			return err
		}
	}
	refused := int64(len(rejects))
	l.counts = l.counts.Add(syncline.Counts{
		Read: b.Read(), Inserted: b.Rows - refused, Rejected: refused + int64(len(b.Rejects)),
		Filtered: b.Filtered, Bytes: b.Bytes, Requests: b.Requests,
	})
	return nil
}

// rows writes those that can be and returns the others.
func (l *lane) rows(ctx context.Context, rec arrow.RecordBatch, ordinals func() []int64) ([]rows.Reject, error) {
	const flush = 256 << 10
	var rejects []rows.Reject
	l.buf = l.buf[:0]
	for i := range int(rec.NumRows()) {
		if r := l.w.format.fault(rec, i); r != nil {
			r.Row = ordinals()[i]
			rejects = append(rejects, *r)
			continue
		}
		l.buf = l.w.format.row(l.buf, rec, i)
		if len(l.buf) < flush {
			continue
		}
		if err := l.flush(ctx); err != nil {
			return nil, err
		}
	}
	return rejects, l.flush(ctx)
}

func (l *lane) flush(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := l.put(l.buf)
	if cap(l.buf) > rows.MaxBatchBytes {
		l.buf = nil // grown by one huge row
	}
	l.buf = l.buf[:0]
	return err
}

// put writes bytes into the open member.
func (l *lane) put(data []byte) (err error) {
	if len(data) == 0 {
		return nil
	}
	if l.member == nil {
		if l.member, err = l.w.codec.Writer(l.f); err != nil {
			return failed("write", l.part.File, err)
		}
	}
	l.fresh += int64(len(data))
	_, err = l.member.Write(data)
	return failed("write", l.part.File, err)
}

// Finish makes the rest durable and the part done.
func (l *lane) Finish(ctx context.Context) (rows.Position, error) {
	if l.err == nil {
		l.err = l.finish(ctx)
	}
	return l.part.Position, l.err
}

func (l *lane) finish(ctx context.Context) error {
	if err := l.saved(ctx); err != nil || l.part.Position.Done {
		return err
	}
	if err := l.save(l.part.Position.Next, true); err != nil {
		return err
	}
	return l.saved(ctx)
}

func (l *lane) endMember() error {
	if l.member == nil {
		return nil
	}
	err := l.member.Close()
	l.member = nil
	return err
}

// Close lets go of the file.
func (l *lane) Close() error {
	if l.f == nil {
		return nil
	}
	l.end()
	if s := l.saving; s != nil {
		<-s.ended // whatever it came to, the marker says
		l.saving = nil
	}
	err := l.f.Close()
	l.f = nil
	if l.err == nil {
		l.err = syncline.Errorf(syncline.FailedPrecondition, "the lane of part %s is closed", l.part.ID).Of(syncline.ClassInternal)
	}
	return err
}
