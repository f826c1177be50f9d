package elasticsearch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/testserver"
)

// behind is a place that is reached by way of a proxy, which may answer by itself.
func (p place) behind(t *testing.T, answers func(w http.ResponseWriter, r *http.Request) bool) place {
	t.Helper()
	target, err := url.Parse(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	forward := httputil.NewSingleHostReverseProxy(target)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answers(w, r) {
			forward.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(proxy.Close)
	through := place{p.Search, map[string]any{}}
	for k, v := range p.settings {
		through.settings[k] = v
	}
	through.settings["port"] = portOf(t, proxy.URL)
	return through
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// TestRetryAfter: a busy cluster says when to come again, and is not asked before.
func TestRetryAfter(t *testing.T) {
	var first atomic.Int64
	// One at a time: what is under way beside it may well come before.
	p := newPlace(t, testserver.OpenSearch(t), "in_flight", "1").behind(t, func(w http.ResponseWriter, r *http.Request) bool {
		now := time.Now().UnixNano()
		if !strings.HasSuffix(r.URL.Path, "_bulk") {
			return false
		}
		if first.CompareAndSwap(0, now) {
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		}
		if waited := time.Duration(now - first.Load()); waited < 2*time.Second {
			t.Errorf("asked again after %s", waited)
		}
		return false
	})
	load(t, p, "a", 1, 0, 100)
	if first.Load() == 0 {
		t.Error("the proxy was not asked")
	}
	p.holds(t, expected("a", 0, 100))
}

// TestSmallRequests: a proxy in between takes less than 5 MiB, and some rows alone are more.
func TestSmallRequests(t *testing.T) {
	const most = 16 << 10
	p := newPlace(t, testserver.OpenSearch(t)).behind(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.ContentLength <= most {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return true
	})
	a := try(t, p, "load-1", 1)
	a.lane()
	a.writeAll("a", 0, 1000)
	a.writeAll(strings.Repeat("long", most/4), 1000, 1002)
	a.writeAll("a", 1002, 1500)
	position := a.finish()
	if c := position.Counts; c.Inserted != 1498 || c.Rejected != 2 || a.kept[1000].Code != "too_large" || len(a.kept[1000].Sample) == 0 {
		t.Errorf("%+v, kept %+v", c, a.kept[1000])
	}
	a.publish(position)
	want := expected("a", 0, 1500)
	delete(want, "1000")
	delete(want, "1001")
	p.holds(t, want)
}

// TestRowBeyondMemory: a row that the cluster will never have memory for is put aside, where
// the cluster only says that it is busy, and the others are written.
func TestRowBeyondMemory(t *testing.T) {
	p := newPlace(t, testserver.Elasticsearch(t))
	a := try(t, p, "load-1", 1)
	a.lane()
	a.writeAll("a", 0, 10)
	a.writeAll(strings.Repeat("0123456789abcde ", 15<<16), 10, 11)
	a.writeAll("a", 11, 20)
	position := a.finish()
	if c := position.Counts; c.Inserted != 19 || c.Rejected != 1 || a.kept[10].Code != "too_large" {
		t.Errorf("%+v, kept %v", c, a.kept[10].Message)
	}
	a.publish(position)
	want := expected("a", 0, 20)
	delete(want, "10")
	p.holds(t, want)
}

func TestBeyond(t *testing.T) {
	const said = "rejected execution of primary operation [coordinating_and_primary_bytes=1, replica_bytes=0, all_bytes=1, primary_operation_bytes=%d, max_primary_bytes=53687091]"
	for err, want := range map[error]bool{
		&refusal{status: 413}: true,
		&refusal{status: 429}: false,
		&refusal{status: 429, reason: fmt.Sprintf(said, 53687091)}: false,
		&refusal{status: 429, reason: fmt.Sprintf(said, 53687092)}: true,
		&refusal{status: 400, reason: fmt.Sprintf(said, 53687092)}: false,
		io.EOF: false,
	} {
		if got := beyond(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// TestBusyItems: of items that are refused for a moment, those behind them are sent again
// too, so that the last row of a key stays the last.
func TestBusyItems(t *testing.T) {
	var spoiled atomic.Bool
	p := newPlace(t, testserver.OpenSearch(t))
	a := try(t, p, "load-1", 1)
	a.watch(func(r *http.Request, resp *http.Response, err error) (*http.Response, error) {
		if err == nil && strings.HasSuffix(r.URL.Path, "_bulk") && spoiled.CompareAndSwap(false, true) {
			resp.Body = inspect(t, resp.Body, func([]byte) {})
			answer, _ := io.ReadAll(resp.Body)
			spoilt := strings.Replace(string(answer), `{"index":{"status":201}}`, `{"index":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"full"}}}`, 1)
			resp.Body = io.NopCloser(strings.NewReader(spoilt))
		}
		return resp, err
	})
	a.lane()
	a.writeAll("once", 0, 1000)
	a.writeAll("twice", 0, 1000)
	position := a.finish()
	if c := position.Counts; c.Read != 2000 || c.Inserted != 999 || c.Updated != 1001 {
		t.Errorf("%+v: one row, which was there the second time, counts as updated", c)
	}
	if published := a.publish(position); published.Counts.Superseded != 1000 {
		t.Errorf("%+v", published)
	}
	p.holds(t, expected("twice", 0, 1000))
}

// TestFailures: what a person is told, and never the secret.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		code   syncline.Code
		says   string
	}{
		{"wrong key", func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":{"type":"security_exception","reason":"unable to authenticate"},"status":401}`)
		}, syncline.Unauthenticated, "unable to authenticate"},
		{"no right", func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }, syncline.PermissionDenied, "403"},
		{"a page", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "<html>welcome</html>") }, syncline.FailedPrecondition, "no search server"},
		{"too old", func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"version":{"number":"7.10.2"}}`) }, syncline.FailedPrecondition, "Elasticsearch 7.10.2 is too old"},
		{"redirect", func(w http.ResponseWriter) {
			w.Header().Set("Location", "http://elsewhere.invalid/")
			w.WriteHeader(http.StatusFound)
		}, syncline.FailedPrecondition, "302"},
		{"busy", func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) }, syncline.ResourceExhausted, "503"},
		{"cut", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, syncline.Unavailable, "EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "ApiKey canary" {
					t.Errorf("asked with %q", r.Header.Get("Authorization"))
				}
				c.answer(w)
			}))
			defer server.Close()
			settings := fmt.Sprintf(`{"host":"127.0.0.1","port":%s,"api_key":"canary"}`, portOf(t, server.URL))
			_, err := Kind.Open(t.Context(), env, json.RawMessage(settings))
			e, ok := errors.AsType[*syncline.Error](err)
			if !ok || e.Code != c.code || !strings.Contains(e.Message, c.says) || e.Hint == "" || strings.Contains(e.Message+e.Hint, "canary") {
				t.Errorf("%#v", err)
			}
		})
	}
}

// TestTLS: the certificate is checked, against the authority of the settings.
func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"version":{"number":"9.1.0"}}`)
	}))
	defer server.Close()
	settings := fmt.Sprintf(`{"host":"127.0.0.1","port":%s,"tls":true}`, portOf(t, server.URL))
	_, err := Kind.Open(t.Context(), env, json.RawMessage(settings))
	if e, ok := errors.AsType[*syncline.Error](err); !ok || e.Retryable || !strings.Contains(e.Message, "certificate") {
		t.Errorf("%v", err)
	}
}

// TestPipeline: documents pass through an ingest pipeline, and what it drops is filtered.
func TestPipeline(t *testing.T) {
	p := newPlace(t, testserver.OpenSearch(t), "pipeline", "shorten")
	p.Do(t, "PUT", "/_ingest/pipeline/shorten", `{"processors":[
		{"drop":{"if":"ctx.id % 10 == 0"}},
		{"gsub":{"field":"name","pattern":"long","replacement":"short"}}]}`)
	a := try(t, p, "load-1", 1)
	a.lane()
	a.writeAll("long", 0, 100)
	position := a.finish()
	if c := position.Counts; c.Inserted != 90 || c.Filtered != 10 {
		t.Errorf("%+v", c)
	}
	a.publish(position)
	want := expected("short", 0, 100)
	for n := 0; n < 100; n += 10 {
		delete(want, fmt.Sprint(n))
	}
	p.holds(t, want)
}

// TestAliasOfSeveral: where rows would land in one of several indices, nobody can say.
func TestAliasOfSeveral(t *testing.T) {
	p := newPlace(t, testserver.OpenSearch(t))
	for _, index := range []string{"a", "b"} {
		p.Do(t, "PUT", "/"+index, `{"aliases":{"people":{}}}`)
	}
	d := p.Open(t)
	defer func() { _ = d.Close() }()
	_, err := d.Open(t.Context(), destination.Target{Table: "people", Entity: sourceOfPeople, Disposition: syncline.Replace})
	if syncline.CodeOf(err) != syncline.FailedPrecondition || !strings.Contains(err.Error(), "a, b") {
		t.Errorf("%v", err)
	}
}
