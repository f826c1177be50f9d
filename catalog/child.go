package catalog

import (
	"context"

	"github.com/synclinehq/syncline"
)

// Storable checks a definition that is no pipeline's own, and seals its secrets: that of a
// child run. What an error calls it is name.
func (c *Catalog) Storable(ctx context.Context, name string, d syncline.Definition) (syncline.Definition, error) {
	p, err := c.acceptDefinition(name, c.confine(ctx, d))
	if err != nil {
		return d, err
	}
	d = p.Definition
	d.Host = c.pin(p, syncline.Definition{})
	return d, c.sealDefinition(&d)
}
