package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/source"
)

func numbered(from, to int, name string) (all [][]string) {
	for n := from; n < to; n++ {
		all = append(all, []string{fmt.Sprint(n), name})
	}
	return all
}

// A file that another program has locked is waited for; then the error names the program,
// and nothing is half done.
func TestALockedFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	newLoad(t, "load-1", syncline.Replace, numbered(0, 10, "a")).ok(p)
	_, release := holder(t, p.path)
	go func() { time.Sleep(300 * time.Millisecond); release() }()
	newLoad(t, "load-2", syncline.Replace, numbered(0, 10, "b")).ok(p)
	p.expect(t, "select distinct name from people", "b")

	pid, release := holder(t, p.path)
	defer release()
	d := p.Open(t)
	defer func() { must(t, d.Close()) }()
	must(t, d.(*Destination).file.use(t.Context(), func(c *sqlitefile.Conn) error { c.Patient(300 * time.Millisecond); return nil }))
	_, err := newLoad(t, "load-3", syncline.Replace, numbered(0, 10, "c")).run(p)
	said, ok := errors.AsType[*syncline.Error](err)
	if !ok || said.Reason != "locked" || !said.Retryable || !strings.Contains(said.Message, fmt.Sprintf("process %d", pid)) {
		t.Errorf("%v", err)
	}
	found, err := d.(source.Checker).Check(t.Context())
	must(t, err)
	if found[0].Level != source.Fail || found[0].Remedy == "" {
		t.Errorf("check says %+v", found)
	}
	p.expect(t, "select distinct name from people", "b")
}

func holder(t *testing.T, path string) (pid int, release func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SQLITE_HOLD="+path)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, "nil") {
		t.Fatalf("%s %v", line, err)
	}
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	return cmd.Process.Pid, func() { _, _ = in.Write([]byte("\n")) }
}

// A full disk ends the attempt, not the data: the table is as it was, and when there is
// space again the same load goes on.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("no file system of a size of its own: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, 0)) })
	p := &place{filepath.Join(dir, "warehouse.db")}
	newLoad(t, "load-1", syncline.Replace, numbered(0, 10, "before")).ok(p)
	ballast := filepath.Join(dir, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 2<<20), 0o600))

	big := [][][]string{numbered(0, 1000, strings.Repeat("a", 300)), numbered(1000, 2000, strings.Repeat("b", 300)), numbered(2000, 4000, strings.Repeat("c", 300))}
	_, err := newLoad(t, "load-2", syncline.Replace, big...).run(p)
	said, ok := errors.AsType[*syncline.Error](err)
	if !ok || said.Code != syncline.ResourceExhausted || said.Reason != "no_space" || !said.Retryable || !strings.Contains(said.Message, p.path) {
		t.Fatalf("%v", err)
	}
	p.expect(t, "select count(*) from people where name = 'before'", "10")
	p.expect(t, "pragma integrity_check", "ok")
	must(t, os.Remove(ballast))
	small := newLoad(t, "load-2", syncline.Replace, numbered(0, 100, "after"))
	small.target.Restart = true
	small.ok(p)
	p.expect(t, "select count(*) from people where name = 'after'", "100")
	p.expect(t, "pragma integrity_check", "ok")
}

func TestTheFolderIsMissing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none", "warehouse.db")
	_, err := Kind.Open(t.Context(), env(), []byte(fmt.Sprintf(`{"path": %q}`, path)))
	if syncline.CodeOf(err) != syncline.NotFound || !strings.Contains(err.Error(), filepath.Dir(path)) {
		t.Errorf("%v", err)
	}
	if _, err := Kind.Open(t.Context(), env(), []byte(`{"file": "x.db"}`)); syncline.CodeOf(err) != syncline.InvalidArgument {
		t.Errorf("a wrong setting: %v", err)
	}
}

// Looking makes no file, nor does checking.
func TestLookingMakesNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	d := p.Open(t)
	defer func() { must(t, d.Close()) }()
	w, err := d.Open(t.Context(), newLoad(t, "load-1", syncline.Replace).target)
	must(t, err)
	must(t, w.Close())
	found, err := d.(source.Checker).Check(t.Context())
	must(t, err)
	if found[0].Level != source.OK || sqlitefile.Exists(p.path) {
		t.Errorf("%+v, file is there: %v", found, sqlitefile.Exists(p.path))
	}
}

// Somebody puts another file in the place of the one that is written: nothing more goes to
// where nobody looks.
func TestTheFileIsReplaced(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	l := newLoad(t, "load-1", syncline.Append, numbered(0, 10, "a"))
	d := p.Open(t)
	defer func() { must(t, d.Close()) }()
	w, err := d.Open(t.Context(), l.target)
	must(t, err)
	defer func() { must(t, w.Close()) }()
	_, err = w.Takeover(t.Context())
	must(t, err)
	lane, err := w.Part(t.Context(), "0", l.target.Fence.Token)
	must(t, err)
	defer func() { must(t, lane.Close()) }()
	b := l.batch(l.batches[0])
	b.Next = []byte("x")
	_, err = lane.Write(t.Context(), b)
	must(t, err)
	for _, end := range []string{"", "-wal", "-shm"} {
		must(t, os.Rename(p.path+end, p.path+".away"+end))
	}
	p.exec(t, "create table theirs (a)")
	if _, err := lane.Write(t.Context(), b); err == nil {
		t.Error("went on writing")
	}
	(&place{p.path + ".away"}).expect(t, "select count(*) from people", "10")
	newLoad(t, "load-1", syncline.Append, numbered(0, 10, "a")).ok(p)
	p.expect(t, "select count(*) from people", "10")
}

// A publish that is cut off has not happened.
func TestPublishIsCutOff(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	newLoad(t, "load-1", syncline.Replace, numbered(0, 10, "before")).ok(p)
	p.exec(t, "create view v as select * from people") // rows are copied, not the table renamed
	l := newLoad(t, "load-2", syncline.Replace)
	all := 200_000
	if testing.Short() {
		all = 50_000
	}
	for n := 0; n < all; n += 50_000 {
		l.batches = append(l.batches, numbered(n, n+50_000, "after"))
	}
	d := p.Open(t)
	defer func() { must(t, d.Close()) }()
	w, err := d.Open(t.Context(), l.target)
	must(t, err)
	defer func() { must(t, w.Close()) }()
	_, err = w.Takeover(t.Context())
	must(t, err)
	lane, err := w.Part(t.Context(), "0", l.target.Fence.Token)
	must(t, err)
	at, err := l.write(t.Context(), lane)
	must(t, err)
	must(t, lane.Close())
	ctx, stop := context.WithCancel(t.Context())
	begun := time.Time{}
	_, err = w.Publish(ctx, nil, at.Counts, func(string) { begun = time.Now(); time.AfterFunc(30*time.Millisecond, stop) })
	if !errors.Is(err, context.Canceled) || time.Since(begun) > time.Second {
		t.Fatalf("%v after %s", err, time.Since(begun))
	}
	p.expect(t, "select count(*), min(name) from people", "10|before")
	_, err = w.Publish(t.Context(), nil, at.Counts, nil)
	must(t, err)
	p.expect(t, "select count(*), min(name) from v", fmt.Sprint(all, "|after"))
	p.expect(t, "pragma integrity_check", "ok")
}
