package elastic

import (
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/spec"
)

// service is a source of ours under a service type that connectors call it by.
type service struct {
	spec.Spec
	names map[string]string // setting → what Elastic's own connector calls it
	// adapt makes settings of fields that have no setting of their own; what is wrong with
	// them is its error. nil: there are none.
	adapt  func(given map[string]any) error
	schema bool // tables lie in schemas
}

// elastics are Elastic's own service types that sources of ours can do the work of. Their
// fields are those of the connectors' own forms.
// https://github.com/elastic/connectors/tree/main/app/connectors_service/connectors/sources
var elastics = map[string]struct {
	kind  string
	names map[string]string
	adapt func(given map[string]any) error
}{
	"postgresql": {kind: "postgres", names: map[string]string{"user": "username"}, adapt: adaptTLS},
	"dir":        {kind: "files", adapt: adaptFolder},
}

// service finds the source of ours that does a connector's work; false: that is for an
// outside worker.
func (a *API) service(doc map[string]any) (service, bool) {
	native, _ := doc["is_native"].(bool)
	name, _ := doc["service_type"].(string)
	if !native || name == "" {
		return service{}, false
	}
	e, known := elastics[name]
	if !known {
		e.kind = name
	}
	s, found := a.o.Catalog.Kinds().Spec(registry.Source, e.kind)
	return service{Spec: s, names: e.names, adapt: e.adapt, schema: s.Kind == "postgres"}, found
}

// field is what the connector's form calls a setting.
func (s service) field(setting string) string {
	if name, ok := s.names[setting]; ok {
		return name
	}
	return setting
}

// adaptTLS reads a switch and a certificate as a mode and a file.
func adaptTLS(given map[string]any) error {
	if text, _ := given["ssl_ca"].(string); strings.TrimSpace(text) != "" {
		return syncline.Errorf(syncline.InvalidArgument, "field [ssl_ca] holds a certificate, which Syncline reads from a file").
			Try("leave it empty and add a field sslrootcert with the file's path")
	}
	if on, _ := given["ssl_enabled"].(bool); on && given["sslmode"] == nil {
		given["sslmode"] = "verify-full"
	}
	return nil
}

// adaptFolder makes one path of a folder and a pattern below it.
func adaptFolder(given map[string]any) error {
	folder, _ := given["directory"].(string)
	if folder == "" || given["path"] != nil {
		return nil
	}
	pattern, _ := given["pattern"].(string)
	given["path"] = strings.TrimSuffix(folder, "/") + "/" + strings.TrimPrefix(pattern, "/")
	return nil
}

// What a connector says beside its source's settings: which table, and what tells new rows
// from old ones. A cursor is never guessed: by a column that does not move with every
// change, updates would be lost without a word.
var (
	fieldSchema = spec.Field{Name: "schema", Label: "Schema", Type: spec.String, Help: "schema of the table; empty: the one that the table's name gives, or any"}
	fieldTables = spec.Field{Name: "tables", Label: "Table", Type: spec.List, Default: []string{"*"}, Help: "table or view whose rows are the documents: one, since ids are keys; * stands for the only one there is"}
	fieldCursor = spec.Field{Name: "cursor", Label: "Cursor column", Type: spec.String, Help: "column that moves with every change, such as updated_at; incremental syncs need it"}
)

// beside are the fields of a service that are no settings of its source.
func (s service) beside() (fields []spec.Field) {
	if s.Cursorless {
		return nil
	}
	if s.schema {
		fields = append(fields, fieldSchema)
	}
	return append(fields, fieldTables, fieldCursor)
}

// entity is what is read. A document's id is its row's key, so that what else knows the row
// finds the document; two tables would meet in one index under the same ids, and with
// columns of one name and two types. So a connector, which has one index, has one table.
func (s service) entity(given map[string]any) (e syncline.EntitySpec, err error) {
	if s.Cursorless {
		return e, nil
	}
	names := tables(given["tables"])
	if len(names) > 1 {
		return e, syncline.Errorf(syncline.InvalidArgument, "field [tables] names %d tables, and the documents of an index come from one", len(names)).
			Try("make a connector for each")
	}
	e.Name, e.Cursor = names[0], trimmed(given["cursor"])
	if schema := trimmed(given["schema"]); s.schema && schema != "" {
		e.Name = quoted(schema) + "." + quoted(e.Name)
	}
	return e, nil
}

// tables takes a list apart; none stands for all.
func tables(given any) (names []string) {
	text, _ := given.(string)
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return []string{"*"}
	}
	return names
}

// quoted keeps a name from being taken for two, with its schema before a dot.
func quoted(name string) string {
	if strings.ContainsAny(name, `."`) {
		return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	}
	return name
}

func trimmed(given any) string {
	text, _ := given.(string)
	return strings.TrimSpace(text)
}
