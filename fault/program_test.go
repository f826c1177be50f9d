package fault_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/synclinehq/syncline/testserver"
)

var (
	kills = flag.Int("kills", 12, "kills of each pair of source and destination")
	seed  = flag.Uint64("seed", 0, "seed of the random moments; 0 draws one")
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	flag.Parse()
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	dir, err := os.MkdirTemp("", "syncline-fault-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "syncline")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/syncline").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	// The parallel ones wait for leases and other processes more than they compute.
	_ = flag.Set("test.parallel", strconv.Itoa(sites))
	testserver.Main(m, func() { _ = os.RemoveAll(dir) })
}

// random is a source of random moments whose seed is in the test's log.
func random(t *testing.T) *rand.Rand {
	t.Logf("seed %d", *seed)
	return rand.New(rand.NewPCG(*seed, 0))
}

// program is Syncline with a data directory of its own.
type program struct {
	t      *testing.T
	data   string
	flags  []string
	binary string // another one than that under test
}

// newProgram makes a data directory; every command gets flags.
func newProgram(t *testing.T, flags ...string) *program {
	return &program{t: t, data: t.TempDir(), flags: flags}
}

// process is one running command.
type process struct {
	*exec.Cmd
	out, err    bytes.Buffer
	begun, done chan struct{}
}

// start runs a command in the background; it is killed with the test.
func (p *program) start(args ...string) *process {
	p.t.Helper()
	c := p.command(args...)
	c.begin(p.t)
	return c
}

// command makes one that is not started yet.
func (p *program) command(args ...string) *process {
	c := &process{Cmd: exec.Command(cmp.Or(p.binary, binary), append(slices.Clone(p.flags), args...)...), begun: make(chan struct{}), done: make(chan struct{})}
	c.Env = append(os.Environ(), "SYNCLINE_DATA="+p.data)
	c.Stdout, c.Stderr = &c.out, &c.err
	return c
}

func (c *process) begin(t *testing.T) {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	close(c.begun)
	go func() { _ = c.Wait(); close(c.done) }()
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGCONT)
		_ = c.Process.Kill()
		<-c.done
	})
}

// kill kills the command, once it has begun: what a proxy still has of the one before may
// spring a trap earlier.
func (c *process) kill() {
	<-c.begun
	_ = c.Process.Kill()
}

// wait waits for the command's end and returns its exit code, -1 when a signal ended it.
func (c *process) wait(t *testing.T, limit time.Duration) int {
	t.Helper()
	select {
	case <-c.done:
		return c.ProcessState.ExitCode()
	case <-time.After(limit):
		_ = c.Process.Signal(syscall.SIGQUIT)
		<-c.done
		t.Fatalf("%v did not end within %s\n%s%s", c.Args, limit, c.out.String(), c.err.String())
		return 0
	}
}

func (c *process) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// run runs a command to its end and fails unless it exits with code.
func (p *program) run(code int, args ...string) string {
	p.t.Helper()
	c := p.start(args...)
	if got := c.wait(p.t, 2*time.Minute); got != code {
		p.t.Fatalf("%v: exit %d, want %d\n%s%s", args, got, code, c.out.String(), c.err.String())
	}
	return c.out.String()
}

// counts are what a run says of its rows.
type counts struct{ Read, Inserted, Updated, Unchanged, Rejected int64 }

// shown is what these tests read of `runs show --json`.
type shown struct {
	ID, State, Wait string
	Facts           struct{ Fenced int64 }
	Attempts        []struct {
		N             int
		Worker, Cause string
		Helpers       []string
		Read          int64
	}
	Tasks []struct {
		Name, State string
		Counts      counts
	}
	Totals counts
	Error  *struct{ Reason, Message string }
}

// runs lists the runs of the ledger, newest first.
func (p *program) runs() (out []shown) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(p.run(0, "runs", "--json")), &out); err != nil {
		p.t.Fatal(err)
	}
	return out
}

// newest is the newest run; nil when there is none yet or the ledger does not answer.
func (p *program) newest() *shown {
	c := p.start("runs", "--limit", "1", "--json")
	if c.wait(p.t, 30*time.Second) != 0 {
		return nil
	}
	var out []shown
	if json.Unmarshal(c.out.Bytes(), &out) != nil || len(out) == 0 {
		return nil
	}
	return &out[0]
}

// until polls the newest run until ok.
func (p *program) until(what string, limit time.Duration, ok func(r *shown) bool) *shown {
	p.t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if r := p.newest(); r != nil && ok(r) {
			return r
		}
	}
	p.t.Fatalf("not within %s: %s; the newest run is %+v", limit, what, p.newest())
	return nil
}

// killer kills commands at moments between their start and their end. It learns how long
// they take, so that the kills spread over all of it.
type killer struct {
	r    *rand.Rand
	mu   sync.Mutex
	last time.Duration
}

// strike lets a command run for a random while and kills it; false when it ended first.
func (k *killer) strike(c *process) bool {
	k.mu.Lock()
	wait := time.Duration(k.r.Int64N(int64(k.last) + 1))
	k.mu.Unlock()
	select {
	case <-c.done:
		return false
	case <-time.After(wait):
	}
	if err := c.Process.Kill(); errors.Is(err, os.ErrProcessDone) {
		return false
	}
	<-c.done
	return c.ProcessState.ExitCode() == -1
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, stop := context.WithTimeout(context.Background(), d)
	t.Cleanup(stop)
	return ctx
}
