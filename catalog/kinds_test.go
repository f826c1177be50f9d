package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/secret"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/spec"
)

// base is a database behind a network, with a secret; shelf a folder of this machine.
var (
	baseFields = []spec.Field{
		{Name: "host", Type: spec.String, Required: true, Help: "Where it is."},
		{Name: "port", Type: spec.Int, Default: 1234, Help: "Port."},
		{Name: "user", Type: spec.String, Help: "User."},
		{Name: "password", Type: spec.Password, Help: "Password."},
		{Name: "database", Type: spec.String, Help: "Database."},
		{Name: "timeout", Type: spec.Duration, Help: "How long to wait."},
	}
	base = spec.Spec{
		Kind: "base", Summary: "A database.", Fields: baseFields, Schemes: []string{"base"},
		FromURL: baseFromURL, Show: showBase,
	}
	shelf = spec.Spec{
		Kind: "shelf", Summary: "A folder.", Schemes: []string{"file"},
		Fields:     []spec.Field{{Name: "path", Type: spec.String, Required: true, Help: "The folder."}},
		FromURL:    func(u *url.URL) (json.RawMessage, error) { return json.Marshal(map[string]string{"path": u.Path}) },
		Show:       func(s json.RawMessage) string { return (&url.URL{Scheme: "file", Path: field(s, "path")}).String() },
		Local:      func(json.RawMessage) bool { return true },
		Cursorless: true,
	}
	// leaky is a plugin with a slip: it shows its secret.
	leaky = spec.Spec{
		Kind: "leaky", Fields: []spec.Field{{Name: "password", Type: spec.Password, Help: "Password."}},
		Show: func(s json.RawMessage) string { return "leaky://" + field(s, "password") },
	}
)

func baseFromURL(u *url.URL) (json.RawMessage, error) {
	settings, err := spec.FromText("base", baseFields, u.Query())
	if err != nil {
		return nil, err
	}
	settings["host"], settings["database"] = u.Hostname(), strings.TrimPrefix(u.Path, "/")
	if u.Port() != "" {
		settings["port"], _ = strconv.Atoi(u.Port())
	}
	settings["user"] = u.User.Username()
	if password, ok := u.User.Password(); ok {
		settings["password"] = password
	}
	return json.Marshal(settings)
}

func showBase(settings json.RawMessage) string {
	return "base://" + field(settings, "user") + "@" + field(settings, "host") + "/" + field(settings, "database")
}

func field(settings json.RawMessage, name string) string {
	var members map[string]any
	_ = json.Unmarshal(settings, &members)
	text, _ := members[name].(string)
	return text
}

// opened is an open endpoint that finds fault with one password.
type opened struct {
	source.Source
	destination.Destination
	settings json.RawMessage
}

func (o opened) Close() error { return nil }

func (o opened) Check(context.Context) ([]source.Finding, error) {
	return []source.Finding{{Level: source.OK, What: "connection", Text: "opened with " + strconv.Itoa(len(o.settings)) + " bytes"}}, nil
}

func (o opened) Entities(_ context.Context, patterns []string) ([]source.Entity, error) {
	var out []source.Entity
	for _, p := range patterns {
		out = append(out, source.Entity{Name: p})
	}
	return out, nil
}

func open(settings json.RawMessage) (opened, error) {
	if field(settings, "password") == "wrong" {
		return opened{}, syncline.Errorf(syncline.Unauthenticated, "the server refuses the user").Of(syncline.ClassAuth).Try("check the password")
	}
	return opened{settings: settings}, nil
}

func kinds(more ...spec.Spec) *registry.Registry {
	var sources []source.Kind
	var destinations []destination.Kind
	for _, s := range append([]spec.Spec{base, shelf, leaky}, more...) {
		sources = append(sources, source.Kind{Spec: s, Open: func(_ context.Context, _ source.Env, settings json.RawMessage) (source.Source, error) {
			return open(settings)
		}})
		destinations = append(destinations, destination.Kind{Spec: s, Open: func(_ context.Context, _ source.Env, settings json.RawMessage) (destination.Destination, error) {
			return open(settings)
		}})
	}
	return registry.New(sources, destinations, nil)
}

// storeless is a catalog for what needs no store.
func storeless(t *testing.T) *catalog.Catalog {
	t.Helper()
	return catalog.New(catalog.Options{Registry: kinds(), Box: newBox(t), Host: "here"})
}

func newBox(t *testing.T) *secret.Box {
	t.Helper()
	box, err := secret.Load(filepath.Join(t.TempDir(), "master.key"), "")
	if err != nil {
		t.Fatal(err)
	}
	return box
}

// says checks that err is for people, says what it should, and tells no secret.
func says(t *testing.T, err error, code syncline.Code, field string, texts ...string) {
	t.Helper()
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok {
		t.Fatalf("%v is no *syncline.Error", err)
	}
	if e.Code != code || e.Field != field {
		t.Errorf("got code %q, field %q, want %q, %q: %s", e.Code, e.Field, code, field, e.Message)
	}
	for _, text := range texts {
		if !strings.Contains(e.Message+" | "+e.Hint, text) {
			t.Errorf("got %q (%s), want %q in it", e.Message, e.Hint, text)
		}
	}
	if strings.Contains(e.Message+e.Hint, "canary") {
		t.Errorf("the error tells a secret: %q (%s)", e.Message, e.Hint)
	}
}
