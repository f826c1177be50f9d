package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/task"
)

// help does one part of a load that another worker has taken over and will publish.
func (o Options) help(ctx context.Context, c *task.Call, p task.Part) error {
	t, end := o.begin(c)
	defer end()
	return outcome(ctx, c, t.assist(ctx, p))
}

func (t *transfer) assist(ctx context.Context, p task.Part) error {
	part, err := t.borrow(ctx, p)
	if err != nil {
		return err
	}
	if err := t.join(ctx); err != nil {
		return err
	}
	t.progress.begin([]source.Part{part}, nil)
	t.rejects = newRejects(t.call, t.Env.Now, 0)
	l := &lane{transfer: t, part: part, token: p.Token, purse: newPurse(t.Memory)}
	return l.run(ctx)
}

// borrow opens both ends and takes over the plan of the one who lends.
func (t *transfer) borrow(ctx context.Context, p task.Part) (source.Part, error) {
	var l lent
	if err := json.Unmarshal(p.Payload, &l); err != nil {
		return source.Part{}, fmt.Errorf("what part %s needs: %w", p.ID, err)
	}
	if err := t.open(ctx); err != nil {
		return source.Part{}, err
	}
	t.memo = l.Memo
	t.memo.Plan.Session = l.Session
	i := slices.IndexFunc(t.memo.Plan.Parts, func(q source.Part) bool { return q.ID == p.ID })
	if i < 0 || t.memo.Shape != t.shape {
		return source.Part{}, syncline.Errorf(syncline.Aborted, "%s looks another way from here than to the worker that holds the run", t.call.Task.Name).
			Of(syncline.ClassSource).Again()
	}
	q := &t.order.query
	q.Since, q.Format, q.Corrects, t.format = l.Memo.Since, l.Memo.Format, l.Memo.Corrects, l.Memo.Format
	return t.memo.Plan.Parts[i], nil
}

// join opens the destination beside the one who took the stream over.
func (t *transfer) join(ctx context.Context) error {
	target := t.target(false)
	target.Format, target.Corrects = t.memo.Format, t.memo.Corrects
	if err := t.call.Held(); err != nil {
		return err
	}
	w, err := t.dst.Open(ctx, target)
	if err != nil {
		return fmt.Errorf("open %s: %w", t.table, err)
	}
	t.writer = w
	j, ok := w.(destination.Joiner)
	if !ok {
		return syncline.Errorf(syncline.Unimplemented, "this build cannot help to write %s", t.table)
	}
	if err := j.Join(ctx); err != nil {
		return fmt.Errorf("join the load of %s: %w", t.table, err)
	}
	return nil
}
