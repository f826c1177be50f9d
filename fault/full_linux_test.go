package fault_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/synclinehq/syncline/testserver"
)

// disk mounts a small one.
func disk(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=777,size="+size); err != nil {
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

func grow(t *testing.T, dir, size string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "mode=777,size="+size); err != nil {
		t.Fatal(err)
	}
}

// TestFullDestination: the destination's disk is full in the middle of a load. That is
// said, nothing is published, and the same run ends once there is space.
func TestFullDestination(t *testing.T) {
	if testing.Short() {
		t.Skip("many processes: not under the race detector, which does not see into them")
	}
	random(t)
	for _, kind := range []string{"postgres", "sqlite", "files"} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			for up := dir; len(up) > len("/tmp"); up = filepath.Dir(up) {
				_ = os.Chmod(up, 0o755) // PostgreSQL is another account
			}
			disk(t, dir, "20m")
			s := newSiteIn(t, rand.New(rand.NewPCG(*seed, 0)), kind, dir)
			leave(t, dir, 256<<10)
			p := newProgram(t)
			c := p.start("sync", s.from, s.to, "--entities", "public.*")
			var full *shown
			for end := time.Now().Add(time.Minute); full == nil && !c.ended() && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				if r := p.newest(); r != nil && r.Error != nil {
					full = r
				}
			}
			if full == nil {
				t.Fatalf("no full disk was met\n%s%s", &c.out, &c.err)
			}
			t.Logf("the run is %s: %s: %s", full.State, full.Error.Reason, full.Error.Message)
			if full.State == "succeeded" || !strings.Contains(full.Error.Reason+full.Error.Message, "space") {
				t.Errorf("a full disk is called %+v", full.Error)
			}
			if got := s.target.print("big"); got != absent {
				t.Errorf("a table that did not fit is there: %s", got)
			}
			grow(t, dir, "200m")
			if code := c.wait(t, time.Minute); code != 0 {
				t.Fatalf("exit %d\n%s%s", code, &c.out, &c.err)
			}
			s.check("with space again")
			books(t, "with space again", p.runs()[0], s.rows())
		})
	}
}

// leave fills a disk but for so many bytes.
func leave(t *testing.T, dir string, bytes int64) {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ballast.json"), make([]byte, int64(st.Bavail)*st.Bsize-bytes), 0o600); err != nil {
		t.Fatal(err)
	}
}

// newSiteIn makes a site whose target is on the disk that is mounted at dir.
func newSiteIn(t *testing.T, r *rand.Rand, kind, dir string) *site {
	const n, fat = 4000, 60
	switch kind {
	case "sqlite":
		return newSiteTo(t, r, sqliteTarget(t, dir), outOfPostgres, n, fat)
	case "files":
		return newSiteTo(t, r, filesTarget(t, dir), outOfPostgres, n, fat)
	}
	pg := testserver.NewPostgres(t)
	at, err := os.Stat(pg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, int(at.Sys().(*syscall.Stat_t).Uid), -1); err != nil {
		t.Fatal(err)
	}
	pg.Exec(t, "postgres", fmt.Sprintf("create tablespace small location '%s'", dir))
	pg.Exec(t, "postgres", "create database small tablespace small")
	return newSiteTo(t, r, postgresTarget(t, pg.URL("small")), intoPostgres, n, fat)
}

// TestFullLedger: the ledger's disk is full. That is said, no change is made by half, and
// the same command does its work once there is space.
func TestFullLedger(t *testing.T) {
	if testing.Short() {
		t.Skip("many processes: not under the race detector, which does not see into them")
	}
	random(t)
	p := newProgram(t)
	disk(t, p.data, "4m")
	s := newSite(t, rand.New(rand.NewPCG(*seed, 0)), "files", 500, 2)
	args := []string{"sync", s.from, s.to, "--entities", "public.*"}
	p.run(0, args...)
	before := len(p.runs())
	ballast := filepath.Join(p.data, "ballast")
	err := os.WriteFile(ballast, bytes.Repeat([]byte("x"), 8<<20), 0o600)
	if err == nil {
		t.Fatal("the disk is not full")
	}
	s.change()
	c := p.start(args...)
	code := c.wait(t, 2*time.Minute)
	t.Logf("exit %d: %s", code, &c.err)
	if code == 0 || !strings.Contains(c.err.String(), "full") && !strings.Contains(c.err.String(), "space") {
		t.Errorf("exit %d on a full disk\n%s%s", code, &c.out, &c.err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	p.run(0, args...)
	s.check("with space again")
	all := p.runs()
	books(t, "with space again", all[0], s.rows())
	for _, r := range all[:len(all)-before] {
		if !ended(&r) {
			t.Errorf("run %s was left %s", r.ID, r.State)
		}
	}
}
