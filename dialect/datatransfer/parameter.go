package datatransfer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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
