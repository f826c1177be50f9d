// Package engine executes runs and keeps the ledger moving: a Worker claims runs, does
// their tasks, beats and reports; a Keeper turns schedules into runs, takes runs from
// dead workers and prunes history. Neither decides a state: package ledger does.
package engine

import (
	"context"
	"encoding/json"

	"github.com/synclinehq/syncline"
)

// Door is what a worker needs of a ledger: *ledger.Ledger in the same process, or
// *client.Client over the native API. A method with a Hold answers ErrLeaseLost when the
// run is no longer the caller's.
type Door interface {
	Claim(ctx context.Context, w syncline.Worker, n int) ([]syncline.Grant, error)
	Beat(ctx context.Context, held []syncline.Hold) ([]syncline.BeatAnswer, error)
	Report(ctx context.Context, reports []syncline.TaskReport) ([]syncline.BeatAnswer, error)

	Plan(ctx context.Context, h syncline.Hold, tasks []syncline.Task) ([]*syncline.Task, error)
	BeginTask(ctx context.Context, h syncline.Hold, name string) error
	EndTask(ctx context.Context, h syncline.Hold, e syncline.TaskEnd) error
	Memo(ctx context.Context, h syncline.Hold, task string, memo json.RawMessage) error
	Keep(ctx context.Context, h syncline.Hold, rs []syncline.Reject) error
	Log(ctx context.Context, h syncline.Hold, ms []syncline.Message) error
	Stale(ctx context.Context, h syncline.Hold) error

	Finish(ctx context.Context, h syncline.Hold) (syncline.Run, error)
	Fail(ctx context.Context, h syncline.Hold, e *syncline.Error) (syncline.Run, error)
	AckCancel(ctx context.Context, h syncline.Hold) (syncline.Run, error)
	Yield(ctx context.Context, h syncline.Hold) (syncline.Run, error)
	Suspend(ctx context.Context, h syncline.Hold, w syncline.Wait, e *syncline.Error) (syncline.Run, error)

	// Changed is closed at the next change that is known here; it only saves waiting.
	Changed() <-chan struct{}
}
