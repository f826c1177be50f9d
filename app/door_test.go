package app

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/client"
	"github.com/synclinehq/syncline/dialect/native"
)

// logged is a log that may be read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// listening opens a server on a free port.
func listening(t *testing.T, o Options) *App {
	t.Helper()
	o.Server, o.Command = true, t.Name()
	if o.Settings.Listen == "" {
		o.Settings.Listen = "0"
	}
	a, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

// keyed sends a key with every request.
type keyed struct{ key string }

func (k keyed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Close = true // leaves no connection behind
	if k.key != "" {
		r.Header.Set("Authorization", "Bearer "+k.key)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func over(a *App, key string) *client.Client {
	url, _ := a.Listening()
	return client.New(keyed{key}, url+native.Base)
}

func adminKeyOf(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "admin.key")
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("admin.key: %v, %v", info, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// The first key is made by itself, is good, stays what it is, and is made anew when it was
// revoked.
func TestTheFirstKey(t *testing.T) {
	dir := t.TempDir()
	a := listening(t, Options{Data: dir})
	first := adminKeyOf(t, dir)
	if _, err := over(a, first).Keys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := over(a, "").Keys(t.Context()); err == nil {
		t.Error("nobody may list the keys")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = listening(t, Options{Data: dir})
	if again := adminKeyOf(t, dir); again != first {
		t.Error("the key changed")
	}
	ks, err := a.Client().Keys(t.Context())
	if err != nil || len(ks) != 1 || ks[0].Role != string(auth.Admin) {
		t.Fatalf("%+v, %v", ks, err)
	}
	if err := a.Client().RevokeKey(t.Context(), ks[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := over(a, first).Keys(t.Context()); err == nil {
		t.Error("a revoked key opens")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	listening(t, Options{Data: dir})
	if again := adminKeyOf(t, dir); again == first {
		t.Error("the revoked key stayed")
	}
}

// No key's secret stands in any file but admin.key, nor in the log, whatever was done with it.
func TestNoSecretOfAKeyAnywhere(t *testing.T) {
	dir, log := t.TempDir(), &logged{}
	a := listening(t, Options{Data: dir, LogTo: log, LogLevel: -8})
	admin := adminKeyOf(t, dir)
	made, err := over(a, admin).CreateKey(t.Context(), client.NewKey{Role: "viewer", Name: "v"})
	if err != nil {
		t.Fatal(err)
	}
	answers := &logged{}
	ask(t, a, answers, admin, "/api/v1/keys", "/api/v1/about", "/metrics", "/_connector", "/nothing")
	ask(t, a, answers, made.Bearer, "/api/v1/keys", "/api/v1/runs", "/_connector")
	ask(t, a, answers, made.Bearer+"x", "/api/v1/keys")
	if err := over(a, admin).RevokeKey(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	ask(t, a, answers, made.Bearer, "/api/v1/runs")
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	secrets := []string{made.Secret, made.APIKey, admin[strings.LastIndex(admin, "_")+1:]}
	for _, s := range secrets {
		if strings.Contains(log.String(), s) || strings.Contains(answers.String(), s) {
			t.Errorf("a secret is in the log or an answer")
		}
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "admin.key" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, s := range secrets {
			if bytes.Contains(text, []byte(s)) {
				t.Errorf("a secret is in %s", d.Name())
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// ask writes down what paths are answered.
func ask(t *testing.T, a *App, to io.Writer, key string, paths ...string) {
	t.Helper()
	url, _ := a.Listening()
	for _, path := range paths {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := keyed{key}.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Header.Write(to)
		_, _ = io.Copy(to, resp.Body)
		_ = resp.Body.Close()
	}
}

// What is handed over, and what names this machine's files, is for its user alone.
func TestTheNetworkIsNotThisMachine(t *testing.T) {
	dir := t.TempDir()
	a := listening(t, Options{Data: dir})
	c := over(a, adminKeyOf(t, dir))
	if err := c.HandOver(t.Context()); err == nil || !strings.Contains(err.Error(), "own machine") {
		t.Errorf("handed over: %v", err)
	}
	adhoc := client.Adhoc{Source: filepath.Join(dir, "admin.key"), Destination: filepath.Join(dir, "out.db"), Dir: dir}
	if p, err := c.Adhoc(t.Context(), adhoc); err == nil {
		t.Errorf("a pipeline of this machine's files: %+v", p)
	}
	if _, err := a.Client().Adhoc(t.Context(), client.Adhoc{Source: "in.csv", Destination: "out.db", Dir: dir}); err != nil {
		t.Errorf("the user's own: %v", err)
	}
}

// May pipelines reach this machine itself? Only while nobody else can connect, unless the
// configuration says otherwise.
func TestAllowPrivate(t *testing.T) {
	yes, no := true, false
	for name, c := range map[string]struct {
		listen string
		says   *bool
		want   bool
	}{
		"loopback": {"0", nil, true}, "loopback, no": {"0", &no, false}, "all": {"0.0.0.0:0", nil, false}, "all, yes": {"0.0.0.0:0", &yes, true},
	} {
		a := listening(t, Options{Data: t.TempDir(), InsecureHTTP: true, Settings: Settings{Listen: c.listen, AllowPrivate: c.says}})
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
		url, _ := a.Listening()
		_, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
		conn, err := a.env.Dial(ctx, "tcp", "127.0.0.1:"+port[strings.LastIndex(port, ":")+1:])
		if err == nil {
			_ = conn.Close()
		}
		if (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
		stop()
	}
}

func TestAPortThatIsTakenStartsNothing(t *testing.T) {
	first := listening(t, Options{Data: t.TempDir()})
	url, _ := first.Listening()
	dir := t.TempDir()
	_, err := Open(t.Context(), Options{Data: dir, Server: true, Settings: Settings{Listen: strings.TrimPrefix(url, "http://")}})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "ledger.db")); err == nil {
		t.Error("the ledger was opened for nothing")
	}
}
