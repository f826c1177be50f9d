package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/synclinehq/syncline"
)

// holder says who holds a data directory. It is written into the lock file for others to
// read; what counts is the lock.
type holder struct {
	PID       int       `json:"pid"`
	Command   string    `json:"command"`
	StartedAt time.Time `json:"started_at"`
	Server    bool      `json:"server,omitempty"` // it keeps the ledger as long as it runs
}

// lock is the exclusive hold on a data directory. The kernel lets go of it when the
// process ends, however it ends.
type lock struct{ file *os.File }

// takeLock takes the lock; nil when somebody else has it.
func takeLock(dir string, h holder) (*lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, unlockable(dir, err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = writeHolder(f, h)
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, unlockable(dir, err)
	}
	return &lock{f}, nil
}

// unlockable says why nobody can hold a data directory.
func unlockable(dir string, err error) error {
	e := syncline.Errorf(syncline.FailedPrecondition, "lock the data directory %s: %w", dir, err).Of(syncline.ClassConfig)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		e.Code = syncline.ResourceExhausted
		return e.Because("ledger_full").Try("free space there, then repeat the command")
	}
	return e.Try("the directory must be one that this user can write to")
}

func writeHolder(f *os.File, h holder) error {
	doc, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(doc, 0)
	return err
}

func (l *lock) release() error {
	return errors.Join(l.file.Truncate(0), l.file.Close())
}

// readHolder says who holds the directory, as far as the file tells.
func readHolder(dir string) (holder, bool) {
	var h holder
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return h, false
	}
	defer f.Close()
	doc, err := io.ReadAll(io.LimitReader(f, 64<<10))
	return h, err == nil && json.Unmarshal(doc, &h) == nil
}

// taken is the error for who comes second.
func taken(dir string) error {
	who := "another process"
	if h, ok := readHolder(dir); ok {
		who = fmt.Sprintf("process %d (%s, since %s)", h.PID, h.Command, h.StartedAt.Local().Format(time.DateTime))
	}
	return syncline.Errorf(syncline.FailedPrecondition, "the data directory %s is held by %s", dir, who).
		Because("locked").Try("use the one that runs: every command reaches it; or give this one its own: --data DIR")
}
