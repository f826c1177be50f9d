package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/synclinehq/syncline"
)

func TestDataDirDefaultsToTheStateDirectory(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_STATE_HOME", "")
	for state, want := range map[string]string{
		"":                              filepath.Join(home, ".local/state/syncline"),
		filepath.Join(home, "state"):    filepath.Join(home, "state/syncline"),
		"relative/ones/are/not/allowed": filepath.Join(home, ".local/state/syncline"),
	} {
		t.Setenv("XDG_STATE_HOME", state)
		got, err := dataDir("")
		if err != nil || got != want {
			t.Errorf("XDG_STATE_HOME=%q: got %q, %v, want %q", state, got, err, want)
		}
		info, err := os.Stat(want)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", want, info.Mode(), err)
		}
	}
}

func TestDataDirRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := dataDir(filepath.Join(file, "below"))
	var e *syncline.Error
	if !errors.As(err, &e) || e.Hint == "" {
		t.Errorf("below a file: %v", err)
	}
	err = refuseType("/data", unix.NFS_SUPER_MAGIC)
	if !errors.As(err, &e) || e.Code != syncline.FailedPrecondition || !strings.Contains(e.Message, "NFS") || !strings.Contains(e.Hint, "--data") {
		t.Errorf("on NFS: %+v", err)
	}
	if err := refuseType("/data", unix.EXT4_SUPER_MAGIC); err != nil {
		t.Errorf("on ext4: %v", err)
	}
}
