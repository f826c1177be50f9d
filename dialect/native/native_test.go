package native_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/client"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/dialect/native"
	"github.com/synclinehq/syncline/engine"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/secret"
	"github.com/synclinehq/syncline/server"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/spec"
	"github.com/synclinehq/syncline/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ engine.Door = (*client.Client)(nil)

// shop is a kind of endpoint for tests: a host and a password.
func shop() spec.Spec {
	return spec.Spec{
		Kind: "shop", Schemes: []string{"shop"},
		Fields: []spec.Field{{Name: "host", Type: spec.String}, {Name: "password", Type: spec.Password}},
		FromURL: func(u *url.URL) (json.RawMessage, error) {
			password, _ := u.User.Password()
			return json.Marshal(map[string]string{"host": u.Host, "password": password})
		},
		Show: func(settings json.RawMessage) string {
			var s struct{ Host string }
			_ = json.Unmarshal(settings, &s)
			return "shop://" + s.Host
		},
	}
}

type fixture struct {
	*client.Client
	t      testing.TB
	ledger *ledger.Ledger
	api    *native.API
	url    string
	log    bytes.Buffer
	worker syncline.Worker
}

func setup(t testing.TB) *fixture {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	box, err := secret.Load(filepath.Join(t.TempDir(), "key"), "")
	if err != nil {
		t.Fatal(err)
	}
	kinds := registry.New([]source.Kind{{Spec: shop()}}, []destination.Kind{{Spec: shop()}}, nil)
	f := &fixture{t: t, worker: syncline.Worker{ID: "h/1", Session: "s", Host: "h", Kinds: []string{"sync"}}}
	f.ledger = ledger.New(store, ledger.Options{})
	f.api = native.New(native.Options{
		Ledger: f.ledger, Catalog: catalog.New(catalog.Options{Store: store, Registry: kinds, Box: box, Host: "h"}),
		Keys:  auth.NewKeys(store, time.Now),
		Log:   slog.New(slog.NewTextHandler(&f.log, nil)),
		About: func() client.About { return client.About{Version: "test", PID: 1} },
	})
	socket := httptest.NewServer(server.Local(f.api, slog.New(slog.DiscardHandler)))
	transport := &http.Transport{}
	t.Cleanup(func() { f.api.Close(); socket.Close(); transport.CloseIdleConnections() })
	f.url = socket.URL + native.Base
	f.Client = client.New(transport, f.url)
	return f
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// begin starts a run and claims it.
func (f *fixture) begin() syncline.Grant {
	f.t.Helper()
	p, err := f.Adhoc(f.t.Context(), client.Adhoc{Source: "shop://u:canary@a", Destination: "shop://b", Dir: "/"})
	f.must(err)
	_, err = f.Start(f.t.Context(), p.Name, client.Order{Adopt: true})
	f.must(err)
	gs, err := f.Claim(f.t.Context(), f.worker, 1)
	f.must(err)
	if len(gs) != 1 {
		f.t.Fatalf("claimed %d runs", len(gs))
	}
	return gs[0]
}

// A worker does a whole run through the API, and the ledger holds what it said.
func TestAWorkersCalls(t *testing.T) {
	f := setup(t)
	ctx := t.Context()
	g := f.begin()
	h := g.Hold()
	if strings.Contains(string(g.Definition.Source.Settings), "canary") {
		t.Error("a grant holds the password itself")
	}
	tasks, err := f.Plan(ctx, h, []syncline.Task{{Name: "orders", Kind: "transfer", Settings: json.RawMessage(`{"a":[1,null]}`)}})
	f.must(err)
	if len(tasks) != 1 || tasks[0].RunID != g.Run.ID || string(tasks[0].Settings) != `{"a":[1,null]}` {
		t.Errorf("planned %+v", tasks)
	}
	f.must(f.BeginTask(ctx, h, "orders"))
	f.must(f.Memo(ctx, h, "orders", json.RawMessage(`{"plan":1}`)))
	sample := []byte("a\x00\xff,b")
	f.must(f.Keep(ctx, h, []syncline.Reject{{Task: "orders", Part: "0", Row: 7, Key: "file:8", Code: "malformed", Message: "no", Sample: sample}}))
	f.must(f.Log(ctx, h, []syncline.Message{{Severity: syncline.Warning, Text: "made a table", Task: "orders"}}))
	stats := syncline.Stats{
		Counts: syncline.Counts{Read: 10, Inserted: 9, Rejected: 1, Bytes: 99}, Expected: 10, TotalFrom: "count", Phase: "read",
		Path: "arrow", BoundBy: "source", Parts: []syncline.Part{{ID: "0", State: syncline.TaskRunning}}, Attempted: 10,
	}
	answers, err := f.Report(ctx, []syncline.TaskReport{{Run: g.Run.ID, Token: h.Token, Task: "orders", Stats: stats}})
	f.must(err)
	if len(answers) != 1 || answers[0].Run != g.Run.ID {
		t.Errorf("report: %+v", answers)
	}
	if answers, err = f.Beat(ctx, []syncline.Hold{h}); err != nil || len(answers) != 1 {
		t.Errorf("beat: %+v, %v", answers, err)
	}
	r, err := f.Run(ctx, "last")
	f.must(err)
	if r.Lease == nil || r.Lease.Worker != "h/1" || r.Attempts[0].Read != 10 || r.Totals.Read != 10 || r.Tasks[0].Phase != "read" {
		t.Errorf("under way: %+v", r)
	}
	f.must(f.EndTask(ctx, h, syncline.TaskEnd{Name: "orders", State: syncline.TaskSucceeded, Where: "table orders", Stats: stats}))
	f.must(f.Stale(ctx, h))
	end, err := f.Finish(ctx, h)
	f.must(err)
	if end.State != syncline.StateSucceeded || end.Facts.Fenced != 1 || end.Facts.Rejects != 1 {
		t.Errorf("finished: %+v", end)
	}
	rs, err := f.Rejects(ctx, g.Run.ID[len(g.Run.ID)-6:], "orders", 0, 10)
	f.must(err)
	if len(rs) != 1 || !bytes.Equal(rs[0].Sample, sample) {
		t.Errorf("rejects: %+v", rs)
	}
	ms, err := f.Messages(ctx, g.Run.ID, 0, 10)
	f.must(err)
	if len(ms) != 1 || ms[0].Text != "made a table" || ms[0].Attempt != 1 {
		t.Errorf("messages: %+v", ms)
	}
	d, err := f.ledger.Run(ctx, g.Run.ID)
	f.must(err)
	if string(d.Tasks[0].Memo) != `{"plan":1}` {
		t.Errorf("memo: %s", d.Tasks[0].Memo)
	}
}

// Every way of letting go of a run.
func TestAWorkerLetsGo(t *testing.T) {
	for name, leave := range map[string]struct {
		do    func(*fixture, context.Context, syncline.Hold) (syncline.Run, error)
		state syncline.State
		wait  syncline.Wait
	}{
		"fail": {func(f *fixture, ctx context.Context, h syncline.Hold) (syncline.Run, error) {
			return f.Fail(ctx, h, syncline.Errorf(syncline.NotFound, "no table").Try("make one"))
		}, syncline.StateFailed, ""},
		"yield": {func(f *fixture, ctx context.Context, h syncline.Hold) (syncline.Run, error) {
			return f.Yield(ctx, h)
		}, syncline.StateSuspended, syncline.WaitShutdown},
		"suspend": {func(f *fixture, ctx context.Context, h syncline.Hold) (syncline.Run, error) {
			return f.Suspend(ctx, h, syncline.WaitMassDelete, syncline.Errorf(syncline.FailedPrecondition, "many rows"))
		}, syncline.StateSuspended, syncline.WaitMassDelete},
		"cancel": {func(f *fixture, ctx context.Context, h syncline.Hold) (syncline.Run, error) {
			if _, err := f.Cancel(ctx, h.Run, "because"); err != nil {
				return syncline.Run{}, err
			}
			return f.AckCancel(ctx, h)
		}, syncline.StateCanceled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := setup(t)
			r, err := leave.do(f, t.Context(), f.begin().Hold())
			f.must(err)
			if r.State != leave.state || r.Wait != leave.wait {
				t.Errorf("%s (%s), want %s (%s)", r.State, r.Wait, leave.state, leave.wait)
			}
		})
	}
}

func TestErrorsComeBackEqual(t *testing.T) {
	f := setup(t)
	ctx := t.Context()
	g := f.begin()
	_, want := f.ledger.Cancel(ctx, "nobody", "")
	_, got := f.Cancel(ctx, "nobody", "")
	if !reflect.DeepEqual(shown(want), shown(got)) || shown(got).Code != syncline.NotFound {
		t.Errorf("got %+v, want %+v", got, want)
	}
	stale := g.Hold()
	stale.Token--
	for name, err := range map[string]error{
		"memo":   f.Memo(ctx, stale, "x", json.RawMessage(`1`)),
		"keep":   f.Keep(ctx, stale, []syncline.Reject{{Task: "x"}}),
		"begin":  f.BeginTask(ctx, stale, "x"),
		"finish": second(f.Finish(ctx, stale)),
		"yield":  second(f.Yield(ctx, stale)),
	} {
		if err != syncline.ErrLeaseLost {
			t.Errorf("%s of a stale holder: %v", name, err)
		}
	}
	_, err := f.Start(ctx, g.Run.Pipeline, client.Order{})
	if e := shown(err); e.Code != syncline.FailedPrecondition || e.Reason != ledger.ReasonBusy || e.Hint == "" {
		t.Errorf("busy: %+v", e)
	}
	_, err = f.Runs(ctx, client.RunFilter{States: []syncline.State{"sleeping"}})
	if e := shown(err); e.Code != syncline.InvalidArgument || e.Field != "state" {
		t.Errorf("state: %+v", e)
	}
	_, err = f.Adhoc(ctx, client.Adhoc{Source: "shop://u:canary@a", Destination: "nothing://u:canary@b"})
	if e := shown(err); e.Code != syncline.InvalidArgument || strings.Contains(fmt.Sprintf("%+v", e), "canary") {
		t.Errorf("adhoc: %+v", e)
	}
}

func second(_ syncline.Run, err error) error { return err }

// shown is the error as others see it: without what it wraps.
func shown(err error) *syncline.Error {
	var e *syncline.Error
	if !errors.As(err, &e) {
		return &syncline.Error{Message: fmt.Sprintf("no *syncline.Error: %v", err)}
	}
	copied := *e
	copied.Err = nil
	return &copied
}

func TestBadRequests(t *testing.T) {
	f := setup(t)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		says               string
	}{
		"no JSON":        {"POST", "/worker/beat", `{`, 400, ""},
		"wrong type":     {"POST", "/worker/beat", `[{"run":1,"token":"x"}]`, 422, "run"},
		"unknown member": {"POST", "/adhoc", `{"source":"a","destination":"b","dir":"/","cursour":"x"}`, 422, "cursour"},
		"secret value":   {"POST", "/adhoc", `{"source":"a","destination":"b","dir":"/","key":"canary"}`, 422, "key"},
		"too large":      {"POST", "/adhoc", `{"source":"` + strings.Repeat("x", 2<<20) + `"}`, 413, ""},
		"no such path":   {"GET", "/nothing", ``, 404, `"code":"not_found"`},
		"no such method": {"DELETE", "/about", ``, 404, "openapi.json"},
		"limit":          {"GET", "/runs?limit=5000", ``, 422, "limit"},
		"deep":           {"POST", "/worker/beat", strings.Repeat("[", 100_000), 400, ""},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, f.url+c.path, strings.NewReader(c.body))
			f.must(err)
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(req)
			f.must(err)
			defer resp.Body.Close()
			defer http.DefaultClient.CloseIdleConnections()
			text, err := io.ReadAll(resp.Body)
			f.must(err)
			if resp.StatusCode != c.status || !strings.Contains(string(text), c.says) || strings.Contains(string(text), "canary") {
				t.Errorf("%d %s", resp.StatusCode, text)
			}
		})
	}
}

func TestWatchFollowsToTheEnd(t *testing.T) {
	f := setup(t)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	g := f.begin()
	var states []syncline.State
	for r, err := range f.Watch(ctx, "last") {
		f.must(err)
		states = append(states, r.State)
		if len(states) == 1 {
			_, err := f.ledger.Yield(ctx, g.Hold())
			f.must(err)
			_, err = f.ledger.Cancel(ctx, g.Run.ID, "")
			f.must(err)
		}
	}
	if states[0] != syncline.StateRunning || states[len(states)-1] != syncline.StateCanceled {
		t.Errorf("saw %v", states)
	}
	for _, err := range f.Watch(ctx, "nobody") {
		if shown(err).Code != syncline.NotFound {
			t.Errorf("a run that is not there: %v", err)
		}
	}
}

// A watcher that leaves, and an API that closes, leave no goroutine behind (goleak).
func TestWatchEnds(t *testing.T) {
	f := setup(t)
	f.begin()
	for range f.Watch(t.Context(), "last") {
		break
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for _, err := range f.Watch(ctx, "last") {
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		stop()
	}
}

// The document of a run is a promise to scripts.
func TestTheRunDocument(t *testing.T) {
	f := setup(t)
	g := f.begin()
	_, err := f.Plan(t.Context(), g.Hold(), []syncline.Task{{Name: "orders", Kind: "transfer"}})
	f.must(err)
	resp, err := http.Get(f.url + "/runs/" + g.Run.ID)
	f.must(err)
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	var doc map[string]any
	f.must(json.NewDecoder(resp.Body).Decode(&doc))
	for _, name := range []string{"id", "pipeline", "state", "facts", "wait", "attempts", "tasks", "totals", "error", "messages"} {
		if _, ok := doc[name]; !ok {
			t.Errorf("no member %q in %v", name, slices.Sorted(maps.Keys(doc)))
		}
	}
	has(t, doc["attempts"], "n", "worker", "started_at", "read")
	has(t, doc["tasks"], "name", "state", "counts", "path", "bound_by", "parts")
	if _, ok := doc["messages"].([]any); !ok {
		t.Errorf("messages are %v", doc["messages"])
	}
}

func has(t *testing.T, list any, names ...string) {
	t.Helper()
	first := list.([]any)[0].(map[string]any)
	for _, name := range names {
		if _, ok := first[name]; !ok {
			t.Errorf("no member %q in %v", name, slices.Sorted(maps.Keys(first)))
		}
	}
}

func TestOpenAPI(t *testing.T) {
	f := setup(t)
	resp, err := http.Get(f.url + "/openapi.json")
	f.must(err)
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	f.must(json.NewDecoder(resp.Body).Decode(&doc))
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %q", doc.OpenAPI)
	}
	for _, want := range []string{"get /runs", "post /pipelines/{pipeline}/runs", "get /runs/{run}/watch", "post /worker/claim", "post /worker/suspend"} {
		method, path, _ := strings.Cut(want, " ")
		if doc.Paths[native.Base+path][method] == nil {
			t.Errorf("%s is not described", want)
		}
	}
}
