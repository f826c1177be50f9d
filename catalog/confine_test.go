package catalog_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/spec"
)

// vault is a folder that keeps to a root; signed a server that wants a file of this machine.
var (
	vault = spec.Spec{
		Kind: "vault", Fields: []spec.Field{
			{Name: "path", Type: spec.String, Required: true, File: true, Help: "Path."}, {Name: "root", Type: spec.String, Help: "Root."},
		},
		Local: func(json.RawMessage) bool { return true }, Root: "root", Cursorless: true,
	}
	signed = spec.Spec{Kind: "signed", Fields: []spec.Field{
		{Name: "host", Type: spec.String, Help: "Host."},
		{Name: "cert", Type: spec.String, File: true, Help: "Certificate."},
		{Name: "port", Type: spec.Int, Help: "Port."},
	}}
)

type remoteKey struct{}

// remote is a call of somebody who is not this machine's user.
func remote(t *testing.T) context.Context { return context.WithValue(t.Context(), remoteKey{}, true) }

type confinedFixture struct {
	*fixture
	root, outside string
}

func setupConfined(t *testing.T) *confinedFixture {
	t.Helper()
	f := &confinedFixture{fixture: setup(t)}
	f.root, f.outside = filepath.Join(t.TempDir(), "root"), t.TempDir()
	for _, dir := range []string{f.root, f.root + "-too"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f.env["SECRET"] = "canary-env"
	f.Catalog = f.with(f.root)
	return f
}

func (f *confinedFixture) with(roots ...string) *catalog.Catalog {
	return catalog.New(catalog.Options{
		Store: f.store, Registry: kinds(vault, signed), Box: f.box, Host: "here", Scrubber: f.scrubber, Roots: roots,
		LookupEnv: func(name string) (string, bool) { v, ok := f.env[name]; return v, ok },
		Local:     func(ctx context.Context) bool { return ctx.Value(remoteKey{}) == nil },
	})
}

func from(kind, settings string) syncline.Definition {
	return syncline.Definition{Source: endpoint(kind, settings), Destination: endpoint("base", `{"host":"b"}`)}
}

func settingsOf(members map[string]any) string {
	raw, _ := json.Marshal(members)
	return string(raw)
}

func (f *confinedFixture) putAs(ctx context.Context, name string, d syncline.Definition) (*syncline.Pipeline, error) {
	p, _, err := f.Put(ctx, name, d, catalog.PutOptions{})
	return p, err
}

func TestWhatComesOverTheNetworkIsConfined(t *testing.T) {
	t.Parallel()
	f := setupConfined(t)
	inside := settingsOf(map[string]any{"path": f.root + "/sub/*.csv"})
	p, err := f.putAs(remote(t), "theirs", from("vault", inside))
	if err != nil || !p.Definition.Confined {
		t.Fatalf("%+v, %v", p, err)
	}
	if p, err = f.putAs(t.Context(), "ours", from("vault", `{"path":"/anywhere"}`)); err != nil || p.Definition.Confined {
		t.Fatalf("%+v, %v", p, err)
	}
	// An edit over the network confines, also what was ours; saying that it does not is of no use.
	d := from("vault", inside)
	d.Labels = map[string]string{"a": "b"}
	for _, name := range []string{"theirs", "ours"} {
		if p, err := f.putAs(remote(t), name, d); err != nil || !p.Definition.Confined {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	docs := []catalog.Doc{{Name: "applied", Definition: from("vault", inside)}}
	if _, err := f.Apply(remote(t), docs); err != nil {
		t.Fatal(err)
	}
	if p, err := f.ByName(t.Context(), "applied"); err != nil || !p.Definition.Confined {
		t.Errorf("%+v, %v", p, err)
	}
	docs[0].Definition = from("vault", `{"path":"/etc"}`)
	for what, do := range map[string]func(context.Context, []catalog.Doc) ([]catalog.Change, error){"apply": f.Apply, "plan": f.Plan} {
		_, err := do(remote(t), docs)
		says(t, err, syncline.InvalidArgument, "source.path", "outside the folders")
		if _, err := do(t.Context(), docs); err != nil {
			t.Errorf("%s of our own: %v", what, err)
		}
	}
	// The user of the machine may take a pipeline over, whole, or leave it as it is.
	if p, err := f.putAs(t.Context(), "theirs", from("vault", `{"path":"/etc"}`)); err != nil || p.Definition.Confined {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestConfinedMayNotName(t *testing.T) {
	t.Parallel()
	f := setupConfined(t)
	for _, reference := range []string{"${env:SECRET}", "x${file:/etc/passwd}y"} {
		for _, field := range []string{"host", "password", "user"} {
			_, err := f.putAs(remote(t), "p", from("base", settingsOf(map[string]any{"host": "h", field: "canary" + reference})))
			says(t, err, syncline.InvalidArgument, "source."+field, "reference", "kept sealed")
		}
		_, err := f.putAs(remote(t), "p", from("vault", settingsOf(map[string]any{"path": f.root + "/" + reference})))
		says(t, err, syncline.InvalidArgument, "source.path", "reference")
	}
	for _, path := range []string{
		"/", "/etc/passwd", f.outside, f.root + "/..", f.root + "/../x", f.root + "/a/../b", f.root + "-too", f.root + "-too/a", f.root + "/\x00",
		"relative", "./x", "~/x", filepath.Base(f.root), "file://" + f.root, f.root + "/a/..", "..", "/proc/self/cwd", "/../" + f.root[1:],
		filepath.Dir(f.root), strings.ToUpper(f.root) + "/x", "\\" + f.root, "", " " + f.root,
	} {
		d := from("vault", settingsOf(map[string]any{"path": path, "root": "/"}))
		if _, err := f.putAs(remote(t), "p", d); syncline.CodeOf(err) != syncline.InvalidArgument {
			t.Errorf("source %q: %v", path, err)
		}
		d.Source, d.Destination = d.Destination, d.Source
		if _, err := f.putAs(remote(t), "p", d); syncline.CodeOf(err) != syncline.InvalidArgument {
			t.Errorf("destination %q: %v", path, err)
		}
		if _, err := f.putAs(remote(t), "p", from("signed", settingsOf(map[string]any{"cert": path}))); path != "" && syncline.CodeOf(err) != syncline.InvalidArgument {
			t.Errorf("certificate %q: %v", path, err)
		}
	}
	_, err := f.putAs(remote(t), "p", from("shelf", settingsOf(map[string]any{"path": f.root})))
	says(t, err, syncline.InvalidArgument, "source.kind", "this machine itself", "syncline apply")
	_, err = f.putAs(remote(t), "p", from("vault", settingsOf(map[string]any{"path": f.outside})))
	says(t, err, syncline.InvalidArgument, "source.path", f.outside, f.root)
	f.Catalog = f.with()
	_, err = f.putAs(remote(t), "p", from("vault", settingsOf(map[string]any{"path": f.root})))
	says(t, err, syncline.InvalidArgument, "source.path", "there are none", "roots")
}

func TestConfinedOpensInsideItsRoot(t *testing.T) {
	t.Parallel()
	f := setupConfined(t)
	d := from("vault", settingsOf(map[string]any{"path": f.root + "/a.csv", "root": "/"}))
	p, err := f.putAs(remote(t), "p", d)
	if err != nil {
		t.Fatal(err)
	}
	open, err := f.Open(t.Context(), p.Definition)
	if err != nil || field(open.Source.Settings, "root") != f.root || field(open.Source.Settings, "path") != f.root+"/a.csv" {
		t.Errorf("%s, %v", open.Source.Settings, err)
	}
	// The roots of the process that runs it count, not those of the one that stored it.
	_, err = f.with(f.outside).Open(t.Context(), p.Definition)
	says(t, err, syncline.InvalidArgument, "source.path", "outside the folders", f.outside)
	// One's own is not tied to any.
	if p, err = f.putAs(t.Context(), "q", from("vault", `{"path":"/anywhere"}`)); err != nil {
		t.Fatal(err)
	}
	if open, err = f.Open(t.Context(), p.Definition); err != nil || field(open.Source.Settings, "root") != "" {
		t.Errorf("%s, %v", open.Source.Settings, err)
	}
	// What escapes a reference is no reference.
	if p, err = f.putAs(remote(t), "r", from("base", `{"host":"h","password":"$${env:SECRET}"}`)); err != nil {
		t.Fatal(err)
	}
	if open, err = f.Open(t.Context(), p.Definition); err != nil || field(open.Source.Settings, "password") != "${env:SECRET}" {
		t.Errorf("%v", err)
	}
	// A reference that is stored nevertheless is not followed.
	ours, err := f.putAs(t.Context(), "s", from("base", `{"host":"h","password":"${env:SECRET}"}`))
	if err != nil {
		t.Fatal(err)
	}
	ours.Definition.Confined = true
	_, err = f.Open(t.Context(), ours.Definition)
	says(t, err, syncline.InvalidArgument, "source.password", "reference")
}

func TestAFileByNameIsWhereItReallyIs(t *testing.T) {
	t.Parallel()
	f := setupConfined(t)
	for name, to := range map[string]string{"near": "cert", "far": f.outside + "/secret"} {
		if err := os.Symlink(to, filepath.Join(f.root, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{f.root + "/cert", f.outside + "/secret"} {
		if err := os.WriteFile(path, []byte("canary"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open := func(name string) (syncline.Definition, error) {
		p, err := f.putAs(remote(t), name, from("signed", settingsOf(map[string]any{"host": "h", "cert": f.root + "/" + name, "port": 9007199254740993})))
		if err != nil {
			t.Fatal(err)
		}
		return f.Open(t.Context(), p.Definition)
	}
	d, err := open("near")
	if err != nil || field(d.Source.Settings, "cert") != f.root+"/cert" || !strings.Contains(string(d.Source.Settings), "9007199254740993") {
		t.Errorf("%s, %v", d.Source.Settings, err)
	}
	_, err = open("far")
	says(t, err, syncline.InvalidArgument, "source.cert", "leads out of")
	_, err = open("missing")
	says(t, err, syncline.InvalidArgument, "source.cert", "no such file")
}

// TestDialectsConfine: what a dialect makes of a definition is confined by who calls, not
// by what it says of it.
func TestDialectsConfine(t *testing.T) {
	t.Parallel()
	f := setupConfined(t)
	define := func(kind, settings string) catalog.Changing {
		return func(_ syncline.Tx, p *syncline.Pipeline) error {
			p.Ext = maps.Clone(p.Ext)
			p.Ext["wire"] = json.RawMessage(`{"now":1}`)
			p.Definition = from(kind, settings) // anew, so Confined is lost
			return nil
		}
	}
	note := func(text string) catalog.Changing {
		return func(_ syncline.Tx, p *syncline.Pipeline) error {
			p.Ext["wire"] = json.RawMessage(text)
			return nil
		}
	}
	inside := settingsOf(map[string]any{"path": f.root + "/a.csv"})
	if _, err := f.Make(remote(t), "wire", "theirs", define("vault", `{"path":"/etc"}`)); syncline.CodeOf(err) != syncline.InvalidArgument {
		t.Errorf("made outside: %v", err)
	}
	p, err := f.Make(remote(t), "wire", "theirs", define("vault", inside))
	if err != nil || !p.Definition.Confined {
		t.Fatalf("%+v, %v", p, err)
	}
	_, err = f.Alter(remote(t), "wire", "theirs", define("base", `{"host":"h","password":"${env:SECRET}"}`))
	says(t, err, syncline.InvalidArgument, "source.password", "reference")
	// Not even the user of this machine frees by a dialect what others have written.
	_, err = f.Alter(t.Context(), "wire", "theirs", define("vault", `{"path":"/etc"}`))
	says(t, err, syncline.InvalidArgument, "source.path", "outside the folders")
	before := p.Version
	if p, err = f.Alter(remote(t), "wire", "theirs", define("vault", inside)); err != nil || !p.Definition.Confined || p.Version != before {
		t.Errorf("a change to the same: %+v at %d, was %d, %v", p, p.Version, before, err)
	}

	p, err = f.Make(t.Context(), "wire", "ours", define("base", `{"host":"h","password":"${env:SECRET}"}`))
	if err != nil || p.Definition.Confined {
		t.Fatalf("%+v, %v", p, err)
	}
	if p, err = f.Alter(remote(t), "wire", "ours", note(`{"seen":2}`)); err != nil || p.Definition.Confined || p.Revision != 1 {
		t.Errorf("a report of a run confines: %+v, %v", p, err)
	}
	if p, err = f.Alter(remote(t), "wire", "ours", define("vault", inside)); err != nil || !p.Definition.Confined {
		t.Errorf("%+v, %v", p, err)
	}
	inPlace := func(_ syncline.Tx, p *syncline.Pipeline) error {
		p.Definition.Entities[0].Name = "more"
		return nil
	}
	d := example()
	if _, err := f.Make(t.Context(), "wire", "listed", func(_ syncline.Tx, p *syncline.Pipeline) error {
		p.Ext["wire"], p.Definition = json.RawMessage(`{}`), d
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if p, err = f.Alter(remote(t), "wire", "listed", inPlace); err != nil || !p.Definition.Confined {
		t.Errorf("changed in place: %+v, %v", p, err)
	}
}

func TestLookingAroundIsConfinedToo(t *testing.T) {
	t.Parallel()
	f := setupConfined(t)
	for _, raw := range []string{"/etc/passwd", "file:///etc", "base://u:${env:SECRET}@h/d", "base://h/${file:/etc/passwd}"} {
		if found, err := f.CheckURL(remote(t), raw, "/"); err == nil {
			t.Errorf("%s: %+v", raw, found)
		}
		if found, err := f.CheckURL(t.Context(), raw, "/"); err != nil || len(found) == 0 {
			t.Errorf("our own %s: %v", raw, err)
		}
	}
	if found, err := f.CheckURL(remote(t), "base://u@h/d", "/"); err != nil || len(found) != 2 {
		t.Errorf("%+v, %v", found, err)
	}
	d := from("vault", `{"path":"/etc"}`)
	_, err := f.Entities(remote(t), d)
	says(t, err, syncline.InvalidArgument, "source.path", "outside the folders")
	d.Confined = true
	_, err = f.Entities(t.Context(), d)
	says(t, err, syncline.InvalidArgument, "source.path", "outside the folders")
}

// referring is a reference that is not escaped by a second $.
var referring = regexp.MustCompile(`(^|[^$])\$\{[a-zA-Z]+:[^}]*\}`)

// FuzzRoots: a path that is taken leads nowhere but below the root.
func FuzzRoots(f *testing.F) {
	for _, s := range []string{"/srv/data/a", "/srv/data/../x", "/srv/data", "/srv/database", "//srv//data//", "/srv/./data/x", "srv/data", "/srv/data/${env:X}"} {
		f.Add(s)
	}
	c := catalog.New(catalog.Options{Registry: kinds(vault), Host: "here", Roots: []string{"/srv/data"}})
	f.Fuzz(func(t *testing.T, path string) {
		raw, err := json.Marshal(map[string]string{"path": path})
		if err != nil {
			return
		}
		var said map[string]string
		if err := json.Unmarshal(raw, &said); err != nil {
			t.Fatal(err)
		}
		d := syncline.Definition{Source: endpoint("base", `{"host":"h"}`), Destination: endpoint("vault", string(raw)), Confined: true}
		if len(c.Check(d)) > 0 {
			return
		}
		name, ok := strings.CutPrefix(filepath.Clean(said["path"]), "/srv/data")
		if !ok || name != "" && name[0] != '/' || referring.MatchString(said["path"]) || strings.Contains("/"+said["path"]+"/", "/../") {
			t.Fatalf("%q is taken", said["path"])
		}
	})
}
