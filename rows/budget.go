package rows

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// Budget bounds the bytes that are in flight in the whole process. When it is spent the
// readers wait, first come first served.
type Budget struct {
	total int64
	sem   *semaphore.Weighted
}

// NewBudget makes a budget of total bytes.
func NewBudget(total int64) *Budget {
	return &Budget{total: total, sem: semaphore.NewWeighted(total)}
}

// Take waits until n bytes are free and returns how many it took: n, or all of the
// budget when n is more than that. Give them back with Give.
func (b *Budget) Take(ctx context.Context, n int64) (int64, error) {
	n = min(n, b.total)
	return n, b.sem.Acquire(ctx, n)
}

// Give returns n bytes.
func (b *Budget) Give(n int64) {
	if n > 0 {
		b.sem.Release(n)
	}
}

// Try takes n bytes, or as many as there are in all, if they are free now.
func (b *Budget) Try(n int64) (int64, bool) {
	n = min(n, b.total)
	return n, b.sem.TryAcquire(n)
}
