// Package testserver starts real servers for tests: own process, own folder, a free
// port on loopback, stopped with the test. It is imported by tests only.
package testserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres is one running PostgreSQL server.
type Postgres struct {
	Port int
	Dir  string // its folder; the data is in Dir/data
	bin  string
	cred *syscall.Credential
	args []string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

var shared struct {
	sync.Mutex
	pg     *Postgres
	search map[string]*Search // by the kind of server
}

// Main runs a package's tests, stops the servers that they shared, and calls what else
// is to be cleaned up.
func Main(m *testing.M, cleanup ...func()) {
	code := m.Run()
	for _, fn := range cleanup {
		fn()
	}
	shared.Lock()
	if shared.pg != nil {
		shared.pg.remove()
	}
	for _, s := range shared.search {
		s.remove()
	}
	shared.Unlock()
	os.Exit(code)
}

// Database makes an empty database on the server that this process's tests share and
// returns its URL. The package's TestMain must call Main.
func Database(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.pg == nil {
		pg, err := start(nil)
		need(t, err)
		shared.pg = pg
	}
	return shared.pg.Database(t)
}

// NewPostgres starts a server of the test's own, for tests that restart or fill it.
// settings are "name=value".
func NewPostgres(t testing.TB, settings ...string) *Postgres {
	t.Helper()
	pg, err := start(settings)
	need(t, err)
	t.Cleanup(pg.remove)
	return pg
}

// need skips where the server's programs are missing, and fails there in CI.
func need(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case err == errMissing && os.Getenv("CI") == "":
		t.Skip("PostgreSQL is not installed: apt-get install postgresql, or make test-tools")
	default:
		t.Fatalf("start PostgreSQL: %v", err)
	}
}

var errMissing = fmt.Errorf("no initdb in /usr/lib/postgresql/*/bin or PATH")

// URL is a connection URL for one of the server's databases.
func (p *Postgres) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", p.Port, database)
}

// Database makes an empty database, dropped with the test, and returns its URL.
func (p *Postgres) Database(t testing.TB) string {
	t.Helper()
	name := "t" + strings.ToLower(rand.Text()[:12])
	p.Exec(t, "postgres", "create database "+name)
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
		defer stop()
		if c, err := pgx.Connect(ctx, p.URL("postgres")); err == nil {
			_, _ = c.Exec(ctx, "drop database if exists "+name+" with (force)")
			_ = c.Close(ctx)
		}
	})
	return p.URL(name)
}

// Exec runs statements in a database.
func (p *Postgres) Exec(t testing.TB, database, statements string) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	c, err := pgx.Connect(ctx, p.URL(database))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	if _, err := c.PgConn().Exec(ctx, statements).ReadAll(); err != nil {
		t.Fatalf("%s: %v", statements[:min(len(statements), 200)], err)
	}
}

// Stop ends the server with SIGQUIT (an immediate shutdown, as a crash) or another signal.
func (p *Postgres) Stop(t testing.TB, sig syscall.Signal) {
	t.Helper()
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		t.Fatal("PostgreSQL did not stop")
	}
}

// Start starts a stopped server again on the same port and data.
func (p *Postgres) Start(t testing.TB) {
	t.Helper()
	if err := p.launch(); err != nil {
		t.Fatal(err)
	}
}

func (p *Postgres) remove() {
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	_ = os.RemoveAll(p.Dir)
}

func start(settings []string) (*Postgres, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	p := &Postgres{bin: bin}
	if p.cred, err = unprivileged(); err != nil {
		return nil, err
	}
	if p.Dir, err = os.MkdirTemp("/tmp", "syncline-pg-"); err != nil {
		return nil, err
	}
	if p.cred != nil {
		if err := os.Chown(p.Dir, int(p.cred.Uid), int(p.cred.Gid)); err != nil {
			return nil, err
		}
	}
	if p.Port, err = freePort(); err != nil {
		return nil, err
	}
	data := filepath.Join(p.Dir, "data")
	initdb := p.command("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		_ = os.RemoveAll(p.Dir)
		return nil, fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	p.args = []string{
		"-D", data, "-p", strconv.Itoa(p.Port), "-k", p.Dir, "-h", "127.0.0.1",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_wal_size=4GB", "-c", "max_connections=200",
	}
	for _, s := range settings {
		p.args = append(p.args, "-c", s)
	}
	return p, p.launch()
}

// launch starts the server from a thread of its own: the parent-death signal, which ends
// the server even when the tests are killed, follows the thread that started it.
func (p *Postgres) launch() error {
	log, err := os.OpenFile(filepath.Join(p.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	p.done = make(chan struct{})
	p.cmd = p.command("postgres", p.args...)
	p.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	p.cmd.Stdout, p.cmd.Stderr = log, log
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(p.done)
		defer func() { _ = log.Close() }()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	return p.ready()
}

func (p *Postgres) ready() error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		ctx, stop := context.WithTimeout(context.Background(), time.Second)
		c, err := pgx.Connect(ctx, p.URL("postgres"))
		if err == nil {
			_ = c.Close(ctx)
			stop()
			return nil
		}
		stop()
		select {
		case <-p.done:
			out, _ := os.ReadFile(filepath.Join(p.Dir, "log"))
			return fmt.Errorf("server ended at once: %s", bytes.TrimSpace(out[max(0, len(out)-2000):]))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("server not ready after 30 s")
}

func (p *Postgres) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, program), args...)
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "HOME="+p.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred, Setpgid: true}
	return cmd
}

func postgresBin() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	version := func(path string) int { n, _ := strconv.Atoi(strings.Split(path, "/")[4]); return n }
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if len(found) > 0 {
		return filepath.Dir(found[0]), nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errMissing
}

// unprivileged picks an account for the server, which refuses to run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.ParseUint(u.Uid, 10, 32)
			gid, _ := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, fmt.Errorf("no unprivileged account to run PostgreSQL as")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}
