package datatransfer

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/spec"
)

// kind is one of our sources as a data source: its settings are parameters, and so is what
// is read of it and how.
type kind struct{ spec.Spec }

// Parameters that are no settings of a source. A cursor is never guessed: by a column that
// does not move with every change, updates would be lost without a word.
var (
	paramTables = spec.Field{Name: "tables", Label: "Tables", Type: spec.List, Required: true, Help: "tables or views to read, each with its schema before a dot where it needs one; each lands in the dataset under its own name"}
	paramMode   = spec.Field{Name: "mode", Label: "Mode", Type: spec.String, Options: []string{"full", "incremental"}, Help: "read everything each time (full, the default), or what is new by the cursor (incremental)"}
	paramCursor = spec.Field{Name: "cursor", Label: "Cursor column", Type: spec.String, Help: "time column that says what day a row belongs to and moves with every change: incremental runs and backfills need it"}
	paramKey    = spec.Field{Name: "key", Label: "Key columns", Type: spec.List, Help: "columns that identify a row; default: the source's primary key"}
	paramWrite  = spec.Field{Name: "write", Label: "Write", Type: spec.String, Options: []string{"replace", "upsert", "append"}, Help: "how rows are written; default: replace in full mode, upsert by key else"}
)

// kinds are all sources of this build.
func (a *API) kinds() (all []kind) {
	for _, s := range a.o.Catalog.Kinds().Specs(registry.Source) {
		all = append(all, kind{s})
	}
	return all
}

// kind finds a source of this build.
func (a *API) kind(id string) (kind, bool) {
	s, ok := a.o.Catalog.Kinds().Spec(registry.Source, id)
	return kind{s}, ok
}

// parameters are the settings that a client gives, and what is read. The folder that files
// are confined to is the server's to say.
func (k kind) parameters() (fields []spec.Field) {
	for _, f := range k.Fields {
		if f.Name != k.Root {
			fields = append(fields, f)
		}
	}
	if !k.Cursorless {
		fields = append(fields, paramTables, paramCursor)
	}
	return append(fields, paramMode, paramKey, paramWrite)
}

func (k kind) parameter(id string) (spec.Field, bool) {
	all := k.parameters()
	if i := slices.IndexFunc(all, func(f spec.Field) bool { return f.Name == id }); i >= 0 {
		return all[i], true
	}
	return spec.Field{}, false
}

// hidden stands in answers for a secret that is kept; given back, it keeps what is kept.
const hidden = "•••"

// params are the values of a config's parameters, by their ids.
type params map[string]any

// accept checks what a client gives, and puts whole numbers into the text that they are
// answered in.
func (k kind) accept(given params) (params, error) {
	out := params{}
	for _, id := range slices.Sorted(maps.Keys(given)) {
		f, ok := k.parameter(id)
		if !ok {
			return nil, k.bad(id, "data source %s has no parameter %q", k.Kind, id).Try("it has: %s", strings.Join(k.ids(), ", "))
		}
		v, err := k.value(f, given[id])
		if err != nil {
			return nil, err
		}
		if v != nil {
			out[id] = v
		}
	}
	for _, f := range k.parameters() {
		if f.Required && none(out[f.Name]) {
			return nil, k.bad(f.Name, "parameter %q of data source %s has no value", f.Name, k.Kind).Try("%s", f.Help)
		}
	}
	return out, nil
}

func (k kind) ids() (all []string) {
	for _, f := range k.parameters() {
		all = append(all, f.Name)
	}
	return all
}

func none(v any) bool {
	list, isList := v.([]any)
	return v == nil || v == "" || isList && len(list) == 0
}

func (k kind) bad(id, format string, args ...any) *syncline.Error {
	e := syncline.Errorf(syncline.InvalidArgument, format, args...).Of(syncline.ClassConfig)
	e.Field = "params." + id
	return e
}

// value is a parameter's value in the type it is answered in; nil is none.
func (k kind) value(f spec.Field, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch f.Type {
	case spec.Int:
		return k.whole(f, v)
	case spec.Bool:
		return k.truth(f, v)
	case spec.List, spec.Map:
		return k.texts(f, v)
	}
	text, ok := v.(string)
	if !ok {
		return nil, k.bad(f.Name, "parameter %q must be a string", f.Name)
	}
	if len(f.Options) > 0 && text != "" && !slices.Contains(f.Options, text) {
		return nil, k.bad(f.Name, "parameter %q cannot be %q", f.Name, text).Try("it is one of: %s", strings.Join(f.Options, ", "))
	}
	return text, nil
}

// whole keeps a number in its digits: those of JSON lose some above 2⁵³.
func (k kind) whole(f spec.Field, v any) (any, error) {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return strconv.FormatInt(int64(v), 10), nil
		}
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return strconv.FormatInt(n, 10), nil
		}
	}
	return nil, k.bad(f.Name, "parameter %q must be a whole number, as in \"5\"", f.Name)
}

func (k kind) truth(f spec.Field, v any) (any, error) {
	switch v {
	case true, false, "true", "false":
		return v, nil
	}
	return nil, k.bad(f.Name, "parameter %q must be true or false", f.Name)
}

func (k kind) texts(f spec.Field, v any) (any, error) {
	list, ok := v.([]any)
	for _, item := range list {
		text, isText := item.(string)
		_, _, isPair := strings.Cut(text, "=")
		ok = ok && isText && (f.Type != spec.Map || isPair)
	}
	if !ok && f.Type == spec.Map {
		return nil, k.bad(f.Name, "parameter %q must be a list of texts such as name=value", f.Name)
	}
	if !ok {
		return nil, k.bad(f.Name, "parameter %q must be a list of strings", f.Name)
	}
	return list, nil
}

// setting is an accepted value in the type of the source's setting.
func setting(f spec.Field, v any) any {
	text, _ := v.(string)
	switch f.Type {
	case spec.Int:
		return json.Number(text)
	case spec.Bool:
		return v == true || v == "true"
	case spec.Map:
		out := map[string]string{}
		for _, item := range texts(v) {
			name, value, _ := strings.Cut(item, "=")
			out[name] = value
		}
		return out
	}
	return v
}

// texts are the items of an accepted list.
func texts(v any) (out []string) {
	list, _ := v.([]any)
	for _, item := range list {
		out = append(out, fmt.Sprint(item))
	}
	return out
}

func (p params) text(id string) string { text, _ := p[id].(string); return strings.TrimSpace(text) }
