package catalog

import (
	"context"
	"iter"
	"time"

	"github.com/synclinehq/syncline"
)

// Get finds a pipeline by its id.
func (c *Catalog) Get(ctx context.Context, id string) (p *syncline.Pipeline, err error) {
	err = c.view(ctx, func(tx syncline.Tx) error {
		p, err = tx.Pipeline(id)
		return err
	})
	return p, err
}

// ByName finds a pipeline by its name.
func (c *Catalog) ByName(ctx context.Context, name string) (p *syncline.Pipeline, err error) {
	err = c.view(ctx, func(tx syncline.Tx) error {
		p, err = tx.PipelineNamed(name)
		return err
	})
	return p, err
}

// Find finds a pipeline by its name or its id, as a person types it.
func (c *Catalog) Find(ctx context.Context, nameOrID string) (p *syncline.Pipeline, err error) {
	err = c.view(ctx, func(tx syncline.Tx) error {
		p, err = find(tx, nameOrID)
		return err
	})
	return p, err
}

func find(tx syncline.Tx, nameOrID string) (*syncline.Pipeline, error) {
	p, err := tx.PipelineNamed(nameOrID)
	if missing(err) {
		p, err = tx.Pipeline(nameOrID)
	}
	if missing(err) {
		return nil, NotThere(nameOrID)
	}
	return p, err
}

// NotThere is the error for a pipeline that does not exist, or is to look as if it did not.
func NotThere(nameOrID string) error {
	return syncline.Errorf(syncline.NotFound, "no pipeline %q", nameOrID).Of(syncline.ClassConfig).
		Try("list them: syncline pipelines")
}

// List lists pipelines in the order of their names, those greater than after: "" begins,
// the last one's name goes on, an empty page is the end.
func (c *Catalog) List(ctx context.Context, after string) (all []*syncline.Pipeline, err error) {
	err = c.view(ctx, func(tx syncline.Tx) error {
		all, err = tx.Pipelines(syncline.PipelineFilter{After: after})
		return err
	})
	return all, err
}

// All goes through all pipelines in the order of their names, page by page; an error is the
// last.
func (c *Catalog) All(ctx context.Context) iter.Seq2[*syncline.Pipeline, error] {
	return func(yield func(*syncline.Pipeline, error) bool) {
		for after := ""; ; {
			page, err := c.List(ctx, after)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(page) == 0 {
				return
			}
			for _, p := range page {
				if after = p.Name; !yield(p, nil) {
					return
				}
			}
		}
	}
}

// Revision reads an earlier definition.
func (c *Catalog) Revision(ctx context.Context, id string, revision int64) (d *syncline.Definition, err error) {
	err = c.view(ctx, func(tx syncline.Tx) error {
		d, err = tx.Revision(id, revision)
		return err
	})
	return d, err
}

// Delete removes a pipeline; its runs stay as history. One with a run that has not ended is
// FailedPrecondition.
func (c *Catalog) Delete(ctx context.Context, nameOrID string) error {
	return c.update(ctx, func(tx syncline.Tx) error {
		p, err := find(tx, nameOrID)
		if err != nil {
			return err
		}
		live, err := tx.Runs(syncline.RunFilter{PipelineID: p.ID, UnfinishedIn: true, Limit: 1})
		if err != nil {
			return err
		}
		if len(live) > 0 {
			return syncline.Errorf(syncline.FailedPrecondition, "pipeline %q has a run that has not ended: %s", p.Name, live[0].ID).
				Of(syncline.ClassConfig).Because("busy").Try("cancel it first: syncline runs cancel %s", live[0].ID)
		}
		return tx.DeletePipeline(p.ID)
	})
}

// Pause keeps a pipeline from starting scheduled runs; slots that fall due meanwhile are
// recorded as skipped. A pause stays when it was paused already.
func (c *Catalog) Pause(ctx context.Context, nameOrID string) (*syncline.Pipeline, error) {
	return c.setPaused(ctx, nameOrID, true)
}

// Unpause lets scheduled runs start again.
func (c *Catalog) Unpause(ctx context.Context, nameOrID string) (*syncline.Pipeline, error) {
	return c.setPaused(ctx, nameOrID, false)
}

func (c *Catalog) setPaused(ctx context.Context, nameOrID string, paused bool) (p *syncline.Pipeline, err error) {
	err = c.update(ctx, func(tx syncline.Tx) error {
		var now time.Time
		if p, err = find(tx, nameOrID); err != nil {
			return err
		}
		if now, err = tx.Now(); err != nil {
			return err
		}
		if len(pause(p, &paused, now)) == 0 {
			return nil
		}
		p.UpdatedAt = now
		return tx.PutPipeline(p)
	})
	return p, err
}
