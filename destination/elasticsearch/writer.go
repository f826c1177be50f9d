package elasticsearch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
)

// writer writes one entity.
type writer struct {
	db     *cluster
	target destination.Target
	slots  chan struct{} // one for each request that may be in flight

	// Set by Takeover.
	fence   fence
	fenceAt at
	shape   *shape
	wary    bool // there are documents of others, whose ids must be asked for

	mu    sync.Mutex
	lanes []*lane

	doubtful sync.Once // people were told why rows may count as updated
}

var _ destination.Writer = (*writer)(nil)

func newWriter(d *cluster, t destination.Target) *writer {
	return &writer{db: d, target: t, slots: make(chan struct{}, d.InFlight)}
}

// load names, in documents, what this load has written: not what it wrote before it began
// anew.
func (w *writer) load() string { return fmt.Sprintf("%s.%d", w.fence.Load, w.fence.Round) }

// Takeover makes older tokens harmless: their checkpoints and publishes fail, and the first
// write of a newer holder to a document makes theirs to it fail, too.
func (w *writer) Takeover(ctx context.Context) (rows.Standing, error) {
	if err := w.db.ensure(ctx); err != nil {
		return rows.Standing{}, err
	}
	if err := w.raise(ctx); err != nil {
		return rows.Standing{}, err
	}
	have, err := w.describe(ctx)
	if err != nil {
		return rows.Standing{}, err
	}
	if have != nil {
		if err := w.db.refresh(ctx, w.target.Table); err != nil {
			return rows.Standing{}, failed(ctx, err, "look at the index %s", w.target.Table)
		}
	}
	had, err := w.size(ctx, have)
	if err != nil {
		return rows.Standing{}, err
	}
	standing := rows.Standing{Load: w.target.Load, Mark: w.mark(have, had)}
	if p := w.fence.Published; p != nil && p.Load == w.target.Load {
		standing.Published, standing.Total, standing.Swept, standing.Counts = true, p.Total, p.Swept, p.Counts
		return standing, w.forget(ctx)
	}
	standing.Parts, err = w.goOn(ctx, have, had)
	return standing, err
}

// size counts the stream's documents that are there; of an index that has no field for the
// marker, none is.
func (w *writer) size(ctx context.Context, have *index) (int64, error) {
	if _, ok := have.field(marker + ".stream"); !ok {
		return 0, nil
	}
	return w.count(ctx, w.ours())
}

// mark is the last published one, if the index is still the one that it was published for.
func (w *writer) mark(have *index, had int64) []byte {
	p := w.fence.Published
	if w.fence.Mark == nil || p == nil {
		return nil
	}
	var why string
	switch {
	case have == nil:
		why = "is gone"
	case have.uuid != p.Target:
		why = "was made anew"
	case had == 0 && p.Total > 0:
		why = "was emptied"
	default:
		return w.fence.Mark
	}
	w.target.Note(syncline.Warning, "the index %s %s since the last load: it is filled from the beginning", w.target.Table, why)
	return nil
}

// goOn takes the load up where it stands, or begins it.
func (w *writer) goOn(ctx context.Context, have *index, had int64) (map[string]rows.Position, error) {
	before := have
	have, err := w.make(ctx, have)
	if err != nil {
		return nil, err
	}
	if have == nil {
		return nil, syncline.Errorf(syncline.Unavailable, "the index %s is removed while it is made", w.target.Table).Of(syncline.ClassDestination).Again()
	}
	if err := w.lookAround(ctx, before != nil, had); err != nil {
		return nil, err
	}
	f := w.fence
	shape := w.shape.print(w.target.Entity.Key)
	stands := f.Load == w.target.Load && !w.target.Restart
	if stands && (f.Target != have.uuid || f.Shape != shape) {
		w.target.Note(syncline.Warning, "the index %s is another, or gets other columns, than when the load began: it begins anew", w.target.Table)
		stands = false
	}
	if stands {
		return w.adopt(ctx)
	}
	f.Load, f.Round, f.Shape, f.Target, f.Had, f.Gone = w.target.Load, f.Round+1, shape, have.uuid, had, nil
	if err := w.change(ctx, f); err != nil {
		return nil, err
	}
	return nil, w.forget(ctx)
}

// lookAround finds out whether others have documents in the index, which ours must not
// take the place of.
func (w *writer) lookAround(ctx context.Context, there bool, had int64) error {
	if !there {
		return nil
	}
	all, err := w.count(ctx, object{"match_all": object{}})
	w.wary = all > had
	return err
}

// adopt makes the parts this token's own, so that older lanes cannot move them any more.
func (w *writer) adopt(ctx context.Context) (map[string]rows.Position, error) {
	found, err := w.parts(ctx)
	if err != nil {
		return nil, err
	}
	positions := map[string]rows.Position{}
	for id, p := range found {
		if p.Round != w.fence.Round {
			continue
		}
		if p.Position.Done {
			positions[id] = p.Position
			continue
		}
		if p, err = w.own(ctx, p, w.target.Fence.Token); err != nil {
			return nil, err
		}
		positions[id] = p.Position
	}
	return positions, nil
}

// own gives a part to a token; p may be out of date. One that is done has nobody who writes
// to it, and keeps its token.
func (w *writer) own(ctx context.Context, p placedPart, token int64) (placedPart, error) {
	for {
		now := p
		v, there, err := w.db.get(ctx, partID(p.Stream, p.Part), &now.part)
		switch {
		case err != nil:
			return p, err
		case there && now.Token > token:
			return p, syncline.ErrLeaseLost
		case there:
			now.at = v
		default:
			now.at = at{}
		}
		if now.Round != w.fence.Round {
			now.Round, now.Position = w.fence.Round, rows.Position{}
		}
		now.Token = token
		if now, err = w.save(ctx, now); !errors.Is(err, errStale) {
			return now, err
		}
	}
}

// forget removes what is known of the load's parts.
func (w *writer) forget(ctx context.Context) error {
	found, err := w.parts(ctx)
	if err != nil {
		return err
	}
	for id, p := range found {
		r := request{method: http.MethodDelete, path: path(checkpointIndex, "_doc", partID(w.target.Fence.Stream, id)), query: p.query()}
		err := w.db.call(ctx, r, nil)
		// Of one that has changed, or is gone, somebody else takes care.
		if err != nil && status(err) != http.StatusNotFound && status(err) != http.StatusConflict {
			return failed(ctx, err, "forget part %s of %s", id, w.target.Table)
		}
	}
	return nil
}

// Part opens a lane. A token above the stream's takes the part away from lanes with a
// lower one.
func (w *writer) Part(ctx context.Context, id string, token int64) (destination.Lane, error) {
	if err := w.held(ctx); err != nil {
		return nil, err
	}
	p := placedPart{part: part{Stream: w.target.Fence.Stream, Part: id, Token: token, Round: w.fence.Round}}
	p, err := w.own(ctx, p, token)
	if err != nil {
		return nil, err
	}
	l, err := newLane(ctx, w, p)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lanes = append(w.lanes, l)
	return l, nil
}

// Discard forgets how far the load has come. Its documents stay: they took the place of
// older ones, which nobody can bring back, and the next full load makes them right.
func (w *writer) Discard(ctx context.Context) error {
	if err := w.held(ctx); err != nil {
		return err
	}
	if p := w.fence.Published; p != nil && p.Load == w.fence.Load {
		return nil
	}
	f := w.fence
	f.Load = ""
	if err := w.change(ctx, f); err != nil {
		return err
	}
	return w.forget(ctx)
}

// Close ends the lanes.
func (w *writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lanes {
		_ = l.Close() // it has nothing to say
	}
	w.lanes = nil
	return nil
}
