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
	w       *Writer
	part    part
	f       *os.File
	member  io.WriteCloser  // open since the last checkpoint; each is one of the codec's
	pending syncline.Counts // since the last checkpoint
	buf     []byte
	err     error // of a step that failed: what the file holds behind Size is not known
}

var _ destination.Lane = (*lane)(nil)

// newLane opens the stage at the end of what is valid.
func (w *Writer) newLane(ctx context.Context, p part) (*lane, error) {
	f, err := os.OpenFile(p.File, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, failed("make", p.File, err)
	}
	l := &lane{w: w, part: p, f: f}
	if err := l.begin(ctx); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

func (l *lane) begin(ctx context.Context) error {
	err := l.f.Truncate(l.part.Size)
	if err == nil {
		_, err = l.f.Seek(l.part.Size, io.SeekStart)
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(l.part.File))
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

// Write encodes the rows, and makes all since the last checkpoint durable when the batch
// ends at one.
func (l *lane) Write(ctx context.Context, b rows.Batch) (rows.Position, error) {
	if l.err != nil {
		return l.part.Position, l.err
	}
	if l.err = l.write(ctx, b); l.err == nil && b.Next != nil {
		l.err = l.commit(ctx, b.Next, false)
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
	l.pending = l.pending.Add(syncline.Counts{
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
	_, err = l.member.Write(data)
	return failed("write", l.part.File, err)
}

// Finish makes the rest durable and the part done.
func (l *lane) Finish(ctx context.Context) (rows.Position, error) {
	if l.err == nil && !l.part.Position.Done {
		l.err = l.commit(ctx, l.part.Position.Next, true)
	}
	return l.part.Position, l.err
}

// commit makes the file durable as far as it is written, and then says so in the marker,
// if the part is still this lane's.
func (l *lane) commit(ctx context.Context, next []byte, done bool) error {
	size, err := l.sync()
	if err != nil {
		return failed("write", l.part.File, err)
	}
	p := l.part
	p.Size = size
	p.Position = rows.Position{Next: next, Done: done, Counts: p.Position.Counts.Add(l.pending)}
	err = l.w.fenced(ctx, func(*stream) error {
		there, ok, err := l.w.markers.readPart(p.ID)
		if err == nil && (!ok || there.Token != p.Token) {
			err = syncline.ErrLeaseLost
		}
		if err != nil {
			return err
		}
		return l.w.markers.writePart(p)
	})
	if err == nil {
		l.part, l.pending = p, syncline.Counts{}
	}
	return err
}

// sync ends the member and returns where the file ends.
func (l *lane) sync() (int64, error) {
	if err := l.endMember(); err != nil {
		return 0, err
	}
	if err := l.f.Sync(); err != nil {
		return 0, err
	}
	return l.f.Seek(0, io.SeekCurrent)
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
	err := l.f.Close()
	l.f = nil
	if l.err == nil {
		l.err = syncline.Errorf(syncline.FailedPrecondition, "the lane of part %s is closed", l.part.ID).Of(syncline.ClassInternal)
	}
	return err
}
