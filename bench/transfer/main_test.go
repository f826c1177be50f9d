// Package transfer_test measures whole syncs, as a person starts them, against the
// programs that come with the databases.
package transfer_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"testing"

	"github.com/synclinehq/syncline/bench/measure"
	"github.com/synclinehq/syncline/cli"
	"github.com/synclinehq/syncline/testserver"
)

var (
	size        = flag.Int("rows", 1_000_000, "rows of the mixed table; incremental syncs have five times as many")
	large       = flag.Int("large", 0, "rows of the large mixed table, PostgreSQL to PostgreSQL only; 0: none")
	largeRounds = flag.Int("large-rounds", 1, "rounds of its comparisons, at most")
	profile     = flag.String("profile", "", "`folder` for a CPU profile of each benchmark's last sync, which becomes a little slower by it")
)

// binary is the program under test, built as it is released.
var binary string

// profiled names the file into which this very program, run as syncline, writes its profile.
const profiled = "SYNCLINE_BENCH_PROFILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(profiled); path != "" {
		os.Exit(underProfile(path))
	}
	flag.Parse()
	dir, err := os.MkdirTemp("", "syncline-bench-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "syncline")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/syncline")
	build.Dir, build.Env = filepath.Join("..", ".."), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	testserver.Main(m, measure.Report("transfer"), func() { _ = os.RemoveAll(dir) })
}

// underProfile is syncline's main function with a profile around it.
func underProfile(path string) int {
	f, err := os.Create(path)
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := cli.Main(cli.Interruptible(), os.Args[1:], cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	pprof.StopCPUProfile()
	if err := f.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// TestTransfer is one test, so that all benchmarks share a server and its tables.
func TestTransfer(t *testing.T) {
	s := newServer(t)
	t.Run("Replace", s.toPostgres)
	t.Run("ToCSV", s.toCSV)
	t.Run("ToJSONLines", s.toJSONLines)
	t.Run("FromCSV", s.fromCSV)
	t.Run("ToSQLite", s.toSQLite)
	t.Run("FromSQLite", s.fromSQLite)
	t.Run("ToSearch", s.toSearch)
	t.Run("Incremental", s.incremental)
}
