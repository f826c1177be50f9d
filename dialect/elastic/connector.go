package elastic

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
)

// connectorRoutes are the calls on connectors.
// https://www.elastic.co/docs/api/doc/elasticsearch/group/endpoint-connector
var connectorRoutes = []route{
	{method: http.MethodPost, path: "/_connector", may: auth.Edit, handle: (*call).createConnector},
	{method: http.MethodPut, path: "/_connector", may: auth.Edit, handle: (*call).createConnector},
	{method: http.MethodPut, path: "/_connector/{connector_id}", may: auth.Edit, handle: (*call).putConnector},
	{method: http.MethodGet, path: "/_connector", query: listQuery, may: auth.Read, handle: (*call).listConnectors},
	{method: http.MethodGet, path: "/_connector/{connector_id}", query: []string{"include_deleted"}, may: auth.Read, handle: (*call).getConnector},
	{method: http.MethodDelete, path: "/_connector/{connector_id}", query: []string{"delete_sync_jobs", "hard"}, may: auth.Edit, handle: (*call).deleteConnector},
	updating("_api_key_id", false, (*call).updateAPIKey),
	updating("_check_in", true, (*call).checkIn),
	updating("_configuration", false, (*call).updateConfiguration),
	updating("_error", true, (*call).updateError),
	updating("_features", false, (*call).updateFeatures),
	updating("_filtering", false, (*call).updateFiltering),
	updating("_filtering/_activate", true, (*call).activateDraft),
	updating("_filtering/_validation", true, (*call).validateDraft),
	updating("_index_name", false, (*call).updateIndexName),
	updating("_last_sync", true, (*call).updateLastSync),
	updating("_name", false, (*call).updateName),
	updating("_native", false, (*call).updateNative),
	updating("_pipeline", false, (*call).updatePipeline),
	updating("_scheduling", false, (*call).updateScheduling),
	updating("_service_type", false, (*call).updateServiceType),
	updating("_status", true, (*call).updateStatus),
}

var listQuery = []string{"from", "size", "index_name", "connector_name", "service_type", "include_deleted", "query"}

// updating is an endpoint that changes a part of a connector; some parts are for its
// worker to say.
func updating(what string, worker bool, handle func(*call) (answer, error)) route {
	return route{method: http.MethodPut, path: "/_connector/{connector_id}/" + what, may: auth.Edit, worker: worker, handle: handle}
}

// newDocument is a connector that nobody has said anything about yet.
func newDocument(now string) map[string]any {
	off := func() map[string]any { return map[string]any{"enabled": false, "interval": never} }
	return map[string]any{
		"configuration": map[string]any{}, "custom_scheduling": map[string]any{},
		"deleted": false, "filtering": []any{newFiltering(now)},
		"is_native": false, "name": "",
		"scheduling": map[string]any{"access_control": off(), "full": off(), "incremental": off()},
		"status":     "created", "sync_now": false,
	}
}

var putParser = parser{"connector_put_request", []field{
	{name: "description"},
	{name: "index_name", kind: textOrNull},
	{name: "is_native", kind: boolean},
	{name: "language"},
	{name: "name"},
	{name: "service_type"},
}}

// createConnector makes a connector under an id of its own.
func (c *call) createConnector() (answer, error) {
	return c.makeConnector(newID())
}

// newID makes an id as Elasticsearch's are.
func newID() string {
	id := make([]byte, 15)
	_, _ = rand.Read(id) // never fails
	return base64.RawURLEncoding.EncodeToString(id)
}

func (c *call) putConnector() (answer, error) {
	if err := c.valid(); err != nil {
		return answer{}, err
	}
	id := c.vars["connector_id"]
	if !storable(id) || len(id) > maxID {
		return answer{}, invalid(fmt.Sprintf("id [%q] cannot be stored: must be UTF-8 without NUL, and no longer than %d bytes but was: %d", id, maxID, len(id)))
	}
	return c.makeConnector(id)
}

// maxID is what Elasticsearch allows as the id of a document.
const maxID = 512

// connectorID is the id in the path; an empty one is refused in the words of the endpoint.
func (c *call) connectorID(empty string) (string, error) {
	id := c.vars["connector_id"]
	if id == "" {
		return "", invalid(empty)
	}
	return id, nil
}

// makeConnector puts a new document in the place of whatever there was.
func (c *call) makeConnector(id string) (answer, error) {
	given, err := putParser.given(c, false)
	if err != nil {
		return answer{}, err
	}
	if err := checkPut(given); err != nil {
		return answer{}, err
	}
	made := jobTime(c.now())
	result := "created"
	_, err = c.api.o.Catalog.Make(c.ctx(), Name, id, func(tx syncline.Tx, p *syncline.Pipeline) error {
		before := &connector{id: id, p: p, doc: map[string]any{}}
		result = "created"
		name := id
		if p.Version > 0 {
			result, name = "updated", p.Name
			if before, err = document(p); err != nil {
				return err
			}
		}
		if err := c.may(name); err != nil {
			return err
		}
		_, _, err = c.api.keep(tx, before, putDocument(given, made))
		return err
	})
	if err != nil {
		return answer{}, err
	}
	status := http.StatusOK
	if result == "created" {
		status = http.StatusCreated
	}
	return answer{status: status, body: map[string]any{"id": id, "result": result}}, nil
}

func putDocument(given map[string]any, made string) map[string]any {
	doc := newDocument(made)
	maps.Copy(doc, withoutNulls(given))
	if doc["is_native"] == true {
		doc["status"] = needsConfiguration
	}
	return doc
}

func checkPut(given map[string]any) error {
	index, attached := given["index_name"].(string)
	if !attached {
		return nil
	}
	var found []string
	if why := illegalIndex(index); why != "" {
		found = append(found, why)
	}
	if given["is_native"] == true && !managed(index) {
		found = append(found, "Index ["+index+"] is invalid. Index attached to an Elastic-managed connector must start with the prefix: ["+managedPrefix+"]")
	}
	return invalid(found...)
}

func (c *call) getConnector() (answer, error) {
	id, err := c.connectorID("connector_id missing")
	if err != nil {
		return answer{}, err
	}
	deletedToo, err := c.flag("include_deleted")
	if err != nil {
		return answer{}, err
	}
	find := c.live
	if deletedToo {
		find = c.connector
	}
	k, err := find(id)
	if err != nil {
		return answer{}, err
	}
	return ok(c.show(k)), nil
}

// bookkeeping are members that nothing follows from that the ledger runs.
var bookkeeping = []string{
	"api_key_id", "api_key_secret_id", "custom_scheduling", "description", "language", "last_access_control_sync_error",
	"last_access_control_sync_scheduled_at", "last_access_control_sync_status", "last_deleted_document_count",
	"last_incremental_sync_scheduled_at", "last_indexed_document_count", "last_seen", "last_sync_error",
	"last_sync_scheduled_at", "last_sync_status", "last_synced", "name", "sync_cursor", "sync_now",
}

// defines reports whether a change may change the pipeline's definition.
func defines(before, after map[string]any) bool {
	strip := func(doc map[string]any) map[string]any {
		rest := maps.Clone(doc)
		maps.DeleteFunc(rest, func(name string, _ any) bool { return slices.Contains(bookkeeping, name) })
		return rest
	}
	was, err := encoded(strip(before))
	is, other := encoded(strip(after))
	return err != nil || other != nil || was != is
}
