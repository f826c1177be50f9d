package task

import (
	"context"
	"encoding/json"

	"github.com/synclinehq/syncline"
)

// Share lends parts of a task to idle workers. Whoever offers takes parts by it as well, so
// that none is done twice at once. Its calls answer ErrLeaseLost when the run is lost.
type Share interface {
	// Offer begins to share parts; payload is what Kind.Help gets.
	Offer(ctx context.Context, parts []string, payload json.RawMessage) error
	// Take gives the next part, under a token above all that were given out for it before;
	// nil when others have what is left.
	Take(ctx context.Context) (*syncline.OfferedPart, error)
	// Parts says where all parts stand.
	Parts(ctx context.Context) ([]syncline.OfferedPart, error)
	// Done ends a part that was taken, with its counts.
	Done(ctx context.Context, p syncline.OfferedPart, c syncline.Counts) error
	// Withdraw takes away what others still have.
	Withdraw(ctx context.Context) error
}

// Part is what a helper does.
type Part struct {
	ID      string
	Token   int64 // the part's own, above Call.Token, which is the run's
	Payload json.RawMessage
}
