package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/secret"
	"github.com/synclinehq/syncline/store/postgres"
	"github.com/synclinehq/syncline/store/sqlite"
	"github.com/synclinehq/syncline/testserver"
)

// desk is the API on a ledger of its own, and somebody who calls it.
type desk struct {
	t     *testing.T
	store syncline.Store
	api   *API
	log   *bytes.Buffer
	who   auth.Principal
}

var admin = auth.Principal{Key: "a", Name: "admin", Role: auth.Admin}

func worker(key string, scope ...string) auth.Principal {
	return auth.Principal{Key: key, Name: "worker " + key, Role: auth.Worker, Scope: scope}
}

func deskOn(t *testing.T, s syncline.Store) *desk {
	t.Helper()
	t.Cleanup(func() { _ = s.Close() })
	keys, err := secret.Load(filepath.Join(t.TempDir(), "key"), "")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, store: s, log: &bytes.Buffer{}, who: admin}
	d.api = New(Options{
		Ledger:  ledger.New(s, ledger.Options{TTL: time.Second, Projections: []ledger.Projection{Projection}}),
		Catalog: catalog.New(catalog.Options{Store: s, Registry: registry.New(nil, nil, nil), Box: keys, Host: "here"}),
		Log:     slog.New(slog.NewTextHandler(d.log, nil)),
	})
	return d
}

// atDesks runs a test on both stores.
func atDesks(t *testing.T, test func(t *testing.T, d *desk)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
		if err != nil {
			t.Fatal(err)
		}
		test(t, deskOn(t, s))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		s, err := postgres.Open(t.Context(), testserver.Database(t), postgres.Options{AcceptDataLoss: true})
		if err != nil {
			t.Fatal(err)
		}
		test(t, deskOn(t, s))
	})
}

// as is the same desk with somebody else in front of it.
func (d *desk) as(who auth.Principal) *desk {
	other := *d
	other.who = who
	return &other
}

// say makes a call: "PUT /path" with a body.
func (d *desk) say(call, body string) (int, map[string]any) {
	d.t.Helper()
	method, path, _ := strings.Cut(call, " ")
	r := httptest.NewRequestWithContext(auth.With(d.t.Context(), d.who), method, path, strings.NewReader(body))
	w := httptest.NewRecorder()
	d.api.ServeHTTP(w, r)
	if w.Header().Get("X-Elastic-Product") != "Elasticsearch" {
		d.t.Errorf("%s: no product header", call)
	}
	doc := map[string]any{}
	j := json.NewDecoder(w.Body)
	j.UseNumber()
	if err := j.Decode(&doc); err != nil {
		d.t.Fatalf("%s: %v", call, err)
	}
	return w.Code, doc
}

// must makes a call that has to succeed.
func (d *desk) must(call, body string) map[string]any {
	d.t.Helper()
	status, doc := d.say(call, body)
	if status >= 300 {
		d.t.Fatalf("%s %s: %d %v", call, body, status, doc)
	}
	return doc
}

// fails makes a call that has to fail so; reason may be a part of the real one.
func (d *desk) fails(call, body string, status int, typ, reason string) {
	d.t.Helper()
	got, doc := d.say(call, body)
	e, _ := doc["error"].(map[string]any)
	text, _ := e["reason"].(string)
	if got != status || e["type"] != typ || !strings.Contains(text, reason) {
		d.t.Errorf("%s %s: %d %v\nwant %d %s %q", call, body, got, doc, status, typ, reason)
	}
}

// connector makes one that an outside worker does.
func (d *desk) connector(id string) {
	d.t.Helper()
	d.must("PUT /_connector/"+id, fmt.Sprintf(`{"index_name":"search-%s","service_type":"mine","name":"%s"}`, id, id))
}

func (d *desk) post(connector, more string) string {
	d.t.Helper()
	id, _ := d.must("POST /_connector/_sync_job", fmt.Sprintf(`{"id":%q%s}`, connector, more))["id"].(string)
	return id
}

func (d *desk) job(id string) map[string]any {
	d.t.Helper()
	return d.must("GET /_connector/_sync_job/"+id, "")
}

func (d *desk) has(doc map[string]any, want map[string]any) {
	d.t.Helper()
	for name, v := range want {
		if got := doc[name]; fmt.Sprint(got) != fmt.Sprint(v) {
			d.t.Errorf("%s is %v, want %v", name, got, v)
		}
	}
}

const claim = `{"worker_hostname":"host-7"}`

func stats(indexed, deleted, volume int64, more string) string {
	return fmt.Sprintf(`{"indexed_document_count":%d,"deleted_document_count":%d,"indexed_document_volume":%d%s}`, indexed, deleted, volume, more)
}

func TestJobLife(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		d.connector("shop")
		d.must("PUT /_connector/shop/_configuration", `{"configuration":{"host":{"label":"Host","value":"db"},"pw":{"label":"PW","sensitive":true,"value":"canary-7"}}}`)
		id := d.post("shop", `,"job_type":"INCREMENTAL","trigger_method":"scheduled"`)
		job := d.job(id)
		d.has(job, map[string]any{
			"id": id, "status": "pending", "job_type": "incremental", "trigger_method": "scheduled", "metadata": map[string]any{},
			"indexed_document_count": 0, "deleted_document_count": 0, "indexed_document_volume": 0, "total_document_count": 0,
			"last_seen": job["created_at"],
		})
		for _, absent := range []string{"started_at", "completed_at", "canceled_at", "cancelation_requested_at", "error", "worker_hostname"} {
			if v, there := job[absent]; there {
				t.Errorf("a new job has %s %v", absent, v)
			}
		}
		snap := job["connector"].(map[string]any)
		d.has(snap, map[string]any{"id": "shop", "index_name": "search-shop", "service_type": "mine"})
		if _, isRules := snap["filtering"].(map[string]any)["rules"]; !isRules || snap["language"] != nil {
			t.Errorf("the snapshot is %v", snap)
		}
		w := d.as(worker("w"))
		pw := func(doc map[string]any) any {
			return doc["connector"].(map[string]any)["configuration"].(map[string]any)["pw"].(map[string]any)["value"]
		}
		if pw(job) != mask || pw(w.job(id)) != "canary-7" {
			t.Errorf("an admin reads %v, a worker %v", pw(job), pw(w.job(id)))
		}

		w.must("PUT /_connector/_sync_job/"+id+"/_stats", stats(5, 4, 7, `,"total_document_count":9007199254740993,"metadata":{"a":{"b":1.50}}`)) // never claimed
		d.has(w.job(id), map[string]any{"status": "pending", "indexed_document_count": 5, "deleted_document_count": 4, "indexed_document_volume": 7, "total_document_count": "9007199254740993"})
		w.must("PUT /_connector/_sync_job/"+id+"/_claim", `{"worker_hostname":"host-7","sync_cursor":{"t":{"at":"x"}}}`)
		job = w.job(id)
		d.has(job, map[string]any{"status": "in_progress", "worker_hostname": "host-7", "started_at": job["last_seen"]})
		d.has(job["connector"].(map[string]any), map[string]any{"sync_cursor": map[string]any{"t": map[string]any{"at": "x"}}})
		if _, there := d.must("GET /_connector/shop", "")["sync_cursor"]; there {
			t.Error("the claim's cursor got into the connector")
		}
		w.must("PUT /_connector/_sync_job/"+id+"/_stats", stats(12, 3, 9007199254740993, `,"metadata":{"a":{"c":"é"}},"last_seen":"2023-12-04T08:45:50.567149Z"`))
		job = w.job(id)
		d.has(job, map[string]any{
			"indexed_document_count": 12, "deleted_document_count": 3, "indexed_document_volume": "9007199254740993", "last_seen": "2023-12-04T08:45:50.567149Z",
			"metadata": map[string]any{"a": map[string]any{"b": "1.50", "c": "é"}}, "total_document_count": "9007199254740993",
		})
		for _, given := range []string{"2023-05-25T12:30:00.000Z", "2023-05-25T12:30:00.123456789Z"} {
			w.must("PUT /_connector/_sync_job/"+id+"/_stats", stats(12, 3, 1, `,"last_seen":"`+given+`"`))
			d.has(w.job(id), map[string]any{"last_seen": given})
		}
		w.must("PUT /_connector/_sync_job/"+id+"/_check_in", "")
		first := w.job(id)["last_seen"].(string)
		w.must("PUT /_connector/_sync_job/"+id+"/_check_in", "")
		if second := w.job(id)["last_seen"].(string); second <= first || second < "2026" {
			t.Errorf("checked in at %s, then at %s", first, second)
		}
		w.must("PUT /_connector/_sync_job/"+id+"/_error", `{"error":"no such host"}`)
		job = d.job(id)
		d.has(job, map[string]any{"status": "error", "error": "no such host"})
		if _, there := job["completed_at"]; there {
			t.Error("an error over the API set completed_at")
		}
		w.must("PUT /_connector/_sync_job/"+id+"/_stats", stats(13, 3, 1, ``)) // an ended job still takes them
		d.has(d.job(id), map[string]any{"status": "error", "indexed_document_count": 13})

		run, err := d.api.o.Ledger.Run(t.Context(), id) // what syncline runs show shows
		if err != nil || run.Tasks[0].Stats.Counts.Inserted != 13 || run.Tasks[0].Stats.Counts.Deleted != 3 || run.Tasks[0].Name != "search-shop" {
			t.Errorf("the ledger says %+v, %v", run.Tasks[0], err)
		}
		if run.Run.State != syncline.StateFailed {
			t.Errorf("the run is %s", run.Run.State)
		}
		d.must("DELETE /_connector/_sync_job/"+id, "")
		d.fails("GET /_connector/_sync_job/"+id, "", 404, "resource_not_found_exception", id)
		if strings.Contains(d.log.String(), "canary") || strings.Contains(fmt.Sprint(run.Run), "canary") {
			t.Error("a secret is in the log or in the run")
		}
	})
}

func TestJobCancel(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		d.connector("shop")
		id := d.post("shop", "")
		d.must("PUT /_connector/_sync_job/"+id+"/_cancel", "")
		job := d.job(id)
		d.has(job, map[string]any{"status": "canceled", "canceled_at": job["cancelation_requested_at"], "completed_at": job["canceled_at"]})
		if job["canceled_at"] == nil {
			t.Error("canceled at no time")
		}
		d.fails("PUT /_connector/_sync_job/"+id+"/_cancel", "", 400, "status_exception", "Invalid transition attempt from [canceled] to [canceling]. Such a ConnectorSyncStatus transition is not supported by the Connector Protocol.")
		d.fails("PUT /_connector/_sync_job/"+id+"/_claim", claim, 400, "status_exception", "from [canceled] to [in_progress]")

		id = d.post("shop", "")
		d.must("PUT /_connector/_sync_job/"+id+"/_claim", claim)
		d.must("PUT /_connector/_sync_job/"+id+"/_cancel", "")
		job = d.job(id)
		d.has(job, map[string]any{"status": "canceling"})
		if job["cancelation_requested_at"] == nil || job["canceled_at"] != nil || job["completed_at"] != nil {
			t.Errorf("canceling: %v", job)
		}
		d.fails("PUT /_connector/_sync_job/"+id+"/_cancel", "", 400, "status_exception", "from [canceling] to [canceling]")
		d.must("PUT /_connector/_sync_job/"+id+"/_error", `{"error":"x"}`)
		d.has(d.job(id), map[string]any{"status": "error"})
		d.fails("PUT /_connector/_sync_job/"+id+"/_error", `{"error":"x"}`, 400, "status_exception", "from [error] to [error]")
		id = d.post("shop", "")
		d.fails("PUT /_connector/_sync_job/"+id+"/_error", `{"error":"x"}`, 400, "status_exception", "from [pending] to [error]")
	})
}

func TestJobClaims(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		d.connector("shop")
		first, second := d.post("shop", ""), d.post("shop", "")
		one, two := d.as(worker("one")), d.as(worker("two"))
		one.must("PUT /_connector/_sync_job/"+first+"/_claim", claim)
		one.must("PUT /_connector/_sync_job/"+first+"/_claim", claim) // said again
		two.fails("PUT /_connector/_sync_job/"+first+"/_claim", claim, 409, "version_conflict_engine_exception", "held by host-7")
		two.fails("PUT /_connector/_sync_job/"+second+"/_claim", claim, 409, "version_conflict_engine_exception", "waits behind run "+first)
		two.fails("PUT /_connector/_sync_job/"+first+"/_stats", stats(1, 1, 1, ""), 403, "security_exception", "under another key")
		two.fails("PUT /_connector/_sync_job/"+first+"/_check_in", "", 403, "security_exception", "under another key")
		two.fails("PUT /_connector/_sync_job/"+first+"/_error", `{"error":"x"}`, 403, "security_exception", "under another key")
		access := d.post("shop", `,"job_type":"access_control"`)
		d.has(d.job(access)["connector"].(map[string]any), map[string]any{"index_name": ".search-acl-filter-search-shop"})
		two.must("PUT /_connector/_sync_job/"+access+"/_claim", claim)
		one.must("PUT /_connector/_sync_job/"+first+"/_error", `{"error":"x"}`)
		two.must("PUT /_connector/_sync_job/"+second+"/_claim", claim)
		two.fails("PUT /_connector/_sync_job/absent/_claim", claim, 404, "resource_not_found_exception", "absent")
	})
}

func TestJobBadInput(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		d.connector("shop")
		d.must("PUT /_connector/bare", "")
		d.must("PUT /_connector/half", `{"index_name":"search-half"}`)
		id := d.post("shop", "")
		this := " /_connector/_sync_job/" + id
		for _, c := range []struct {
			call, body string
			status     int
			typ, text  string
		}{
			{"POST /_connector/_sync_job", "", 400, "parse_exception", "request body is required"},
			{"POST /_connector/_sync_job", "{", 400, "x_content_parse_exception", ""},
			{"POST /_connector/_sync_job", "{}", 400, "illegal_argument_exception", "Required [id]"},
			{"POST /_connector/_sync_job", `{"id":""}`, 400, "action_request_validation_exception", "[id] of the connector cannot be null or empty"},
			{"POST /_connector/_sync_job", `{"id":null}`, 400, "x_content_parse_exception", "[connector_sync_job_post_request] id doesn't support values of type: VALUE_NULL"},
			{"POST /_connector/_sync_job", `{"id":"shop","x":1}`, 400, "x_content_parse_exception", "[connector_sync_job_post_request] unknown field [x]"},
			{"POST /_connector/_sync_job", `{"id":"shop","job_type":"half"}`, 400, "x_content_parse_exception", "failed to parse field [job_type]"},
			{"POST /_connector/_sync_job", `{"id":"shop","trigger_method":"half"}`, 400, "x_content_parse_exception", "failed to parse field [trigger_method]"},
			{"POST /_connector/_sync_job", `{"id":"absent"}`, 404, "resource_not_found_exception", "Connector with id 'absent' does not exist."},
			{"POST /_connector/_sync_job", `{"id":"bare"}`, 400, "status_exception", "Cannot start a sync for connector [bare] with no index attached. Set the [index_name] property for the connector to enable syncing data."},
			{"POST /_connector/_sync_job", `{"id":"half"}`, 400, "status_exception", "Cannot start a sync for connector [half] with [service_type] not defined. Set the service type of your connector before starting the sync."},
			{"GET /_connector/_sync_job?status=half", "", 400, "illegal_argument_exception", "Unknown ConnectorSyncStatus [half]."},
			{"GET /_connector/_sync_job?job_type=full,half", "", 400, "illegal_argument_exception", "Unknown ConnectorSyncJobType [half]."},
			{"GET /_connector/_sync_job?from=-1", "", 400, "illegal_argument_exception", "Parameter [from] cannot be < 0"},
			{"GET /_connector/_sync_job?size=x", "", 400, "illegal_argument_exception", "Failed to parse int parameter [size] with value [x]"},
			{"GET /_connector/_sync_job?sort=x", "", 400, "illegal_argument_exception", "contains unrecognized parameter: [sort]"},
			{"GET /_connector/_sync_job/", "", 200, "", ""},
			{"GET /_connector/_sync_job/absent", "", 404, "resource_not_found_exception", "absent"},
			{"GET /_connector/_sync_job/%ff%00", "", 404, "resource_not_found_exception", ""},
			{"DELETE /_connector/_sync_job/absent", "", 404, "resource_not_found_exception", "absent"},
			{"PUT /_connector/_sync_job//_check_in", "", 400, "action_request_validation_exception", "[connector_sync_job_id] of the connector sync job cannot be null or empty."},
			{"PUT /_connector/_sync_job/absent/_check_in", "", 404, "resource_not_found_exception", "connector sync job [absent] not found"},
			{"PUT /_connector/_sync_job//_cancel", "", 400, "action_request_validation_exception", "cannot be null or empty"},
			{"PUT /_connector/_sync_job/absent/_cancel", "", 404, "resource_not_found_exception", "absent"},
			{"PUT /_connector/_sync_job//_claim", claim, 400, "action_request_validation_exception", "cannot be null or empty"},
			{"PUT /_connector/_sync_job/absent/_claim", "{}", 400, "illegal_argument_exception", "Required [worker_hostname]"},
			{"PUT /_connector/_sync_job/absent/_claim", `{"worker_hostname":null}`, 400, "x_content_parse_exception", "[claim_connector_sync_job] worker_hostname doesn't support values of type: VALUE_NULL"},
			{"PUT" + this + "/_claim", `{"worker_hostname":"h","sync_cursor":"x"}`, 400, "x_content_parse_exception", "sync_cursor doesn't support values of type: VALUE_STRING"},
			{"PUT /_connector/_sync_job//_error", `{"error":"x"}`, 400, "action_request_validation_exception", "cannot be null or empty"},
			{"PUT" + this + "/_error", `{"error":""}`, 400, "action_request_validation_exception", "[error] of the connector sync job cannot be null or empty"},
			{"PUT" + this + "/_error", `{}`, 400, "illegal_argument_exception", "Required [error]"},
			{"PUT /_connector/_sync_job/absent/_error", `{"error":"x"}`, 404, "resource_not_found_exception", "absent"},
			{"PUT /_connector/_sync_job//_stats", stats(1, 1, 1, ""), 400, "action_request_validation_exception", "cannot be null or empty"},
			{"PUT /_connector/_sync_job/absent/_stats", stats(1, 1, 1, ""), 404, "resource_not_found_exception", "connector sync job [absent] not found"},
			{"PUT" + this + "/_stats", stats(-1, -2, -3, `,"total_document_count":-4`), 400, "action_request_validation_exception", "Validation Failed: 1: [deleted_document_count] cannot be negative.;2: [indexed_document_count] cannot be negative.;3: [indexed_document_volume] cannot be negative.;4: [total_document_count] cannot be negative.;"},
			{"PUT" + this + "/_stats", `{"indexed_document_count":1}`, 400, "illegal_argument_exception", "Required [deleted_document_count, indexed_document_volume]"},
			{"PUT" + this + "/_stats", stats(1, 1, 1, `,"metadata":"x"`), 400, "x_content_parse_exception", "metadata doesn't support values of type: VALUE_STRING"},
			{"PUT" + this + "/_stats", stats(1, 1, 1, `,"metadata":5`), 400, "x_content_parse_exception", "metadata doesn't support values of type: VALUE_NUMBER"},
			{"PUT" + this + "/_stats", stats(1, 1, 1, `,"last_seen":"soon"`), 400, "x_content_parse_exception", "failed to parse field [last_seen]"},
			{"PUT" + this + "/_stats", `{"indexed_document_count":9223372036854775808,"deleted_document_count":1,"indexed_document_volume":1}`, 400, "x_content_parse_exception", "failed to parse field [indexed_document_count]"},
			{"PUT" + this + "/_stats", `{"indexed_document_count":1.5,"deleted_document_count":1,"indexed_document_volume":1}`, 400, "x_content_parse_exception", "failed to parse field [indexed_document_count]"},
			{"POST" + this + "/_stats", stats(1, 1, 1, ""), 405, "", ""},
		} {
			if c.typ == "" {
				if status, doc := d.say(c.call, c.body); status != c.status {
					t.Errorf("%s: %d %v", c.call, status, doc)
				}
				continue
			}
			d.fails(c.call, c.body, c.status, c.typ, c.text)
		}
		d.has(d.job(id), map[string]any{"status": "pending", "indexed_document_count": 0})
		const huge = 9223372036854775807
		d.must("PUT"+this+"/_stats", stats(huge, huge, huge, ""))
		d.has(d.job(id), map[string]any{"indexed_document_count": huge, "deleted_document_count": huge, "indexed_document_volume": huge})
	})
}

func TestJobList(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		d.connector("a")
		d.connector("b")
		var all []string
		for i := range 6 {
			all = append(all, d.post([]string{"a", "b"}[i%2], []string{"", `,"job_type":"incremental"`, `,"job_type":"access_control"`}[i%3:][0]))
		}
		d.must("PUT /_connector/_sync_job/"+all[0]+"/_claim", claim)
		d.must("PUT /_connector/_sync_job/"+all[1]+"/_claim", claim)
		d.must("PUT /_connector/_sync_job/"+all[1]+"/_cancel", "")
		d.must("PUT /_connector/_sync_job/"+all[3]+"/_cancel", "")
		listed := func(d *desk, query string) (string, []int) {
			doc := d.must("GET /_connector/_sync_job"+query, "")
			var is []int
			for _, j := range doc["results"].([]any) {
				is = append(is, slices.Index(all, j.(map[string]any)["id"].(string)))
			}
			return fmt.Sprint(doc["count"]), is
		}
		for query, want := range map[string]struct {
			count string
			jobs  []int
		}{
			"":                              {"6", []int{5, 4, 3, 2, 1, 0}},
			"?from=1&size=2":                {"6", []int{4, 3}},
			"?from=9":                       {"6", nil},
			"?size=0":                       {"6", nil},
			"?connector_id=a":               {"3", []int{4, 2, 0}},
			"?connector_id=absent":          {"0", nil},
			"?status=pending":               {"3", []int{5, 4, 2}},
			"?status=in_progress":           {"1", []int{0}},
			"?status=canceling":             {"1", []int{1}},
			"?status=canceled":              {"1", []int{3}},
			"?status=completed":             {"0", nil},
			"?job_type=full":                {"2", []int{3, 0}},
			"?job_type=full,access_control": {"4", []int{5, 3, 2, 0}},
			"?connector_id=b&status=pending&job_type=": {"1", []int{5}},
		} {
			if count, is := listed(d, query); count != want.count || !reflect.DeepEqual(is, want.jobs) {
				t.Errorf("%s: %s %v, want %s %v", query, count, is, want.count, want.jobs)
			}
		}
		if count, is := listed(d.as(worker("w", "b")), ""); count != "3" || !reflect.DeepEqual(is, []int{5, 3, 1}) {
			t.Errorf("a worker for one connector sees %s %v", count, is)
		}
		if count, is := listed(d.as(worker("w", "gone")), ""); count != "0" || is != nil {
			t.Errorf("a worker for a connector that is gone sees %s %v", count, is)
		}
		d.as(worker("w", "b")).fails("GET /_connector/_sync_job/"+all[0], "", 404, "resource_not_found_exception", all[0])
	})
}

// TestJobRoles: who may not, is told before anything else is said.
func TestJobRoles(t *testing.T) {
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	d := deskOn(t, s)
	d.connector("shop")
	d.connector("other")
	id := d.post("shop", "")
	calls := map[string]string{ // the least role for each
		"GET /_connector/_sync_job": "viewer", "GET /_connector/_sync_job/" + id: "viewer",
		"POST /_connector/_sync_job": "operator", "DELETE /_connector/_sync_job/" + id: "operator", "PUT /_connector/_sync_job/" + id + "/_cancel": "operator",
		"PUT /_connector/_sync_job/" + id + "/_check_in": "worker", "PUT /_connector/_sync_job/" + id + "/_claim": "worker",
		"PUT /_connector/_sync_job/" + id + "/_error": "worker", "PUT /_connector/_sync_job/" + id + "/_stats": "worker",
		"POST /_connector/_secret": "admin", "PUT /_connector/_secret/x": "admin", "DELETE /_connector/_secret/x": "admin", "GET /_connector/_secret/x": "worker",
	}
	for call, least := range calls {
		for _, role := range []auth.Role{"", auth.Viewer, auth.Operator, auth.Editor} {
			who := auth.Principal{Role: role}
			want := 401
			if role != "" {
				who.Key, want = "k", 403
			}
			if least == "viewer" && role != "" || least == "operator" && (role == auth.Operator || role == auth.Editor) {
				continue
			}
			d.as(who).fails(call, "{", want, "security_exception", "")
		}
	}
	elsewhere := d.as(worker("w", "other"))
	for call := range calls {
		if method, path, _ := strings.Cut(call, " "); strings.Contains(path, id) {
			status, _ := elsewhere.say(call, map[bool]string{true: stats(1, 1, 1, ""), false: claim}[strings.HasSuffix(path, "_stats")])
			if status != 404 && (status != 400 || !strings.HasSuffix(path, "_error")) {
				t.Errorf("%s %s of another's worker: %d", method, path, status)
			}
		}
	}
	if status, _ := elsewhere.say("POST /_connector/_sync_job", `{"id":"shop"}`); status != 404 && status != 403 {
		t.Errorf("another's worker started a job: %d", status)
	}
	d.has(d.job(id), map[string]any{"status": "pending"})
}

// TestEngineJobs: what Syncline does itself is started and canceled over the API, and
// nobody else claims or reports it. Runs of pipelines made elsewhere are jobs too.
func TestEngineJobs(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		p := &syncline.Pipeline{ID: "p1", Name: "orders", Revision: 1, Definition: syncline.Definition{
			Owner: syncline.OwnerEngine, Overlap: syncline.OverlapQueue,
			Source: syncline.Endpoint{Kind: "postgres"}, Destination: syncline.Endpoint{Kind: "sqlite", Shown: "orders.db"},
		}}
		if err := d.store.Update(t.Context(), func(tx syncline.Tx) error { return tx.PutPipeline(p) }); err != nil {
			t.Fatal(err)
		}
		id := d.post("syncline-p1", "")
		job := d.job(id)
		d.has(job, map[string]any{"status": "pending", "job_type": "full"})
		d.has(job["connector"].(map[string]any), map[string]any{"id": "syncline-p1", "service_type": "postgres", "index_name": "orders.db"})
		const ours = "is executed by Syncline itself"
		d.fails("PUT /_connector/_sync_job/"+id+"/_claim", claim, 400, "status_exception", ours)
		d.fails("PUT /_connector/_sync_job/"+id+"/_stats", stats(1, 1, 1, ""), 400, "status_exception", ours)
		d.fails("PUT /_connector/_sync_job/"+id+"/_check_in", "", 400, "status_exception", ours)
		d.fails("PUT /_connector/_sync_job/"+id+"/_error", `{"error":"x"}`, 400, "status_exception", ours)
		gs, err := d.api.o.Ledger.Claim(t.Context(), syncline.Worker{ID: "h/1", Session: "s", Kinds: []string{"sync"}}, 1)
		if err != nil || len(gs) != 1 || gs[0].Run.ID != id {
			t.Fatalf("the engine claimed %v, %v", gs, err)
		}
		d.fails("PUT /_connector/_sync_job/"+id+"/_claim", claim, 400, "status_exception", ours)
		h := gs[0].Hold()
		_, err = d.api.o.Ledger.Plan(t.Context(), h, []syncline.Task{{Name: "x"}, {Name: "y"}})
		for _, end := range []syncline.TaskEnd{
			{Name: "x", State: syncline.TaskSucceeded, Stats: syncline.Stats{Counts: syncline.Counts{Inserted: 3, Updated: 2, Unchanged: 1, Swept: 4, Bytes: 5 << 20}}},
			{Name: "y", State: syncline.TaskFailed, Error: syncline.Errorf(syncline.NotFound, "no table y"), Stats: syncline.Stats{Counts: syncline.Counts{Deleted: 1}}},
		} {
			err = errors.Join(err, d.api.o.Ledger.EndTask(t.Context(), h, end))
		}
		d.must("PUT /_connector/_sync_job/"+id+"/_cancel", "")
		d.has(d.job(id), map[string]any{"status": "canceling"})
		_, finished := d.api.o.Ledger.Finish(t.Context(), h) // it came too late
		if err := errors.Join(err, finished); err != nil {
			t.Fatal(err)
		}
		job = d.job(id)
		d.has(job, map[string]any{
			"status": "error", "error": "1 of 2 entities failed: no table y", "indexed_document_count": 6, "deleted_document_count": 5,
			"indexed_document_volume": 5, "worker_hostname": "h/1",
		})
		if job["completed_at"] == nil {
			t.Error("completed at no time")
		}
		if n := d.must("GET /_connector/_sync_job?connector_id=syncline-p1&status=error", "")["count"]; fmt.Sprint(n) != "1" {
			t.Errorf("%v jobs of the pipeline", n)
		}
	})
}

// TestEveryRunIsOneJob: every state with every fact draws exactly one of the words, which
// is final if and only if the run is, and the filter for that word finds it.
func TestEveryRunIsOneJob(t *testing.T) {
	words := map[string]bool{"pending": false, "in_progress": false, "canceling": false, "suspended": false, "canceled": true, "completed": true, "error": true}
	times := rapid.SampledFrom([]time.Time{{}, time.Unix(1, 0)})
	rapid.Check(t, func(t *rapid.T) {
		r := syncline.Run{ID: "r", Owner: rapid.SampledFrom([]syncline.Owner{syncline.OwnerEngine, syncline.OwnerExternal}).Draw(t, "owner")}
		r.State = rapid.SampledFrom([]syncline.State{"pending", "running", "suspended", "succeeded", "failed", "canceled", "skipped"}).Draw(t, "state")
		r.StartedAt, r.Facts.CancelAskedAt, r.Facts.HoldAskedAt = times.Draw(t, "started"), times.Draw(t, "cancel"), times.Draw(t, "hold")
		r.Facts.Rejects, r.Facts.FailedTasks = rapid.Int64Range(0, 1).Draw(t, "rejects"), rapid.IntRange(0, 1).Draw(t, "failed")
		r.Facts.Overrun = rapid.Bool().Draw(t, "overrun")
		if r.State == syncline.StateSuspended {
			r.Wait = rapid.SampledFrom([]syncline.Wait{"hold", "shutdown", "mass_delete", "schema_change", "external"}).Draw(t, "wait")
		}
		if r.State.Final() {
			r.EndedAt = time.Unix(2, 0)
		}
		word, _ := drawJob(ledger.Detail{Run: r}, &syncline.Pipeline{ID: "p"})["status"].(string)
		final, known := words[word]
		if !known || final != r.State.Final() {
			t.Fatalf("a run that is %s (%s) %+v draws %q", r.State, r.Wait, r.Facts, word)
		}
		if !slices.Contains(jobAspects(word), r.Aspect()) {
			t.Fatalf("a filter for %s does not find the aspect %s", word, r.Aspect())
		}
	})
	for word := range words {
		if len(jobAspects(word)) == 0 {
			t.Errorf("no run is %s", word)
		}
	}
}

func TestSecrets(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		id, _ := d.must("POST /_connector/_secret", `{"value":"canary-8"}`)["id"].(string)
		for _, who := range []auth.Principal{admin, worker("w")} {
			d.has(d.as(who).must("GET /_connector/_secret/"+id, ""), map[string]any{"id": id, "value": "canary-8"})
		}
		status, doc := d.say("PUT /_connector/_secret/mine", `{"value":"canary-9"}`)
		if status != 201 || doc["result"] != "created" {
			t.Errorf("made: %d %v", status, doc)
		}
		status, doc = d.say("PUT /_connector/_secret/mine", `{"value":17}`)
		if status != 200 || doc["result"] != "updated" {
			t.Errorf("changed: %d %v", status, doc)
		}
		d.has(d.must("GET /_connector/_secret/mine", ""), map[string]any{"value": "17"})
		d.connector("shop")
		d.must("PUT /_connector/shop/_api_key_id", `{"api_key_id":"k","api_key_secret_id":"mine"}`)
		d.as(worker("w", "shop")).must("GET /_connector/_secret/mine", "")
		d.as(worker("w", "shop")).fails("GET /_connector/_secret/"+id, "", 404, "resource_not_found_exception", "No secret with id ["+id+"]")
		for _, c := range []struct {
			call, body string
			status     int
			typ, text  string
		}{
			{"POST /_connector/_secret", "", 400, "parse_exception", "request body is required"},
			{"POST /_connector/_secret", "{}", 400, "illegal_argument_exception", "Required [value]"},
			{"POST /_connector/_secret", `{"value":null}`, 400, "x_content_parse_exception", "[post_secret_request] value doesn't support values of type: VALUE_NULL"},
			{"POST /_connector/_secret", `{"value":""}`, 400, "action_request_validation_exception", `[value] of the connector secret cannot be [null] or [""]`},
			{"PUT /_connector/_secret/x", `{"value":""}`, 400, "action_request_validation_exception", `1: [value] cannot be [null] or [""]`},
			{"PUT /_connector/_secret//", `{"value":""}`, 400, "action_request_validation_exception", `1: [id] cannot be [null] or [""];2: [value] cannot be [null] or [""]`},
			{"GET /_connector/_secret/absent", "", 404, "resource_not_found_exception", "No secret with id [absent]"},
			{"DELETE /_connector/_secret/absent", "", 404, "resource_not_found_exception", "No secret with id [absent]"},
			{"DELETE /_connector/_secret//", "", 400, "action_request_validation_exception", "[id] of the connector secret cannot be null or empty."},
		} {
			d.fails(c.call, c.body, c.status, c.typ, c.text)
		}
		var kept []syncline.Doc
		err := d.store.View(t.Context(), func(tx syncline.Tx) (err error) {
			kept, err = tx.Docs(Name, secretKind, "", 10)
			return err
		})
		if err != nil || len(kept) != 2 || strings.Contains(string(kept[0].Body)+string(kept[1].Body), "canary") {
			t.Errorf("kept %v, %v", kept, err)
		}
		d.has(d.must("DELETE /_connector/_secret/"+id, ""), map[string]any{"deleted": true})
		d.fails("GET /_connector/_secret/"+id, "", 404, "resource_not_found_exception", id)
		if strings.Contains(d.log.String(), "canary") {
			t.Error("a secret is in the log")
		}
	})
}
