package elastic

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/store/sqlite"
	"github.com/synclinehq/syncline/testserver"
)

// front is the API before a search cluster, on a real connection.
type front struct {
	*desk
	url string
	who atomic.Pointer[auth.Principal]
}

func frontOf(t *testing.T, u Upstream) *front {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	f := &front{desk: deskOn(t, s)}
	f.api.cluster = newCluster(&u)
	w := worker("w")
	f.who.Store(&w)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.api.ServeHTTP(w, r.WithContext(auth.With(r.Context(), *f.who.Load())))
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		if tr, err := f.api.cluster.transport(); err == nil {
			tr.CloseIdleConnections()
		}
	})
	f.url = server.URL
	return f
}

// ask makes a call as the connector service does.
func (f *front) ask(call, body string) (status int, header http.Header, text string) {
	f.t.Helper()
	method, path, _ := strings.Cut(call, " ")
	r, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Accept", vendor+"json; compatible-with=8")
	r.Header.Set("Content-Type", vendor+"json; compatible-with=8")
	switch {
	case body == "":
		r.Header.Set("Content-Type", "application/octet-stream")
	case strings.Contains(path, "_bulk"):
		r.Header.Set("Content-Type", vendor+"x-ndjson; compatible-with=8")
	}
	r.Header.Set("Authorization", "ApiKey ours")
	r.Header.Set("Es-Security-Runas-User", "root")
	r.Header.Set("Cookie", "a=b")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	if resp.Header.Get("X-Elastic-Product") != "Elasticsearch" {
		f.t.Errorf("%s: no product header", call)
	}
	return resp.StatusCode, resp.Header, string(raw)
}

// gets makes a call that is answered with a status and something in the body.
func (f *front) gets(call, body string, status int, part string) string {
	f.t.Helper()
	got, _, text := f.ask(call, body)
	if got != status || !strings.Contains(text, part) {
		f.t.Errorf("%s: %d %s\nwant %d %s", call, got, text, status, part)
	}
	return text
}

// What one sync of Elastic's service asks of the cluster.
func TestSyncThroughOpenSearch(t *testing.T) {
	t.Parallel()
	f := frontOf(t, Upstream{URL: testserver.OpenSearch(t).URL()})
	index := strings.ToLower(t.Name())
	f.gets("GET /"+index+"?ignore_unavailable=true", "", 200, "{}")
	f.gets("HEAD /"+index, "", 404, "")
	f.gets("PUT /"+index, "", 200, `"acknowledged":true`)
	f.gets("GET /"+index+"?ignore_unavailable=true", "", 200, `"mappings"`)
	var lines strings.Builder
	for i := range 300 {
		fmt.Fprintf(&lines, `{"index":{"_index":%q,"_id":"%d"}}`+"\n", index, i)
		fmt.Fprintf(&lines, `{"title":"é %d","_timestamp":"2026-01-01T00:00:00+00:00","_extract_binary_content":true,"_reduce_whitespace":true,"_run_ml_inference":false}`+"\n", i)
	}
	f.gets("PUT /_bulk?pipeline="+defaultPipeline, lines.String(), 200, `"errors":false`)
	f.gets("POST /"+index+"/_refresh?ignore_unavailable=true", "", 200, `"_shards"`)
	f.gets("POST /"+index+"/_count?ignore_unavailable=true", "", 200, `"count":300`)
	kept := f.gets("GET /"+index+"/_doc/7", "", 200, `"title":"é 7"`)
	if strings.Contains(kept, "_extract_binary_content") || !strings.Contains(kept, "_timestamp") {
		t.Errorf("stored: %s", kept)
	}
	page := f.gets("POST /"+index+"/_search?scroll=5m", `{"sort":"_doc","_source":["id","_timestamp"],"size":200}`, 200, `"_scroll_id"`)
	var scroll struct {
		ID string `json:"_scroll_id"`
	}
	if err := json.Unmarshal([]byte(page), &scroll); err != nil {
		t.Fatal(err)
	}
	f.gets("POST /_search/scroll", fmt.Sprintf(`{"scroll":"5m","scroll_id":%q}`, scroll.ID), 200, `"hits"`)
	f.gets("DELETE /_search/scroll", fmt.Sprintf(`{"scroll_id":%q}`, scroll.ID), 200, `"succeeded":true`)
	f.gets("GET /"+index+"-none/_search", "", 404, "index_not_found_exception")
	f.gets("GET /_license", "", 200, `"type":"basic"`)
	f.gets("DELETE /"+index, "", 403, "may not edit")
	_, header, _ := f.ask("GET /"+index, "")
	if kind := header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		t.Errorf("content type %q", kind)
	}
}

// A worker of some pipelines writes to their indexes and to no other: not one line of a
// request that has another's reaches the cluster.
func TestWorkersWriteToTheirIndexes(t *testing.T) {
	t.Parallel()
	f := frontOf(t, Upstream{URL: testserver.OpenSearch(t).URL()})
	f.connector("mine")
	f.connector("yours")
	w := worker("w", "mine")
	f.who.Store(&w)
	line := func(index string) string {
		return fmt.Sprintf(`{"index":{"_index":%q,"_id":"1"}}`+"\n{}\n", index)
	}
	f.gets("PUT /search-mine", "", 200, "true")
	f.gets("PUT /search-yours", "", 403, "not for this pipeline")
	f.gets("GET /search-yours", "", 403, "not for this pipeline")
	f.gets("GET /search-mine,search-yours/_search", "", 403, "not for this pipeline")
	f.gets("GET /search-*/_search", "", 403, "not for this pipeline")
	f.gets("GET /_search", "", 403, "not for this pipeline")
	f.gets("PUT /_bulk?refresh=true", line("search-mine")+line("search-yours"), 403, "not for this pipeline")
	f.gets("POST /search-mine/_bulk?refresh=true", line("search-yours"), 403, "not for this pipeline")
	f.gets("POST /search-mine/_count", "", 200, `"count":0`)
	f.gets("PUT /_bulk?refresh=true", line("search-mine")+line(".search-acl-filter-search-mine"), 200, `"errors":false`)
	f.gets("POST /search-mine/_count", "", 200, `"count":1`)
	everywhere := worker("w")
	f.who.Store(&everywhere)
	f.gets("PUT /_bulk", line(".security"), 403, "may not administer")
	viewer := auth.Principal{Key: "v", Role: auth.Viewer}
	f.who.Store(&viewer)
	f.gets("GET /search-mine/_search", "", 200, `"hits"`)
	f.gets("PUT /_bulk", line("search-mine"), 403, "may not work")
}

// A bulk request is a sign of life of the worker whose job writes to the index, under
// whatever key it comes.
func TestBulkIsASignOfLife(t *testing.T) {
	t.Parallel()
	f := frontOf(t, Upstream{URL: testserver.OpenSearch(t).URL()})
	f.connector("alive")
	id := f.post("alive", "")
	f.as(worker("service")).must("PUT /_connector/_sync_job/"+id+"/_claim", `{"worker_hostname":"h"}`)
	seen := func() (at time.Time) {
		err := f.store.View(t.Context(), func(tx syncline.Tx) error {
			l, err := tx.Lease(id, "")
			at = l.SeenAt
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	before := seen().Add(-time.Minute)
	err := f.store.Update(t.Context(), func(tx syncline.Tx) error {
		l, err := tx.Lease(id, "")
		if err != nil {
			return err
		}
		l.SeenAt = before
		return tx.PutLease(*l)
	})
	if err != nil {
		t.Fatal(err)
	}
	f.gets("PUT /_bulk", `{"index":{"_index":"unrelated"}}`+"\n{}\n", 200, "")
	if at := seen(); !at.Equal(before) {
		t.Error("a write elsewhere counted")
	}
	f.gets("PUT /_bulk", `{"index":{"_index":"search-alive"}}`+"\n{}\n", 200, "")
	if at := seen(); !at.After(before.Add(50 * time.Second)) {
		t.Errorf("last seen at %s, %s before", at, before)
	}
}

// stub is a cluster with a fault that no real one can be made to show.
func stub(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// raw is something that answers a connection with a text.
func raw(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = io.WriteString(c, text)
			_ = c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestClusterIsNotThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	away := "http://" + l.Addr().String()
	_ = l.Close()
	answers := func(status int, kind, body string) string {
		return stub(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Location", "http://elsewhere")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
	}
	for name, test := range map[string]struct {
		url    string
		status int
		part   string
	}{
		"away":               {away, 503, "cannot be reached"},
		"no such host":       {"http://host.invalid:9200", 503, "cannot be reached"},
		"an address of none": {"http://[::1", 502, "elastic.upstream"},
		"not HTTP":           {raw(t, "SSH-2.0-x\r\n"), 502, "broken off"},
		"nothing":            {raw(t, ""), 502, "broken off"},
		"a page":             {answers(200, "text/html; charset=utf-8", "<html>sign in</html>"), 502, "no search cluster"},
		"a redirect":         {answers(302, "", ""), 502, "no search cluster"},
		"wrong credentials":  {answers(401, "application/json", `{"error":"user svc of the cluster"}`), 502, "credentials of elastic.upstream"},
		"not allowed":        {answers(403, "application/json", `{"error":"user svc of the cluster"}`), 403, "does not let the user of elastic.upstream"},
		"overloaded":         {answers(429, "application/json", `{"error":"busy"}`), 429, "busy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := frontOf(t, Upstream{URL: test.url, User: "svc", Password: "canary"})
			for _, call := range []string{"GET /content", "PUT /_bulk"} {
				body := ""
				if call == "PUT /_bulk" {
					body = strings.Repeat(`{"index":{"_index":"a"}}`+"\n{}\n", 50_000)
				}
				text := f.gets(call, body, test.status, test.part)
				if strings.Contains(text, "svc") || strings.Contains(text, "127.0.0.1") || strings.Contains(text+f.log.String(), "canary") {
					t.Errorf("tells too much: %s", text)
				}
			}
		})
	}
}

func TestClusterDoesNotAnswer(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	silent := stub(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	f := frontOf(t, Upstream{URL: silent, Patience: 200 * time.Millisecond})
	begun := time.Now()
	f.gets("GET /content", "", 503, "does not answer")
	f.gets("PUT /content/_doc/1", strings.Repeat(" ", 32<<20)+"{}", 503, "does not answer")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// What moves is not cut off, however long it takes, and reaches the client as it comes.
func TestAnswersTravelAsTheyCome(t *testing.T) {
	t.Parallel()
	got := make(chan struct{})
	dripping := stub(t, func(w http.ResponseWriter, r *http.Request) {
		for range 10 {
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-got:
			case <-r.Context().Done():
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	f := frontOf(t, Upstream{URL: dripping, Patience: 400 * time.Millisecond})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/content", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	for range 10 {
		if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		got <- struct{}{}
	}
}

// Requests reach the cluster while they are still being sent.
func TestRequestsTravelAsTheyCome(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 1)
	f := frontOf(t, Upstream{URL: stub(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 10))
		arrived <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body)
	})})
	body, feed := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, f.url+"/_bulk", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	done := make(chan error, 1)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			err = resp.Body.Close()
		}
		done <- err
	}()
	_, _ = io.WriteString(feed, `{"index":{"_index":"a"}}`+"\n")
	select {
	case <-arrived:
	case <-time.After(10 * time.Second):
		t.Fatal("held back")
	}
	_, _ = io.WriteString(feed, "{}\n")
	_ = feed.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// An answer that breaks off does not look whole.
func TestAnswerThatBreaksOff(t *testing.T) {
	t.Parallel()
	f := frontOf(t, Upstream{URL: raw(t, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"half\":")})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url+"/content", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if text, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("read %q to its end", text)
	}
}

// When the client goes away the cluster hears of it.
func TestClientGoesAway(t *testing.T) {
	t.Parallel()
	begun, ended := make(chan struct{}), make(chan struct{})
	f := frontOf(t, Upstream{URL: stub(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
		close(ended)
	})})
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+"/content", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-begun
		leave()
	}()
	if resp, err := http.DefaultClient.Do(r); err == nil {
		_ = resp.Body.Close()
		t.Error("answered")
	}
	select {
	case <-ended:
	case <-time.After(time.Second):
		t.Error("the request goes on")
	}
}

// Our keys do not reach the cluster, nor what would let a client act for another there; its
// credentials and cookies do not reach the client.
func TestWhatTravels(t *testing.T) {
	t.Parallel()
	var got http.Header
	var uri string
	f := frontOf(t, Upstream{APIKey: "theirs", URL: stub(t, func(w http.ResponseWriter, r *http.Request) {
		got, uri = r.Header.Clone(), r.RequestURI
		w.Header().Set("Set-Cookie", "sid=1")
		w.Header().Set("Server", "secret")
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		_, _ = io.WriteString(w, "{}")
	}) + "/base/"})
	_, header, _ := f.ask("POST /elastic/content%2Cmore/_search?q=a%20b&pretty", "{}")
	if uri != "/base/content%2Cmore/_search?pretty=&q=a+b" && uri != "/base/content,more/_search?pretty=&q=a+b" {
		t.Errorf("asked for %s", uri)
	}
	for name, want := range map[string]string{
		"Authorization": "ApiKey theirs", "Content-Type": "application/json", "Accept": "application/json",
		"Es-Security-Runas-User": "", "Cookie": "", "X-Forwarded-For": "",
	} {
		if v := got.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	for name, want := range map[string]string{"Set-Cookie": "", "Server": "", "Content-Type": "application/json; charset=UTF-8"} {
		if v := header.Get(name); v != want {
			t.Errorf("answer: %s: %q, want %q", name, v, want)
		}
	}
	f.ask("POST /content/_refresh", "")
	if v, sent := got["Content-Type"]; sent {
		t.Errorf("an empty body has the type %q", v)
	}
}

// The pipeline that the service names is made where there is none, once, and its absence is
// not passed over.
func TestIngestPipelineIsSeenTo(t *testing.T) {
	t.Parallel()
	var made, looked atomic.Int32
	allowed := atomic.Bool{}
	f := frontOf(t, Upstream{URL: stub(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasPrefix(r.URL.Path, "/_ingest/"):
		case r.Method == http.MethodGet:
			looked.Add(1)
			if made.Load() == 0 {
				w.WriteHeader(http.StatusNotFound)
			}
		case r.Method == http.MethodPut && !allowed.Load():
			w.WriteHeader(http.StatusForbidden)
		case r.Method == http.MethodPut:
			var b bytes.Buffer
			_, _ = b.ReadFrom(r.Body)
			if json.Valid(b.Bytes()) {
				made.Add(1)
			}
		}
	})})
	const bulk = `{"index":{"_index":"a"}}` + "\n{}\n"
	f.gets("PUT /_bulk?pipeline="+defaultPipeline, bulk, 502, "does not let one be made")
	allowed.Store(true)
	for range 3 {
		f.gets("PUT /_bulk?pipeline="+defaultPipeline, bulk, 200, "")
	}
	f.gets("PUT /_bulk?pipeline=other", bulk, 200, "")
	if made.Load() != 1 || looked.Load() != 2 {
		t.Errorf("looked %d times, made %d", looked.Load(), made.Load())
	}
}

func TestLicenseIsTheClustersOwn(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"license":{"status":"active","type":"platinum","uid":"x"}}`: `"type":"platinum"`,
		`{"license":{"status":"expired","type":"platinum"}}`:          `"status":"expired"`,
		`{"license":{}}`: `"type":"basic"`, `<html>`: `"type":"basic"`, `{"license":3}`: `"type":"basic"`,
	} {
		f := frontOf(t, Upstream{URL: stub(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })})
		f.gets("GET /_license", "", 200, want)
	}
}
