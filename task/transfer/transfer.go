// Package transfer is the task kind that copies one entity from a source to a destination.
// It decides what is read, in which order things become durable, and what a failure means;
// how bytes are read and written is left to the two ends.
package transfer

import (
	"cmp"
	"context"
	"runtime"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/task"
)

// Name is the kind's name in tasks.
const Name = "transfer"

// leastLanes keep a source and a destination busy even on one processor.
const leastLanes = 2

// Options is what transfers of one process share.
type Options struct {
	Sources      func(kind string) (source.Kind, bool)
	Destinations func(kind string) (destination.Kind, bool)
	Env          source.Env
	// Memory bounds the bytes in flight of all transfers of the process. It should hold at
	// least four batches, or reading and writing cannot overlap.
	Memory *rows.Budget
	// Lanes is how many parts of one entity are moved side by side, as far as the pipeline's
	// parallel allows; default one a processor, but two.
	Lanes int

	rooms *rooms
}

// New makes the task kind.
func New(o Options) task.Kind {
	o.Lanes = cmp.Or(max(o.Lanes, 0), max(runtime.GOMAXPROCS(0), leastLanes))
	o.rooms = newRooms()
	return task.Kind{Name: Name, Plan: o.plan, Do: o.do, Help: o.help}
}

func (o Options) openSource(ctx context.Context, e syncline.Endpoint) (source.Source, error) {
	kind, ok := o.Sources(e.Kind)
	if !ok {
		return nil, unknownKind("source", e.Kind)
	}
	return kind.Open(ctx, o.Env, e.Settings)
}

func (o Options) openDestination(ctx context.Context, e syncline.Endpoint) (destination.Destination, error) {
	kind, ok := o.Destinations(e.Kind)
	if !ok {
		return nil, unknownKind("destination", e.Kind)
	}
	return kind.Open(ctx, o.Env, e.Settings)
}

func unknownKind(side, kind string) error {
	return syncline.Errorf(syncline.InvalidArgument, "this build has no %s of kind %q", side, kind).Of(syncline.ClassConfig).
		Try("list what there is: syncline kinds")
}
