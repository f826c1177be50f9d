package catalog

import (
	"context"
	"encoding/json"

	"github.com/synclinehq/syncline"
)

// Doc finds what a dialect keeps that is neither pipeline nor run.
func (c *Catalog) Doc(ctx context.Context, dialect, kind, id string) (d *syncline.Doc, err error) {
	err = c.view(ctx, func(tx syncline.Tx) error {
		d, err = tx.Doc(dialect, kind, id)
		return err
	})
	return d, err
}

// PutDoc keeps a document in place of the one that was there; made says that there was
// none.
func (c *Catalog) PutDoc(ctx context.Context, dialect, kind, id string, body json.RawMessage) (made bool, err error) {
	err = c.update(ctx, func(tx syncline.Tx) error {
		d, err := tx.Doc(dialect, kind, id)
		if made = missing(err); made {
			d, err = &syncline.Doc{Dialect: dialect, Kind: kind, ID: id}, nil
		}
		if err != nil {
			return err
		}
		d.Body = body
		return tx.PutDoc(d)
	})
	return made, err
}

// DeleteDoc removes a document.
func (c *Catalog) DeleteDoc(ctx context.Context, dialect, kind, id string) error {
	return c.update(ctx, func(tx syncline.Tx) error { return tx.DeleteDoc(dialect, kind, id) })
}

// Docs lists a dialect's documents of a kind behind an id, by their ids.
func (c *Catalog) Docs(ctx context.Context, dialect, kind, after string, limit int) (docs []syncline.Doc, err error) {
	err = c.view(ctx, func(tx syncline.Tx) error {
		docs, err = tx.Docs(dialect, kind, after, limit)
		return err
	})
	return docs, err
}
