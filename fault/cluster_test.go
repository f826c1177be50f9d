package fault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// cluster is a pair of PostgreSQL servers under Patroni, which keeps its lock in etcd.
type cluster struct {
	t     *testing.T
	dir   string
	bin   string
	cred  *syscall.Credential
	nodes [2]node
}

type node struct {
	name string
	port int // of PostgreSQL
	rest int // of Patroni
	data string
}

// newCluster starts the pair with synchronous replication: a commit is answered when both
// have it.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir()}
	for dir := c.dir; dir != os.TempDir() && len(dir) > 4; dir = filepath.Dir(dir) {
		_ = os.Chmod(dir, 0o755) // the servers are another account
	}
	for _, program := range []string{"etcd", "patroni"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: make failover installs it", program)
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		t.Fatal("no PostgreSQL in /usr/lib/postgresql")
	}
	c.bin = slices.Max(found)
	c.cred = account(t)
	etcd := c.etcd()
	for i := range c.nodes {
		c.nodes[i] = node{name: fmt.Sprintf("n%d", i+1), port: freePort(t), rest: freePort(t), data: filepath.Join(c.dir, fmt.Sprintf("n%d", i+1))}
		c.patroni(c.nodes[i], etcd)
		if i == 0 { // the second one copies the first
			c.until("the first server leads", time.Minute, func() bool { return c.primary() == 0 })
		}
	}
	c.until("the second server follows synchronously", time.Minute, c.synchronous)
	return c
}

// account is the one that the servers run as: they refuse to be root.
func account(t *testing.T) *syscall.Credential {
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func (c *cluster) etcd() (address string) {
	address = fmt.Sprintf("127.0.0.1:%d", freePort(c.t))
	peer := fmt.Sprintf("http://127.0.0.1:%d", freePort(c.t))
	data := filepath.Join(c.dir, "etcd")
	if err := os.Mkdir(data, 0o700); err != nil {
		c.t.Fatal(err)
	}
	c.own(data)
	c.run("etcd", "etcd", "--name", "e", "--data-dir", data, "--listen-client-urls", "http://"+address, "--advertise-client-urls", "http://"+address,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "e="+peer)
	return address
}

// patroniYAML: a primary that crashes is not restarted but replaced, whatever a standby
// seems to lag behind in Patroni's eyes: it has all that was acknowledged.
const patroniYAML = `
scope: syncline
name: %[1]s
restapi: {listen: "127.0.0.1:%[2]d", connect_address: "127.0.0.1:%[2]d"}
etcd3: {hosts: "%[3]s"}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 5
    maximum_lag_on_failover: 10737418240
    synchronous_mode: true
    master_start_timeout: 0
    postgresql:
      use_pg_rewind: true
      parameters: {max_connections: 100, wal_log_hints: "on", wal_keep_size: 512MB}
  initdb: [{encoding: UTF8}, {auth: trust}]
  pg_hba: ["host all all 127.0.0.1/32 trust", "host replication all 127.0.0.1/32 trust"]
postgresql:
  listen: "127.0.0.1:%[4]d"
  connect_address: "127.0.0.1:%[4]d"
  data_dir: %[5]s
  bin_dir: %[6]s
  pgpass: %[5]s.pgpass
  authentication: {superuser: {username: postgres}, replication: {username: postgres}}
  parameters: {unix_socket_directories: "%[7]s"}
`

func (c *cluster) patroni(n node, etcd string) {
	path := filepath.Join(c.dir, n.name+".yml")
	yaml := fmt.Sprintf(patroniYAML, n.name, n.rest, etcd, n.port, n.data, c.bin, c.dir)
	if err := os.WriteFile(path, []byte(yaml), 0o644); err != nil {
		c.t.Fatal(err)
	}
	c.own(c.dir)
	c.run(n.name, "patroni", path)
}

func (c *cluster) own(path string) {
	if c.cred != nil {
		if err := os.Chown(path, int(c.cred.Uid), int(c.cred.Gid)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// run starts a program that is stopped with the test; what it says is shown if that failed.
func (c *cluster) run(name, program string, args ...string) {
	log, err := os.Create(filepath.Join(c.dir, name+".log"))
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.cred, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		killed := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		killed.Stop()
		_ = log.Close()
		if said, err := os.ReadFile(log.Name()); err == nil && c.t.Failed() {
			c.t.Logf("%s:\n%s", name, said[max(0, len(said)-10000):])
		}
	})
}

// url names both servers; whoever connects gets the one that takes writes.
func (c *cluster) url(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/%s?sslmode=disable&target_session_attrs=read-write", c.nodes[0].port, c.nodes[1].port, database)
}

// primary is the server that takes writes, -1 if none does.
func (c *cluster) primary() int {
	for i, n := range c.nodes {
		if c.ask(n, "select not pg_is_in_recovery()") {
			return i
		}
	}
	return -1
}

// synchronous reports whether Patroni knows that a commit waits for the other server: only
// then does it let that one take over.
func (c *cluster) synchronous() bool {
	for _, n := range c.nodes {
		answer, err := (&http.Client{Timeout: 2 * time.Second}).Get(fmt.Sprintf("http://127.0.0.1:%d/cluster", n.rest))
		if err != nil {
			continue
		}
		var found struct {
			Members []struct{ Role, State string }
		}
		err = json.NewDecoder(answer.Body).Decode(&found)
		_ = answer.Body.Close()
		for _, m := range found.Members {
			if err == nil && m.Role == "sync_standby" {
				return true
			}
		}
	}
	return false
}

func (c *cluster) ask(n node, question string) (yes bool) {
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Second)
	defer stop()
	db, err := pgx.Connect(ctx, fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", n.port))
	if err != nil {
		return false
	}
	defer func() { _ = db.Close(ctx) }()
	return db.QueryRow(ctx, question).Scan(&yes) == nil && yes
}

// kill ends the primary as the loss of its machine would, and answers when the other one
// has taken its place.
func (c *cluster) kill() (took time.Duration) {
	c.t.Helper()
	p := c.primary()
	if p < 0 {
		c.t.Fatal("no server leads")
	}
	pid, err := os.ReadFile(filepath.Join(c.nodes[p].data, "postmaster.pid"))
	if err != nil {
		c.t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(pid), "\n")
	n, err := strconv.Atoi(line)
	if err != nil {
		c.t.Fatal(err)
	}
	began := time.Now()
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		c.t.Fatal(err)
	}
	c.until("the other server leads", time.Minute, func() bool { return c.ask(c.nodes[1-p], "select not pg_is_in_recovery()") })
	return time.Since(began)
}

func (c *cluster) until(what string, limit time.Duration, ok func() bool) {
	c.t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if ok() {
			return
		}
	}
	c.t.Fatalf("not within %s: %s", limit, what)
}
