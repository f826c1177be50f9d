package files

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/durable"
	"github.com/synclinehq/syncline/format/sidecar"
	"github.com/synclinehq/syncline/format/tree"
)

// Publish puts the load's file in place by one rename. The rows in the stages are counted
// again first: what is not there is not published.
func (w *Writer) Publish(ctx context.Context, mark []byte, sum syncline.Counts, phase func(string)) (destination.Published, error) {
	if phase == nil {
		phase = func(string) {}
	}
	var before stream
	if err := w.fenced(ctx, func(s *stream) error { before = *s; return nil }); err != nil {
		return destination.Published{}, err
	}
	if p := before.Published; p != nil && p.Load == w.t.Load {
		return p.answer(), nil
	}
	as, staged, err := w.prepare(ctx, before.Published, mark, sum, phase)
	if err != nil {
		return destination.Published{}, err
	}
	phase("publish")
	if err := w.fenced(ctx, func(s *stream) error { return w.show(s, staged, &as) }); err != nil {
		return destination.Published{}, err
	}
	return as.answer(), w.drop(ctx)
}

// prepare makes the file that is to be published, outside the lock, as it may take long.
func (w *Writer) prepare(ctx context.Context, last *published, mark []byte, sum syncline.Counts, phase func(string)) (as published, staged string, err error) {
	parts, err := w.markers.parts()
	if err != nil {
		return as, "", err
	}
	slices.SortFunc(parts, inOrder)
	phase("count")
	if err := w.balance(ctx, parts, sum); err != nil {
		return as, "", err
	}
	as = published{Load: w.t.Load, Target: w.place.target, Append: w.place.append, Total: sum.Inserted, Counts: sum, Mark: mark}
	if err := w.guard(ctx, last, sum, &as); err != nil {
		return as, "", err
	}
	phase("join")
	staged, err = w.merge(ctx, parts, sum)
	return as, staged, err
}

// inOrder sorts parts by number where they have one.
func inOrder(a, b part) int {
	x, errX := strconv.ParseInt(a.ID, 10, 64)
	y, errY := strconv.ParseInt(b.ID, 10, 64)
	if errX == nil && errY == nil && x != y {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a.ID, b.ID)
}

// balance holds the rows in the stages against the counts.
func (w *Writer) balance(ctx context.Context, parts []part, sum syncline.Counts) error {
	var staged, counted int64
	for _, p := range parts {
		n, err := w.count(ctx, p.File)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		staged += n
		counted += p.Position.Counts.Inserted
	}
	if staged != sum.Inserted || counted != sum.Inserted {
		return &destination.Unbalanced{Table: w.t.Table, Staged: staged, Count: sum.Inserted}
	}
	return nil
}

// count counts the rows of a file.
func (w *Writer) count(ctx context.Context, path string) (int64, error) {
	f, err := w.tree.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // it is only read
	if info, err := f.Stat(); err == nil && info.Size() == 0 {
		return 0, nil
	}
	r, err := w.codec.Reader(watched{ctx, f})
	if err != nil {
		return 0, failed("read", path, err)
	}
	defer func() { _ = r.Close() }()
	n, err := w.format.count(r)
	return n, failed("read", path, err)
}

// watched reads until its context ends.
type watched struct {
	ctx context.Context
	r   io.Reader
}

func (w watched) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}

// guard withholds a file that would replace one of suspiciously many more rows.
func (w *Writer) guard(ctx context.Context, last *published, sum syncline.Counts, as *published) error {
	if w.place.append {
		as.Total = -1
		return nil
	}
	had, err := w.had(ctx, last)
	if err != nil {
		return err
	}
	gone := max(0, had-sum.Inserted)
	if w.t.Guard.Trips(had, gone, sum.Read) {
		return &destination.MassDelete{Table: w.t.Table, Had: had, Gone: gone, Read: sum.Read}
	}
	as.Swept, as.Counts.Swept = gone, gone
	return nil
}

// had is how many rows the file has that is there now.
func (w *Writer) had(ctx context.Context, last *published) (int64, error) {
	if last != nil && !last.Append && last.Target == w.place.target && last.holds(w.tree) {
		return last.Total, nil
	}
	n, err := w.count(ctx, w.place.target)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		// A file that is not of this format has no rows to lose; that it goes is said.
		w.t.Note(syncline.Warning, "%s is there and cannot be read as %s: it is replaced", w.place.target, filepath.Ext(w.place.target))
		return 0, nil
	}
	return n, nil
}

// merge makes one file of the stages. A load of one part has it already; one that appends
// nothing needs none.
func (w *Writer) merge(ctx context.Context, parts []part, sum syncline.Counts) (string, error) {
	switch {
	case w.place.append && sum.Inserted == 0:
		return "", nil
	case len(parts) == 1:
		return parts[0].File, parts[0].intact(w.tree)
	}
	path := w.stage("all", w.t.Fence.Token)
	out, err := w.tree.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return "", failed("make", path, err)
	}
	err = w.join(ctx, out, parts)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return "", failed("write", path, err)
	}
	return path, nil
}

// intact says that a stage is as long as it was made durable.
func (p *part) intact(t *tree.Tree) error {
	info, err := t.Stat(p.File)
	if err != nil {
		return failed("read", p.File, err)
	}
	if info.Size() != p.Size {
		return syncline.Errorf(syncline.DataLoss, "%s has %d bytes, %d were written", p.File, info.Size(), p.Size).Of(syncline.ClassDestination).
			Try("somebody has changed it; start the load anew")
	}
	return nil
}

// join writes the header once and then what every stage holds behind its own.
func (w *Writer) join(ctx context.Context, out *os.File, parts []part) error {
	header, err := w.header(out)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := p.intact(w.tree); err != nil {
			return err
		}
		in, err := w.tree.Open(p.File)
		if err != nil {
			return err
		}
		_, err = in.Seek(header, io.SeekStart)
		if err == nil {
			err = appendFile(ctx, out, in, p.Size-header)
		}
		if err = errors.Join(err, in.Close()); err != nil {
			return err
		}
	}
	return nil
}

// header writes the header, as a stage has it, and returns how long that is.
func (w *Writer) header(out *os.File) (int64, error) {
	if len(w.format.header) == 0 {
		return 0, nil
	}
	z, err := w.codec.Writer(out)
	if err != nil {
		return 0, err
	}
	_, err = z.Write(w.format.header)
	if err = errors.Join(err, z.Close()); err != nil {
		return 0, err
	}
	return out.Seek(0, io.SeekCurrent)
}

// show renames the file into place and says so. The marker says first what is about to
// happen: whoever comes after a crash between the two sees by the file whether it did.
func (w *Writer) show(s *stream, staged string, as *published) error {
	if err := w.ready(staged); err != nil {
		return err
	}
	if staged != "" {
		as.File = identify(w.tree, staged)
	}
	s.Publishing = &intent{Staged: staged, As: *as}
	if err := w.markers.writeStream(*s); err != nil {
		return err
	}
	if staged != "" {
		if err := durable.Rename(w.tree, staged, as.Target); err != nil {
			return failed("publish", as.Target, err)
		}
	}
	s.Publishing, s.Published = nil, as
	return w.markers.writeStream(*s)
}

// ready gives the file the rights of the one it replaces, and keeps its schema.
func (w *Writer) ready(staged string) error {
	for _, dir := range []string{filepath.Dir(w.place.target), filepath.Dir(sidecar.Path(w.place.target))} {
		if err := w.tree.MkdirAll(dir, 0o755); err != nil {
			return failed("make", dir, err)
		}
	}
	if staged == "" {
		return nil
	}
	if info, err := w.tree.Stat(w.place.target); err == nil && info.Mode().IsRegular() {
		if err := w.tree.Chmod(staged, info.Mode().Perm()); err != nil {
			return failed("change", staged, err)
		}
	}
	return sidecar.Write(w.tree, w.place.target, staged, sidecar.Schema{Columns: w.columns.schema, Key: w.t.Entity.Key})
}
