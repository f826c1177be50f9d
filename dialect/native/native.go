// Package native is Syncline's own API, under /api/v1, with its OpenAPI 3.1 description at
// /api/v1/openapi.json. The command line and workers use it through package client, whose
// documents it draws.
package native

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/client"
	"github.com/synclinehq/syncline/dialect"
	"github.com/synclinehq/syncline/ledger"
)

// Base is where the API begins.
const Base = "/api/v1"

const (
	maxBody      = 1 << 20
	maxLargeBody = 16 << 20 // rejects come with samples, configuration in many files
)

// Options of the API. All but HandOver are required.
type Options struct {
	Ledger  *ledger.Ledger
	Catalog *catalog.Catalog
	Keys    *auth.Keys
	Log     *slog.Logger
	// About says which process answers.
	About func() client.About
	// HandOver lets go of the ledger for a server that wants it; nil: refused.
	HandOver func()
}

// API is the dialect.
type API struct {
	o       Options
	api     huma.API
	handler http.Handler
	closed  chan struct{}
	close   sync.Once
}

var _ dialect.Dialect = (*API)(nil)

// New makes the API.
func New(o Options) *API {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Syncline", o.About().Version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = Base+"/openapi", "", Base+"/schemas"
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"key": {Type: "http", Scheme: "bearer", Description: "A key as `syncline keys create` shows it; ApiKey and Basic are taken too. Over the socket none is needed."},
	}
	config.Security = []map[string][]string{{"key": {}}}
	config.CreateHooks = nil // no $schema member in answers: they are read by people too
	a := &API{o: o, api: humago.New(mux, config), handler: mux, closed: make(chan struct{})}
	a.pipelines()
	a.runs()
	a.work()
	a.keys()
	a.process()
	mux.HandleFunc("/", a.nothing)
	return a
}

// schemaName tells what the API shows from what the ledger keeps: there is a Run of both.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.PkgPath() == reflect.TypeFor[syncline.Run]().PkgPath() {
		return "Ledger" + name
	}
	return name
}

// Close ends the streams, which otherwise last as long as their readers like.
func (a *API) Close() { a.close.Do(func() { close(a.closed) }) }

// Name is "native".
func (a *API) Name() string { return "native" }

// Owns what lies under Base.
func (a *API) Owns(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, Base+"/") }

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// Refuse answers as every other error of the API does.
func (a *API) Refuse(w http.ResponseWriter, _ *http.Request, e *syncline.Error) {
	f := fail(e)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	if err := json.NewEncoder(w).Encode(f.Failure); err != nil {
		a.o.Log.Debug("answer", "err", err)
	}
}

// nothing answers for what is no call of the API.
func (a *API) nothing(w http.ResponseWriter, r *http.Request) {
	a.Refuse(w, r, syncline.Errorf(syncline.NotFound, "no call %s %s", r.Method, r.URL.Path).Of(syncline.ClassConfig).Try("%s/openapi.json describes those there are", Base))
}

// OpenAPI is the API's description.
func (a *API) OpenAPI() *huma.OpenAPI { return a.api.OpenAPI() }

type body[T any] struct{ Body T }

// handle registers one call and what its caller must be allowed to do. What fn answers is
// the body; its error is drawn once, here.
func handle[I, O any](a *API, may auth.Action, id, method, path, summary string, fn func(ctx context.Context, in *I) (O, error)) {
	op := huma.Operation{OperationID: id, Method: method, Path: Base + path, Summary: summary, MaxBodyBytes: maxBody, Middlewares: a.gate(may)}
	if strings.HasPrefix(path, "/worker/") || path == "/apply" {
		op.MaxBodyBytes = maxLargeBody
	}
	huma.Register(a.api, op, func(ctx context.Context, in *I) (*body[O], error) {
		out, err := fn(ctx, in)
		if err != nil {
			return nil, drawError(ctx, a.o.Log, err)
		}
		return &body[O]{out}, nil
	})
}

// gate asks whether the caller may, before anything of the request is read.
func (a *API) gate(may auth.Action) huma.Middlewares {
	return huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		if err := permitted(ctx.Context(), may); err != nil {
			r, w := humago.Unwrap(ctx)
			a.Refuse(w, r, drawError(ctx.Context(), a.o.Log, err).Failure.Error)
			return
		}
		next(ctx)
	}}
}

// permitted asks for the role. Which pipelines the caller sees is asked where one is found;
// what is no single pipeline's takes a key for all.
func permitted(ctx context.Context, may auth.Action) error {
	p := auth.From(ctx)
	if may == auth.Work || may == auth.Administer {
		return p.May(may, "")
	}
	return p.Can(may)
}

// done is the answer of calls that only succeed or fail.
type done struct {
	OK bool `json:"ok"`
}

// process registers what is about the process itself.
func (a *API) process() {
	handle(a, auth.Read, "about", http.MethodGet, "/about", "Which process answers", func(context.Context, *struct{}) (client.About, error) {
		return a.o.About(), nil
	})
	handle(a, auth.Administer, "hand-over", http.MethodPost, "/hand-over", "Let go of the ledger for a server", func(ctx context.Context, _ *struct{}) (done, error) {
		if !auth.From(ctx).Local {
			return done{}, syncline.Errorf(syncline.PermissionDenied, "the ledger is handed over on its own machine only").Of(syncline.ClassAuth)
		}
		if a.o.HandOver == nil {
			return done{}, syncline.Errorf(syncline.FailedPrecondition, "this process keeps the ledger as long as it runs").Because("server")
		}
		a.o.HandOver()
		return done{true}, nil
	})
}
