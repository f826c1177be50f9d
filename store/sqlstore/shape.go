package sqlstore

import (
	"encoding/json"
	"reflect"
	"strings"
)

// carry returns fresh, the document of a T, with those members of old that T does not
// know: a newer program wrote them, and an older one must not lose them. It looks into
// structs, not into lists and maps, whose members may have gone on purpose.
func carry[T any](old []byte, fresh string) string {
	var was, is map[string]json.RawMessage
	if json.Unmarshal(old, &was) != nil || json.Unmarshal([]byte(fresh), &is) != nil {
		return fresh
	}
	merge(reflect.TypeFor[T](), was, is)
	b, err := json.Marshal(is)
	if err != nil {
		return fresh
	}
	return string(b)
}

func merge(t reflect.Type, was, is map[string]json.RawMessage) {
	known := members(t)
	for name, old := range was {
		field, ok := known[name]
		switch {
		case !ok:
			is[name] = old
		case field.Kind() == reflect.Struct && is[name] != nil:
			is[name] = mergeInto(field, old, is[name])
		}
	}
}

func mergeInto(t reflect.Type, old, fresh json.RawMessage) json.RawMessage {
	var was, is map[string]json.RawMessage
	if json.Unmarshal(old, &was) != nil || json.Unmarshal(fresh, &is) != nil || was == nil || is == nil {
		return fresh
	}
	merge(t, was, is)
	b, err := json.Marshal(is)
	if err != nil {
		return fresh
	}
	return b
}

// members are the JSON names of a struct's fields, with the struct behind each.
func members(t reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "-" || name == "" {
			continue
		}
		ft := f.Type
		for ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		if _, ok := all[name]; !ok {
			all[name] = ft
		}
	}
	return all
}
