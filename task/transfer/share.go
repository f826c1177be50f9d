package transfer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// look is how long one who waits for helpers waits between looks at what they have done.
const look = 300 * time.Millisecond

// partsEach is how many parts are asked for where other workers could take some, for each
// lane here: so many workers can be busy, and they end at about the same time.
const partsEach = 4

// lent is what a helper needs to know of a load.
type lent struct {
	Memo memo `json:"memo"`
	// Session is the plan's, which is good as long as the one who lends is at it.
	Session []byte `json:"session,omitempty"`
}

// loan is the parts of a load while others may do them too.
type loan struct {
	*transfer
	parts map[string]source.Part
}

// lends reports whether other workers could do some of parts.
func (t *transfer) lends(parts []source.Part) bool {
	if t.call.Share == nil || len(parts) < 2 {
		return false
	}
	s, ok := t.src.(source.Sharer)
	_, joins := t.writer.(destination.Joiner)
	return ok && joins && s.Shares(t.memo.Plan)
}

// moveShared moves parts with whoever helps, and returns when all are done.
func (t *transfer) moveShared(ctx context.Context, parts []source.Part) error {
	payload, err := json.Marshal(lent{t.memo, t.memo.Plan.Session})
	if err != nil {
		return fmt.Errorf("write down what helpers need: %w", err)
	}
	l := &loan{transfer: t, parts: map[string]source.Part{}}
	var ids []string
	for _, p := range parts {
		ids, l.parts[p.ID] = append(ids, p.ID), p
	}
	if err := t.call.Share.Offer(ctx, ids, payload); err != nil {
		return fmt.Errorf("offer parts of %s: %w", t.call.Task.Name, err)
	}
	err = l.run(ctx)
	if errors.Is(err, syncline.ErrLeaseLost) || ctx.Err() != nil {
		return err // nobody holds the run any more, or soon not: its offers go with it
	}
	if gone := t.call.Share.Withdraw(ctx); gone != nil {
		return errors.Join(err, gone)
	}
	if voided(err) {
		return l.void(ctx, err)
	}
	return cmp.Or(err, t.enough())
}

// void gives up a plan that helpers may still be reading by: only a new token stops them, so
// the next attempt starts anew rather than this one.
func (l *loan) void(ctx context.Context, why error) error {
	l.memo = memo{}
	if err := l.remember(ctx); err != nil {
		return err
	}
	return syncline.Errorf(syncline.Aborted, "%s is read anew: %w", l.call.Task.Name, why).Of(syncline.ClassSource).Again()
}

// enough holds the rejects of all workers against the limit: each has counted its own.
func (t *transfer) enough() error {
	if t.progress.sum().Rejected <= maxRejects {
		return nil
	}
	return t.rejects.tooMany(fmt.Sprintf("more than %d rows", maxRejects), rows.Reject{Message: "several workers met some each"})
}

func (l *loan) run(ctx context.Context) error {
	watched, stop := context.WithCancel(ctx)
	lanes, each := errgroup.WithContext(ctx)
	for range min(l.Lanes, len(l.parts)) {
		lanes.Go(func() error { return l.work(each) })
	}
	var watch errgroup.Group
	watch.Go(func() error { return l.watch(watched) })
	err := lanes.Wait()
	stop()
	_ = watch.Wait() // what it could not read, the lanes could not either
	return cmp.Or(err, ctx.Err())
}

// work takes parts until all are done, by whomever.
func (l *loan) work(ctx context.Context) error {
	for {
		took, err := l.workOne(ctx)
		if err != nil {
			return err
		}
		if took {
			continue
		}
		if done, err := l.look(ctx); done || err != nil {
			return err
		}
		if err := rest(ctx, look); err != nil {
			return err
		}
	}
}

// workOne moves one part, if there is one to be had.
func (l *loan) workOne(ctx context.Context) (bool, error) {
	give, err := l.room.take(ctx)
	if err != nil {
		return false, err
	}
	defer give()
	p, err := l.call.Share.Take(ctx)
	if err != nil || p == nil {
		return false, err
	}
	l.progress.by(p.Part, p.Worker)
	mine := &lane{transfer: l.transfer, part: l.parts[p.Part], token: p.Token, purse: newPurse(l.Memory)}
	if err := mine.move(ctx); err != nil {
		return true, err
	}
	return true, l.call.Share.Done(ctx, *p, mine.durable.Counts)
}

// watch shows how far helpers have come while the lanes are busy.
func (l *loan) watch(ctx context.Context) error {
	for rest(ctx, time.Second) == nil {
		if _, err := l.look(ctx); err != nil {
			return err
		}
	}
	return nil
}

// look takes over what helpers have reported, and says whether all parts are done.
func (l *loan) look(ctx context.Context) (done bool, err error) {
	ps, err := l.call.Share.Parts(ctx)
	if err != nil {
		return false, fmt.Errorf("look at the parts of %s: %w", l.call.Task.Name, err)
	}
	done = len(ps) == len(l.parts)
	for _, p := range ps {
		done = done && p.State == syncline.PartDone
		if p.Worker != l.call.Run.Worker && p.Worker != "" {
			l.progress.helped(p)
		}
	}
	if len(ps) == 0 { // offers end with the hold of the run
		return false, syncline.ErrLeaseLost
	}
	return done, nil
}

// rest waits a little; what ended ctx otherwise.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
