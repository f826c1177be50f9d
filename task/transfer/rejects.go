package transfer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/task"
)

// More rejects than these, and the data is not what the pipeline was made for.
const (
	maxRejects = 1000 // of one entity
	maxInARow  = 10
	maxIn      = 15 // of any perRows rows
	perRows    = 100
)

// rejects keeps bad rows in the ledger, before the commit that passes them, and stops the
// transfer when there are too many. Lanes share it.
type rejects struct {
	call *task.Call
	now  func() time.Time

	mu    sync.Mutex
	total int64
	parts map[string][]int64 // ordinals of the rows rejected by this attempt, sorted; at most maxRejects+1
	err   error              // what stopped it; a destination may have wrapped it beyond recognition
}

// newRejects starts from what is durable; rows behind the durable position are met again.
func newRejects(c *task.Call, now func() time.Time, durable int64) *rejects {
	return &rejects{call: c, now: now, total: durable, parts: map[string][]int64{}}
}

// keep stores the rejects of one part up to the one that is too many, if any.
func (r *rejects) keep(ctx context.Context, part string, list []rows.Reject) error {
	fresh, tooMany := r.admit(part, list)
	if len(fresh) > 0 {
		if err := r.call.Keep(ctx, fresh); err != nil {
			return r.stop(fmt.Errorf("keep rejected rows of part %s: %w", part, err))
		}
	}
	if tooMany != nil {
		return r.stop(tooMany)
	}
	return nil
}

func (r *rejects) admit(part string, list []rows.Reject) (fresh []syncline.Reject, tooMany error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, bad := range list {
		ordinals := r.parts[part]
		i, seen := slices.BinarySearch(ordinals, bad.Row)
		if seen {
			continue
		}
		ordinals = slices.Insert(ordinals, i, bad.Row)
		r.parts[part] = ordinals
		r.total++
		fresh = append(fresh, r.draw(part, bad))
		if limit := exceeded(r.total, ordinals, i); limit != "" {
			return fresh, r.tooMany(limit, bad)
		}
	}
	return fresh, nil
}

func (r *rejects) draw(part string, bad rows.Reject) syncline.Reject {
	return syncline.Reject{
		RunID: r.call.Run.ID, Task: r.call.Task.Name, Part: part, Row: bad.Row, Key: bad.Key,
		Code: bad.Code, Message: bad.Message, Sample: bad.Sample[:min(len(bad.Sample), rows.MaxSample)], At: r.now(),
	}
}

// exceeded names the limit that the reject at ordinals[i] breaks, "" if none.
func exceeded(total int64, ordinals []int64, i int) string {
	switch {
	case total > maxRejects:
		return fmt.Sprintf("more than %d rows", maxRejects)
	case dense(ordinals, i, maxInARow, maxInARow+1):
		return fmt.Sprintf("more than %d rows in a row", maxInARow)
	case dense(ordinals, i, maxIn, perRows):
		return fmt.Sprintf("more than %d of %d rows", maxIn, perRows)
	}
	return ""
}

// dense reports whether more than n ordinals, that at i among them, lie within width rows.
func dense(ordinals []int64, i, n int, width int64) bool {
	for first := max(0, i-n); first <= i && first+n < len(ordinals); first++ {
		if ordinals[first+n]-ordinals[first] < width {
			return true
		}
	}
	return false
}

func (r *rejects) tooMany(limit string, bad rows.Reject) error {
	return syncline.Errorf(syncline.FailedPrecondition, "%s of %s were rejected, the last because: %s", limit, r.call.Task.Name, bad.Message).
		Of(syncline.ClassData).Because("too_many_rejects").Try("list them: syncline runs rejects %s", r.call.Run.ID)
}

func (r *rejects) stop(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
	return err
}

// cause is what stopped the transfer, if rejects did.
func (r *rejects) cause() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}
