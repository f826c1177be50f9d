package engine

import (
	"context"
	"log/slog"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/task"
)

// Opener opens the endpoints of a definition: secrets unsealed, references resolved.
type Opener interface {
	Open(ctx context.Context, d syncline.Definition) (syncline.Definition, error)
}

// WorkerOptions configures a Worker. Door, Opener, Tasks and Self are required.
type WorkerOptions struct {
	Door   Door
	Opener Opener
	Tasks  func(kind string) (task.Kind, bool)
	Self   syncline.Worker
	Log    *slog.Logger
	Runs   int           // side by side; default 4
	Beat   time.Duration // between beats; default 5 s
	Poll   time.Duration // between looks for work when nothing is known to have changed; default 1 s
	Once   bool          // end when one run has ended, or when there is nothing to claim
}
