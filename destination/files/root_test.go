package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/sidecar"
)

// layRoot makes a root, a folder beside it that is not to be touched, and a bench that
// writes below the root.
func layRoot(t testing.TB) (b *bench, root, outside string) {
	t.Helper()
	dir := t.TempDir()
	root, outside = filepath.Join(dir, "root"), filepath.Join(dir, "outside")
	for _, d := range []string{root, outside} {
		must(t, os.Mkdir(d, 0o755))
	}
	must(t, os.WriteFile(filepath.Join(outside, "orders.csv"), []byte("theirs"), 0o600))
	return newBench(t, fmt.Sprintf(`{"path": %q, "root": %q}`, filepath.Join(root, "out"), root)), root, outside
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks that an error is that of a path that leads out.
func refused(t testing.TB, err error, says ...string) {
	t.Helper()
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok || e.Code != syncline.PermissionDenied || e.Class != syncline.ClassConfig || e.Hint == "" {
		t.Errorf("got %v", err)
		return
	}
	for _, s := range append(says, "leads out of") {
		if !strings.Contains(e.Message, s) {
			t.Errorf("%s does not say %q", e.Message, s)
		}
	}
}

// untouched checks that outside is as layRoot made it.
func untouched(t testing.TB, outside string) {
	t.Helper()
	entries, err := os.ReadDir(outside)
	must(t, err)
	data, err := os.ReadFile(filepath.Join(outside, "orders.csv"))
	info, _ := os.Stat(filepath.Join(outside, "orders.csv"))
	if err != nil || string(data) != "theirs" || len(entries) != 1 || info.Mode().Perm() != 0o600 {
		t.Errorf("outside there is %v, orders.csv holds %q, %v", entries, data, err)
	}
}

// load does all that a load does, and stops at the first error.
func (b *bench) load(load string, changes ...func(*destination.Target)) error {
	d, err := Kind.Open(b.Context(), env, json.RawMessage(b.settings))
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	t := b.targetOf(d, load, changes...)
	w, err := d.Open(b.Context(), t)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	if _, err := w.Takeover(b.Context()); err != nil {
		return err
	}
	l, err := w.Part(b.Context(), "0", t.Fence.Token)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	if err := b.write(l, 0, 5); err != nil {
		return err
	}
	p, err := l.Finish(b.Context())
	if err == nil {
		_, err = w.Publish(b.Context(), nil, p.Counts, nil)
	}
	return err
}

func TestNothingOutsideTheRootIsWritten(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, root, outside string){
		"the folder is a link": func(t *testing.T, root, outside string) {
			must(t, os.Symlink("../outside", filepath.Join(root, "out")))
		},
		"the folder is an absolute link": func(t *testing.T, root, outside string) {
			must(t, os.Symlink(outside, filepath.Join(root, "out")))
		},
		"the markers are a link": func(t *testing.T, root, outside string) {
			must(t, os.Mkdir(filepath.Join(root, "out"), 0o755))
			must(t, os.Symlink("../../outside", filepath.Join(root, "out", sidecar.Dir)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, root, outside := layRoot(t)
			spoil(t, root, outside)
			refused(t, b.load("load"), root)
			untouched(t, outside)
		})
	}
	for _, path := range []string{"/../outside", "/../outside/orders.csv", "/x/../../outside/"} {
		b, root, outside := layRoot(t)
		b.settings = fmt.Sprintf(`{"path": %q, "root": %q}`, root+path, root)
		refused(t, b.load("load"), root)
		untouched(t, outside)
	}
}

// TestLinksInPlaceOfFiles: a published file may be a link; it is replaced, not followed.
// Stages and markers that are links are refused.
func TestLinksInPlaceOfFiles(t *testing.T) {
	b, root, outside := layRoot(t)
	out := filepath.Join(root, "out")
	must(t, b.load("load-1"))
	b.rows(filepath.Join(out, "orders.csv"), 0, 5)

	must(t, os.Remove(filepath.Join(out, "orders.csv")))
	must(t, os.Symlink("../../outside/orders.csv", filepath.Join(out, "orders.csv")))
	if err := b.load("load-2"); err != nil {
		refused(t, err)
	}
	untouched(t, outside)
	must(t, os.Remove(filepath.Join(out, "orders.csv")))

	markers, err := filepath.Glob(filepath.Join(out, sidecar.Dir, "*.json"))
	must(t, err)
	for _, m := range markers {
		must(t, os.Remove(m))
		must(t, os.Symlink("../../../outside/orders.csv", m))
	}
	if err := b.load("load-3"); err == nil || syncline.CodeOf(err) != syncline.PermissionDenied {
		t.Errorf("markers that lead out: %v", err)
	}
	untouched(t, outside)
}

// TestAForgedMarkerLeadsNowhere: whoever may write below the root may write markers too.
func TestAForgedMarkerLeadsNowhere(t *testing.T) {
	b, root, outside := layRoot(t)
	w, _ := b.begin("load")
	l, err := w.Part(t.Context(), "0", w.t.Fence.Token)
	must(t, err)
	must(t, b.write(l, 0, 5))
	must(t, l.Close())
	p, ok, err := w.markers.readPart("0")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	p.File, p.Size, p.Position.Done = filepath.Join(outside, "orders.csv"), int64(len("theirs")), true
	must(t, w.markers.writePart(p))
	next, standing := b.begin("load")
	if len(standing.Parts) > 0 {
		t.Errorf("the forged part is taken: %+v", standing.Parts)
	}
	b.publish(next, "", b.part(next, "0", 0, 5).Counts)
	b.rows(filepath.Join(root, "out", "orders.csv"), 0, 5)
	untouched(t, outside)
}

// TestTheFolderBecomesALink while a load is under way.
func TestTheFolderBecomesALink(t *testing.T) {
	b, root, outside := layRoot(t)
	w, _ := b.begin("load")
	sum := b.part(w, "0", 0, 5).Counts
	out := filepath.Join(root, "out")
	must(t, os.Rename(out, out+"-aside"))
	must(t, os.Symlink("../outside", out))
	_, err := w.Publish(t.Context(), nil, sum, nil)
	refused(t, err)
	_, err = w.Part(t.Context(), "1", w.t.Fence.Token)
	refused(t, err)
	untouched(t, outside)
}

// FuzzRootedTable: whatever path and table are called, nothing is written outside.
func FuzzRootedTable(f *testing.F) {
	for _, s := range [][2]string{{"/out", "orders.csv"}, {"/../outside", "orders"}, {"/out/x.csv", "../x"}, {"/link", "a"}, {"/out", ".syncline/x"}, {"/out/../..", "a/b/c"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, path, table string) {
		b, root, outside := layRoot(t)
		must(t, os.Symlink("../outside", filepath.Join(root, "link")))
		settings, err := json.Marshal(map[string]string{"path": root + path, "root": root})
		if err != nil || strings.Contains(table, "\x00") {
			return
		}
		b.settings = string(settings)
		_ = b.load("load", func(t *destination.Target) { t.Table = table })
		untouched(t, outside)
		if beside, err := os.ReadDir(filepath.Dir(root)); err != nil || len(beside) != 2 {
			t.Errorf("beside the root there is %v, %v", beside, err)
		}
	})
}
