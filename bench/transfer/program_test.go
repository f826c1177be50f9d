package transfer_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/synclinehq/syncline/bench/measure"
)

const mib = 1 << 20

// memory is the most that a sync may take, whatever its size.
const memory = 128 * mib

// program is Syncline with a data directory of its own.
type program struct{ data string }

func newProgram(t testing.TB) program { return program{t.TempDir()} }

// sync runs `syncline sync` with arguments to its end: rows done, start-up included.
func (p program) sync(t testing.TB, rows int, args ...string) measure.Sample {
	t.Helper()
	took, rss := measure.Run(t, p.command(t, append([]string{"sync"}, args...)...))
	return measure.Sample{Count: int64(rows), Took: took, RSS: rss}
}

func (p program) command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	args = append(slices.Clone(args), "--data", p.data)
	if *profile == "" {
		return exec.Command(binary, args...)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs(*profile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), profiled+"="+filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+".pprof"))
	return cmd
}

// shown is what the last run says of itself.
type shown struct {
	Tasks []struct {
		Path    string
		BoundBy string `json:"bound_by"`
		Counts  struct{ Read, Inserted, Updated, Rejected int64 }
	}
}

// told logs how the last run went about it, and returns its first task's counts.
func (p program) told(t testing.TB) (read, written int64) {
	t.Helper()
	cmd := exec.Command(binary, "runs", "show", "last", "--json", "--data", p.data)
	out, err := cmd.Output()
	var run shown
	if err == nil {
		err = json.Unmarshal(out, &run)
	}
	if err != nil || len(run.Tasks) != 1 {
		t.Fatalf("runs show: %v\n%s", err, out)
	}
	task := run.Tasks[0]
	t.Logf("path: %s; bound by: %s", task.Path, task.BoundBy)
	return task.Counts.Read, task.Counts.Inserted + task.Counts.Updated
}
