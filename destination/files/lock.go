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
	path := m.base + ".lock"
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, failed("make", filepath.Dir(path), err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, failed("open", path, err)
	}
	if err := wait(ctx, f, m.patience); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// For whoever waits in vain. Nothing depends on it.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	return f, nil
}

func wait(ctx context.Context, f *os.File, patience time.Duration) error {
	until := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return ctx.Err()
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return failed("lock", f.Name(), err)
		}
		if time.Now().After(until) {
			return held(f)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func held(f *os.File) error {
	who := "another process"
	if b, err := os.ReadFile(f.Name()); err == nil && len(b) > 0 {
		who = "process " + strings.TrimSpace(string(b))
	}
	return syncline.Errorf(syncline.Unavailable, "%s holds %s and does not move on", who, f.Name()).Of(syncline.ClassDestination).Because("locked").
		Try("end that process if it is stopped").Again()
}
