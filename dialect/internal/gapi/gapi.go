// Package gapi is what Google-style APIs share: REST from the http rules of gRPC services,
// gRPC from the same implementation, errors, masks, page tokens and names. It knows no API.
//
// The rules are those of https://google.aip.dev, of google/api/http.proto
// (https://github.com/googleapis/googleapis/blob/master/google/api/http.proto) and of
// https://cloud.google.com/apis/docs/system-parameters.
package gapi

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"google.golang.org/grpc"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/dialect"
)

// Service is a gRPC service and what implements it. The service's generated code must be
// linked in. Methods return *syncline.Error; anything else is shown as an internal error.
type Service struct {
	Desc *grpc.ServiceDesc
	Impl any
}

// Options of a Mux. Name, Services and Log are required.
type Options struct {
	Name     string // the dialect's
	Prefix   string // "/x": where the REST side can be asked for too, when several APIs share a listener
	Services []Service
	// Discovery holds the API's discovery documents by version. The addresses in them are
	// replaced by the one that was asked.
	Discovery map[string][]byte
	Log       *slog.Logger
}

// Mux serves services as REST and as gRPC.
type Mux struct {
	o         Options
	bindings  []*binding         // most specific first
	methods   map[string]*method // by the path that gRPC has for them
	discovery map[string]document
}

var _ dialect.Dialect = (*Mux)(nil)

// New reads the services' rules. It fails when a rule cannot be served.
func New(o Options) (*Mux, error) {
	m := &Mux{o: o, methods: map[string]*method{}}
	for _, s := range o.Services {
		if err := m.add(s); err != nil {
			return nil, fmt.Errorf("service %s: %w", s.Desc.ServiceName, err)
		}
	}
	if err := sortBindings(m.bindings); err != nil {
		return nil, err
	}
	var err error
	m.discovery, err = readDocuments(o.Discovery)
	return m, err
}

// Name is the dialect's word in the ledger.
func (m *Mux) Name() string { return m.o.Name }

// Owns a request that some rule could mean, whatever its verb; a discovery document that
// is there; and gRPC for one of the services.
func (m *Mux) Owns(r *http.Request) bool {
	if isGRPC(r) {
		return m.serves(r.URL.Path)
	}
	if _, ok := m.document(r); ok {
		return true
	}
	p, ok := splitPath(m.path(r))
	return ok && m.means(p)
}

func (m *Mux) means(p path) bool {
	for _, b := range m.bindings {
		if _, ok := b.template.match(p); ok {
			return true
		}
	}
	return false
}

// path is the request's, still encoded, without the prefix.
func (m *Mux) path(r *http.Request) string {
	whole := r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(whole, m.o.Prefix); ok && strings.HasPrefix(rest, "/") {
		return rest
	}
	return whole
}

// ServeHTTP answers.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch d, ok := m.document(r); {
	case isGRPC(r):
		m.serveGRPC(w, r)
	case ok:
		m.serveDocument(w, r, d)
	default:
		m.serveREST(w, r)
	}
}

// Refuse draws an error of the door.
func (m *Mux) Refuse(w http.ResponseWriter, r *http.Request, e *syncline.Error) {
	if isGRPC(r) {
		writeTrailers(w, m.failure(r, e))
		return
	}
	writeFailure(w, m.failure(r, e), !plainWanted(r))
}

// known refuses who did not say who they are, before anything of the request is looked at.
func known(r *http.Request) error {
	if auth.From(r.Context()).Key == "" {
		return auth.ErrNoKey()
	}
	return nil
}
