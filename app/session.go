package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// A session names one life of one process: "<place>/<pid>/<start time>". The place is this
// boot of this machine and this process's view of process ids, so that the same pid in
// another container is somebody else.

// session is this process's own.
func session() (string, error) {
	pid := os.Getpid()
	start, err := startTime(pid)
	if err != nil {
		return "", err
	}
	p, err := place()
	return fmt.Sprintf("%s/%d/%s", p, pid, start), err
}

// dead reports whether the process of a session is known to have ended. Of processes
// elsewhere nothing is known.
func dead(session string) bool {
	parts := strings.Split(session, "/")
	here, err := place()
	if err != nil || len(parts) != 3 || parts[0] != here {
		return false
	}
	pid, err := strconv.Atoi(parts[1])
	if err != nil {
		return false
	}
	start, err := startTime(pid)
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	return err == nil && start != parts[2] // the pid was given out again
}

// Here reports whether a session is a process of this machine, whose end would be noticed.
func Here(session string) bool {
	here, err := place()
	return err == nil && strings.HasPrefix(session, here+"/")
}

func place() (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("which boot this is: %w", err)
	}
	pids, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "", fmt.Errorf("which processes are seen: %w", err)
	}
	sum := sha256.Sum256(append(bytes.TrimSpace(boot), pids...))
	return hex.EncodeToString(sum[:8]), nil
}

// startTime is when a process began, in the kernel's ticks since boot: with the pid it
// names a process for as long as the machine runs. A zombie has ended.
func startTime(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", fmt.Errorf("process %d: %w", pid, err)
	}
	// The second field is the program's name in parentheses, which may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return "", fmt.Errorf("process %d: %q is no process status", pid, stat)
	}
	if state := string(fields[0]); state == "Z" || state == "X" {
		return "", fmt.Errorf("process %d has ended: %w", pid, fs.ErrNotExist)
	}
	return string(fields[19]), nil
}
