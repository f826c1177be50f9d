package official

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// syncline is the binary, built once.
var syncline = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "syncline")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "syncline")
	build := exec.Command("go", "build", "-o", path, "./cmd/syncline")
	build.Dir = filepath.Join("..", "..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", &buildError{err, string(out)}
	}
	return path, nil
})

type buildError struct {
	error
	out string
}

func (e *buildError) Error() string { return e.error.Error() + "\n" + e.out }

// server is a running `syncline serve`.
type server struct {
	t              *testing.T
	path, dir      string
	url, host, key string
}

var listening = regexp.MustCompile(`listening on (http://(\S+))`)

// serve starts one on a port of its own, with a folder that files may be read from.
func serve(t *testing.T) *server {
	t.Helper()
	path, err := syncline()
	ok(t, err)
	s := &server{t: t, path: path, dir: t.TempDir()}
	ok(t, os.WriteFile(filepath.Join(s.dir, "server.yaml"), []byte("roots: ["+s.dir+"]\n"), 0o600))
	run := s.command("serve", "--config", filepath.Join(s.dir, "server.yaml"), "--listen", "127.0.0.1:0")
	var out safe
	run.Stdout, run.Stderr = &out, &out
	ok(t, run.Start())
	t.Cleanup(func() {
		_ = run.Process.Signal(syscall.SIGTERM)
		_ = run.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	until(t, "the server listens", func() bool {
		found := listening.FindStringSubmatch(out.String())
		if found != nil {
			s.url, s.host = found[1], found[2]
		}
		return found != nil
	})
	key, err := os.ReadFile(filepath.Join(s.dir, "data", "admin.key"))
	ok(t, err)
	s.key = strings.TrimSpace(string(key))
	return s
}

func (s *server) command(args ...string) *exec.Cmd {
	run := exec.CommandContext(s.t.Context(), s.path, args...)
	run.Env = append(os.Environ(), "SYNCLINE_DATA="+filepath.Join(s.dir, "data"), "NO_COLOR=1")
	return run
}

// json runs a command and reads what it prints.
func (s *server) json(into any, args ...string) {
	s.t.Helper()
	out, err := s.command(append(args, "--json")...).Output()
	ok(s.t, err)
	ok(s.t, json.Unmarshal(out, into))
}

// bearer puts the key into every request of a client.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// safe is a buffer that a process writes while the test reads.
type safe struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) { s.mu.Lock(); defer s.mu.Unlock(); return s.b.Write(p) }

func (s *safe) String() string { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits for what must come within a minute.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
