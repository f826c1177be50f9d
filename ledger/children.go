package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/synclinehq/syncline"
)

// MaxChildren is how many children one run may have.
const MaxChildren = 1000

// Child asks for a run that Syncline does as a part of a run that is done outside.
type Child struct {
	// Task is what it is for, "orders", which people read: children of one run with the same
	// word follow one another.
	Task string
	// Definition is what it does, made storable by the catalog.
	Definition syncline.Definition
}

// StartChildren adds work for Syncline to a run that an outside worker does: each child is
// a run of its own, of the same pipeline but by a definition of its own that goes with it.
// At most beside of them are at work at a time; 0: as many as there are workers. All are
// started or none. It is FailedPrecondition unless the run is running and its source has
// more to say, and a sign of life.
func (l *Ledger) StartChildren(ctx context.Context, id string, o Outside, beside int, cs ...Child) (out []syncline.Run, err error) {
	err = l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.Run(id)
		if err != nil {
			return err
		}
		out, err = l.startChildren(tx, r, o, beside, cs)
		return err
	})
	return out, err
}

func (l *Ledger) startChildren(tx syncline.Tx, r *syncline.Run, o Outside, beside int, cs []Child) ([]syncline.Run, error) {
	m := move{event: evChild, reason: fmt.Sprintf("%d loads", len(cs))}
	next, err := told(tx, r, o, &m)
	if err != nil {
		return nil, err
	}
	if err := l.put(tx, *r, &next, m); err != nil {
		return nil, err
	}
	ids, err := l.bear(tx, next, beside, cs)
	if err != nil {
		return nil, err
	}
	if err := setToWork(tx, r.ID); err != nil {
		return nil, err
	}
	return each(tx, ids)
}

// bear stores children, each with its definition and its place among the parent's tasks.
func (l *Ledger) bear(tx syncline.Tx, parent syncline.Run, beside int, cs []Child) (ids []string, err error) {
	p, err := tx.Pipeline(parent.PipelineID)
	if err != nil {
		return nil, err
	}
	tasks, err := tx.Tasks(parent.ID)
	if err != nil {
		return nil, err
	}
	if n := len(tasks) + len(cs); n > MaxChildren {
		return nil, syncline.Errorf(syncline.ResourceExhausted, "run %s would have %d parts, and may have %d", parent.ID, n, MaxChildren).
			Try("load more files at once, or leave some to another run")
	}
	for _, c := range cs {
		r, err := child(tx, p, parent, c)
		if err != nil {
			return nil, err
		}
		r.Parent.Beside, r.Parent.Iteration = max(0, beside), iteration(tasks, c.Task)
		t := &syncline.Task{RunID: parent.ID, Name: r.Parent.Name(), Kind: ChildTask, Ordinal: len(tasks), State: syncline.TaskPending, StateAt: parent.UpdatedAt}
		if err := tx.PutTask(t); err != nil {
			return nil, err
		}
		if err := tx.PutStats(t.RunID, t.Name, syncline.Stats{Expected: -1}); err != nil {
			return nil, err
		}
		if err := l.insert(tx, &r, "created"); err != nil {
			return nil, err
		}
		tasks, ids = append(tasks, t), append(ids, r.ID)
	}
	return ids, nil
}

// iteration is the first that is free among a run's tasks.
func iteration(tasks []*syncline.Task, task string) int {
	at := syncline.Parent{Task: task}
	for slices.ContainsFunc(tasks, func(t *syncline.Task) bool { return t.Name == at.Name() }) {
		at.Iteration++
	}
	return at.Iteration
}

// child drafts a child, which waits until it is admitted, and stores its definition.
func child(tx syncline.Tx, p *syncline.Pipeline, parent syncline.Run, c Child) (syncline.Run, error) {
	d := c.Definition
	d.Owner, d.Schedules, d.Confined = syncline.OwnerEngine, nil, d.Confined || p.Definition.Confined
	revision, err := tx.PutRevision(p.ID, &d)
	id := newID()
	return syncline.Run{
		ID: id, PipelineID: p.ID, Pipeline: parent.Pipeline, Revision: revision, Load: id,
		Parent: &syncline.Parent{Run: parent.ID, Task: c.Task}, Origin: syncline.OriginChild,
		Owner: syncline.OwnerEngine, Kind: "sync", Lane: id, Priority: parent.Priority, Host: d.Host,
		State: syncline.StatePending, Max: cmp.Or(d.MaxTries, 5), DataTime: parent.DataTime,
	}, err
}

func each(tx syncline.Tx, ids []string) (out []syncline.Run, err error) {
	for _, id := range ids {
		r, err := tx.Run(id)
		if err != nil {
			return nil, err
		}
		out = append(out, *r)
	}
	return out, nil
}
