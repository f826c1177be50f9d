package elastic

import (
	"net/http"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/ledger"
)

// The indexes that Elasticsearch keeps connectors and sync jobs in. Elastic's connector
// service reads and writes them as documents, beside the API and for the same things.
// https://github.com/elastic/connectors/blob/main/app/connectors_service/connectors/protocol/connectors.py
const (
	connectorsIndex = ".elastic-connectors"
	jobsIndex       = ".elastic-connectors-sync-jobs"
)

// documentRoutes are the calls on the documents of connectors and jobs.
var documentRoutes = slices.Concat(
	rootRoutes,
	indexRoutes(connectorsIndex, (*call).connectorHits, documentCalls{
		get: (*call).getConnectorDocument, post: (*call).postConnectorDocument,
		update: (*call).updateConnectorDocument, remove: (*call).deleteConnectorDocument, makes: auth.Edit, changes: auth.Edit,
	}),
	indexRoutes(jobsIndex, (*call).jobHits, documentCalls{
		get: (*call).getJobDocument, post: (*call).postJobDocument,
		update: (*call).updateJobDocument, remove: (*call).deleteJobDocument, makes: auth.Operate, changes: auth.Read,
	}),
)

// documentCalls are what one kind of document is done to.
type documentCalls struct {
	get, post, update, remove func(c *call) (answer, error)
	// makes is what a caller needs to make or remove one, changes to change it; of a job,
	// that depends on what becomes of it.
	makes, changes auth.Action
}

var (
	searchQuery = []string{
		"expand_wildcards", "ignore_unavailable", "allow_no_indices", "from", "size", "seq_no_primary_term",
		"track_total_hits", "typed_keys", "preference", "request_cache",
	}
	writeQuery = []string{
		"if_seq_no", "if_primary_term", "refresh", "retry_on_conflict", "timeout", "wait_for_active_shards", "require_alias", "op_type",
	}
	readQuery = []string{"realtime", "refresh", "preference"}
)

// indexRoutes are the calls on one kind of document, under both names of its index.
func indexRoutes(name string, hits hitsOf, k documentCalls) (all []route) {
	for _, index := range []string{name, name + "-v1"} {
		at := func(method, path string, query []string, may auth.Action, handle func(c *call) (answer, error)) {
			all = append(all, route{method: method, path: "/" + index + path, query: query, may: may, worker: path == "/_update/{id}", handle: handle})
		}
		look := func(s *call) (answer, error) { return s.searched(index, hits) }
		tally := func(s *call) (answer, error) { return s.counted(hits) }
		at(http.MethodGet, "", searchQuery, auth.Read, func(*call) (answer, error) { return describedIndex(index) })
		at(http.MethodPut, "", writeQuery, auth.Read, func(*call) (answer, error) { return answer{}, indexExists(index) })
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			at(method, "/_search", searchQuery, auth.Read, look)
			at(method, "/_count", searchQuery, auth.Read, tally)
			at(method, "/_refresh", searchQuery, auth.Read, refreshed)
		}
		at(http.MethodPost, "/_doc", writeQuery, k.makes, k.post)
		at(http.MethodGet, "/_doc/{id}", readQuery, auth.Read, k.get)
		at(http.MethodDelete, "/_doc/{id}", writeQuery, k.makes, k.remove)
		at(http.MethodPost, "/_update/{id}", writeQuery, k.changes, k.update)
	}
	return all
}

// describedIndex says that an index is there: what makes it needs no more to go on.
func describedIndex(index string) (answer, error) {
	return ok(map[string]any{index: map[string]any{"aliases": map[string]any{}, "mappings": map[string]any{}, "settings": map[string]any{}}}), nil
}

func indexExists(index string) error {
	return fault(http.StatusBadRequest, "resource_already_exists_exception", "index [%s] already exists", index)
}

// refreshed has nothing to do: what was written is seen by the next read.
func refreshed(*call) (answer, error) { return ok(map[string]any{"_shards": shards()}), nil }

// head is what every answer about a document begins with. Its sequence number is the
// version of the stored thing, whichever API changed it.
func (c *call) head(id string, version int64) map[string]any {
	index, _, _ := strings.Cut(strings.TrimPrefix(c.route.path, "/"), "/")
	return map[string]any{"_index": index, "_id": id, "_version": version, "_seq_no": version, "_primary_term": 1}
}

// written answers a write.
func (c *call) written(id string, version int64, result string) answer {
	doc := c.head(id, version)
	doc["result"] = result
	done := 1
	if result == "noop" {
		done = 0
	}
	doc["_shards"] = map[string]any{"total": done, "successful": done, "failed": 0}
	a := ok(doc)
	if result == "created" {
		a.status = http.StatusCreated
	}
	return a
}

func (c *call) found(id string, version int64, source map[string]any) answer {
	doc := c.head(id, version)
	doc["found"], doc["_source"] = true, source
	return ok(doc)
}

// absent answers a read of a document that is not there for the caller: it is no error, and
// has no envelope.
func (c *call) absent(id string) answer {
	doc := c.head(id, 0)
	return answer{status: http.StatusNotFound, body: map[string]any{"_index": doc["_index"], "_id": id, "found": false}}
}

// documentMissing is the error of a change of a document that is not there.
func documentMissing(id string) error {
	return fault(http.StatusNotFound, "document_missing_exception", "[%s]: document missing", id)
}

func (c *call) getConnectorDocument() (answer, error) {
	id := c.vars["id"]
	k, err := c.connector(id)
	if hidden(err) {
		return c.absent(id), nil
	}
	if err != nil {
		return answer{}, err
	}
	return c.found(id, k.p.Version, c.connectorSource(k)), nil
}

// connectorSource is a connector's document as the caller may read it.
func (c *call) connectorSource(k *connector) map[string]any {
	doc := c.show(k)
	delete(doc, "id")
	return doc
}

// getJobDocument counts as a sign of life of whoever holds the job under the caller's key:
// Elastic's service reads a job it works on every few seconds.
func (c *call) getJobDocument() (answer, error) {
	id := c.vars["id"]
	j, err := c.wholeJob(id)
	if hidden(err) {
		return c.absent(id), nil
	}
	if err != nil {
		return answer{}, err
	}
	c.heard(&j.Run, c.who().Key)
	return c.found(id, j.Run.Version, c.jobSource(j.Detail, j.p)), nil
}

// jobSource is a job's document as the caller may read it.
func (c *call) jobSource(d ledger.Detail, p *syncline.Pipeline) map[string]any {
	doc := c.showJob(d, p)
	delete(doc, "id")
	return doc
}
