package catalog

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/registry"
)

// derived begins the name under which a dialect shows a pipeline that it did not make. It
// is a label as of RFC 1034, and the id is read back from it.
const derived = "syncline-"

// NameIn is what a dialect calls a pipeline that was not made through it.
func NameIn(p *syncline.Pipeline) string { return derived + p.ID }

// Named finds the pipeline that a dialect calls so: the one that was made through it under
// this name, or any other by its derived name (NameIn).
func (c *Catalog) Named(ctx context.Context, dialect, name string) (p *syncline.Pipeline, err error) {
	err = c.view(ctx, func(tx syncline.Tx) error {
		p, err = named(tx, dialect, name)
		return err
	})
	return p, err
}

func named(tx syncline.Tx, dialect, name string) (*syncline.Pipeline, error) {
	id, err := tx.Name(dialect, name)
	if missing(err) {
		var ok bool
		if id, ok = strings.CutPrefix(name, derived); !ok {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	return tx.Pipeline(id)
}

// Changing is what a dialect does to a pipeline in one transaction: it may change
// p.Ext[its dialect], p.Definition, whose secrets are open, and p.PausedAt; through tx it
// may claim names and keep documents. It may be called again and touches nothing else.
// p.Version is 0 of a pipeline that is being made. What it leaves in p.Definition.Confined
// does not count: that follows from who calls (Options.Local) and from what was.
type Changing func(tx syncline.Tx, p *syncline.Pipeline) error

// Make makes the pipeline that a dialect calls so, or changes the one that it has made.
func (c *Catalog) Make(ctx context.Context, dialect, name string, fn Changing) (p *syncline.Pipeline, err error) {
	fn = c.confining(ctx, fn)
	err = c.update(ctx, func(tx syncline.Tx) error {
		p, err = named(tx, dialect, name)
		if missing(err) {
			p, err = c.makeNamed(tx, dialect, name, fn)
			return err
		}
		if err != nil {
			return err
		}
		return c.alter(tx, dialect, p, fn)
	})
	return p, err
}

// Alter changes a pipeline that was made through a dialect. What changes nothing stores
// nothing, and p.Version stays. It is FailedPrecondition for a pipeline that was made
// elsewhere.
func (c *Catalog) Alter(ctx context.Context, dialect, name string, fn Changing) (p *syncline.Pipeline, err error) {
	fn = c.confining(ctx, fn)
	err = c.update(ctx, func(tx syncline.Tx) error {
		if p, err = named(tx, dialect, name); err != nil {
			return err
		}
		return c.alter(tx, dialect, p, fn)
	})
	return p, err
}

func (c *Catalog) makeNamed(tx syncline.Tx, dialect, name string, fn Changing) (*syncline.Pipeline, error) {
	now, err := tx.Now()
	if err != nil {
		return nil, err
	}
	p := &syncline.Pipeline{ID: newID(), Revision: 1, CreatedAt: now, UpdatedAt: now, Ext: map[string]json.RawMessage{}}
	if p.Name, err = free(tx, dialect, name, p.ID); err != nil {
		return nil, err
	}
	if err := fn(tx, p); err != nil {
		return nil, err
	}
	if err := c.settleDefinition(p, syncline.Definition{}, now); err != nil {
		return nil, err
	}
	if err := c.sealDefinition(&p.Definition); err != nil {
		return nil, err
	}
	if err := tx.PutPipeline(p); err != nil {
		return nil, err
	}
	if err := tx.PutName(dialect, name, p.ID); err != nil {
		return nil, err
	}
	return p, due(tx, p, now)
}

// free is a name for people that nobody has: the dialect's own if it can be.
func free(tx syncline.Tx, dialect, name, id string) (string, error) {
	for _, want := range []string{name, dialect + "-" + name} {
		if checkName(want) != nil {
			continue
		}
		_, err := tx.PipelineNamed(want)
		if missing(err) {
			return want, nil
		}
		if err != nil {
			return "", err
		}
	}
	return dialect + "-" + id, nil
}

func (c *Catalog) alter(tx syncline.Tx, dialect string, p *syncline.Pipeline, fn Changing) error {
	if p.Ext[dialect] == nil {
		return syncline.Errorf(syncline.FailedPrecondition, "pipeline %q was not made through this API: its definition is changed where it was made", p.Name).
			Of(syncline.ClassConfig).Because("foreign").Try("syncline apply, or the native API")
	}
	now, err := tx.Now()
	if err != nil {
		return err
	}
	stored := *p
	stored.Ext = maps.Clone(p.Ext)
	before := c.openStored(p.Definition)
	p.Definition = before
	if err := fn(tx, p); err != nil {
		return err
	}
	if err := c.settleDefinition(p, before, now); err != nil {
		return err
	}
	changed := len(c.differences(before, p.Definition)) > 0
	if !changed {
		p.Definition = stored.Definition
		if p.PausedAt.Equal(stored.PausedAt) && maps.EqualFunc(stored.Ext, p.Ext, slices.Equal[json.RawMessage]) {
			return nil
		}
	} else {
		p.Revision++
		if err := c.sealDefinition(&p.Definition); err != nil {
			return err
		}
	}
	p.UpdatedAt = now
	if err := tx.PutPipeline(p); err != nil || !changed {
		return err
	}
	return due(tx, p, now)
}

// settleDefinition checks what a dialect made of a definition and fills in the rest.
func (c *Catalog) settleDefinition(p *syncline.Pipeline, before syncline.Definition, now time.Time) error {
	d, err := c.acceptDefinition(p.Name, p.Definition)
	if err != nil {
		return err
	}
	p.Definition = d.Definition
	anchor(p.Definition.Schedules, before.Schedules, now)
	p.Definition.Host = c.pin(d, before)
	return nil
}

// Kinds are the kinds that this build can read from or write to, which a dialect lists.
func (c *Catalog) Kinds() *registry.Registry { return c.o.Registry }

// SealText seals a secret that a dialect keeps, for one place: what it is and whose.
func (c *Catalog) SealText(plain, what, id string) (string, error) {
	return c.o.Box.Seal(plain, what, id)
}

// OpenText opens what SealText made for the same place. It is never stored or shown.
func (c *Catalog) OpenText(sealed, what, id string) (string, error) {
	plain, err := c.o.Box.Open(sealed, what, id)
	if err != nil {
		return "", shown(what, err)
	}
	c.o.Scrubber.Add(plain)
	return plain, nil
}
