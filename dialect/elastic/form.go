package elastic

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/spec"
)

// fill gives a connector that a source of ours does the work of what it did not bring: the
// form of its configuration, and what it can do. It reports whether it gave it a form.
func (s service) fill(doc map[string]any) (formed bool) {
	if doc["features"] == nil {
		doc["features"] = s.features()
	}
	if fields, _ := doc["configuration"].(map[string]any); len(fields) > 0 {
		return false
	}
	doc["configuration"] = s.form()
	return true
}

// features say what our own runs do of what Elastic's connectors may do.
func (s service) features() map[string]any {
	is := func(on bool) map[string]any { return map[string]any{"enabled": on} }
	return map[string]any{
		"document_level_security": is(false), "incremental_sync": is(true), "native_connector_api_keys": is(false),
		"sync_rules": map[string]any{"basic": is(false), "advanced": is(false)},
	}
}

// form is the configuration of a connector before anybody has filled it in.
// https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-connector-update-configuration
func (s service) form() map[string]any {
	form := map[string]any{}
	add := func(name string, f spec.Field) { form[name] = draw(f, len(form)+1) }
	for _, f := range s.Fields {
		add(s.field(f.Name), f)
	}
	for _, f := range s.beside() {
		add(f.Name, f)
	}
	return form
}

func draw(f spec.Field, order int) map[string]any {
	field := map[string]any{
		"label": cmp.Or(f.Label, f.Name), "tooltip": f.Help, "order": order,
		"type": "str", "display": "textbox", "required": f.Required, "sensitive": f.Type == spec.Password,
		"default_value": drawDefault(f.Default), "value": nil,
		"depends_on": []any{}, "options": []any{}, "ui_restrictions": []any{}, "validations": []any{},
	}
	switch {
	case f.Type == spec.Int:
		field["type"], field["display"] = "int", "numeric"
	case f.Type == spec.Bool:
		field["type"], field["display"] = "bool", "toggle"
	case f.Type == spec.List:
		field["type"], field["display"] = "list", "textarea"
	case len(f.Options) > 0:
		field["display"], field["options"] = "dropdown", options(f.Options)
		field["validations"] = []any{map[string]any{"type": "included_in", "constraint": f.Options}}
	}
	return field
}

func options(words []string) (list []any) {
	for _, w := range words {
		list = append(list, map[string]any{"label": w, "value": w})
	}
	return list
}

// drawDefault is a default as a text, number or boolean, which is all that a form holds.
func drawDefault(value any) any {
	switch v := value.(type) {
	case time.Duration:
		return v.String()
	case []string:
		return strings.Join(v, ",")
	}
	return value
}

// settings are the source's, as the values of the configuration say them.
func (s service) settings(given map[string]any) (json.RawMessage, error) {
	if s.adapt != nil {
		if err := s.adapt(given); err != nil {
			return nil, err
		}
	}
	out := map[string]any{}
	var missing []string
	for _, f := range s.Fields {
		v := given[f.Name]
		if v == nil {
			v = given[s.field(f.Name)]
		}
		if v != nil {
			out[f.Name] = setting(f, v)
		} else if f.Required {
			missing = append(missing, s.field(f.Name))
		}
	}
	if len(missing) > 0 {
		return nil, syncline.Errorf(syncline.InvalidArgument, "the configuration fields [%s] have no value", strings.Join(missing, ", "))
	}
	return json.Marshal(out)
}

// setting is a form's value in the type of the setting. One that does not fit is left as
// it is, for the check of the settings to name.
func setting(f spec.Field, v any) any {
	switch f.Type {
	case spec.List:
		if text, ok := v.(string); ok {
			return strings.Split(text, ",")
		}
	case spec.String, spec.Password, spec.Duration:
		switch v.(type) {
		case json.Number, bool, float64, int64:
			return fmt.Sprint(v)
		}
	}
	return v
}
