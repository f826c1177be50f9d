package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/dialect"
	"github.com/synclinehq/syncline/server"
	"github.com/synclinehq/syncline/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a dialect that says what it was asked, and by whom.
type echo struct {
	name, prefix string
	handle       http.HandlerFunc
}

func (e *echo) Name() string              { return e.name }
func (e *echo) Owns(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, e.prefix) }
func (e *echo) Refuse(w http.ResponseWriter, _ *http.Request, err *syncline.Error) {
	status := map[syncline.Code]int{
		syncline.Unauthenticated: 401, syncline.PermissionDenied: 403, syncline.ResourceExhausted: 429,
		syncline.Internal: 500, syncline.InvalidArgument: 400, syncline.Unavailable: 503,
	}[err.Code]
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"dialect": e.name, "error": err})
}

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e.handle != nil {
		e.handle(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, err.Error())
		return
	}
	who := auth.From(r.Context())
	_ = json.NewEncoder(w).Encode(map[string]any{"dialect": e.name, "key": who.Key, "role": who.Role, "local": who.Local, "bytes": len(body)})
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

type fixture struct {
	t       testing.TB
	o       server.Options
	store   syncline.Store
	metrics *server.Metrics
	front   *echo
	back    *echo
	log     lines
	speaks  *http.Protocols // of the client; nil: HTTP/1
	client  *http.Client
	url     string
	addr    string
}

// setup makes a server that serve starts.
func setup(t testing.TB) *fixture {
	t.Helper()
	raw, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	f := &fixture{t: t, metrics: server.NewMetrics(), front: &echo{name: "front", prefix: "/api/"}, back: &echo{name: "back", prefix: "/"}}
	f.store = f.metrics.Observe(raw)
	f.o = server.Options{
		Dialects: []dialect.Dialect{f.front, f.back}, Keys: auth.NewKeys(f.store, time.Now), Metrics: f.metrics,
		Ready: func(context.Context) error { return nil },
		Log:   slog.New(slog.NewTextHandler(&f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	return f
}

func (f *fixture) serve(how server.Listen) *fixture {
	f.t.Helper()
	l, err := how.Open(f.t.Context())
	f.must(err)
	s := server.New(f.o)
	s.Serve(l)
	transport := &http.Transport{MaxIdleConnsPerHost: 100, Protocols: f.speaks}
	f.client, f.url, f.addr = &http.Client{Transport: transport}, l.URL(), l.Addr().String()
	f.t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		_ = s.Close(ctx)
	})
	return f
}

// spoken runs a test over HTTP/1 and over HTTP/2.
func spoken(t *testing.T, fn func(t *testing.T, f *fixture)) {
	t.Run("http1", func(t *testing.T) { fn(t, setup(t)) })
	t.Run("http2", func(t *testing.T) {
		f := setup(t)
		f.speaks = new(http.Protocols)
		f.speaks.SetUnencryptedHTTP2(true)
		fn(t, f)
	})
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) key(role auth.Role) auth.Credential {
	f.t.Helper()
	_, c, err := f.o.Keys.Create(f.t.Context(), auth.Key{Role: role, Name: "test"})
	f.must(err)
	return c
}

// request is one with a key; edits change it.
func (f *fixture) request(method, path, body string, c auth.Credential, edits ...func(*http.Request)) *http.Request {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, strings.NewReader(body))
	f.must(err)
	if c.ID != "" {
		req.Header.Set("Authorization", "Bearer "+c.Bearer())
	}
	for _, e := range edits {
		e(req)
	}
	return req
}

// do sends it and answers with status and body.
func (f *fixture) do(req *http.Request) (int, string) {
	f.t.Helper()
	resp, err := f.client.Do(req)
	f.must(err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	f.must(err)
	if f.speaks != nil && resp.ProtoMajor != 2 {
		f.t.Errorf("answered in %s", resp.Proto)
	}
	return resp.StatusCode, string(body)
}

func (f *fixture) says(req *http.Request, status int, words ...string) {
	f.t.Helper()
	got, body := f.do(req)
	for _, w := range words {
		if !strings.Contains(body, w) {
			f.t.Errorf("%s %s: %s does not say %q", req.Method, req.URL.Path, body, w)
		}
	}
	if got != status {
		f.t.Errorf("%s %s: %d, want %d: %s", req.Method, req.URL.Path, got, status, body)
	}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func TestEveryWayToSendAKey(t *testing.T) {
	spoken(t, func(t *testing.T, f *fixture) {
		f.serve(server.Listen{Address: "0"})
		c := f.key(auth.Operator)
		for _, edit := range []func(*http.Request){
			header("Authorization", "ApiKey "+c.APIKey()), header("Authorization", "Bearer "+c.Bearer()), header("X-Goog-Api-Key", c.Bearer()),
			func(r *http.Request) { r.SetBasicAuth(c.ID, c.Secret) },
		} {
			f.says(f.request("GET", "/api/x", "", auth.Credential{}, edit), 200, `"dialect":"front"`, c.ID, `"operator"`, `"local":false`)
		}
		f.says(f.request("GET", "/_search", "", c), 200, `"dialect":"back"`)
		for _, name := range []string{"key", "access_token", "oauth_token"} {
			f.says(f.request("GET", "/x?"+name+"="+c.Bearer(), "", auth.Credential{}), 401, "no key was given")
		}
	})
}

func TestRefusalsAreTheDialects(t *testing.T) {
	spoken(t, func(t *testing.T, f *fixture) {
		f.serve(server.Listen{Address: "0"})
		good := f.key(auth.Viewer)
		wrong := auth.Credential{ID: good.ID, Secret: f.key(auth.Viewer).Secret}
		f.says(f.request("GET", "/api/x", "", auth.Credential{}), 401, `"front"`, "no key was given", "syncline keys create")
		f.says(f.request("GET", "/x", "", wrong), 401, `"back"`, "not valid")
		f.says(f.request("GET", "/x", "", good, header("Authorization", "Digest x")), 401, "not valid")
		resp, err := f.client.Do(f.request("GET", "/api/x", "", wrong))
		f.must(err)
		_ = resp.Body.Close()
		if resp.Header.Get("WWW-Authenticate") == "" {
			t.Error("a 401 does not say what is wanted")
		}
		if strings.Contains(f.log.String(), wrong.Secret) || !strings.Contains(f.log.String(), wrong.ID) {
			t.Errorf("the log: %s", f.log.String())
		}
	})
}

// A thousand guesses from one address are answered 429 but for the first ones, while a key
// that was right there before goes on; a right key that is new there waits, too.
func TestGuessing(t *testing.T) {
	spoken(t, func(t *testing.T, f *fixture) {
		f.serve(server.Listen{Address: "0"})
		good, late := f.key(auth.Viewer), f.key(auth.Viewer)
		f.says(f.request("GET", "/x", "", good), 200)
		answers := map[int]int{}
		for range 1000 {
			status, _ := f.do(f.request("GET", "/x", "", auth.Credential{ID: late.ID, Secret: good.Secret}))
			answers[status]++
		}
		if answers[401] < 20 || answers[401] > 25 || answers[401]+answers[429] != 1000 {
			t.Errorf("answered %v", answers)
		}
		f.says(f.request("GET", "/x", "", good), 200)
		f.says(f.request("GET", "/x", "", late), 429, "wrong key")
		resp, err := f.client.Do(f.request("GET", "/x", "", late))
		f.must(err)
		_ = resp.Body.Close()
		if resp.Header.Get("Retry-After") != "6" {
			t.Errorf("Retry-After %q", resp.Header.Get("Retry-After"))
		}
	})
}

// Names that lead here without being this server's are turned away, also with a key, and
// also for what needs none: a page elsewhere may have made its name lead here.
func TestHosts(t *testing.T) {
	spoken(t, func(t *testing.T, f *fixture) {
		f.o.Hosts = []string{"Syncline.Example"}
		f.serve(server.Listen{Address: "0"})
		c := f.key(auth.Admin)
		host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
		for _, name := range []string{"evil.example", "evil.example:9200", "127.0.0.1.evil.example", "10.0.0.1", "169.254.169.254", "[::2]:80", "localhost.evil", "-"} {
			f.says(f.request("GET", "/x", "", c, host(name)), 421, "hosts")
			f.says(f.request("GET", "/healthz", "", c, host(name)), 421)
		}
		for _, name := range []string{"localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:9200", "syncline.example", "syncline.example.:443"} {
			f.says(f.request("GET", "/x", "", c, host(name)), 200)
		}
	})
}

func TestPagesElsewhereChangeNothing(t *testing.T) {
	spoken(t, func(t *testing.T, f *fixture) {
		f.o.NoAuth = true
		f.serve(server.Listen{Address: "0"})
		none := auth.Credential{}
		f.says(f.request("POST", "/api/x", "", none, header("Sec-Fetch-Site", "cross-site")), 403, "origin")
		f.says(f.request("POST", "/x", "", none, header("Origin", "https://evil.example")), 403, "origin")
		f.says(f.request("POST", "/x", "", none, header("Sec-Fetch-Site", "same-origin")), 200, `"no-auth"`, `"local":false`, `"admin"`)
		f.says(f.request("POST", "/x", "", none), 200)
	})
}

func TestAPanicSaysNothing(t *testing.T) {
	spoken(t, func(t *testing.T, f *fixture) {
		f.front.handle = func(http.ResponseWriter, *http.Request) { panic("canary") }
		f.back.handle = func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", 10_000))
			panic("canary")
		}
		f.serve(server.Listen{Address: "0"})
		c := f.key(auth.Viewer)
		status, body := f.do(f.request("GET", "/api/x", "", c))
		if status != 500 || strings.Contains(body, "canary") || !strings.Contains(body, "internal error") {
			t.Errorf("%d %s", status, body)
		}
		if log := f.log.String(); !strings.Contains(log, "canary") || !strings.Contains(log, "server_test.go") {
			t.Errorf("the log does not say where: %s", log)
		}
		resp, err := f.client.Do(f.request("GET", "/x", "", c))
		f.must(err)
		defer func() { _ = resp.Body.Close() }()
		if text, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("an answer that broke off looks whole: %d bytes", len(text))
		}
	})
}

func TestLocalCallersAreLocal(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	server.Local(&echo{name: "x"}, slog.New(slog.DiscardHandler)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if !strings.Contains(w.Body.String(), `"local":true`) {
		t.Error(w.Body)
	}
}

func TestHealth(t *testing.T) {
	f := setup(t)
	away := make(chan error, 1)
	away <- context.DeadlineExceeded
	f.o.Ready = func(context.Context) error {
		select {
		case err := <-away:
			return err
		default:
			return nil
		}
	}
	f.serve(server.Listen{Address: "0"})
	none := auth.Credential{}
	f.says(f.request("GET", "/healthz", "", none), 200, "ok")
	f.says(f.request("GET", "/readyz", "", none), 503, "ledger")
	f.says(f.request("GET", "/readyz", "", none), 503) // not asked again at once
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if status, _ := f.do(f.request("GET", "/readyz", "", none)); status == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("never ready again")
		}
	}
	f.says(f.request("GET", "/metrics", "", none), 401, `"front"`)
}

// One key cannot take everything: beyond its rate it is slowed down, and who does not wait
// is refused; workers are not held up.
func TestOneKeysShare(t *testing.T) {
	spoken(t, func(t *testing.T, f *fixture) {
		f.serve(server.Listen{Address: "0"})
		fast, worker := f.key(auth.Admin), f.key(auth.Worker)
		begun := time.Now()
		for range 250 {
			f.says(f.request("GET", "/x", "", fast), 200)
		}
		if took := time.Since(begun); took < 400*time.Millisecond {
			t.Errorf("250 requests in %s", took)
		}
		begun = time.Now()
		for range 250 {
			f.says(f.request("GET", "/x", "", worker), 200)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("250 requests of a worker in %s", took)
		}
	})
}

func TestOneKeysStreams(t *testing.T) {
	spoken(t, func(t *testing.T, f *fixture) {
		hold := make(chan struct{})
		f.back.handle = func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		f.serve(server.Listen{Address: "0"})
		c, other := f.key(auth.Viewer), f.key(auth.Viewer)
		var streams []*http.Response
		for range 100 {
			resp, err := f.client.Do(f.request("GET", "/x", "", c)) //nolint:bodyclose // closed below
			f.must(err)
			streams = append(streams, resp) //nolint:bodyclose // as above
		}
		f.says(f.request("GET", "/api/x", "", c), 429, "under way")
		f.says(f.request("GET", "/api/x", "", other), 200)
		close(hold)
		for _, s := range streams {
			_, _ = io.Copy(io.Discard, s.Body)
			_ = s.Body.Close()
		}
		for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if status, _ := f.do(f.request("GET", "/api/x", "", c)); status == 200 {
				return
			}
			if time.Now().After(end) {
				t.Fatal("the places are never free again")
			}
		}
	})
}

// Sockets that send a header a byte at a time are cut off, and others are served meanwhile.
func TestSlowHeaders(t *testing.T) {
	f := setup(t).serve(server.Listen{Address: "0"})
	c := f.key(auth.Viewer)
	var slow []net.Conn
	for range 200 {
		conn, err := net.Dial("tcp", f.addr)
		f.must(err)
		t.Cleanup(func() { _ = conn.Close() })
		slow = append(slow, conn)
	}
	begun := time.Now()
	for i := 0; time.Since(begun) < 6*time.Second; i++ {
		for _, conn := range slow {
			_, _ = conn.Write([]byte("GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")[i%40 : i%40+1])
		}
		at := time.Now()
		f.says(f.request("GET", "/x", "", c), 200)
		if took := time.Since(at); took > 500*time.Millisecond {
			t.Errorf("served after %s", took)
		}
		time.Sleep(250 * time.Millisecond)
	}
	for _, conn := range slow {
		_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
		if _, err := io.ReadAll(conn); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatal("a slow socket is still open")
		}
	}
}
