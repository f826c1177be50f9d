package app

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLockIsHeldOnce(t *testing.T) {
	dir := t.TempDir()
	h := holder{PID: 4711, Command: "syncline serve", StartedAt: time.Now(), Server: true}
	first, err := takeLock(dir, h)
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	second, err := takeLock(dir, holder{PID: 1})
	if err != nil || second != nil {
		t.Fatalf("held twice: %v, %v", second, err)
	}
	if got, ok := readHolder(dir); !ok || got.PID != 4711 || !got.Server {
		t.Errorf("holder %+v", got)
	}
	if err := taken(dir); !strings.Contains(err.Error(), "4711") || !strings.Contains(err.Error(), "syncline serve") {
		t.Errorf("does not name the holder: %v", err)
	}
	if err := first.release(); err != nil {
		t.Fatal(err)
	}
	if _, ok := readHolder(dir); ok {
		t.Error("the file still names somebody")
	}
	third, err := takeLock(dir, h)
	if err != nil || third == nil {
		t.Fatal(third, err)
	}
	if err := third.release(); err != nil {
		t.Fatal(err)
	}
}

func TestSocketInADeepDirectory(t *testing.T) {
	for name, dir := range map[string]string{"short": "d", "long": strings.Repeat("deep/", 40)} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), dir)
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time over the first one's stale socket
				l, err := listen(dir)
				if err != nil {
					t.Fatal(err)
				}
				info, err := os.Stat(filepath.Join(dir, socketName))
				if err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%v, %v", info, err)
				}
				c, err := dialSocket(context.Background(), dir)
				if err != nil {
					t.Fatal(err)
				}
				_ = c.Close()
				_ = l.Close()
			}
		})
	}
}
