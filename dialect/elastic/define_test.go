package elastic

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/destination/elasticsearch"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/secret"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/source/files"
	"github.com/synclinehq/syncline/source/postgres"
	"github.com/synclinehq/syncline/source/sqlite"
	store "github.com/synclinehq/syncline/store/sqlite"
)

// defining is an API that can make definitions, with a cluster to write to.
func defining(t *testing.T) *API {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	box, err := secret.Load(filepath.Join(t.TempDir(), "master.key"), "")
	if err != nil {
		t.Fatal(err)
	}
	kinds := registry.New([]source.Kind{postgres.Kind, sqlite.Kind, files.Kind}, []destination.Kind{elasticsearch.Kind}, nil)
	return New(Options{
		Catalog:  catalog.New(catalog.Options{Store: s, Registry: kinds, Box: box, Host: "here", Roots: []string{"/data"}}),
		Upstream: &Upstream{URL: "http://search.test:9200", User: "syncline", Password: "pw"},
	})
}

// nativeDoc is a connector whose configuration's fields have these values.
func nativeDoc(service string, values map[string]any) map[string]any {
	fields := map[string]any{}
	for name, v := range values {
		fields[name] = map[string]any{"label": name, "value": v, "default_value": nil}
	}
	return map[string]any{
		"is_native": true, "service_type": service, "index_name": "content-shop", "configuration": fields,
		"filtering": []any{newFiltering("2026-01-01T00:00:00Z")},
		"scheduling": map[string]any{
			"full":           map[string]any{"enabled": true, "interval": "0 30 2 ? * MON-FRI"},
			"incremental":    map[string]any{"enabled": false, "interval": "0 0 * * * ?"},
			"access_control": map[string]any{"enabled": false, "interval": "0 0 0 * * ?"},
		},
	}
}

// access is what Elastic's own form of a postgresql connector asks for.
func access(more ...string) map[string]any {
	given := map[string]any{"host": "db.test", "port": json.Number("5433"), "username": "reader", "password": "pw", "database": "shop", "schema": "public", "tables": "orders", "ssl_enabled": false}
	for i := 0; i < len(more); i += 2 {
		given[more[i]] = more[i+1]
	}
	return given
}

func TestAConnectorBecomesAPipeline(t *testing.T) {
	a := defining(t)
	doc := nativeDoc("postgresql", access("cursor", "updated_at"))
	doc["pipeline"] = map[string]any{"name": "shop-pipeline"}
	doc["scheduling"].(map[string]any)["incremental"].(map[string]any)["enabled"] = true
	p := &syncline.Pipeline{}
	if err := a.define(p, doc); err != nil {
		t.Fatal(err)
	}
	d := p.Definition
	if d.Owner != syncline.OwnerEngine || d.Overlap != syncline.OverlapQueue || !d.Confined {
		t.Errorf("owner %s, overlap %s, confined %v", d.Owner, d.Overlap, d.Confined)
	}
	if want := `{"database":"shop","host":"db.test","password":"pw","port":5433,"user":"reader"}`; string(d.Source.Settings) != want || d.Source.Kind != "postgres" {
		t.Errorf("source %s %s", d.Source.Kind, d.Source.Settings)
	}
	var to map[string]any
	if err := json.Unmarshal(d.Destination.Settings, &to); err != nil || to["index"] != "content-shop" || to["pipeline"] != "shop-pipeline" || to["host"] != "search.test" {
		t.Errorf("destination %s %s: %v", d.Destination.Kind, d.Destination.Settings, err)
	}
	if want := []syncline.EntitySpec{{Name: "public.orders", Cursor: "updated_at"}}; !reflect.DeepEqual(d.Entities, want) {
		t.Errorf("entities %+v", d.Entities)
	}
	want := []syncline.Schedule{
		{ID: "full", Mode: syncline.ModeFull, Cron: "0 30 2 ? * MON-FRI", Grammar: "quartz"},
		{ID: "incremental", Mode: syncline.ModeIncremental, Cron: "0 0 * * * ?", Grammar: "quartz"},
	}
	if !reflect.DeepEqual(d.Schedules, want) {
		t.Errorf("schedules %+v", d.Schedules)
	}
}

func TestEntitiesOfConnectors(t *testing.T) {
	a := defining(t)
	tests := map[string]struct {
		service string
		given   map[string]any
		entity  string
		setting string // of the source
	}{
		"a schema and a table":         {"postgresql", access(), "public.orders", `"user":"reader"`},
		"our own words":                {"postgres", map[string]any{"user": "u", "database": "d", "sslmode": "disable"}, "*", `"sslmode":"disable"`},
		"a table with its schema":      {"postgresql", access("schema", "", "tables", "sales.orders"), "sales.orders", ""},
		"a dot in a name":              {"postgresql", access("schema", "a.b", "tables", `c"d`), `"a.b"."c""d"`, ""},
		"the only table of a schema":   {"postgresql", access("tables", " * "), "public.*", ""},
		"a switch for TLS":             {"postgresql", func() map[string]any { g := access(); g["ssl_enabled"] = true; return g }(), "public.orders", `"sslmode":"verify-full"`},
		"a number as text":             {"postgresql", access("port", "5434"), "public.orders", `"port":"5434"`},
		"a number where text is asked": {"postgresql", func() map[string]any { g := access(); g["password"] = json.Number("12345"); return g }(), "public.orders", `"password":"12345"`},
		"a SQLite file":                {"sqlite", map[string]any{"path": "/data/shop.db", "tables": "orders"}, "orders", `"path":"/data/shop.db"`},
		"a folder, as Elastic asks":    {"dir", map[string]any{"directory": "/data/", "pattern": "**/*.csv"}, "", `"path":"/data/**/*.csv"`},
		"a folder, in our own words":   {"files", map[string]any{"path": "/data/*.csv", "null": "NA,n/a"}, "", `"null":["NA","n/a"]`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, ours, lack := a.native(nativeDoc(test.service, test.given))
			if !ours || lack != nil {
				t.Fatalf("ours %v, lacks %+v", ours, lack)
			}
			if len(d.Entities) != 1 || d.Entities[0].Name != test.entity || !strings.Contains(string(d.Source.Settings), test.setting) {
				t.Errorf("entities %+v of %s", d.Entities, d.Source.Settings)
			}
		})
	}
}

// TestWhatAConnectorLacks: nobody's mistake is an exception, and what is missing is said.
func TestWhatAConnectorLacks(t *testing.T) {
	a := defining(t)
	with := func(change func(doc map[string]any), more ...string) map[string]any {
		doc := nativeDoc("postgresql", access(more...))
		change(doc)
		return doc
	}
	none := func(map[string]any) {}
	tests := map[string]struct {
		doc    map[string]any
		status string
		says   string
	}{
		"no user":        {with(none, "username", ""), needsConfiguration, "[username]"},
		"nothing":        {nativeDoc("postgresql", nil), needsConfiguration, "[username, database]"},
		"a word unknown": {with(none, "sslmode", "perhaps"), needsConfiguration, "sslmode"},
		"a certificate":  {with(none, "ssl_ca", "-----BEGIN CERTIFICATE-----"), needsConfiguration, "sslrootcert"},
		"two tables":     {with(none, "tables", "orders, users"), needsConfiguration, "2 tables"},
		"a reference":    {with(none, "password", "${env:HOME}"), needsConfiguration, "password"},
		"incremental, no cursor": {with(func(doc map[string]any) {
			doc["scheduling"].(map[string]any)["incremental"].(map[string]any)["enabled"] = true
		}), needsConfiguration, "[cursor]"},
		"no index": {with(func(doc map[string]any) { delete(doc, "index_name") }), "", "no index"},
		"deleted":  {with(func(doc map[string]any) { doc["deleted"] = true }), "", "deleted"},
		"a rule": {with(func(doc map[string]any) {
			active := doc["filtering"].([]any)[0].(map[string]any)["active"].(map[string]any)
			active["rules"] = append([]any{map[string]any{"id": "r", "policy": "exclude"}}, active["rules"].([]any)...)
		}), inError, "sync rules"},
		"a snippet": {with(func(doc map[string]any) {
			active := doc["filtering"].([]any)[0].(map[string]any)["active"].(map[string]any)
			active["advanced_snippet"].(map[string]any)["value"] = []any{map[string]any{"query": "select 1"}}
		}), inError, "sync rules"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, ours, lack := a.native(test.doc)
			if !ours || lack == nil || lack.status != test.status || !strings.Contains(lack.text, test.says) {
				t.Fatalf("ours %v, lacks %+v", ours, lack)
			}
			p := &syncline.Pipeline{}
			if err := a.define(p, test.doc); err != nil || p.Definition.Owner != syncline.OwnerExternal || len(p.Definition.Schedules) > 0 {
				t.Errorf("%+v %v", p.Definition, err)
			}
		})
	}
	a.o.Upstream = nil
	if _, _, lack := a.native(nativeDoc("postgresql", access())); lack == nil || lack.status != inError || !strings.Contains(lack.text, "elastic.upstream") {
		t.Errorf("without a cluster: %+v", lack)
	}
}

func TestOthersWaitForAnOutsideWorker(t *testing.T) {
	a := defining(t)
	for name, change := range map[string]func(doc map[string]any){
		"not native":        func(doc map[string]any) { doc["is_native"] = false },
		"a service of none": func(doc map[string]any) { doc["service_type"] = "sharepoint_online" },
		"no service":        func(doc map[string]any) { delete(doc, "service_type") },
		"a destination":     func(doc map[string]any) { doc["service_type"] = "elasticsearch" },
	} {
		doc := nativeDoc("postgresql", access())
		change(doc)
		p := &syncline.Pipeline{}
		if err := a.define(p, doc); err != nil || p.Definition.Owner != syncline.OwnerExternal || p.Definition.Source.Kind != "" {
			t.Errorf("%s: %+v %v", name, p.Definition, err)
		}
		if err := a.startable(&connector{id: "x", p: p, doc: doc}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestErrorGoesWithItsReason: a status and error that Syncline set are taken back when what
// was missing is there; anybody else's stay.
func TestErrorGoesWithItsReason(t *testing.T) {
	a := defining(t)
	doc := nativeDoc("postgresql", access("username", ""))
	k := &connector{id: "x", p: &syncline.Pipeline{ID: "p"}, doc: doc}
	complete := func(status, text string) {
		t.Helper()
		if err := a.complete(k); err != nil {
			t.Fatal(err)
		}
		if got, _ := doc["error"].(string); doc["status"] != status || !strings.HasPrefix(got, text) || text == "" && got != "" {
			t.Fatalf("status %v, error %q", doc["status"], got)
		}
	}
	complete(needsConfiguration, unready+"the configuration fields [username]")
	if err := a.startable(k); err == nil || !strings.HasPrefix(err.Error(), "status_exception: Cannot start a sync for connector [x]") {
		t.Errorf("%v", err)
	}
	doc["configuration"].(map[string]any)["username"].(map[string]any)["value"] = "reader"
	complete(configured, "")
	doc["error"], doc["status"] = "the database is away", inError
	complete(inError, "the database is away")
	doc["index_name"] = nil
	complete(inError, "the database is away")
}

// TestFormsAreGenerated: of every kind of source, and they are what the API itself accepts.
func TestFormsAreGenerated(t *testing.T) {
	a := defining(t)
	for _, name := range []string{"postgresql", "postgres", "sqlite", "files", "dir"} {
		k := &connector{id: "x", p: &syncline.Pipeline{ID: "p"}, doc: nativeDoc(name, nil)}
		if err := a.complete(k); err != nil || k.doc["status"] != needsConfiguration || k.doc["error"] != nil {
			t.Errorf("%s: %v %v %v", name, err, k.doc["status"], k.doc["error"])
		}
		s, _ := a.service(k.doc)
		fields := configurationOf(k.doc)
		if len(fields) != len(s.Fields)+len(s.beside()) {
			t.Errorf("%s: %d fields", name, len(fields))
		}
		for field, f := range fields {
			for _, key := range []string{"default_value", "depends_on", "display", "label", "options", "order", "required", "sensitive", "tooltip", "type", "ui_restrictions", "validations", "value"} {
				if _, there := f.(map[string]any)[key]; !there {
					t.Errorf("%s: field %s has no %s", name, field, key)
				}
			}
		}
		if k.doc["features"] == nil {
			t.Errorf("%s has no features", name)
		}
	}
}

func TestAFormSaysWhatASettingIs(t *testing.T) {
	a := defining(t)
	s, _ := a.service(map[string]any{"is_native": true, "service_type": "postgresql"})
	form := s.form()
	for field, want := range map[string]map[string]any{
		"username": {"label": "User", "required": true, "type": "str", "display": "textbox"},
		"password": {"sensitive": true, "required": false},
		"port":     {"type": "int", "display": "numeric", "default_value": 5432},
		"sslmode":  {"display": "dropdown", "default_value": "prefer"},
		"tables":   {"type": "list", "display": "textarea", "default_value": "*"},
	} {
		f, _ := form[field].(map[string]any)
		for key, v := range want {
			if !reflect.DeepEqual(f[key], v) {
				t.Errorf("%s: %s is %v, not %v", field, key, f[key], v)
			}
		}
	}
	if options, _ := form["sslmode"].(map[string]any)["options"].([]any); len(options) != 6 {
		t.Errorf("options %v", options)
	}
	if _, there := form["user"]; there {
		t.Error("a setting that Elastic calls username is there as user")
	}
}

// TestSettlingFollowsTheSettings: connectors come to know a cluster that the server has got,
// or another one, when it starts; a second time nothing changes.
func TestSettlingFollowsTheSettings(t *testing.T) {
	a := defining(t)
	before := a.o.Upstream
	a.o.Upstream = nil
	doc := nativeDoc("postgresql", access())
	doc["configuration"].(map[string]any)["password"].(map[string]any)["sensitive"] = true
	p, err := a.o.Catalog.Make(t.Context(), Name, "shop", func(tx syncline.Tx, p *syncline.Pipeline) error {
		_, _, err := a.keep(tx, &connector{id: "shop", p: p, doc: map[string]any{}}, doc)
		return err
	})
	if err != nil || p.Definition.Owner != syncline.OwnerExternal {
		t.Fatalf("%+v %v", p, err)
	}
	settle := func(u *Upstream, version int64) (*syncline.Pipeline, *connector) {
		t.Helper()
		a.o.Upstream = u
		if err := a.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		p, err := a.o.Catalog.Named(t.Context(), Name, "shop")
		if err != nil || p.Version != version {
			t.Fatalf("version %d: %v", p.Version, err)
		}
		k, err := document(p)
		if err != nil {
			t.Fatal(err)
		}
		return p, k
	}
	if _, k := settle(nil, 1); k.doc["status"] != inError || !strings.Contains(k.doc["error"].(string), "elastic.upstream") {
		t.Errorf("%v %v", k.doc["status"], k.doc["error"])
	}
	if p, k := settle(before, 2); p.Definition.Owner != syncline.OwnerEngine || k.doc["status"] != configured || k.doc["error"] != nil {
		t.Errorf("%+v %v %v", p.Definition, k.doc["status"], k.doc["error"])
	}
	settle(before, 2)
	if p, _ := settle(&Upstream{URL: "https://other.test:9200"}, 3); !strings.Contains(p.Definition.Destination.Shown, "other.test") {
		t.Errorf("%s", p.Definition.Destination.Shown)
	}
}
