package files

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/synclinehq/syncline"
)

// TestDiskFull: a full disk is said, loses nothing that was durable, and the load goes on
// when there is space again.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	b := newBench(t, fmt.Sprintf(`{"path": %q}`, dir))
	w, _ := b.begin("load")
	l, err := w.Part(t.Context(), "0", w.t.Fence.Token)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; err == nil && n < 1_000_000; n += 1000 {
		err = b.write(l, n, n+1000)
	}
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok || e.Code != syncline.ResourceExhausted || e.Reason != "no_space" || !e.Retryable {
		t.Fatalf("after %d rows: %v", n, err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	next, s := b.begin("load")
	at := int(s.Parts["0"].Counts.Inserted)
	if at == 0 || at >= n || string(s.Parts["0"].Next) != fmt.Sprint(at) {
		t.Fatalf("stands at %+v after %d rows", s.Parts, n)
	}
	b.publish(next, "", b.part(next, "0", at, at+10).Counts)
	b.rows(filepath.Join(dir, "orders.csv"), 0, at+10)
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
}
