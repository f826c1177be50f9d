package elasticsearch

import (
	"context"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
)

// Publish holds what is there against what was counted, removes what the load has not
// seen where it is to go, and seals it. Rows have been visible since they came.
func (w *writer) Publish(ctx context.Context, mark []byte, sum syncline.Counts, phase func(string)) (destination.Published, error) {
	if err := w.held(ctx); err != nil {
		return destination.Published{}, err
	}
	if p := w.fence.Published; p != nil && p.Load == w.target.Load {
		return w.answer(*p), nil
	}
	if phase == nil {
		phase = func(string) {}
	}
	total, seen, err := w.measure(ctx)
	if err != nil {
		return destination.Published{}, err
	}
	if sum, err = w.balance(ctx, sum, total, seen); err != nil {
		return destination.Published{}, err
	}
	p := published{Load: w.target.Load, Target: w.fence.Target, Total: total, Counts: sum}
	if w.sweeps() {
		if p.Swept, err = w.clear(ctx, sum.Read, phase); err != nil {
			return destination.Published{}, err
		}
		if p.Total, err = w.count(ctx, w.ours()); err != nil {
			return destination.Published{}, err
		}
	}
	p.Counts.Swept = p.Swept
	return w.seal(ctx, p, mark)
}

// seal makes the load the published one, and only then forgets how it came about.
func (w *writer) seal(ctx context.Context, p published, mark []byte) (destination.Published, error) {
	f := w.fence
	f.Published, f.Mark, f.Gone = &p, mark, nil
	if err := w.change(ctx, f); err != nil {
		return destination.Published{}, err
	}
	return w.answer(p), w.forget(ctx)
}

func (w *writer) answer(p published) destination.Published {
	return destination.Published{Total: p.Total, Swept: p.Swept, Where: "index " + w.target.Table, Counts: p.Counts}
}

// measure counts the stream's documents, and those of them that this load has written.
func (w *writer) measure(ctx context.Context) (total, seen int64, err error) {
	have, err := w.describe(ctx)
	if err != nil {
		return 0, 0, err
	}
	if have == nil || have.uuid != w.fence.Target {
		return 0, 0, &destination.Unbalanced{Table: w.target.Table, Count: w.fence.Had}
	}
	if err := w.db.refresh(ctx, w.target.Table); err != nil {
		return 0, 0, failed(ctx, err, "refresh the index %s", w.target.Table)
	}
	if total, err = w.count(ctx, w.ours()); err != nil {
		return 0, 0, err
	}
	seen, err = w.count(ctx, w.seen())
	return total, seen, err
}

// balance holds the counts against the cluster. Every document that was made is one more
// than before, unless it was lost; a batch that was written twice, after a crash, counts as
// made the first time and is in no count then, so that there may be more, never fewer. And
// of the rows that were accepted, those that are not to be seen were superseded by others
// with their key, which cannot be more than those that found a document there.
func (w *writer) balance(ctx context.Context, sum syncline.Counts, total, seen int64) (syncline.Counts, error) {
	parts, err := w.parts(ctx)
	if err != nil {
		return sum, err
	}
	var durable syncline.Counts
	for _, p := range parts {
		if p.Round != w.fence.Round {
			continue
		}
		if !p.Position.Done {
			return sum, syncline.Errorf(syncline.FailedPrecondition, "part %s of %s is not done", p.Part, w.target.Table).Of(syncline.ClassInternal)
		}
		durable = durable.Add(p.Position.Counts)
	}
	if durable != sum {
		return sum, w.unbalanced(durable.Inserted+durable.Updated, sum.Inserted+sum.Updated)
	}
	if due := w.fence.Had + sum.Inserted - sum.Deleted; total < due && w.fence.Gone == nil {
		return sum, w.unbalanced(total, due)
	}
	accepted := sum.Inserted + sum.Updated
	repeated := accepted - seen
	if repeated < 0 || repeated > sum.Updated+sum.Deleted {
		return sum, w.unbalanced(seen, accepted)
	}
	fromUpdated := min(repeated, sum.Updated)
	sum.Updated -= fromUpdated
	sum.Inserted -= repeated - fromUpdated
	sum.Superseded += repeated
	return sum, nil
}

func (w *writer) unbalanced(staged, count int64) error {
	return &destination.Unbalanced{Table: w.target.Table, Staged: staged, Count: count}
}
