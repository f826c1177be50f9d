// Package task is the contract of one unit of a run. The engine knows tasks and nothing
// of what they do; a task knows nothing of leases or the store.
package task

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/synclinehq/syncline"
)

// Kind is what a task package hands to the registry.
type Kind struct {
	Name string
	// Plan turns a pipeline's definition into the tasks of a run, when a worker has
	// claimed it and it has none yet. Endpoints are opened: their settings hold secrets.
	Plan func(ctx context.Context, d syncline.Definition, mode syncline.Mode) ([]syncline.Task, error)
	// Do does one task. It is called again, with what the last attempt left in
	// Call.Task, until it returns nil or an error that is not retryable. It ends soon
	// after ctx does, rolling back what is open. What it returns means:
	//   nil                 done; Call.Task.Stats, Where as last reported
	//   *Suspend            a person is needed; the run waits
	//   ErrLeaseLost        somebody else has the run
	//   *syncline.Error     failed; retried when Retryable
	//   anything else       failed, internal
	Do func(ctx context.Context, c *Call) error
	// Help does one part that a Do of another process offered through Call.Share; nil: it
	// offers none. nil means that the part is done, with the counts last reported; after
	// any error but that of ctx it is left to the one who offered it.
	Help func(ctx context.Context, c *Call, p Part) error
}

// Call is what a task is given. Its functions may be called from any goroutine.
type Call struct {
	Run        syncline.Run
	Token      int64
	Definition syncline.Definition // of the run's revision, endpoints opened
	Task       syncline.Task       // as the last attempt left it
	Attempt    int                 // of the run, from 1
	Host       string

	// Report says how far the task has come. It never blocks: the newest report is sent
	// at most once a second.
	Report func(s syncline.Stats)
	// Where says where the task's data lands.
	Where func(where string)
	// Memo stores what the next attempt needs, durably, before it returns.
	Memo func(ctx context.Context, memo json.RawMessage) error
	// Keep stores rejects, durably and idempotently, before it returns. Its error is a
	// *syncline.Error that is not retryable when the limits of rejects are exceeded.
	Keep func(ctx context.Context, rs []syncline.Reject) error
	// Note adds a message to the run's log. It never blocks.
	Note func(s syncline.Severity, format string, args ...any)
	// Held is asked before every write. While the lease is in doubt it waits: nil once a
	// beat has confirmed it, ErrLeaseLost or the context's error when it is gone.
	Held func() error
	// Share offers parts to idle workers; nil: no other process could take one.
	Share Share
}

// Suspend makes the run wait for a person.
type Suspend struct {
	Wait syncline.Wait
	Err  *syncline.Error // why, and what the person can do
}

func (s *Suspend) Error() string { return fmt.Sprintf("%s: %s", s.Wait, s.Err.Message) }

func (s *Suspend) Unwrap() error { return s.Err }
