package transfer

import (
	"context"

	"github.com/synclinehq/syncline/rows"
)

// purse is how one lane pays for its batches out of the budget of the process. Reader and
// writer of the lane share it.
//
// A lane whose last batch had no position has a transaction open at the destination, and
// other lanes may be waiting for the locks it holds, with batches in their hands. It must
// be able to go on when the budget is spent, so it keeps what it paid for such a batch and
// reads the next one with that.
type purse struct {
	budget *rows.Budget
	kept   chan int64
	open   bool // the reader's: the last batch had no position
}

// newPurse has room for the two batches that a lane has in flight, and one in making.
func newPurse(b *rows.Budget) *purse { return &purse{budget: b, kept: make(chan int64, 3)} }

// take pays for the largest batch before it is read.
func (p *purse) take(ctx context.Context) (int64, error) {
	if !p.open {
		return p.fresh(ctx)
	}
	select {
	case n := <-p.kept:
		return n, nil
	default:
	}
	if n, ok := p.budget.Try(rows.MaxBatchBytes); ok {
		return n, nil
	}
	select {
	case n := <-p.kept:
		return n, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (p *purse) fresh(ctx context.Context) (int64, error) {
	n, err := p.budget.Take(ctx, rows.MaxBatchBytes)
	if err != nil {
		return 0, err
	}
	return n, nil
}

// weigh gives back what a batch did not need. A batch is over its price by at most one
// row; waiting for that much more, with the batch in hand, could wait for ever.
func (p *purse) weigh(paid int64, b *rows.Batch) int64 {
	p.open = b.Next == nil
	if p.open || b.Bytes >= paid {
		return paid
	}
	p.budget.Give(paid - b.Bytes)
	return b.Bytes
}

// spent takes a batch's price back, once it is written.
func (p *purse) spent(paid int64, open bool) {
	if open {
		select {
		case p.kept <- paid:
			return
		default: // the reader has all it can use
		}
	}
	p.budget.Give(paid)
	if !open {
		p.empty()
	}
}

// empty gives back what is kept.
func (p *purse) empty() {
	for {
		select {
		case n := <-p.kept:
			p.budget.Give(n)
		default:
			return
		}
	}
}
