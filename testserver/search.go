package testserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Search is one running search server of one node, OpenSearch or Elasticsearch.
type Search struct {
	Port  int
	Dir   string // its folder, with its data
	built *build
	cmd   *exec.Cmd
	done  chan struct{} // closed when the process has ended
}

// OpenSearch is the server that this process's tests share; each test uses indices of its
// own. The package's TestMain must call Main.
func OpenSearch(t testing.TB) *Search {
	t.Helper()
	return sharedSearch(t, openSearch)
}

// Elasticsearch is the same for Elasticsearch. It needs Java 21 or newer and skips without.
func Elasticsearch(t testing.TB) *Search {
	t.Helper()
	return sharedSearch(t, elasticsearch)
}

// NewOpenSearch starts a server of the test's own, for tests that restart or overload it.
func NewOpenSearch(t testing.TB) *Search {
	t.Helper()
	s, err := startSearch(openSearch)
	needSearch(t, openSearch, err)
	t.Cleanup(s.remove)
	return s
}

func sharedSearch(t testing.TB, k *searchKind) *Search {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if s := shared.search[k.name]; s != nil {
		return s
	}
	s, err := startSearch(k)
	needSearch(t, k, err)
	if shared.search == nil {
		shared.search = map[string]*Search{}
	}
	shared.search[k.name] = s
	return s
}

// needSearch skips where there is no Java to run the server with, and fails there in CI;
// a newer Java than the distribution's is nobody's duty.
func needSearch(t testing.TB, k *searchKind, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, errNoJava) && (os.Getenv("CI") == "" || k.java > javaOfCI):
		t.Skipf("%s: %v: make test-tools", k.name, err)
	default:
		t.Fatalf("start %s: %v", k.name, err)
	}
}

// javaOfCI is what make test-tools installs.
const javaOfCI = 17

// URL is where the server answers.
func (s *Search) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.Port) }

// PID is its process.
func (s *Search) PID() int { return s.cmd.Process.Pid }

// Stop ends the server: SIGKILL as a crash, SIGTERM as a person would.
func (s *Search) Stop(t testing.TB, sig syscall.Signal) {
	t.Helper()
	_ = s.cmd.Process.Signal(sig)
	select {
	case <-s.done:
	case <-time.After(time.Minute):
		t.Fatal("the search server did not stop")
	}
}

// Start starts a stopped server again on the same port and data.
func (s *Search) Start(t testing.TB) {
	t.Helper()
	if err := s.launch(); err != nil {
		t.Fatal(err)
	}
}

func (s *Search) remove() {
	_ = s.cmd.Process.Kill() // its data go with it
	<-s.done
	_ = os.RemoveAll(s.Dir)
}

func startSearch(k *searchKind) (*Search, error) {
	b, err := k.build()
	if err != nil {
		return nil, err
	}
	s := &Search{built: b}
	if s.Port, err = freePort(); err != nil {
		return nil, err
	}
	if s.Dir, err = os.MkdirTemp("/tmp", "syncline-"+k.name+"-"); err != nil {
		return nil, err
	}
	if err = s.launch(); err != nil {
		_ = os.RemoveAll(s.Dir)
	}
	return s, err
}

// launch starts the server from a thread of its own, as launch of Postgres does.
func (s *Search) launch() error {
	args := append([]string{
		"-Xms512m", "-Xmx512m", "-XX:MaxDirectMemorySize=256m", "-XX:+ExitOnOutOfMemoryError", "-XX:ErrorFile=" + filepath.Join(s.Dir, "fatal.log"),
		"-Djava.io.tmpdir=" + s.Dir, "-Dlog4j.shutdownHookEnabled=false", "-Dorg.apache.logging.log4j.level=WARN",
		"-Dio.netty.noUnsafe=true", "-Dio.netty.allocator.numDirectArenas=0",
	}, s.built.options...)
	args = append(args, "-cp", s.built.classPath, "SearchServer", strconv.Itoa(s.Port), s.Dir)
	if s.built.modules != "" {
		args = append(args, s.built.modules)
	}
	log, err := os.OpenFile(filepath.Join(s.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	out := &awaited{log: log, ready: make(chan struct{})}
	s.cmd, s.done = exec.Command(s.built.java, args...), make(chan struct{})
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.Dir, out, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(s.done)
		defer func() { _ = log.Close() }()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	return s.ready(out)
}

func (s *Search) ready(out *awaited) error {
	select {
	case <-out.ready:
		return nil
	case <-s.done:
	case <-time.After(2 * time.Minute):
		_ = s.cmd.Process.Kill()
		<-s.done
	}
	log, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
	return fmt.Errorf("the server ended or did not come up: %s", bytes.TrimSpace(log[max(0, len(log)-4000):]))
}

// awaited passes what the server writes on to its log and watches for the line that says
// that it is ready.
type awaited struct {
	log   *os.File
	tail  []byte
	ready chan struct{}
	seen  bool
}

func (a *awaited) Write(p []byte) (int, error) {
	if a.tail = append(a.tail, p...); !a.seen && (bytes.HasPrefix(a.tail, []byte("ready ")) || bytes.Contains(a.tail, []byte("\nready "))) {
		a.seen = true
		close(a.ready)
	}
	a.tail = a.tail[max(0, len(a.tail)-len("\nready ")):]
	return a.log.Write(p)
}

// Do asks the server something, for tests that look from outside.
func (s *Search) Do(t testing.TB, method, path, body string) []byte {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode >= 300 && resp.StatusCode != http.StatusNotFound {
		t.Fatalf("%s %s: %s: %s", method, path, resp.Status, answer.Bytes()[:min(answer.Len(), 1000)])
	}
	return answer.Bytes()
}
