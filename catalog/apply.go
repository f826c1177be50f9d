package catalog

import (
	"context"

	"github.com/synclinehq/syncline"
)

// Plan says what Apply would change, and changes nothing.
func (c *Catalog) Plan(ctx context.Context, docs []Doc) ([]Change, error) {
	return c.apply(ctx, docs, c.view, c.plan)
}

// Apply makes the pipelines of docs what docs say, all of them or none. A pipeline that
// docs do not name stays as it is: nothing is ever deleted.
func (c *Catalog) Apply(ctx context.Context, docs []Doc) ([]Change, error) {
	return c.apply(ctx, docs, c.update, c.put)
}

func (c *Catalog) apply(ctx context.Context, docs []Doc,
	in func(context.Context, func(syncline.Tx) error) error,
	do func(syncline.Tx, string, prepared, PutOptions) (*syncline.Pipeline, Change, error),
) ([]Change, error) {
	accepted := make([]prepared, len(docs))
	for i, d := range docs {
		var err error
		if accepted[i], err = c.accept(d.Name, c.confine(ctx, d.Definition)); err != nil {
			return nil, err
		}
	}
	var changes []Change
	err := in(ctx, func(tx syncline.Tx) error {
		changes = make([]Change, 0, len(docs))
		for i, d := range docs {
			_, ch, err := do(tx, d.Name, accepted[i], PutOptions{Paused: d.Paused})
			if err != nil {
				return err
			}
			changes = append(changes, ch)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return changes, nil
}
