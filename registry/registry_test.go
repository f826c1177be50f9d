package registry_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/spec"
	"github.com/synclinehq/syncline/task"
)

func kind(name string, schemes ...string) spec.Spec {
	return spec.Spec{Kind: name, Schemes: schemes, FromURL: func(u *url.URL) (json.RawMessage, error) {
		return json.Marshal(map[string]string{"scheme": u.Scheme, "host": u.Host, "path": u.Path, "query": u.RawQuery})
	}}
}

func sample() *registry.Registry {
	return registry.New(
		[]source.Kind{{Spec: kind("postgres", "postgres", "postgresql")}, {Spec: kind("sqlite", "sqlite")}, {Spec: kind("files", "file")}, {Spec: kind("feed", "feed")}},
		[]destination.Kind{{Spec: kind("files", "file")}, {Spec: kind("sqlite", "sqlite")}, {Spec: kind("postgres", "postgres", "postgresql")}},
		[]task.Kind{{Name: "transfer"}})
}

func TestListsKeepTheirOrder(t *testing.T) {
	r := sample()
	var got []string
	for _, s := range r.Specs(registry.Destination) {
		got = append(got, s.Kind)
	}
	if strings.Join(got, " ") != "files sqlite postgres" {
		t.Errorf("destinations: %v", got)
	}
	if len(r.Sources()) != 4 || len(r.Destinations()) != 3 || len(r.Tasks()) != 1 {
		t.Error("a list lost a kind")
	}
}

func TestLookups(t *testing.T) {
	r := sample()
	if k, ok := r.Source("sqlite"); !ok || k.Spec.Kind != "sqlite" {
		t.Error("no source sqlite")
	}
	if k, ok := r.Destination("files"); !ok || k.Spec.Kind != "files" {
		t.Error("no destination files")
	}
	if k, ok := r.Task("transfer"); !ok || k.Name != "transfer" {
		t.Error("no task transfer")
	}
	if _, ok := r.Spec(registry.Destination, "feed"); ok {
		t.Error("feed is no destination")
	}
	if _, ok := r.Source("mysql"); ok {
		t.Error("mysql is not here")
	}
}

func TestTheSameNameTwicePanics(t *testing.T) {
	for name, build := range map[string]func(){
		"kind":   func() { registry.New([]source.Kind{{Spec: kind("a", "x")}, {Spec: kind("a", "y")}}, nil, nil) },
		"scheme": func() { registry.New(nil, []destination.Kind{{Spec: kind("a", "x")}, {Spec: kind("b", "x")}}, nil) },
		"task":   func() { registry.New(nil, nil, []task.Kind{{Name: "a"}, {Name: "a"}}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			build()
		})
	}
}

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]string{
		"postgres://u:p@h:5/db?sslmode=disable": "postgres postgres h:5 /db sslmode=disable",
		"PostgreSQL://h/db":                     "postgres postgresql h /db ",
		"sqlite:///var/x.db":                    "sqlite sqlite  /var/x.db ",
		"sqlite://x.db":                         "sqlite sqlite  /home/me/x.db ",
		"sqlite://../you/x.db?mode=ro":          "sqlite sqlite  /home/you/x.db mode=ro",
		"sqlite:x.db":                           "sqlite sqlite  /home/me/x.db ",
		"file:///in/*.csv":                      "files file  /in/*.csv ",
		"file://localhost/in/a%20b.csv":         "files file  /in/a b.csv ",
		"FILE://data/*.csv.gz?delimiter=%3B":    "files file  /home/me/data/*.csv.gz delimiter=%3B",
		"data/50%.csv":                          "files file  /home/me/data/50%.csv ",
		"what?.csv":                             "files file  /home/me/what?.csv ",
		"./a/../b/":                             "files file  /home/me/b/ ",
		"/":                                     "files file  / ",
		"a:b.csv":                               "files file  /home/me/a:b.csv ",
		"  warehouse.DB ":                       "sqlite sqlite  /home/me/warehouse.DB ",
		"x.sqlite":                              "sqlite sqlite  /home/me/x.sqlite ",
		"/abs/x.sqlite3":                        "sqlite sqlite  /abs/x.sqlite3 ",
	} {
		k, settings, err := sample().ParseURL(registry.Source, raw, "/home/me")
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		var s map[string]string
		if err := json.Unmarshal(settings, &s); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join([]string{k, s["scheme"], s["host"], s["path"], s["query"]}, " "); got != want {
			t.Errorf("%s:\n got %q\nwant %q", raw, got, want)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                       "the destination is empty",
		"mysql://u:canary@h/db":                  "no destination speaks mysql://",
		"feed://h":                               "feed:// can only be a source",
		"postgres://u:can/canary@h/db":           "cannot be read",
		"postgres://u:1#canary@h/db":             "cannot be read",
		"postgres://u:%zzcanary@h/db":            "cannot be read",
		"postgres://u:ca nary@h:canary/db":       "cannot be read",
		"sqlite:///a%zz.db":                      "cannot be read",
		"host=localhost user=me password=canary": "key=value",
	} {
		_, _, err := sample().ParseURL(registry.Destination, raw, "/home/me")
		var e *syncline.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v is no *syncline.Error", raw, err)
			continue
		}
		if e.Code != syncline.InvalidArgument || !strings.Contains(e.Message, want) || e.Hint == "" {
			t.Errorf("%s: %q, hint %q; want %q", raw, e.Message, e.Hint, want)
		}
		if strings.Contains(e.Message+e.Hint, "canary") {
			t.Errorf("%s: the error repeats the password: %q, hint %q", raw, e.Message, e.Hint)
		}
	}
}

func TestUnknownSchemeNamesTheKnownOnes(t *testing.T) {
	_, _, err := sample().ParseURL(registry.Destination, "mysql://h/db", "/")
	var e *syncline.Error
	if !errors.As(err, &e) || e.Hint != "known here: file://, sqlite://, postgres://, postgresql:// or a plain path" {
		t.Errorf("%+v", e)
	}
}
