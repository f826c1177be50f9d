package measure

import (
	"bytes"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// Run sees a command to its end: how long it took, start-up included, and the peak of its
// resident memory. What it writes is shown when it fails.
//
// The kernel counts a process as no smaller than the one that started it, so that the
// peak is right only where the benchmark itself stays small, and never too low.
func Run(t testing.TB, cmd *exec.Cmd) (took time.Duration, rss int64) {
	t.Helper()
	var out bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &out
	}
	begun := time.Now()
	err := cmd.Run()
	took = time.Since(begun)
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out.Bytes()[max(0, out.Len()-4000):])
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("no resource usage on this system")
	}
	return took, usage.Maxrss << 10
}

// Shell is a command line as a person would type it. A part of a pipe that fails fails it.
func Shell(line string) *exec.Cmd {
	return exec.Command("bash", "-c", "set -euo pipefail; "+line)
}
