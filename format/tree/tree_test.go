package tree_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/tree"
)

// lay makes a root with a file and links in it, and a secret beside it.
func lay(t testing.TB) (root, outside string) {
	t.Helper()
	dir := t.TempDir()
	root, outside = filepath.Join(dir, "root"), filepath.Join(dir, "outside")
	for _, d := range []string{filepath.Join(root, "sub"), outside, filepath.Join(dir, "rootless")} {
		must(t, os.MkdirAll(d, 0o755))
	}
	must(t, os.WriteFile(filepath.Join(root, "sub", "a.txt"), []byte("inside"), 0o600))
	must(t, os.WriteFile(filepath.Join(outside, "secret"), []byte("canary"), 0o600))
	for name, to := range map[string]string{
		"near": "sub/a.txt", "sub/up": "../sub", "far": "../outside", "sub/far": "../../outside/secret", "absolute": outside, "self": "self",
		"absolute-in": filepath.Join(root, "sub"), "dangling": "../outside/new",
	} {
		must(t, os.Symlink(to, filepath.Join(root, name)))
	}
	return root, outside
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func below(t testing.TB, root string) *tree.Tree {
	t.Helper()
	all, err := tree.Below(root)
	must(t, err)
	t.Cleanup(func() {
		if err := errors.Join(all.Close(), all.Close()); err != nil {
			t.Error(err)
		}
	})
	return all
}

// everything is every way to use a path.
var everything = map[string]func(*tree.Tree, string) error{
	"Open": func(t *tree.Tree, p string) error { return closed(t.Open(p)) },
	"create": func(t *tree.Tree, p string) error {
		return closed(t.OpenFile(p, os.O_CREATE|os.O_WRONLY, 0o600))
	},
	"truncate":   func(t *tree.Tree, p string) error { return closed(t.OpenFile(p, os.O_TRUNC|os.O_WRONLY, 0o600)) },
	"ReadFile":   func(t *tree.Tree, p string) error { _, err := t.ReadFile(p); return err },
	"Stat":       func(t *tree.Tree, p string) error { _, err := t.Stat(p); return err },
	"ReadDir":    func(t *tree.Tree, p string) error { _, err := t.ReadDir(p); return err },
	"MkdirAll":   func(t *tree.Tree, p string) error { return t.MkdirAll(filepath.Join(p, "x", "y"), 0o755) },
	"Chmod":      func(t *tree.Tree, p string) error { return t.Chmod(p, 0o777) },
	"CreateTemp": func(t *tree.Tree, p string) error { f, _, err := t.CreateTemp(p, "x"); return closed(f, err) },
	"Remove":     func(t *tree.Tree, p string) error { return t.Remove(filepath.Join(p, "secret")) },
	"Rename to": func(t *tree.Tree, p string) error {
		return t.Rename(filepath.Join(t.Dir(), "sub", "a.txt"), filepath.Join(p, "stolen"))
	},
	"Rename from": func(t *tree.Tree, p string) error {
		return t.Rename(filepath.Join(p, "secret"), filepath.Join(t.Dir(), "mine"))
	},
	"WalkDir": func(t *tree.Tree, p string) error {
		return t.WalkDir(p, func(_ string, _ fs.DirEntry, err error) error { return err })
	},
}

func closed(f *os.File, err error) error {
	if err != nil {
		return err
	}
	return f.Close()
}

func TestNothingOutsideIsReached(t *testing.T) {
	t.Parallel()
	for how, use := range everything {
		root, outside := lay(t)
		all := below(t, root)
		for _, path := range []string{
			outside, filepath.Join(outside, "secret"), root + "/far", root + "/far/secret", root + "/sub/far", root + "/absolute", root + "/absolute/secret",
			root + "/absolute-in", root + "/../outside", root + "/sub/../../outside/secret", root + "less", root + "less/x",
			"/etc/passwd", "/", "", ".", "..", "outside", "/proc/self/root/etc", root + "/dangling", root + "/sub/up/far", "\x00",
		} {
			err := use(all, path)
			if err == nil {
				t.Errorf("%s %q went well", how, path)
				continue
			}
			if e, ok := errors.AsType[*syncline.Error](err); ok && (e.Code != syncline.PermissionDenied || e.Reason != "outside_root" || e.Hint == "") {
				t.Errorf("%s %q: %#v", how, path, e)
			}
		}
		if left := content(t, outside); left != "secret=canary" {
			t.Errorf("%s: outside there is %s", how, left)
		}
	}
}

// content draws the files of a folder and what is in them.
func content(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var all []string
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, err)
		all = append(all, e.Name()+"="+string(data))
	}
	return strings.Join(all, " ")
}

func TestInsideAllWorks(t *testing.T) {
	t.Parallel()
	for name, all := range map[string]func(root string) *tree.Tree{
		"below": func(root string) *tree.Tree { return below(t, root) }, "everywhere": func(string) *tree.Tree { return below(t, "") },
	} {
		root, _ := lay(t)
		all := all(root)
		for _, path := range []string{root + "/sub/a.txt", root + "/near", root + "/sub/up/a.txt", root + "/./sub//a.txt"} {
			data, err := all.ReadFile(path)
			if err != nil || string(data) != "inside" {
				t.Errorf("%s: %s: %q, %v", name, path, data, err)
			}
		}
		must(t, all.MkdirAll(root+"/deep/er", 0o755))
		f, temp, err := all.CreateTemp(root+"/deep", ".new-")
		must(t, err)
		_, err = io.WriteString(f, "fresh")
		must(t, errors.Join(err, f.Close(), all.Chmod(temp, 0o640), all.Rename(temp, root+"/deep/er/b.txt")))
		info, err := all.Stat(root + "/deep/er/b.txt")
		if err != nil || info.Mode().Perm() != 0o640 || info.Size() != 5 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		var seen []string
		must(t, all.WalkDir(root+"/deep", func(path string, _ fs.DirEntry, err error) error {
			seen = append(seen, strings.TrimPrefix(path, root))
			return err
		}))
		if !slices.Equal(seen, []string{"/deep", "/deep/er", "/deep/er/b.txt"}) {
			t.Errorf("%s: walked %q", name, seen)
		}
		must(t, all.Remove(root+"/deep/er/b.txt"))
		if _, err := all.Open(root + "/deep/er/b.txt"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), root+"/deep/er/b.txt") {
			t.Errorf("%s: %v", name, err)
		}
		if list, err := all.ReadDir(root + "/deep"); err != nil || len(list) != 1 {
			t.Errorf("%s: %v, %v", name, list, err)
		}
	}
}

// TestLinksThatComeAndGo swaps a folder for a link to the outside while it is used.
func TestLinksThatComeAndGo(t *testing.T) {
	t.Parallel()
	root, outside := lay(t)
	must(t, os.WriteFile(filepath.Join(root, "sub", "secret"), []byte("inside"), 0o600))
	all := below(t, root)
	stop := make(chan struct{})
	var swapping sync.WaitGroup
	swapping.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Rename(filepath.Join(root, "sub"), filepath.Join(root, "aside"))
			_ = os.Symlink("../outside", filepath.Join(root, "sub"))
			_ = os.Remove(filepath.Join(root, "sub"))
			_ = os.Rename(filepath.Join(root, "aside"), filepath.Join(root, "sub"))
		}
	})
	read := 0
	for range 20_000 {
		data, err := all.ReadFile(filepath.Join(root, "sub", "secret"))
		if err == nil && string(data) != "inside" {
			t.Fatalf("read %q", data)
		}
		if err == nil {
			read++
		}
		if f, err := all.OpenFile(filepath.Join(root, "sub", "new"), os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			_ = f.Close()
		}
	}
	close(stop)
	swapping.Wait()
	if left := content(t, outside); left != "secret=canary" || read == 0 {
		t.Errorf("outside there is %s; %d reads went well", left, read)
	}
}

func TestNoRoot(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"relative", filepath.Join(t.TempDir(), "missing")} {
		_, err := tree.Below(dir)
		if e, ok := errors.AsType[*syncline.Error](err); !ok || e.Class != syncline.ClassConfig || e.Hint == "" || !strings.Contains(e.Message, dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// FuzzPaths: whatever a path is, what is read of it stands inside the root.
func FuzzPaths(f *testing.F) {
	root, outside := lay(f)
	all := below(f, root)
	for _, s := range []string{"/sub/a.txt", "/far/secret", "/../outside/secret", "/sub/up/../far", "//", "/absolute/secret", "/self"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		for _, p := range []string{root + path, path} {
			data, err := all.ReadFile(p)
			if err == nil && string(data) != "inside" {
				t.Fatalf("%q holds %q", p, data)
			}
			if _, err := all.ReadDir(p); err == nil && strings.HasPrefix(filepath.Clean(p), outside) {
				t.Fatalf("%q was listed", p)
			}
		}
	})
}
