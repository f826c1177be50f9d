package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value reads one setting: the Go value of the field's type, the default when nothing is
// given, nil when there is no default either.
func (f Field) value(raw json.RawMessage) (any, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return f.Default, nil
	}
	switch f.Type {
	case String, Password:
		return f.text(raw)
	case Int:
		return parsed(raw, "a whole number", func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	case Bool:
		return parsed(raw, "true or false", parseBool)
	case Duration:
		return duration(raw)
	case List:
		return unmarshal[[]string](raw, "must be a list of texts")
	case Map:
		return unmarshal[map[string]string](raw, "must be an object whose values are texts")
	}
	return nil, fmt.Errorf("has the unknown type %q", f.Type)
}

func (f Field) text(raw json.RawMessage) (any, error) {
	s, err := unmarshal[string](raw, "must be text")
	if err == nil && len(f.Options) > 0 && !slices.Contains(f.Options, s.(string)) {
		return nil, fmt.Errorf("must be one of %s", strings.Join(f.Options, ", "))
	}
	return s, err
}

// parsed reads a number or a word, as itself or as text.
func parsed[T any](raw json.RawMessage, what string, parse func(string) (T, error)) (any, error) {
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, fmt.Errorf("must be %s", what)
		}
	}
	v, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("must be %s", what)
	}
	return v, nil
}

func parseBool(s string) (bool, error) {
	switch s {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errors.New("neither true nor false")
}

func duration(raw json.RawMessage) (any, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if d, err := time.ParseDuration(text); err == nil && d >= 0 {
			return d, nil
		}
	}
	return nil, errors.New(`must be a duration such as "30s", "5m" or "1h30m"`)
}

func unmarshal[T any](raw json.RawMessage, must string) (any, error) {
	var v T
	if json.Unmarshal(raw, &v) != nil {
		return nil, errors.New(must)
	}
	return v, nil
}
