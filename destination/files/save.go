package files

import (
	"context"
	"io"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
)

// A save of so many bytes goes on while more is written; a smaller one is waited for, so
// that few rows are durable when Write returns.
const aside = 4 << 20

// mostFresh bounds what is written and not yet on its way to the disk.
const mostFresh = 64 << 20

// saving is a save under way.
type saving struct {
	part  part // as it is once it is durable
	err   error
	ended chan struct{} // closed when part or err is true
}

func (s *saving) under() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// checkpoint begins to save what is written so far, unless the save before is under way:
// then the rows become durable with a later one. Without a position there is nothing to
// say in the marker, but less to wait for in the end.
func (l *lane) checkpoint(ctx context.Context, next []byte) error {
	if l.saving != nil && l.saving.under() && l.fresh < mostFresh {
		return nil
	}
	large := l.fresh >= l.w.aside
	if err := l.saved(ctx); err != nil || next == nil && !large {
		return err
	}
	if err := l.save(next, false); err != nil || large {
		return err
	}
	return l.saved(ctx)
}

// save begins to make the file durable as far as it is written, and then to say so in the
// marker.
func (l *lane) save(next []byte, done bool) error {
	s := &saving{part: l.part, ended: make(chan struct{})}
	if next != nil || done {
		size, err := l.size()
		if err != nil {
			return failed("write", l.part.File, err)
		}
		s.part.Size = size
		s.part.Position = rows.Position{Next: next, Done: done, Counts: l.counts}
	}
	l.saving, l.fresh = s, 0
	go func() {
		defer close(s.ended)
		s.err = l.keep(s.part, next != nil || done)
	}()
	return nil
}

// size ends the member and returns where the file ends.
func (l *lane) size() (int64, error) {
	if err := l.endMember(); err != nil {
		return 0, err
	}
	return l.f.Seek(0, io.SeekCurrent)
}

// keep syncs the file and writes the marker, if the part is still this lane's.
// It ends with the lane, not with the Write in which it began.
func (l *lane) keep(p part, mark bool) error {
	if err := l.f.Sync(); err != nil || !mark {
		return failed("write", p.File, err)
	}
	return l.w.fenced(l.life, func(*stream) error {
		there, ok, err := l.w.markers.readPart(p.ID)
		if err == nil && (!ok || there.Token != p.Token) {
			err = syncline.ErrLeaseLost
		}
		if err != nil {
			return err
		}
		return l.w.markers.writePart(p)
	})
}

// saved waits for the save that is under way, if any.
func (l *lane) saved(ctx context.Context) error {
	s := l.saving
	if s == nil {
		return nil
	}
	select {
	case <-s.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	l.saving = nil
	if s.err == nil {
		l.part = s.part
	}
	return s.err
}
