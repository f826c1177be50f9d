package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/spec"
)

// What became, or would become, of a pipeline.
type What string

const (
	Created   What = "created"
	Changed   What = "changed"
	Unchanged What = "unchanged"
)

// Change is what a definition changes.
type Change struct {
	Pipeline string        `json:"pipeline"`
	What     What          `json:"what"`
	Revision int64         `json:"revision"` // after the change
	Fields   []FieldChange `json:"fields,omitempty"`
}

// FieldChange is one field that changes; "" means not there. Secrets show as "[redacted]"
// on both sides.
type FieldChange struct {
	Field string `json:"field"` // "source.host", "entities[public.orders].mode"
	From  string `json:"from,omitempty"`
	To    string `json:"to,omitempty"`
}

// leaf is one value of a definition, as it is and as it may be shown.
type leaf struct{ value, shown string }

// differences compares two definitions whose secrets are open.
func (c *Catalog) differences(before, after syncline.Definition) []FieldChange {
	was, is := c.leaves(before), c.leaves(after)
	var out []FieldChange
	for _, field := range slices.Sorted(maps.Keys(union(was, is))) {
		if was[field].value != is[field].value {
			out = append(out, FieldChange{field, was[field].shown, is[field].shown})
		}
	}
	return out
}

func union(a, b map[string]leaf) map[string]leaf {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// leaves lists the values of a definition by their field. It goes by reflection, so that a
// new field of Definition is compared from its first day.
func (c *Catalog) leaves(d syncline.Definition) map[string]leaf {
	out := map[string]leaf{}
	c.endpointLeaves(out, registry.Source, d.Source)
	c.endpointLeaves(out, registry.Destination, d.Destination)
	d.Source, d.Destination = syncline.Endpoint{}, syncline.Endpoint{}
	flatten(out, "", reflect.ValueOf(d))
	return out
}

func (c *Catalog) endpointLeaves(out map[string]leaf, side registry.Side, e syncline.Endpoint) {
	out[string(side)+".kind"] = leaf{e.Kind, e.Kind}
	s, _ := c.o.Registry.Spec(side, e.Kind)
	var settings map[string]json.RawMessage
	_ = json.Unmarshal(e.Settings, &settings) // checked before
	for name, raw := range settings {
		text := plain(raw)
		l := leaf{text, text}
		if f, ok := s.Field(name); !ok || f.Type == spec.Password {
			l.shown, _ = mask(name, text)
		}
		out[string(side)+"."+name] = l
	}
}

// plain is a JSON value as a person writes it.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

func flatten(out map[string]leaf, field string, v reflect.Value) {
	if text, ok := scalar(v); ok {
		if text != "" {
			out[field] = leaf{text, text}
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out[field] = leaf{fmt.Sprint(v.Elem()), fmt.Sprint(v.Elem())}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			flatten(out, strings.TrimPrefix(field+"."+name, "."), v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			flatten(out, fmt.Sprintf("%s[%s]", field, itemName(v.Index(i), i)), v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			flatten(out, field+"."+key.String(), v.MapIndex(key))
		}
	}
}

// scalar is a value as people write it, "" when it is the zero value.
func scalar(v reflect.Value) (string, bool) {
	switch x := v.Interface().(type) {
	case time.Time:
		return stamp(x), true
	case []string:
		return strings.Join(x, ", "), true
	}
	switch v.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64:
		if v.IsZero() {
			return "", true
		}
		return fmt.Sprint(v.Interface()), true
	}
	return "", false
}

// itemName tells the items of a list apart by name or id, so that one put before others
// does not make all of them look changed.
func itemName(v reflect.Value, i int) string {
	switch x := v.Interface().(type) {
	case syncline.EntitySpec:
		return x.Name
	case syncline.Schedule:
		return x.ID
	}
	return fmt.Sprint(i)
}
