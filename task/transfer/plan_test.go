package transfer_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/task/transfer"
)

func planned(r *rig, mode syncline.Mode, specs ...syncline.EntitySpec) ([]syncline.Task, error) {
	return r.kind.Plan(r.Context(), syncline.Definition{Entities: specs}, mode)
}

func TestPlan(t *testing.T) {
	r := setup(t, 1, func(r *rig) {
		r.from.tables = map[string][]row{"a.orders": nil, "a.users": nil, "b.events": nil}
	})
	tests := map[string]struct {
		mode  syncline.Mode
		specs []syncline.EntitySpec
		want  string // name mode write place, …
	}{
		"everything":              {"", nil, "a.orders full  a.orders, a.users full  a.users, b.events full  b.events"},
		"a pattern":               {"", []syncline.EntitySpec{{Name: "a.*"}}, "a.orders full  a.orders, a.users full  a.users"},
		"the first one counts":    {"", []syncline.EntitySpec{{Name: "a.users", Mode: "incremental", Cursor: "at"}, {Name: "*"}}, "a.users incremental  a.users, a.orders full  a.orders, b.events full  b.events"},
		"the run's mode":          {"full", []syncline.EntitySpec{{Name: "a.users", Mode: "incremental", Cursor: "at"}}, "a.users full  a.users"},
		"the run's mode, upwards": {"incremental", []syncline.EntitySpec{{Name: "b.*", Write: "upsert"}}, "b.events incremental upsert b.events"},
		"a table":                 {"", []syncline.EntitySpec{{Name: "a.users", Table: "people"}}, "a.users full  people"},
		"a pattern of one":        {"", []syncline.EntitySpec{{Name: "b.*", Table: "happened"}}, "b.events full  happened"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tasks, err := planned(r, test.mode, test.specs...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, one := range tasks {
				var s syncline.EntitySpec
				if err := json.Unmarshal(one.Settings, &s); err != nil {
					t.Fatal(err)
				}
				if s.Name != one.Name || one.Kind != transfer.Name || one.Ordinal != i {
					t.Errorf("%+v", one)
				}
				got = append(got, strings.Join([]string{one.Name, string(s.Mode), string(s.Write), one.Where}, " "))
			}
			if got := strings.Join(got, ", "); got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	tests := map[string]struct {
		tables []string
		specs  []syncline.EntitySpec
		code   syncline.Code
		says   []string
	}{
		"nothing there":     {nil, nil, syncline.NotFound, []string{"the source has nothing to read"}},
		"no match":          {[]string{"a"}, []syncline.EntitySpec{{Name: "a"}, {Name: "b*"}}, syncline.NotFound, []string{`"b*"`}},
		"one table for two": {[]string{"a1", "a2"}, []syncline.EntitySpec{{Name: "a*", Table: "t"}}, syncline.InvalidArgument, []string{`"a*" matches 2 entities`, `"t"`}},
		"same table":        {[]string{"a1", "a2"}, []syncline.EntitySpec{{Name: "a1", Table: "a2"}, {Name: "a2"}}, syncline.InvalidArgument, []string{`"a1" and "a2" would both land in "a2"`}},
		"same place":        {[]string{"x/a", "y/a"}, nil, syncline.InvalidArgument, []string{`"x/a" and "y/a" would both land in "a"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := setup(t, 0)
			r.from.tables = map[string][]row{}
			for _, table := range test.tables {
				r.from.tables[table] = nil
			}
			_, err := planned(r, "", test.specs...)
			if syncline.CodeOf(err) != test.code {
				t.Fatalf("%v", err)
			}
			for _, text := range test.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
		})
	}
}

func TestContradictionsAreRefused(t *testing.T) {
	window := &syncline.Window{}
	tests := map[string]struct {
		spec   syncline.EntitySpec
		window *syncline.Window
		says   string
		hint   string
	}{
		"no cursor":             {syncline.EntitySpec{Mode: "incremental"}, nil, "by no cursor", "--cursor at"},
		"incremental replace":   {syncline.EntitySpec{Mode: "incremental", Cursor: "at", Write: "replace"}, nil, "replace would remove the rest", "--mode full"},
		"key that is not there": {syncline.EntitySpec{Key: []string{"nr"}}, nil, `no column "nr", which key names`, "id, name, at"},
		"type of nothing":       {syncline.EntitySpec{Types: map[string]string{"nr": "text"}}, nil, `no column "nr", which types names`, "id, name, at"},
		"no such type":          {syncline.EntitySpec{Types: map[string]string{"id": "money"}}, nil, `no type "money"`, "bigint"},
		"window without cursor": {syncline.EntitySpec{}, window, "without a cursor", "cursor"},
		"incremental window":    {syncline.EntitySpec{Mode: "incremental"}, window, "without a cursor", "cursor"},
		"window of nothing":     {syncline.EntitySpec{Cursor: "when"}, window, `"when", which is no column of times`, "timestamp"},
		"window of numbers":     {syncline.EntitySpec{Cursor: "id"}, window, `"id", which is no column of times`, "timestamp"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := setup(t, 3)
			r.entity = test.spec
			r.entity.Name = "db.orders"
			rec := r.begin()
			rec.Run.Window = test.window
			e := r.coded(r.do(rec), syncline.InvalidArgument, "", test.says)
			if !strings.Contains(e.Hint, test.hint) || e.Class != syncline.ClassConfig {
				t.Errorf("hint %q, class %s", e.Hint, e.Class)
			}
			if len(r.to.streams) > 0 {
				t.Error("the destination was touched")
			}
		})
	}
}

func TestUpsertNeedsAKey(t *testing.T) {
	r := setup(t, 3, func(r *rig) { r.from.key = []string{}; r.entity.Write = syncline.Upsert })
	r.coded(r.do(r.begin()), syncline.InvalidArgument, "", "db.orders has no key")
}

func TestUnknownKinds(t *testing.T) {
	kind := transfer.New(transfer.Options{Sources: none[sourceKind], Destinations: none[destinationKind], Env: env()})
	_, err := kind.Plan(t.Context(), syncline.Definition{Source: syncline.Endpoint{Kind: "tape"}}, "")
	if syncline.CodeOf(err) != syncline.InvalidArgument || !strings.Contains(err.Error(), `no source of kind "tape"`) {
		t.Error(err)
	}
}
