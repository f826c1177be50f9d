package spec

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// FromText turns the parameters of a URL into settings, each by its field's type; a
// list may repeat its parameter or separate its values with commas. It is for FromURL,
// which gets the fields rather than the spec so that a spec may refer to it.
func FromText(kind string, fields []Field, params url.Values) (map[string]any, error) {
	s := Spec{Kind: kind, Fields: fields}
	settings := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		f, ok := s.Field(name)
		if !ok {
			return nil, Unknown("parameter", name, kind, s.names())
		}
		v, err := f.fromText(params[name])
		if err != nil {
			return nil, s.wrong(name, "parameter %q of %s %w", name, kind, err)
		}
		settings[name] = v
	}
	return settings, nil
}

func (f Field) fromText(values []string) (any, error) {
	if f.Type == List {
		return strings.Split(strings.Join(values, ","), ","), nil
	}
	if f.Type == Map {
		return nil, fmt.Errorf("cannot stand in a URL: write the endpoint as {kind: …}")
	}
	if len(values) != 1 {
		return nil, fmt.Errorf("is given twice")
	}
	v, err := f.value(json.RawMessage(quote(values[0])))
	if f.Type == Duration && err == nil {
		return values[0], nil // as JSON wants it
	}
	return v, err
}
