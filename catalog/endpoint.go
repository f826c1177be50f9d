package catalog

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/secret"
	"github.com/synclinehq/syncline/spec"
)

// Endpoint reads a URL or path as one side of a pipeline. Relative paths count from cwd.
// ${env:X} and ${file:path} may stand in it, in the password too. Its errors never repeat
// the URL.
func (c *Catalog) Endpoint(side registry.Side, raw, cwd string) (syncline.Endpoint, error) {
	raw = strings.TrimSpace(raw)
	if reference.FindString(raw) == raw && refers(raw) {
		return syncline.Endpoint{}, syncline.Invalid(string(side), "the %s is a reference as a whole, so its kind is not known", side).
			Try("write the kind and let references stand inside: postgres://${env:USER}:${env:PASSWORD}@host/database")
	}
	var s stand
	kind, settings, err := c.o.Registry.ParseURL(side, s.in(raw), cwd)
	if err != nil {
		return syncline.Endpoint{}, under(string(side), err)
	}
	description, _ := c.o.Registry.Spec(side, kind)
	settings, err = description.MapTexts(settings, func(_, text string) (string, error) { return s.out(text, cwd), nil })
	return syncline.Endpoint{Kind: kind, Settings: settings}, under(string(side), err)
}

// under says in which field of a definition an error arose: a setting, or the endpoint.
func under(field string, err error) error {
	if e, ok := errors.AsType[*spec.Error](err); ok {
		out := syncline.Invalid(field, "%s", e.Message)
		if e.Field != "" {
			out.Field = field + "." + e.Field
		}
		out.Hint = e.Hint
		return out
	}
	if e, ok := errors.AsType[*syncline.Error](err); ok && !strings.HasPrefix(e.Field, field) {
		out := *e
		out.Field = strings.TrimSuffix(field+"."+e.Field, ".")
		return &out
	}
	return err
}

// settle checks an endpoint's settings, opens sealed ones, writes them in their standard
// form, and says what the endpoint shows and whether it is local to this machine.
func (c *Catalog) settle(side registry.Side, e syncline.Endpoint) (_ syncline.Endpoint, local bool, err error) {
	s, err := c.spec(side, e.Kind)
	if err != nil {
		return e, false, err
	}
	if e.Settings, err = c.unseal(s, e.Settings); err != nil {
		return e, false, under(string(side), err)
	}
	if err := checkSettings(s, e.Settings); err != nil {
		return e, false, under(string(side), err)
	}
	// What is shown is made of masked settings, so that no plugin's slip can show a secret.
	masked, err := s.MapSecrets(e.Settings, mask)
	if err != nil {
		return e, false, under(string(side), err)
	}
	e.Shown = e.Kind
	if s.Show != nil {
		e.Shown = s.Show(masked)
	}
	return e, s.Local != nil && s.Local(masked), nil
}

func (c *Catalog) spec(side registry.Side, kind string) (spec.Spec, error) {
	s, ok := c.o.Registry.Spec(side, kind)
	if ok {
		return s, nil
	}
	var known []string
	for _, s := range c.o.Registry.Specs(side) {
		known = append(known, s.Kind)
	}
	field := string(side) + ".kind"
	if kind == "" {
		return s, syncline.Invalid(field, "the %s has no kind", side).Try("known are: %s", strings.Join(known, ", "))
	}
	e := spec.Unknown("kind", kind, string(side), known)
	return s, syncline.Invalid(field, "%s", e.Message).Try("%s", e.Hint)
}

func checkSettings(s spec.Spec, settings json.RawMessage) error {
	if err := s.Check(settings); err != nil {
		return err
	}
	_, err := s.MapTexts(settings, func(field, value string) (string, error) {
		if err := checkReferences(value); err != nil {
			return "", &spec.Error{Field: field, Message: "setting \"" + field + "\" of " + s.Kind + " " + err.Error()}
		}
		return value, nil
	})
	if err != nil {
		return err
	}
	_, err = s.MapSecrets(settings, func(field, value string) (string, error) {
		if value == spec.Redacted {
			return "", &spec.Error{
				Field: field, Message: "setting \"" + field + "\" of " + s.Kind + " is the mask that stands for a secret, not the secret",
				Hint: "give the secret itself, or a reference such as ${env:X}",
			}
		}
		return value, nil
	})
	return err
}

// mask hides a secret, but not that it is a reference, nor that there is none.
func mask(_, value string) (string, error) {
	if value == "" || refers(value) && !secret.IsSealed(value) {
		return value, nil
	}
	return spec.Redacted, nil
}
