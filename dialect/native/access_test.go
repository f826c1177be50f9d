package native_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/client"
)

var update = flag.Bool("update", false, "write the golden files anew")

// callers are everybody who may come.
var callers = []struct {
	name string
	who  auth.Principal
}{
	{"nobody", auth.Principal{}},
	{"viewer", auth.Principal{Key: "k", Role: auth.Viewer}},
	{"operator", auth.Principal{Key: "k", Role: auth.Operator}},
	{"editor", auth.Principal{Key: "k", Role: auth.Editor}},
	{"admin", auth.Principal{Key: "k", Role: auth.Admin}},
	{"worker", auth.Principal{Key: "k", Role: auth.Worker}},
	{"scoped-worker", auth.Principal{Key: "k", Role: auth.Worker, Scope: []string{"other"}}},
	{"local", auth.Local},
}

// TestWhoMayWhat holds every route against every caller. Whether a route lets somebody in
// is what is compared, not what it answers then.
func TestWhoMayWhat(t *testing.T) {
	f := setup(t)
	var table strings.Builder
	for _, route := range f.routes() {
		var in []string
		for _, c := range callers {
			switch code := f.ask(route, c.who, ""); {
			case code == http.StatusUnauthorized != (c.name == "nobody"):
				t.Errorf("%s: %s is answered %d", route, c.name, code)
			case code != http.StatusForbidden && code != http.StatusUnauthorized:
				in = append(in, c.name)
			}
		}
		fmt.Fprintf(&table, "%-50s %s\n", route, strings.Join(in, " "))
	}
	const golden = "testdata/access.txt"
	if *update {
		f.must(os.MkdirAll("testdata", 0o755))
		f.must(os.WriteFile(golden, []byte(table.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	f.must(err)
	if table.String() != string(want) {
		t.Errorf("who may what has changed; -update writes:\n%s", table.String())
	}
}

// routes are all that the API describes, as "GET /api/v1/runs/{run}".
func (f *fixture) routes() (out []string) {
	for path, item := range f.api.OpenAPI().Paths {
		for method, op := range map[string]bool{
			"GET": item.Get != nil, "POST": item.Post != nil, "PUT": item.Put != nil, "DELETE": item.Delete != nil, "PATCH": item.Patch != nil,
		} {
			if op {
				out = append(out, method+" "+path)
			}
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		_, x, _ := strings.Cut(a, " ")
		_, y, _ := strings.Cut(b, " ")
		return strings.Compare(x+a, y+b)
	})
	return out
}

// ask calls a route and answers with the status.
func (f *fixture) ask(route string, who auth.Principal, body string) int {
	method, path, _ := strings.Cut(route, " ")
	path = strings.NewReplacer("{run}", "last", "{pipeline}", "none", "{key}", "none").Replace(path)
	req := httptest.NewRequestWithContext(auth.With(f.t.Context(), who), method, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	out := httptest.NewRecorder()
	f.api.ServeHTTP(out, req)
	return out.Code
}

// A worker's key that is for some pipelines sees no other, in no route.
func TestScope(t *testing.T) {
	f := setup(t)
	g := f.begin()
	mine := auth.Principal{Key: "k", Role: auth.Worker, Scope: []string{g.Run.Pipeline}}
	others := auth.Principal{Key: "k", Role: auth.Worker, Scope: []string{"other"}}
	run, pipe := "/api/v1/runs/"+g.Run.ID, "/api/v1/pipelines/"+g.Run.Pipeline
	for _, route := range []string{
		"GET " + run, "GET " + run + "/messages", "GET " + run + "/events", "GET " + run + "/rejects", "POST " + run + "/hold",
		"GET " + pipe, "GET " + pipe + "/why", "POST " + pipe + "/pause", "POST " + pipe + "/unpause", "GET /api/v1/runs?pipeline=" + g.Run.Pipeline,
	} {
		if code := f.ask(route, others, "{}"); code != http.StatusNotFound {
			t.Errorf("%s of another's: %d", route, code)
		}
		if code := f.ask(route, mine, "{}"); code != http.StatusOK {
			t.Errorf("%s of its own: %d", route, code)
		}
	}
	for route, shows := range map[string]string{"GET /api/v1/runs": g.Run.ID, "GET /api/v1/pipelines": g.Run.Pipeline, "GET /api/v1/runs/last": g.Run.ID} {
		if !strings.Contains(f.read(route, mine), shows) || strings.Contains(f.read(route, others), shows) {
			t.Errorf("%s shows the wrong ones", route)
		}
	}
}

func (f *fixture) read(route string, who auth.Principal) string {
	method, path, _ := strings.Cut(route, " ")
	out := httptest.NewRecorder()
	f.api.ServeHTTP(out, httptest.NewRequestWithContext(auth.With(f.t.Context(), who), method, path, nil))
	return out.Body.String()
}

// Keys are made, listed and revoked; the secret is shown once.
func TestKeys(t *testing.T) {
	f := setup(t)
	ctx := t.Context()
	made, err := f.CreateKey(ctx, client.NewKey{Role: "worker", Name: "shop", Pipelines: []string{"orders"}})
	f.must(err)
	if len(made.Secret) < 50 || !strings.Contains(made.Bearer, made.Secret) || made.APIKey == "" {
		t.Errorf("made %+v", made)
	}
	ks, err := f.Keys(ctx)
	f.must(err)
	if len(ks) != 1 || ks[0].ID != made.ID || ks[0].Role != "worker" || !slices.Equal(ks[0].Pipelines, []string{"orders"}) {
		t.Errorf("listed %+v", ks)
	}
	if text := f.read("GET /api/v1/keys", auth.Local); strings.Contains(text, made.Secret) || strings.Contains(text, "hash") {
		t.Errorf("the list tells secrets: %s", text)
	}
	f.must(f.RevokeKey(ctx, made.ID))
	if e := shown(f.RevokeKey(ctx, made.ID)); e.Code != syncline.NotFound || e.Hint == "" {
		t.Errorf("revoked twice: %+v", e)
	}
	for name, bad := range map[string]client.NewKey{
		"role": {Role: "king"}, "pipelines": {Role: "viewer", Pipelines: []string{"x"}}, "name": {Role: "viewer", Name: strings.Repeat("x", 200)},
	} {
		_, err := f.CreateKey(ctx, bad)
		if e := shown(err); e.Code != syncline.InvalidArgument || e.Field != name || e.Hint == "" {
			t.Errorf("%s: %+v", name, e)
		}
	}
}
