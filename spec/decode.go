package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Decode checks settings against the spec, fills in defaults and stores them in into, a
// pointer to a struct with the fields' names as JSON keys. What a person got wrong is an
// *Error that names the setting.
func (s Spec) Decode(settings json.RawMessage, into any) error {
	values, err := s.check(settings)
	if err != nil {
		return err
	}
	doc, err := json.Marshal(values)
	if err != nil {
		return fmt.Errorf("encode checked settings of %s: %w", s.Kind, err)
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("settings type %T does not fit the spec of %s: %w", into, s.Kind, err)
	}
	return nil
}

// Check reports what is wrong with settings, as Decode would, as an *Error.
func (s Spec) Check(settings json.RawMessage) error {
	_, err := s.check(settings)
	return err
}

func (s Spec) check(settings json.RawMessage) (map[string]any, error) {
	given, err := s.object(settings)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	for _, f := range s.Fields {
		v, err := f.value(given[f.Name])
		if err != nil {
			return nil, s.wrong(f.Name, "setting %q of %s %w", f.Name, s.Kind, err)
		}
		if f.Required && empty(v) {
			return nil, s.wrong(f.Name, "%s needs the setting %q", s.Kind, f.Name).try(f.Help)
		}
		if v != nil {
			values[f.Name] = v
		}
	}
	return values, nil
}

// object splits settings into its members. A key that stands twice is refused, since
// which one was meant cannot be known; JSON null means not given.
func (s Spec) object(settings json.RawMessage) (map[string]json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	if len(bytes.TrimSpace(settings)) == 0 {
		return members, nil
	}
	d := json.NewDecoder(bytes.NewReader(settings))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, s.wrong("", "settings of %s must be an object", s.Kind)
	}
	for d.More() {
		if err := s.member(d, members); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil || len(bytes.TrimSpace(settings[d.InputOffset():])) > 0 {
		return nil, s.wrong("", "settings of %s are not valid JSON", s.Kind)
	}
	return members, nil
}

func (s Spec) member(d *json.Decoder, members map[string]json.RawMessage) error {
	t, err := d.Token()
	name, ok := t.(string)
	if err != nil || !ok {
		return s.wrong("", "settings of %s are not valid JSON", s.Kind)
	}
	if _, ok := s.Field(name); !ok {
		return Unknown("setting", name, s.Kind, s.names())
	}
	if _, ok := members[name]; ok {
		return s.wrong(name, "setting %q of %s is given twice", name, s.Kind)
	}
	var raw json.RawMessage
	if d.Decode(&raw) != nil {
		return s.wrong(name, "setting %q of %s is not valid JSON", name, s.Kind)
	}
	members[name] = raw
	return nil
}

// Field finds a field by its name.
func (s Spec) Field(name string) (Field, bool) {
	i := slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return Field{}, false
	}
	return s.Fields[i], true
}

func (s Spec) names() []string {
	var names []string
	for _, f := range s.Fields {
		names = append(names, f.Name)
	}
	return names
}

func (s Spec) wrong(field, format string, args ...any) *Error {
	return &Error{Field: field, Message: fmt.Errorf(format, args...).Error()}
}

func (e *Error) try(hint string) *Error { e.Hint = hint; return e }

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case []string:
		return len(v) == 0
	case map[string]string:
		return len(v) == 0
	}
	return false
}

// sortedJSON encodes members with their names in order, so that equal settings are equal
// bytes.
func sortedJSON(members map[string]json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s:%s", quote(name), members[name])
	}
	b.WriteByte('}')
	return b.Bytes()
}

// quote writes a JSON string as it was, without Go's escapes of <, > and &.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}
