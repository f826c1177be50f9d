// Package dialect is the contract of a wire API. A dialect translates and decides
// nothing: states, names and errors are drawn from what catalog and ledger hold.
package dialect

import (
	"net/http"

	"github.com/synclinehq/syncline"
)

// Dialect serves one wire API. Several may share a listener: the server asks each, in a
// fixed order, whether a request is its own.
type Dialect interface {
	// Name is the dialect's word in the ledger: names, documents and Ext are kept by it.
	Name() string
	// Owns reports whether the request belongs to this dialect, by its method, path and
	// headers alone. It is called for every request and must be cheap.
	Owns(r *http.Request) bool
	// ServeHTTP answers. Who calls is in the request's context (auth.From); what the
	// caller may is for the dialect to ask, before it does anything.
	http.Handler
	// Refuse answers, in the dialect's own words, a request that the door does not let in
	// or that came to grief: e says why. It writes status, headers and body.
	Refuse(w http.ResponseWriter, r *http.Request, e *syncline.Error)
}
