package sqlitefile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
)

// layRoot makes a root with a database and links in it, and a database beside it.
func layRoot(t testing.TB) (root, outside string) {
	t.Helper()
	dir := t.TempDir()
	root, outside = filepath.Join(dir, "root"), filepath.Join(dir, "outside")
	for _, d := range []string{filepath.Join(root, "sub"), outside} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, word := range map[string]string{root + "/a.db": "inside", root + "/sub/a.db": "inside", outside + "/a.db": "canary"} {
		c, err := OpenWrite(path)
		if err == nil {
			err = errors.Join(c.Exec("create table t (word text)"), c.Exec("insert into t values (?)", word), c.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{
		"far.db": "../outside/a.db", "absolute.db": outside + "/a.db", "near.db": "a.db", "fardir": "../outside", "neardir": "sub", "new.db": "../outside/new.db",
	} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root, outside
}

// words is what a database in a root holds, by every way to open it.
func words(s Settings) (string, error) {
	var got []string
	for _, open := range []func() (*Conn, error){s.OpenRead, s.OpenWrite} {
		c, err := open()
		if err != nil {
			return "", err
		}
		err = c.Each(func(s *Stmt) error { got = append(got, s.String(0)); return nil }, "select word from t")
		if err = errors.Join(err, c.Close()); err != nil {
			return "", err
		}
	}
	return strings.Join(got, " "), nil
}

func TestAFileInItsRoot(t *testing.T) {
	t.Parallel()
	root, outside := layRoot(t)
	link := root + "-link" // a root itself may be reached by a link
	must(t, os.Symlink(root, link))
	for _, s := range []Settings{{root + "/a.db", root}, {root + "/sub/a.db", root}, {link + "/sub/a.db", link}, {root + "/a.db", "/"}} {
		if s.Root == "/" && root != real(t, root) {
			continue
		}
		if got, err := words(s); err != nil || got != "inside inside" {
			t.Errorf("%+v: %q, %v", s, got, err)
		}
	}
	for _, path := range []string{
		outside + "/a.db", root + "/far.db", root + "/absolute.db", root + "/near.db", root + "/fardir/a.db", root + "/neardir/a.db", root + "/new.db",
		root + "/../outside/a.db", root + "/sub/../../outside/a.db", "a.db", root, "", link + "/a.db", root + "/fardir/new.db",
	} {
		s := Settings{path, root}
		got, err := words(s)
		e, ok := errors.AsType[*syncline.Error](err)
		if !ok || e.Hint == "" || path != root && (e.Code != syncline.PermissionDenied || e.Reason != "outside_root") {
			t.Errorf("%q: %q, %v", path, got, err)
		}
		if err := s.Writable(); err == nil {
			t.Errorf("%q: can be written", path)
		}
	}
	if found, err := os.ReadDir(outside); err != nil || len(found) != 1 {
		t.Errorf("outside there is %v, %v", found, err)
	}
	_, err := words(Settings{root + "/missing.db", root})
	if syncline.CodeOf(err) != syncline.NotFound {
		t.Errorf("a file that is missing: %v", err)
	}
	if err := (Settings{root + "/x.db", root}).Writable(); err != nil {
		t.Errorf("a file that can be made: %v", err)
	}
	if _, err := words(Settings{root + "/a.db", root + "/none"}); syncline.CodeOf(err) != syncline.FailedPrecondition {
		t.Errorf("a root that is missing: %v", err)
	}
}

func real(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	must(t, err)
	return path
}

// TestTheEngineFollowsNoLink: opening itself fails where the names were looked at before.
func TestTheEngineFollowsNoLink(t *testing.T) {
	t.Parallel()
	root, outside := layRoot(t)
	for _, name := range []string{"far.db", "fardir/a.db", "near.db"} {
		c, err := openWrite(filepath.Join(root, name), true)
		if err == nil {
			t.Errorf("%s was opened", name)
			must(t, c.Close())
		}
	}
	// Neither by the files beside the database.
	must(t, os.WriteFile(outside+"/victim", []byte("canary"), 0o600))
	for _, end := range []string{"-wal", "-journal", "-shm"} {
		must(t, os.Symlink("../outside/victim", root+"/a.db"+end))
	}
	if c, err := (Settings{root + "/a.db", root}).OpenWrite(); err == nil {
		for _, sql := range []string{"pragma journal_mode = wal", "insert into t values ('more')", "pragma journal_mode = delete", "insert into t values ('more')"} {
			_ = c.Exec(sql)
		}
		must(t, c.Close())
	}
	if data, err := os.ReadFile(outside + "/victim"); err != nil || string(data) != "canary" {
		t.Errorf("the file beside holds %q, %v", data, err)
	}
}

// TestAFolderThatComesAndGoes is swapped for a link to the outside while it is used.
func TestAFolderThatComesAndGoes(t *testing.T) {
	t.Parallel()
	root, _ := layRoot(t)
	stop := make(chan struct{})
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Rename(root+"/sub", root+"/aside")
			_ = os.Symlink("../outside", root+"/sub")
			_ = os.Remove(root + "/sub")
			_ = os.Rename(root+"/aside", root+"/sub")
		}
	})
	read, begun := 0, time.Now()
	for try := 0; try < 3000 || read == 0 && time.Since(begun) < time.Minute; try++ {
		got, err := words(Settings{root + "/sub/a.db", root})
		if strings.Contains(got, "canary") {
			t.Errorf("read %q", got)
			break
		}
		if err == nil {
			read++
		}
	}
	close(stop)
	swapping.Wait()
	if read == 0 {
		t.Error("nothing was read")
	}
}

// FuzzRoot: a path that is opened is one below the root.
func FuzzRoot(f *testing.F) {
	root, _ := layRoot(f)
	for _, s := range []string{"/a.db", "/../outside/a.db", "/sub/../a.db", "/fardir/a.db", "//sub//a.db", "/near.db", "/a.db/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		s := Settings{root + path, root}
		c, err := s.OpenRead()
		if err != nil {
			return
		}
		defer func() { must(t, c.Close()) }()
		err = c.Each(func(s *Stmt) error {
			if s.String(0) != "inside" {
				t.Errorf("%q holds %q", path, s.String(0))
			}
			return nil
		}, "select word from t")
		if err != nil {
			t.Fatal(err)
		}
	})
}
