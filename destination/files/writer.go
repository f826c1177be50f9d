package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/compress"
	"github.com/synclinehq/syncline/format/durable"
	"github.com/synclinehq/syncline/format/tree"
	"github.com/synclinehq/syncline/rows"
)

// Writer writes one entity.
type Writer struct {
	t       destination.Target
	tree    *tree.Tree
	place   place
	codec   compress.Codec
	columns columns
	format  *format
	shape   string
	markers *markers
	turn    int64
	aside   int64 // bytes from which on a save is not waited for

	mu    sync.Mutex
	lanes []*lane
}

var _ destination.Writer = (*Writer)(nil)

func newWriter(t destination.Target, s settings, p place) (*Writer, error) {
	if info, err := s.tree.Stat(p.target); err == nil && !info.Mode().IsRegular() {
		return nil, syncline.Invalid("table", "%s is there and is no file", p.target).Try("move it away, or name another table")
	}
	c, err := settle(t, known(s.tree, p))
	if err != nil {
		return nil, err
	}
	f, err := newFormat(s, c.schema, t.Entity.Key)
	if err != nil {
		return nil, err
	}
	return &Writer{t: t, tree: s.tree, place: p, codec: s.codec(), columns: c, format: f, shape: c.shape(s), markers: newMarkers(s.tree, p.dir, t.Fence.Stream), aside: aside}, nil
}

// Takeover puts the token into the stream's marker, which every durable step of others
// looks at, and goes on with copies of their stages: a holder that is only stopped may
// still have them open and write to them.
func (w *Writer) Takeover(ctx context.Context) (rows.Standing, error) {
	var s stream
	err := w.markers.locked(ctx, func() (err error) {
		s, err = w.claim()
		return err
	})
	if err != nil {
		return rows.Standing{}, err
	}
	standing := rows.Standing{Load: s.Load, Total: -1}
	if p := s.Published; p != nil {
		if p.holds(w.tree) {
			standing.Mark = p.Mark
		}
		if p.Load == s.Load {
			standing.Published, standing.Total, standing.Swept, standing.Counts = true, p.Total, p.Swept, p.Counts
			return standing, w.drop(ctx)
		}
	}
	standing.Parts, err = w.adopt(ctx)
	return standing, err
}

// claim makes the stream this writer's own.
func (w *Writer) claim() (stream, error) {
	s, err := w.markers.readStream()
	if err != nil {
		return s, err
	}
	if s.Token > w.t.Fence.Token {
		return s, syncline.ErrLeaseLost
	}
	s.settle(w.tree)
	same := s.Load == w.t.Load && !w.t.Restart
	if same && s.Shape != w.shape && (s.Published == nil || s.Published.Load != s.Load) {
		w.t.Note(syncline.Warning, "the columns of %s have changed since the load began: it begins anew", w.t.Entity.Name)
		same = false
	}
	if !same {
		if err := w.forget(); err != nil {
			return s, err
		}
	}
	s.Stream, s.Token, s.Load, s.Shape = w.t.Fence.Stream, w.t.Fence.Token, w.t.Load, w.shape
	s.Turn++
	w.turn = s.Turn
	return s, w.markers.writeStream(s)
}

// settle finds out whether a publish that was under way came to pass.
func (s *stream) settle(t *tree.Tree) {
	if s.Publishing == nil {
		return
	}
	done := s.Publishing.Staged == "" || identify(t, s.Publishing.As.Target) == s.Publishing.As.File
	if done {
		s.Published = &s.Publishing.As
	}
	s.Publishing = nil
}

// forget removes the stages of the load so far. The markers go first: a stage without
// one is garbage, a marker without its stage would be a lie.
func (w *Writer) forget() error {
	parts, err := w.markers.parts()
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := w.markers.removePart(p.ID); err != nil {
			return err
		}
	}
	return w.sweep(nil)
}

// drop is forget when a load has been published.
func (w *Writer) drop(ctx context.Context) error {
	return w.fenced(ctx, func(*stream) error { return w.forget() })
}

// sweep removes the stages of this target that are not among keep: those of other loads
// and tokens.
func (w *Writer) sweep(keep map[string]bool) error {
	found, err := w.tree.ReadDir(w.place.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failed("list", w.place.dir, err)
	}
	for _, f := range found {
		path := filepath.Join(w.place.dir, f.Name())
		if !strings.HasPrefix(f.Name(), "."+w.stem()+".") || !strings.HasSuffix(f.Name(), ".part") || keep[path] {
			continue
		}
		if err := removed(w.tree, path); err != nil {
			return err
		}
	}
	return nil
}

// stem is what the names of this stream's stages begin with. It ends in the stream's hash:
// without it "a" and "a.b" would share stages.
func (w *Writer) stem() string {
	name := filepath.Base(w.place.target)
	if w.place.append {
		name = filepath.Base(filepath.Dir(w.place.target))
	}
	return fileName(name) + "." + short(w.t.Fence.Stream)
}

// stage names a file for a part, or for all of them together, under a token.
func (w *Writer) stage(what string, token int64) string {
	load := fileName(w.t.Load)
	if len(load) > 40 { // longer than a UUID
		load = short(load)
	}
	name := fmt.Sprintf(".%s.%s.%d-%d.%s.part", w.stem(), load, token, w.turn, what)
	return filepath.Join(w.place.dir, name)
}

// adopt takes the parts of the load over, those in progress as copies.
func (w *Writer) adopt(ctx context.Context) (map[string]rows.Position, error) {
	parts, err := w.markers.parts()
	if err != nil {
		return nil, err
	}
	positions, keep := map[string]rows.Position{}, map[string]bool{}
	for _, p := range parts {
		ok, err := w.take(ctx, &p, w.t.Fence.Token)
		if err != nil {
			return nil, err
		}
		if ok {
			positions[p.ID], keep[p.File] = p.Position, true
		}
	}
	return positions, w.fenced(ctx, func(*stream) error { return w.sweep(keep) })
}

// take makes a part this token's own. A part that is done has nobody who writes to its
// stage any more; another is copied as far as it is valid. false: the stage is gone, so
// the part begins anew.
func (w *Writer) take(ctx context.Context, p *part, token int64) (bool, error) {
	if info, err := w.tree.Stat(p.File); err != nil || info.Size() < p.Size {
		w.t.Note(syncline.Warning, "%s, which part %s had been written to, is gone or cut short: the part begins anew", p.File, p.ID)
		return false, w.fenced(ctx, func(*stream) error { return w.markers.removePart(p.ID) })
	}
	p.Token = token
	if !p.Position.Done {
		old := p.File
		p.File = w.stage(short(p.ID), token)
		if err := w.copyFile(ctx, p.File, old, p.Size); err != nil {
			return false, err
		}
	}
	return true, w.fenced(ctx, func(*stream) error { return w.markers.writePart(*p) })
}

// copyFile makes a durable file of the first size bytes of another.
func (w *Writer) copyFile(ctx context.Context, to, from string, size int64) error {
	in, err := w.tree.Open(from)
	if err != nil {
		return failed("read", from, err)
	}
	defer func() { _ = in.Close() }() // it was only read
	out, err := w.tree.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return failed("make", to, err)
	}
	err = appendFile(ctx, out, in, size)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return failed("write", to, err)
	}
	return failed("make", to, durable.SyncDir(w.tree, filepath.Dir(to)))
}

// appendFile copies size bytes from where in stands, in steps between which it may end.
func appendFile(ctx context.Context, out, in *os.File, size int64) error {
	const step = 64 << 20
	for size > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.CopyN(out, in, min(step, size))
		size -= n
		if err != nil {
			return err
		}
	}
	return nil
}

// fenced runs do under the lock while the stream is this writer's.
func (w *Writer) fenced(ctx context.Context, do func(*stream) error) error {
	return w.markers.locked(ctx, func() error {
		s, err := w.markers.readStream()
		if err != nil {
			return err
		}
		if s.Token != w.t.Fence.Token || s.Turn != w.turn {
			return syncline.ErrLeaseLost
		}
		return do(&s)
	})
}

// Part opens a lane. A token above the stream's takes the part away from lanes with a
// lower one.
func (w *Writer) Part(ctx context.Context, id string, token int64) (destination.Lane, error) {
	var p part
	var there bool
	err := w.fenced(ctx, func(*stream) (err error) {
		p, there, err = w.markers.readPart(id)
		if err == nil && p.Token > token {
			err = syncline.ErrLeaseLost
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if there && p.Token < token {
		if there, err = w.take(ctx, &p, token); err != nil {
			return nil, err
		}
	}
	if !there {
		p = part{ID: id, Token: token, File: w.stage(short(id), token)}
	}
	l, err := w.newLane(ctx, p)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lanes = append(w.lanes, l)
	return l, nil
}

// Discard removes the stages of the load.
func (w *Writer) Discard(ctx context.Context) error {
	return w.fenced(ctx, func(s *stream) error {
		if err := w.forget(); err != nil {
			return err
		}
		s.Load = ""
		return w.markers.writeStream(*s)
	})
}

// Close ends the lanes.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var err error
	for _, l := range w.lanes {
		err = errors.Join(err, l.Close())
	}
	w.lanes = nil
	return err
}
