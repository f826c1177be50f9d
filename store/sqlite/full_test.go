package sqlite_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
)

// TestFull fills the disk under a ledger: changes fail as a whole and say why, what was
// acknowledged stays, readers go on, and so do writers once there is space again.
func TestFull(t *testing.T) {
	dir := smallDisk(t)
	db := open(t, filepath.Join(dir, "ledger.db"))
	text := strings.Repeat("x", 10_000)
	big := func(n int) error {
		return db.Update(t.Context(), func(tx syncline.Tx) error {
			for i := range 4 {
				if err := tx.AppendEvents(syncline.Event{RunID: "r", Seq: int64(4*n + i), Text: text}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	acked := 0
	var err error
	for ; acked < 10_000 && err == nil; acked++ {
		err = big(acked)
	}
	acked--
	full(t, err)
	if err := os.WriteFile(filepath.Join(dir, "rest"), make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk was not full")
	}
	var many []error
	for n := range 8 { // several in a row: the first failure must not poison the next
		many = append(many, big(20_000+n))
	}
	for _, err := range many {
		full(t, err)
	}
	if n := count(t, db); n != 4*acked {
		t.Fatalf("%d events, %d were acknowledged", n, 4*acked)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, "rest")), os.Remove(filepath.Join(dir, "ballast"))); err != nil {
		t.Fatal(err)
	}
	if err := big(30_000); err != nil {
		t.Fatalf("with space again: %v", err)
	}
	if n := count(t, db); n != 4*acked+4 {
		t.Fatalf("%d events, want %d", n, 4*acked+4)
	}
	if err := db.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func full(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok || e.Code != syncline.ResourceExhausted || e.Reason != "ledger_full" || !e.Retryable || e.Hint == "" {
		t.Fatalf("got %v", err)
	}
}

// smallDisk is a disk of 16 MiB, a quarter of it taken by a file that can be removed.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("no right to mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "umount %s: %v: %s\n", dir, err, out)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
