package files

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/synclinehq/syncline"
)

// patience is how long a lock is waited for. It is held for single steps only, so longer
// means that its holder is stopped.
const patience = 10 * time.Second

// locked runs do while nobody else changes the stream's markers. The kernel frees the
// lock of a process that ends, however it ends.
func (m *markers) locked(ctx context.Context, do func() error) error {
	f, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // which unlocks it
	return do()
}

func (m *markers) lock(ctx context.Context) (*os.File, error) {
	path := m.lockPath()
	if err := m.tree.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, failed("make", filepath.Dir(path), err)
	}
	f, err := m.tree.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, failed("open", path, err)
	}
	if err := m.wait(ctx, f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// For whoever waits in vain. Nothing depends on it.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	return f, nil
}

func (m *markers) lockPath() string { return m.base + ".lock" }

func (m *markers) wait(ctx context.Context, f *os.File) error {
	until := time.Now().Add(m.patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return ctx.Err()
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return failed("lock", f.Name(), err)
		}
		if time.Now().After(until) {
			return m.held()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (m *markers) held() error {
	who := "another process"
	if b, err := m.tree.ReadFile(m.lockPath()); err == nil && len(b) > 0 {
		who = "process " + strings.TrimSpace(string(b))
	}
	return syncline.Errorf(syncline.Unavailable, "%s holds %s and does not move on", who, m.lockPath()).Of(syncline.ClassDestination).Because("locked").
		Try("end that process if it is stopped").Again()
}
