package measure

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
)

var versions struct {
	sync.Mutex
	lines []string
}

// Version notes what the figures were measured with: "PostgreSQL 17.2, fsync on".
func Version(line string) {
	versions.Lock()
	defer versions.Unlock()
	if !slices.Contains(versions.lines, line) {
		versions.lines = append(versions.lines, line)
	}
}

// machine describes where this runs, without naming it.
func machine() string {
	line := fmt.Sprintf("%d cores (%s), %s memory, %s, %s/%s", runtime.NumCPU(), field("/proc/cpuinfo", "model name"),
		gib(field("/proc/meminfo", "MemTotal")), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	versions.Lock()
	defer versions.Unlock()
	return strings.Join(append([]string{line}, versions.lines...), "; ")
}

// field is the first value of that name in a file of "name : value" lines.
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if k, v, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

func gib(kib string) string {
	var n int64
	if _, err := fmt.Sscan(kib, &n); err != nil {
		return kib
	}
	return fmt.Sprintf("%.0f GiB", float64(n)/(1<<20))
}
