package sqlitefile

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// holders names the processes that hold a lock on the file, as far as the system tells.
func holders(path string) string {
	table, err := os.ReadFile("/proc/locks")
	if err != nil {
		return "another program"
	}
	var found []string
	// In WAL mode the locks are on the file of shared memory.
	for _, name := range []string{path, path + "-shm"} {
		found = append(found, lockers(string(table), name)...)
	}
	slices.Sort(found)
	if found = slices.Compact(found); len(found) == 0 {
		return "another program"
	}
	return strings.Join(found, " and ")
}

// lockers reads lines such as "1: POSIX  ADVISORY  WRITE 4711 08:01:131 0 EOF".
func lockers(table, path string) (found []string) {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	inode := strconv.FormatUint(info.Sys().(*syscall.Stat_t).Ino, 10)
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 8 || f[3] != "WRITE" || !strings.HasSuffix(f[5], ":"+inode) {
			continue
		}
		if pid, _ := strconv.Atoi(f[4]); pid > 0 {
			found = append(found, process(pid))
		}
	}
	return found
}

func process(pid int) string {
	if pid == os.Getpid() {
		return "this process"
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d (%s)", pid, strings.TrimSpace(string(name)))
}
