package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/registry"
)

// PutOptions refine Put.
type PutOptions struct {
	Paused *bool // pauses or unpauses as well; nil leaves it
	// Revision, when not 0, must be the pipeline's current one, or the answer is Aborted:
	// somebody else changed it since it was read.
	Revision int64
	New      bool // the pipeline must not exist yet: AlreadyExists
}

// Put makes a pipeline or changes its definition. An equal definition makes no new
// revision; secrets count as equal when their values are.
func (c *Catalog) Put(ctx context.Context, name string, d syncline.Definition, o PutOptions) (p *syncline.Pipeline, ch Change, err error) {
	prepared, err := c.accept(name, c.confine(ctx, d))
	if err != nil {
		return nil, ch, err
	}
	err = c.update(ctx, func(tx syncline.Tx) error {
		p, ch, err = c.put(tx, name, prepared, o)
		return err
	})
	return p, ch, err
}

// accept is the first problem with a pipeline, or what can be stored.
func (c *Catalog) accept(name string, d syncline.Definition) (prepared, error) {
	if err := checkName(name); err != nil {
		return prepared{}, err
	}
	return c.acceptDefinition(name, d)
}

// acceptDefinition is accept for a pipeline whose name is settled.
func (c *Catalog) acceptDefinition(name string, d syncline.Definition) (prepared, error) {
	p, problems := c.prepare(d)
	if len(problems) > 0 {
		first := *problems[0]
		first.Message = fmt.Sprintf("pipeline %q: %s", name, first.Message)
		return p, &first
	}
	return p, nil
}

func (c *Catalog) put(tx syncline.Tx, name string, d prepared, o PutOptions) (*syncline.Pipeline, Change, error) {
	next, ch, err := c.plan(tx, name, d, o)
	if err != nil || ch.What == Unchanged {
		return next, ch, err
	}
	now, err := tx.Now()
	if err != nil {
		return nil, ch, err
	}
	next.UpdatedAt = now
	if err := c.sealDefinition(&next.Definition); err != nil {
		return nil, ch, err
	}
	if err := tx.PutPipeline(next); err != nil {
		return nil, ch, err
	}
	return next, ch, due(tx, next, now)
}

// plan is the pipeline as Put would leave it, its secrets still open, and what changes. An
// unchanged one is as it is stored.
func (c *Catalog) plan(tx syncline.Tx, name string, d prepared, o PutOptions) (*syncline.Pipeline, Change, error) {
	ch := Change{Pipeline: name}
	now, err := tx.Now()
	if err != nil {
		return nil, ch, err
	}
	p, err := tx.PipelineNamed(name)
	switch {
	case missing(err) && o.Revision != 0:
		return nil, ch, err
	case missing(err):
		p = &syncline.Pipeline{ID: newID(), Name: name, CreatedAt: now}
		ch.What = Created
	case err != nil:
		return nil, ch, err
	}
	if err := allowed(p, ch, o); err != nil {
		return nil, ch, err
	}
	before := c.openStored(p.Definition)
	after := d.Definition
	after.Schedules = slices.Clone(after.Schedules) // Update may call again
	anchor(after.Schedules, before.Schedules, now)
	after.Host = c.pin(d, before)
	ch.Fields = c.differences(before, after)
	next := *p
	if ch.What == Created || len(ch.Fields) > 0 {
		next.Definition = after
		next.Revision++
	}
	ch.Fields = append(ch.Fields, pause(&next, o.Paused, now)...)
	ch.Revision = next.Revision
	if ch.What == "" {
		ch.What = Changed
		if len(ch.Fields) == 0 {
			ch.What = Unchanged
			return p, ch, nil
		}
	}
	return &next, ch, nil
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func allowed(p *syncline.Pipeline, ch Change, o PutOptions) error {
	switch {
	case o.New && ch.What != Created:
		return syncline.Errorf(syncline.AlreadyExists, "there is a pipeline %q already", p.Name).Of(syncline.ClassConfig).
			Try("choose another name, or change the one that is there")
	case o.Revision != 0 && o.Revision != p.Revision:
		return syncline.Errorf(syncline.Aborted, "pipeline %q is at revision %d, not %d: somebody changed it meanwhile", p.Name, p.Revision, o.Revision).
			Of(syncline.ClassConfig).Try("read it again and make the change to what it says now")
	}
	return nil
}

// pin is the machine that can run the definition: the one where local endpoints are. A
// change of something else, made from another machine, leaves it there.
func (c *Catalog) pin(d prepared, before syncline.Definition) string {
	same := before.Source.Shown == d.Source.Shown && before.Destination.Shown == d.Destination.Shown
	switch {
	case d.Host != "":
		return d.Host
	case !d.local:
		return ""
	case before.Host != "" && same:
		return before.Host
	}
	return c.o.Host
}

// pause applies PutOptions.Paused.
func pause(p *syncline.Pipeline, paused *bool, now time.Time) []FieldChange {
	is := !p.PausedAt.IsZero()
	if paused == nil || *paused == is {
		return nil
	}
	p.PausedAt = time.Time{}
	if *paused {
		p.PausedAt = now
	}
	return []FieldChange{{"paused", fmt.Sprint(is), fmt.Sprint(*paused)}}
}

// openStored opens the secrets of a stored definition for comparing. One that cannot be
// opened any more, because the master key is gone, stays sealed and so counts as changed:
// setting it again must be possible.
func (c *Catalog) openStored(d syncline.Definition) syncline.Definition {
	d.Source = c.openEndpoint(registry.Source, d.Source)
	d.Destination = c.openEndpoint(registry.Destination, d.Destination)
	return d
}

func (c *Catalog) openEndpoint(side registry.Side, e syncline.Endpoint) syncline.Endpoint {
	s, ok := c.o.Registry.Spec(side, e.Kind)
	if !ok {
		return e
	}
	if settings, err := c.unseal(s, e.Settings); err == nil {
		e.Settings = settings
	}
	return e
}

func (c *Catalog) sealDefinition(d *syncline.Definition) error {
	for side, e := range map[registry.Side]*syncline.Endpoint{registry.Source: &d.Source, registry.Destination: &d.Destination} {
		s, ok := c.o.Registry.Spec(side, e.Kind)
		if !ok {
			continue // an outside worker's
		}
		settings, err := c.seal(s, e.Settings)
		if err != nil {
			return fmt.Errorf("seal the %s: %w", strings.ToLower(string(side)), err)
		}
		e.Settings = settings
	}
	return nil
}
