package sqlitefile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
)

// TestMain lets the test program be the other program that holds a lock.
func TestMain(m *testing.M) {
	if path := os.Getenv("SQLITEFILE_HOLD"); path != "" {
		hold(path)
	}
	os.Exit(m.Run())
}

func hold(path string) {
	c, err := OpenWrite(path)
	if err == nil {
		err = c.Exec("begin immediate")
	}
	fmt.Println("held:", err)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(0)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string) *Conn {
	t.Helper()
	c, err := OpenWrite(path)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

func TestValues(t *testing.T) {
	t.Parallel()
	c := write(t, filepath.Join(t.TempDir(), "a.db"))
	must(t, c.Exec("create table t (a, b, c, d, e, f); -- and a comment\n"))
	big := strings.Repeat("x", 300<<10)
	must(t, c.Exec("insert into t values (?, ?, ?, ?, ?, ?)", int64(-1<<63), 0.5, "a\x00b", []byte{}, nil, big))
	must(t, c.Each(func(s *Stmt) error {
		if s.Columns() != 6 || s.Int(0) != -1<<63 || s.Real(1) != 0.5 || s.String(2) != "a\x00b" || s.Class(3) != Blob || len(s.Blob(3)) != 0 || s.Class(4) != Null || s.String(5) != big {
			t.Errorf("%d %v %q %v %v", s.Int(0), s.Real(1), s.Text(2), s.Class(3), s.Class(4))
		}
		return nil
	}, "select * from t"))
}

func TestBindingsLastUntilReset(t *testing.T) {
	t.Parallel()
	c := write(t, filepath.Join(t.TempDir(), "a.db"))
	must(t, c.Exec("create table t (a text, b text)"))
	s, err := c.Prepare("insert into t values (?, ?)")
	must(t, err)
	defer s.Close()
	for n := range 40 { // growing, so that a second value needs memory of its own
		s.BindText(1, strings.Repeat("a", n*5000))
		s.BindText(2, strings.Repeat("b", n*7000))
		_, err := s.Step()
		must(t, err)
		s.Reset()
	}
	n, err := c.Int("select count(*) from t where length(a) = 5000 * (rowid - 1) and length(b) = 7000 * (rowid - 1) and a not like '%b%' and b not like '%a%'")
	must(t, err)
	if n != 40 {
		t.Errorf("%d of 40 rows are right", n)
	}
}

func TestAWrongPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	must(t, os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600))
	for _, c := range []struct {
		path string
		code syncline.Code
	}{{filepath.Join(dir, "missing.db"), syncline.NotFound}, {dir, syncline.InvalidArgument}, {text, syncline.InvalidArgument}, {"/dev/null", syncline.InvalidArgument}, {"a\x00b", syncline.InvalidArgument}} {
		err := read(c.path)
		said, ok := errors.AsType[*syncline.Error](err)
		if !ok || said.Code != c.code || said.Hint == "" || c.path != "a\x00b" && !strings.Contains(said.Message, c.path) {
			t.Errorf("%s: %v", c.path, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "missing.db")); err == nil {
		t.Error("reading made the file")
	}
	if _, err := OpenWrite(filepath.Join(dir, "none", "a.db")); syncline.CodeOf(err) != syncline.NotFound || !strings.Contains(err.Error(), filepath.Join(dir, "none")) {
		t.Errorf("folder missing: %v", err)
	}
}

func read(path string) error {
	c, err := OpenRead(path)
	if err != nil {
		return err
	}
	_, err = c.Int("select count(*) from sqlite_schema")
	return errors.Join(err, c.Close())
}

func TestReadingWritesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	must(t, write(t, path).Exec("create table t (a)"))
	c, err := OpenRead(path)
	must(t, err)
	defer func() { must(t, c.Close()) }()
	if err := c.Exec("insert into t values (1)"); syncline.CodeOf(err) != syncline.PermissionDenied {
		t.Errorf("insert: %v", err)
	}
}

func TestALockIsWaitedForAndItsHolderNamed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	for _, mode := range []string{"delete", "wal"} {
		c := write(t, path)
		must(t, c.Exec("pragma journal_mode = "+mode))
		pid, release := holder(t, path)
		c.Patient(200 * time.Millisecond)
		begun := time.Now()
		err := c.Update(func() error { return nil })
		said, _ := errors.AsType[*syncline.Error](err)
		if said == nil || said.Reason != "locked" || !said.Retryable || time.Since(begun) < 200*time.Millisecond {
			t.Fatalf("%s: %v after %s", mode, err, time.Since(begun))
		}
		if want := fmt.Sprintf("process %d", pid); !strings.Contains(said.Message, want) {
			t.Errorf("%s: %q does not name %s", mode, said.Message, want)
		}
		c.Patient(Patience)
		time.AfterFunc(100*time.Millisecond, release)
		must(t, c.Update(func() error { return c.Exec("create table by_" + mode + " (a)") }))
	}
}

// holder starts a program that holds the write lock until release.
func holder(t *testing.T, path string) (pid int, release func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SQLITEFILE_HOLD="+path)
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

func TestTheContextEndsWorkAndWaiting(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	c, other := write(t, path), write(t, path)
	must(t, other.Exec("begin immediate"))
	for _, sql := range []string{
		"with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n",
		"begin immediate",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		stop := c.Watch(ctx)
		time.AfterFunc(50*time.Millisecond, cancel)
		begun := time.Now()
		if err := c.Exec(sql); !errors.Is(err, context.Canceled) || time.Since(begun) > time.Second {
			t.Errorf("%s: %v after %s", sql, err, time.Since(begun))
		}
		if _, err := c.Int("select 1"); !errors.Is(err, context.Canceled) {
			t.Errorf("a statement after the end: %v", err)
		}
		stop()
		_, err := c.Int("select 1")
		must(t, err)
	}
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	t.Parallel()
	c := write(t, filepath.Join(t.TempDir(), "a.db"))
	must(t, c.Exec("create table t (a integer primary key)"))
	stop := errors.New("stop")
	err := c.Update(func() error { return errors.Join(c.Exec("insert into t values (1)"), stop) })
	if !errors.Is(err, stop) || c.InTx() {
		t.Errorf("%v, in a transaction: %v", err, c.InTx())
	}
	must(t, c.Update(func() error { return c.Exec("insert into t values (2)") }))
	err = c.Exec("insert into t values (2)")
	if rule, ok := Broken(err); !ok || rule != Unique {
		t.Errorf("%q: %v", rule, err)
	}
	if n, err := c.Int("select a from t"); n != 2 || err != nil {
		t.Errorf("%d %v", n, err)
	}
}

func TestDoubleQuotesAreNames(t *testing.T) {
	t.Parallel()
	c := write(t, filepath.Join(t.TempDir(), "a.db"))
	for _, name := range []string{"select", `a"b`, "ü 🚀", "a'b;--", strings.Repeat("n", 300)} {
		must(t, c.Exec("create table "+Quote(name)+" ("+Quote(name)+")"))
	}
	if _, err := c.Int(`select "nothing"`); err == nil {
		t.Error("a name that is not there was read as a string")
	}
	if _, err := c.Prepare("select " + Quote("a\x00b")); err == nil {
		t.Error("NUL cut a name")
	}
}
