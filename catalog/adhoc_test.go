package catalog_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
)

func TestAdhocNames(t *testing.T) {
	t.Parallel()
	c := storeless(t)
	name := func(a catalog.Adhoc) string {
		t.Helper()
		if a.Cwd == "" {
			a.Cwd = "/home/me"
		}
		n, _, err := c.Adhoc(a)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := catalog.Adhoc{Source: "base://app:canary@db/mydb", Destination: "out/warehouse", Entities: []string{"public.*", "a"}}
	got := name(first)
	if !regexp.MustCompile(`^mydb-a-public-to-warehouse-[0-9a-f]{8}$`).MatchString(got) {
		t.Errorf("got %q", got)
	}
	for source, want := range map[string]string{
		"in/*.csv": "in", "in/a.csv.gz": "a", "in/": "in", "/": "shelf", "base://h": "h", "base://h/My_Db": "my-db",
	} {
		if got := name(catalog.Adhoc{Source: source, Destination: "out"}); !strings.HasPrefix(got, want+"-to-out-") {
			t.Errorf("%s: got %q", source, got)
		}
	}
	for what, change := range map[string]func(*catalog.Adhoc){
		"password":    func(a *catalog.Adhoc) { a.Source = "base://app:other@db/mydb" },
		"reference":   func(a *catalog.Adhoc) { a.Source = "base://app:${env:X}@db/mydb" },
		"order":       func(a *catalog.Adhoc) { a.Entities = []string{"a", "public.*", "a"} },
		"way to say":  func(a *catalog.Adhoc) { a.Destination = "file:///home/me/out/warehouse" },
		"from inside": func(a *catalog.Adhoc) { a.Destination, a.Cwd = "warehouse", "/home/me/out" },
	} {
		a := first
		change(&a)
		if same := name(a); same != got {
			t.Errorf("another %s makes another pipeline: %q, %q", what, same, got)
		}
	}
	for what, change := range map[string]func(*catalog.Adhoc){
		"user":     func(a *catalog.Adhoc) { a.Source = "base://other:canary@db/mydb" },
		"host":     func(a *catalog.Adhoc) { a.Source = "base://app:canary@db2/mydb" },
		"place":    func(a *catalog.Adhoc) { a.Destination = "elsewhere/warehouse" },
		"entities": func(a *catalog.Adhoc) { a.Entities = nil },
		"mode":     func(a *catalog.Adhoc) { a.Mode = syncline.ModeFull },
		"cursor":   func(a *catalog.Adhoc) { a.Cursor = "x" },
		"key":      func(a *catalog.Adhoc) { a.Key = []string{"x"} },
		"write":    func(a *catalog.Adhoc) { a.Write = syncline.Append },
	} {
		a := first
		change(&a)
		if other := name(a); other == got {
			t.Errorf("another %s makes the same pipeline", what)
		}
	}
	elsewhere, _, err := catalog.New(catalog.Options{Registry: kinds(), Host: "there"}).Adhoc(catalog.Adhoc{
		Source: first.Source, Destination: first.Destination, Entities: first.Entities, Cwd: "/home/me",
	})
	if err != nil || elsewhere == got {
		t.Errorf("the same path on another machine is the same pipeline: %q, %v", elsewhere, err)
	}
	first.Name = "mine"
	if got := name(first); got != "mine" {
		t.Errorf("got %q", got)
	}
}

func TestAdhocNamesCanBeStored(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, source := range []string{
		"/", "*.csv", "./x", "/data/**/x-*.csv.gz", "/päth/ünïcode ß/🙂.csv", "/" + strings.Repeat("long/", 60) + "x.csv", "base://h", "base://h/-_-",
	} {
		name, d, err := f.Adhoc(catalog.Adhoc{Source: source, Destination: "/很" + strings.Repeat("很", 50), Entities: []string{strings.Repeat("很", 50)}, Cwd: "/"})
		if err != nil {
			t.Fatal(err)
		}
		if _, ch := f.put(t, name, d); ch.What != catalog.Created {
			t.Errorf("%q: %+v", name, ch)
		}
		if _, ch := f.put(t, name, d); ch.What != catalog.Unchanged {
			t.Errorf("%q again: %+v", name, ch)
		}
	}
}

func TestAdhocDefinition(t *testing.T) {
	t.Parallel()
	c := storeless(t)
	a := catalog.Adhoc{
		Source: "base://u:canary@h/d", Destination: "/out", Entities: []string{"b", "a"}, Mode: syncline.ModeIncremental,
		Cursor: "at", Key: []string{"id"}, Write: syncline.Upsert, Cwd: "/",
	}
	_, d, err := c.Adhoc(a)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Entities) != 2 || d.Entities[0].Name != "a" || d.Entities[1].Cursor != "at" || d.Entities[1].Write != syncline.Upsert {
		t.Errorf("got %+v", d.Entities)
	}
	a.Entities = nil
	if _, d, err = c.Adhoc(a); err != nil || len(d.Entities) != 1 || d.Entities[0].Name != "" || d.Entities[0].Cursor != "at" {
		t.Errorf("everything, incrementally: %+v, %v", d.Entities, err)
	}
	if _, d, err = c.Adhoc(catalog.Adhoc{Source: a.Source, Destination: "/out", Cwd: "/"}); err != nil || d.Entities != nil {
		t.Errorf("everything: %+v, %v", d.Entities, err)
	}
	a.Cursor = ""
	_, _, err = c.Adhoc(a)
	says(t, err, syncline.InvalidArgument, "entities[0].cursor", "by no cursor")
	_, _, err = c.Adhoc(catalog.Adhoc{Source: "base://u:canary/x@h/d", Destination: "/out", Cwd: "/"})
	says(t, err, syncline.InvalidArgument, "source", "cannot be read")
	_, _, err = c.Adhoc(catalog.Adhoc{Source: "/in", Destination: "bass://u:canary@h/d", Cwd: "/"})
	says(t, err, syncline.InvalidArgument, "destination", "no destination speaks bass")
}
