package app

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/synclinehq/syncline"
)

// dataDir resolves and makes the data directory: what was asked for, else the user's state
// directory.
func dataDir(asked string) (string, error) {
	dir := asked
	if dir == "" {
		var err error
		if dir, err = stateDir(); err != nil {
			return "", err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", syncline.Errorf(syncline.FailedPrecondition, "the data directory cannot be made: %w", err).
			Of(syncline.ClassConfig).Try("choose another one: --data DIR or SYNCLINE_DATA=DIR")
	}
	return dir, refuseNetwork(dir)
}

func stateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "syncline"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", syncline.Errorf(syncline.FailedPrecondition, "there is no home directory to keep the ledger in: %w", err).
			Of(syncline.ClassConfig).Try("choose a place: --data DIR or SYNCLINE_DATA=DIR")
	}
	return filepath.Join(home, ".local", "state", "syncline"), nil
}

// networked names filesystems whose locks and shared memory do not hold between machines:
// two servers could open one ledger there and ruin it.
var networked = map[int64]string{
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.CIFS_SUPER_MAGIC: "CIFS",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.SMB2_SUPER_MAGIC: "SMB",
	unix.V9FS_MAGIC:       "9P",
	unix.AFS_SUPER_MAGIC:  "AFS",
}

func refuseNetwork(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("data directory %s: %w", dir, err)
	}
	return refuseType(dir, int64(fs.Type)) //nolint:unconvert // its type differs between architectures
}

func refuseType(dir string, kind int64) error {
	name, ok := networked[kind]
	if !ok {
		return nil
	}
	return syncline.Errorf(syncline.FailedPrecondition, "the data directory %s is on a network filesystem (%s), where a ledger is not safe", dir, name).
		Of(syncline.ClassConfig).Because("network_filesystem").
		Try("choose a local one (--data DIR), or share a ledger through PostgreSQL: --ledger postgres://…")
}
