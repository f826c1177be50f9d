// Package elastic is Elasticsearch's connector API over the ledger: a connector is a
// pipeline, a sync job is a run. What else Elastic's connector service asks of
// Elasticsearch it answers from the same records, or passes on to a search cluster.
//
// Wire facts are those of Elasticsearch 9:
// https://www.elastic.co/docs/api/doc/elasticsearch/group/endpoint-connector
package elastic

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/dialect"
	"github.com/synclinehq/syncline/ledger"
)

// Name is the dialect's word: of names, documents, and the drawers of pipelines and runs.
const Name = "elastic"

// prefix is where the API can be asked for too, when several share a listener.
const prefix = "/elastic"

// Options of the API. Ledger, Catalog and Log are required.
type Options struct {
	Ledger  *ledger.Ledger
	Catalog *catalog.Catalog
	Log     *slog.Logger
	// Upstream is the search cluster that everything goes to which is not the API's own,
	// and where connectors that Syncline runs itself write; nil: there is none.
	Upstream *Upstream
	// Release is the Elasticsearch that clients take the server for; default 9.6.0.
	Release string
	// Now is the clock of what clients are told; default time.Now.
	Now func() time.Time
}

// API is the dialect.
type API struct {
	o       Options
	routes  []route
	cluster *cluster // nil: there is none
}

var _ dialect.Dialect = (*API)(nil)

// New makes the API.
func New(o Options) *API {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Release == "" {
		o.Release = release
	}
	a := &API{o: o, cluster: newCluster(o.Upstream)}
	a.routes = a.table()
	return a
}

// Name is the dialect's word in the ledger.
func (a *API) Name() string { return Name }

// Owns every request: the server asks this dialect last, since any path that is nobody
// else's may be one of Elasticsearch's.
func (a *API) Owns(*http.Request) bool { return true }

// ServeHTTP answers.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), prefix)
	c := &call{api: a, w: w, r: r, path: path}
	c.answer(c.dispatch())
}

// Refuse draws an error of the door.
func (a *API) Refuse(w http.ResponseWriter, r *http.Request, e *syncline.Error) {
	c := &call{api: a, w: w, r: r, path: r.URL.EscapedPath()}
	c.answer(answer{}, e)
}
