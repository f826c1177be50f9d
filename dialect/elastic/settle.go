package elastic

import (
	"context"

	"github.com/synclinehq/syncline"
)

// Settle gives the connectors that Syncline runs itself the definitions that follow from
// the server's settings as they are now: another cluster, or one at last. One that cannot
// be settled stays as it was, and the log says why.
func (a *API) Settle(ctx context.Context) error {
	for p, err := range a.o.Catalog.All(ctx) {
		if err != nil {
			return err
		}
		if err := a.settle(ctx, p); err != nil && ctx.Err() == nil {
			a.o.Log.Error("settle a connector", "pipeline", p.Name, "err", err)
		}
	}
	return nil
}

func (a *API) settle(ctx context.Context, p *syncline.Pipeline) error {
	if foreign(p) {
		return nil
	}
	k, err := document(p)
	if err != nil {
		return err
	}
	if _, ours := a.service(k.doc); !ours {
		return nil
	}
	_, err = a.o.Catalog.Alter(ctx, Name, k.id, func(_ syncline.Tx, p *syncline.Pipeline) error {
		k, err := document(p)
		if err != nil {
			return err
		}
		if err := a.complete(k); err != nil {
			return err
		}
		if p.Ext[Name], err = encodeDocument(k.id, k.doc); err != nil {
			return err
		}
		open, err := a.opened(k)
		if err != nil {
			return err
		}
		return a.define(p, open)
	})
	return err
}
