package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/synclinehq/syncline"
)

// Patience is how long a call may take that came without a deadline.
const Patience = 10 * time.Second

// Grace is how long after its context has ended a commit under way is waited for: what
// it answers is worth more than that the caller learns of the end at once.
const Grace = 750 * time.Millisecond

// Bound gives ctx a deadline if it has none.
func Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, Patience)
}

// Late is why a call ended with its context.
func Late(ctx context.Context) error {
	if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return syncline.Errorf(syncline.DeadlineExceeded, "the ledger did not answer in time: %w", ctx.Err()).
		Because("ledger_slow").Again()
}

// Unknown answers a caller whose change may yet become durable.
func Unknown(err error) error {
	return syncline.Errorf(syncline.Unavailable, "the ledger did not confirm a change: %w", err).
		Because("commit_unknown").Again().Try("look whether it happened before doing it again")
}
