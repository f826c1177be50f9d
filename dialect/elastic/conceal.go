package elastic

import (
	"bytes"
	"encoding/json"
	"maps"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
)

// mask stands for a sensitive value wherever it is not for the reader, and in a write for
// the value that is stored.
const mask = "•••"

// sensitive reports whether a field's value is a secret.
func sensitive(field map[string]any) bool {
	return field["sensitive"] == true || field["sensitive"] == "true"
}

// concealed reports whether a stored field's value is sealed: nothing is no secret.
func concealed(field map[string]any) bool {
	return sensitive(field) && field["value"] != nil && field["value"] != ""
}

func configurationOf(doc map[string]any) map[string]any {
	fields, _ := doc["configuration"].(map[string]any)
	return fields
}

// remade is a copy of a configuration with the values of its concealed fields replaced.
func remade(fields map[string]any, value func(name string, field map[string]any) (any, error)) (map[string]any, error) {
	out := maps.Clone(fields)
	for name, f := range fields {
		field, isField := f.(map[string]any)
		if !isField || !concealed(field) {
			continue
		}
		v, err := value(name, field)
		if err != nil {
			return nil, err
		}
		field = maps.Clone(field)
		field["value"] = v
		out[name] = field
	}
	return out, nil
}

// masked is a copy that may be changed and holds no secret, so that no change of a field
// can turn its value out.
func masked(doc map[string]any) map[string]any {
	out := copied(doc).(map[string]any)
	for _, f := range configurationOf(out) {
		if field, _ := f.(map[string]any); field != nil && concealed(field) {
			field["value"] = mask
		}
	}
	return out
}

func copied(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, m := range v {
			out[name] = copied(m)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = copied(item)
		}
		return out
	}
	return v
}

// seal seals the sensitive values of a document that was changed. One that is masked, or
// the same as before, stays as before to the byte: then there is no change to store.
func (a *API) seal(k *connector, before map[string]any) error {
	if err := laidOpen(configurationOf(k.doc), configurationOf(before)); err != nil {
		return err
	}
	fields, err := remade(configurationOf(k.doc), func(name string, field map[string]any) (any, error) {
		was, _ := configurationOf(before)[name].(map[string]any)
		if field["value"] == mask {
			if concealed(was) {
				return was["value"], nil
			}
			return nil, nil
		}
		plain, err := encoded(field["value"])
		if err != nil {
			return nil, err
		}
		if concealed(was) {
			if old, err := a.openValue(k.p, name, was); err == nil && old == plain {
				return was["value"], nil
			}
		}
		return a.o.Catalog.SealText(plain, place(name), k.p.ID)
	})
	if fields != nil {
		k.doc["configuration"] = fields
	}
	return err
}

// laidOpen refuses to let a field be sensitive no more while its value stays: whoever may
// change a field may not therefore read it.
func laidOpen(fields, before map[string]any) error {
	for name, f := range fields {
		field, _ := f.(map[string]any)
		was, _ := before[name].(map[string]any)
		if field["value"] == mask && !sensitive(field) && concealed(was) {
			return rule("Field [%s] of the configuration is sensitive and holds a value: give it a new one, or null, with [sensitive] false.", name)
		}
	}
	return nil
}

// encoded keeps what kind of value a secret is, and the digits of a number.
func encoded(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), err
}

func place(field string) string { return "configuration field " + field }

// openValue is the JSON of a field's value.
func (a *API) openValue(p *syncline.Pipeline, name string, field map[string]any) (string, error) {
	sealed, _ := field["value"].(string)
	return a.o.Catalog.OpenText(sealed, place(name), p.ID)
}

func (a *API) plainValue(p *syncline.Pipeline, name string, field map[string]any) (v any, err error) {
	plain, err := a.openValue(p, name, field)
	if err != nil {
		return nil, err
	}
	err = exactly([]byte(plain), &v)
	return v, err
}

// opened is a connector's document with its secrets open, never to be stored or shown. One
// that cannot be opened any more counts as not set, unless Syncline itself would need it.
func (a *API) opened(k *connector) (map[string]any, error) {
	fields, err := remade(configurationOf(k.doc), func(name string, field map[string]any) (any, error) {
		v, err := a.plainValue(k.p, name, field)
		if err != nil && k.doc["is_native"] != true {
			return nil, nil
		}
		return v, err
	})
	doc := copied(k.doc).(map[string]any)
	if fields != nil {
		doc["configuration"] = fields
	}
	return doc, err
}

// show is the connector as an answer has it.
func (c *call) show(k *connector) map[string]any {
	doc := maps.Clone(k.doc)
	doc["id"] = k.id
	if fields := configurationOf(doc); fields != nil {
		doc["configuration"] = c.configuration(k.p, fields)
	}
	return doc
}

// configuration is a stored configuration of a pipeline, or of one of its jobs, as the
// caller may read it: a worker needs the secrets, everybody else sees that there are some.
func (c *call) configuration(p *syncline.Pipeline, fields map[string]any) map[string]any {
	who := c.who()
	reads := who.Role == auth.Worker && who.Sees(p.Name)
	out, _ := remade(fields, func(name string, field map[string]any) (any, error) {
		if !reads {
			return mask, nil
		}
		v, err := c.api.plainValue(p, name, field)
		if err != nil {
			c.api.o.Log.Warn("a secret cannot be opened", "pipeline", p.Name, "field", name, "err", err)
		}
		return v, nil
	})
	return out
}
