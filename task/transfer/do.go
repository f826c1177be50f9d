package transfer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/task"
)

// do copies one entity, or goes on with it.
func (o Options) do(ctx context.Context, c *task.Call) error {
	t, end := o.begin(c)
	defer end()
	return outcome(ctx, c, t.run(ctx))
}

// begin gives a transfer its place among those of its run.
func (o Options) begin(c *task.Call) (t *transfer, end func()) {
	t = &transfer{Options: o, call: c, progress: newProgress(c)}
	if n := c.Definition.Parallel; n > 0 {
		t.Lanes = min(t.Lanes, n)
	}
	var leave func()
	t.room, leave = o.rooms.enter(attempt(c), cmp.Or(c.Definition.Parallel, t.Lanes))
	return t, func() {
		leave()
		t.close()
	}
}

// transfer is one attempt at one entity.
type transfer struct {
	Options
	call     *task.Call
	progress *progress
	room     *room

	src    source.Source
	dst    destination.Destination
	order  order
	table  string
	shape  string
	format rows.Format
	path   string // the format and why

	memo    memo
	writer  destination.Writer
	rejects *rejects
}

func (t *transfer) run(ctx context.Context) error {
	t.progress.phase("plan")
	if err := t.open(ctx); err != nil {
		return err
	}
	err := t.load(ctx, false)
	if voided(err) && ctx.Err() == nil {
		t.note(syncline.Warning, "starts anew: %v", err)
		err = t.load(ctx, true)
	}
	return err
}

// open opens both ends and settles what is to be done.
func (t *transfer) open(ctx context.Context) error {
	var s syncline.EntitySpec
	err := json.Unmarshal(t.call.Task.Settings, &s)
	if err != nil {
		return fmt.Errorf("settings of task %s: %w", t.call.Task.Name, err)
	}
	if t.src, err = t.openSource(ctx, t.call.Definition.Source); err != nil {
		return err
	}
	if t.dst, err = t.openDestination(ctx, t.call.Definition.Destination); err != nil {
		return err
	}
	e, err := entity(ctx, t.src, s.Name)
	if err != nil {
		return err
	}
	if t.order, err = resolve(s, e, t.call.Run.Window); err != nil {
		return err
	}
	t.order.query.Parallel = t.Lanes
	if t.call.Share != nil {
		t.order.query.Parallel *= partsEach
	}
	t.table = cmp.Or(s.Table, t.dst.Lands(e.Name))
	t.shape = shape(t.order.query, t.order.disposition)
	return nil
}

// entity finds one by its name, which is no pattern even when it looks like one.
func entity(ctx context.Context, src source.Source, name string) (source.Entity, error) {
	named := func(e source.Entity) bool { return e.Name == name }
	found, err := src.Entities(ctx, []string{name})
	if i := slices.IndexFunc(found, named); i >= 0 {
		return found[i], nil
	}
	if err != nil && syncline.CodeOf(err) != syncline.NotFound {
		return source.Entity{}, err
	}
	all, listing := src.Entities(ctx, nil)
	if i := slices.IndexFunc(all, named); i >= 0 {
		return all[i], nil
	}
	if err = cmp.Or(err, listing); err != nil {
		return source.Entity{}, err
	}
	return source.Entity{}, syncline.Errorf(syncline.NotFound, "the source has no %q any more", name).Of(syncline.ClassSource).
		Try("see what it holds, or take the entity out of the pipeline")
}

// load brings one load to its end: from wherever it stands, or from its start when anew.
func (t *transfer) load(ctx context.Context, anew bool) error {
	at, err := t.takeover(ctx, false)
	if err != nil {
		return err
	}
	mine := at.Load == t.call.Run.Load
	if mine && at.Published {
		return t.published(at)
	}
	t.memo = recall(t.call.Task.Memo, t.call.Run.Load)
	goesOn, why := t.memo.goesOn(at, t.shape, t.order.query)
	switch {
	case mine && goesOn && !anew:
		err = t.goOn(ctx, at)
	default:
		if mine && len(at.Parts) > 0 {
			err = t.restart(ctx, &at, why, anew)
		}
		if err == nil {
			err = t.plan(ctx, at.Mark)
		}
		at.Parts = nil
	}
	if err != nil {
		return err
	}
	return t.complete(ctx, at)
}

// goOn takes up the plan of an earlier attempt. A source that can tell what has changed
// since sees it first, also when all of it was read: what is published is then what the
// source holds now.
func (t *transfer) goOn(ctx context.Context, at rows.Standing) error {
	t.saysResumed(at)
	r, ok := t.src.(source.Resumer)
	if !ok || t.memo.Plan.Resume != source.ResumeByPart {
		return nil
	}
	p, err := r.GoOn(ctx, t.order.query, t.memo.Plan, at.Parts)
	if err != nil {
		return fmt.Errorf("go on with %s: %w", t.call.Task.Name, err)
	}
	t.memo.Plan = p
	return t.remember(ctx)
}

// complete moves what is left and publishes.
func (t *transfer) complete(ctx context.Context, at rows.Standing) error {
	t.order.query.Since = t.memo.Since
	t.progress.expect(t.expected(ctx))
	t.progress.begin(t.memo.Plan.Parts, at.Parts)
	t.rejects = newRejects(t.call, t.Env.Now, t.progress.sum().Rejected)
	t.progress.phase("read")
	if err := t.move(ctx, at.Parts); err != nil {
		return err
	}
	return t.publish(ctx, at.Mark)
}

// takeover opens the destination for this entity and learns where the load stands. From
// here on no older attempt can write.
func (t *transfer) takeover(ctx context.Context, restart bool) (rows.Standing, error) {
	t.closeWriter()
	target := t.target(restart)
	t.format, t.path = pick(ctx, t.src, t.dst, t.order, target)
	target.Format, t.order.query.Format = t.format, t.format
	target.Corrects = corrects(t.src, t.dst, target)
	t.order.query.Corrects = target.Corrects
	t.progress.path(t.path)
	if err := t.call.Held(); err != nil {
		return rows.Standing{}, err
	}
	w, err := t.dst.Open(ctx, target)
	if err != nil {
		return rows.Standing{}, fmt.Errorf("open %s: %w", t.table, err)
	}
	t.writer = w
	at, err := w.Takeover(ctx)
	if err != nil {
		return at, fmt.Errorf("take over %s: %w", t.table, err)
	}
	return at, nil
}

func (t *transfer) target(restart bool) destination.Target {
	q := t.order.query
	return destination.Target{
		Entity: q.Entity, Table: t.table, Load: t.call.Run.Load, Restart: restart,
		Fence: destination.Fence{Stream: t.call.Run.Stream(q.Entity.Name), Token: t.call.Token},
		Mode:  q.Mode, Disposition: t.order.disposition, Columns: t.order.columns, Deletes: t.order.deletes,
		Guard:  destination.Guard{Confirmed: t.call.Run.Facts.Confirms(syncline.WaitMassDelete)},
		Window: q.Window, Versions: t.order.versions, Cursor: q.Cursor, Parallel: t.Lanes,
		Keep: func(ctx context.Context, part string, r []rows.Reject) error { return t.rejects.keep(ctx, part, r) },
		Note: t.note,
	}
}

// restart gives up what this load has staged. Rows that were appended are in the target for
// good, and a second time would be once too often.
func (t *transfer) restart(ctx context.Context, at *rows.Standing, why string, anew bool) error {
	if anew {
		why = "the source has changed under it"
	}
	var written int64
	for _, p := range at.Parts {
		written += p.Counts.Inserted
	}
	if t.order.disposition == syncline.Append && written > 0 {
		return syncline.Errorf(syncline.FailedPrecondition, "%d rows of %s are appended already and the load cannot go on: %s", written, t.call.Task.Name, why).
			Of(syncline.ClassSource).Because("append_interrupted").
			Try("remove the rows of this load from %s and start a new run, or use --write upsert with a key", t.table)
	}
	t.note(syncline.Warning, "starts anew: %s", why)
	var err error
	*at, err = t.takeover(ctx, true)
	return err
}

// plan splits the reading anew, and stores how before anything is written by it.
func (t *transfer) plan(ctx context.Context, published []byte) error {
	q := &t.order.query
	if q.Mode == syncline.ModeIncremental {
		q.Since = unseal(q.Cursor, published)
	}
	p, err := t.src.Plan(ctx, *q)
	if err != nil {
		return fmt.Errorf("plan %s: %w", q.Entity.Name, err)
	}
	t.memo = memo{Load: t.call.Run.Load, Shape: t.shape, Format: t.format, Corrects: q.Corrects, Since: q.Since, Plan: p}
	t.saysPlanned()
	return t.remember(ctx)
}

// expected is how many rows the load reads in all, and who says so.
func (t *transfer) expected(ctx context.Context) (int64, string) {
	p, q := t.memo.Plan, t.order.query
	if p.Expected >= 0 {
		return p.Expected, p.ExpectedFrom
	}
	if c, ok := t.src.(source.Counter); ok {
		if n, err := c.Count(ctx, q); err == nil {
			return n, "count"
		}
	}
	if q.Since == nil && q.Window == nil && q.Entity.Rows >= 0 {
		return q.Entity.Rows, q.Entity.EstimateFrom
	}
	return -1, ""
}

// move reads and writes all parts that are not done.
func (t *transfer) move(ctx context.Context, durable map[string]rows.Position) error {
	var first, after []source.Part
	for _, part := range t.memo.Plan.Parts {
		switch {
		case durable[part.ID].Done:
		case part.After:
			after = append(after, part)
		default:
			first = append(first, part)
		}
	}
	var err error
	if t.lends(first) {
		err = t.moveShared(ctx, first)
	} else {
		err = t.moveAll(ctx, first, durable)
	}
	if err != nil {
		return err
	}
	return t.moveAll(ctx, after, durable)
}

// moveAll moves parts, a few side by side.
func (t *transfer) moveAll(ctx context.Context, parts []source.Part, durable map[string]rows.Position) error {
	lanes, each := errgroup.WithContext(ctx)
	lanes.SetLimit(t.Lanes)
	for _, part := range parts {
		if each.Err() != nil {
			break
		}
		l := &lane{transfer: t, part: part, token: t.call.Token, from: durable[part.ID], purse: newPurse(t.Memory)}
		lanes.Go(func() error { return l.run(each) })
	}
	return cmp.Or(lanes.Wait(), ctx.Err()) // it may have ended between two parts
}

// publish makes the load visible.
func (t *transfer) publish(ctx context.Context, before []byte) error {
	t.progress.phase("publish")
	if err := t.call.Held(); err != nil {
		return err
	}
	p, err := t.writer.Publish(ctx, t.mark(before), t.progress.sum(), t.progress.phase)
	if errors.Is(err, destination.ErrUnbalanced) {
		// What is staged is known to be wrong: whoever goes on with this load starts it anew.
		err = errors.Join(err, t.writer.Discard(ctx))
	}
	if err != nil {
		return fmt.Errorf("publish %s: %w", t.table, err)
	}
	t.call.Where(p.Where)
	t.progress.finish(p.Counts)
	t.saysPublished(p)
	return nil
}

// mark is what the next incremental read starts from. A stretch that is read again says
// nothing of what came after it, and an incremental read that found no mark found no rows.
func (t *transfer) mark(before []byte) []byte {
	q, until := t.order.query, t.memo.Plan.Until
	if q.Window != nil || until == nil && q.Mode == syncline.ModeIncremental {
		return before
	}
	return seal(q.Cursor, until)
}

// published ends an attempt whose predecessor published the load and could not say so.
func (t *transfer) published(at rows.Standing) error {
	t.progress.finish(at.Counts)
	t.note(syncline.Info, "an earlier attempt had published all rows; nothing was left to do")
	return nil
}

func (t *transfer) close() {
	t.closeWriter()
	if t.dst != nil {
		_ = t.dst.Close()
	}
	if t.src != nil {
		_ = t.src.Close()
	}
}

func (t *transfer) closeWriter() {
	if t.writer != nil {
		_ = t.writer.Close()
		t.writer = nil
	}
}
