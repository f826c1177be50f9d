package catalog

import (
	"context"
	"encoding/json"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/secret"
	"github.com/synclinehq/syncline/spec"
)

// A secret is sealed for its setting and for all the settings beside it that are no
// secrets: whoever can write to the ledger, but not open it, cannot send the password to a
// host of their own by changing the host.

// seal encrypts the secrets of settings; references stay as they are.
func (c *Catalog) seal(s spec.Spec, settings json.RawMessage) (json.RawMessage, error) {
	bound, err := beside(s, settings)
	if err != nil {
		return nil, err
	}
	return s.MapSecrets(settings, func(field, value string) (string, error) {
		if value == "" || refers(value) || secret.IsSealed(value) {
			return value, nil
		}
		return c.o.Box.Seal(value, s.Kind+"."+field, bound)
	})
}

// unseal opens the secrets of settings that are sealed.
func (c *Catalog) unseal(s spec.Spec, settings json.RawMessage) (json.RawMessage, error) {
	bound, err := beside(s, settings)
	if err != nil {
		return nil, err
	}
	return s.MapSecrets(settings, func(field, value string) (string, error) {
		if !secret.IsSealed(value) {
			return value, nil
		}
		plain, err := c.o.Box.Open(value, s.Kind+"."+field, bound)
		return plain, shown(field, err)
	})
}

// beside is what a secret is bound to: the settings with their secrets left empty.
func beside(s spec.Spec, settings json.RawMessage) (string, error) {
	rest, err := s.MapSecrets(settings, func(_, _ string) (string, error) { return "", nil })
	return string(rest), err
}

// Open makes the endpoints of a stored definition ready for a run: secrets opened,
// references resolved. What it returns holds secrets and is never stored or shown.
func (c *Catalog) Open(_ context.Context, d syncline.Definition) (syncline.Definition, error) {
	var err error
	if d.Source, err = c.open(registry.Source, d.Source, d.Confined); err != nil {
		return d, err
	}
	d.Destination, err = c.open(registry.Destination, d.Destination, d.Confined)
	return d, err
}

func (c *Catalog) open(side registry.Side, e syncline.Endpoint, confined bool) (syncline.Endpoint, error) {
	s, err := c.spec(side, e.Kind)
	if err != nil {
		return e, err
	}
	settings, err := c.unseal(s, e.Settings)
	if err == nil && confined {
		settings, err = c.rooted(s, settings)
	}
	if err != nil {
		return e, under(string(side), err)
	}
	settings, err = s.MapTexts(settings, func(field, value string) (string, error) {
		resolved, err := c.resolve(value)
		if err != nil {
			return "", syncline.Errorf(syncline.FailedPrecondition, "setting %q of the %s %s: %s", field, side, e.Shown, err).
				Of(syncline.ClassConfig).Try("make it available to the process that runs the pipeline (this server or worker) and start it again")
		}
		return resolved, nil
	})
	if err != nil {
		return e, under(string(side), err)
	}
	e.Settings = settings
	_, err = s.MapSecrets(settings, func(_, value string) (string, error) {
		c.o.Scrubber.Add(value)
		return value, nil
	})
	return e, err
}
