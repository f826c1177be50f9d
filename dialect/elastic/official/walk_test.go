package official

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/elastic/go-elasticsearch/v9"
	"github.com/elastic/go-elasticsearch/v9/typedapi/connector/syncjobupdatestats"
	"github.com/elastic/go-elasticsearch/v9/typedapi/connector/updateconfiguration"
	"github.com/elastic/go-elasticsearch/v9/typedapi/connector/updatescheduling"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types/enums/displaytype"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types/enums/syncjobtriggermethod"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types/enums/syncjobtype"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types/enums/syncstatus"

	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/dialect/elastic"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/secret"
	"github.com/synclinehq/syncline/store/sqlite"
)

// serve is the API behind a door that lets an admin in.
func serve(t *testing.T) (*elasticsearch.TypedClient, *ledger.Ledger) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	ok(t, err)
	t.Cleanup(func() { _ = store.Close() })
	keys, err := secret.Load(filepath.Join(t.TempDir(), "key"), "")
	ok(t, err)
	l := ledger.New(store, ledger.Options{Projections: []ledger.Projection{elastic.Projection}})
	api := elastic.New(elastic.Options{
		Ledger: l, Log: slog.New(slog.DiscardHandler),
		Catalog: catalog.New(catalog.Options{Store: store, Registry: registry.New(nil, nil, nil), Box: keys, Host: "here"}),
	})
	admin := auth.Principal{Key: "a", Name: "admin", Role: auth.Admin}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api.ServeHTTP(w, r.WithContext(auth.With(r.Context(), admin)))
	}))
	t.Cleanup(server.Close)
	client, err := elasticsearch.NewTypedClient(elasticsearch.Config{Addresses: []string{server.URL}, DisableRetry: true})
	ok(t, err)
	return client, l
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// at is an instant as the client takes it.
type at string

func (a at) DateTimeCaster() *types.DateTime {
	t := types.DateTime(string(a))
	return &t
}

// TestWalk goes all the way of a connector: create, configure, schedule, a job, its stats
// before any claim, claim, check in, stats, error, last sync.
func TestWalk(t *testing.T) {
	client, l := serve(t)
	api, ctx := client.Connector, t.Context()
	made, err := api.Put().ConnectorId("shop").IndexName("search-shop").Name("orders").ServiceType("mine").Do(ctx)
	ok(t, err)
	is(t, "id", made.Id, "shop")

	_, err = api.UpdateConfiguration("shop").Request(&updateconfiguration.Request{Configuration: types.ConnectorConfiguration{
		"host": {Label: "Host", Display: displaytype.Textbox, DependsOn: []types.Dependency{}, Options: []types.SelectOption{}, Value: json.RawMessage(`"db.test"`)},
	}}).Do(ctx)
	ok(t, err)
	_, err = api.UpdateScheduling("shop").Request(&updatescheduling.Request{
		Scheduling: types.SchedulingConfiguration{Full: &types.ConnectorScheduling{Enabled: true, Interval: "0 0 3 * * ?"}},
	}).Do(ctx)
	ok(t, err)

	posted, err := api.SyncJobPost().Id("shop").JobType(syncjobtype.Incremental).TriggerMethod(syncjobtriggermethod.Scheduled).Do(ctx)
	ok(t, err)
	id := posted.Id
	stats := func(indexed, deleted, volume int64) {
		t.Helper()
		total := 9_007_199_254_740_991
		_, err := api.SyncJobUpdateStats(id).Request(&syncjobupdatestats.Request{
			IndexedDocumentCount: indexed, DeletedDocumentCount: deleted, IndexedDocumentVolume: volume, TotalDocumentCount: &total,
			Metadata: types.Metadata{"rows": json.RawMessage("530")},
		}).Do(ctx)
		ok(t, err)
	}
	stats(1, 0, 0)
	job, err := api.SyncJobGet(id).Do(ctx)
	ok(t, err)
	is(t, "status", job.Status, syncstatus.Pending)
	is(t, "indexed before any claim", job.IndexedDocumentCount, 1)

	_, err = api.SyncJobClaim(id).WorkerHostname("worker-7").SyncCursor(map[string]any{"after": "x"}).Do(ctx)
	ok(t, err)
	_, err = api.SyncJobCheckIn(id).Do(ctx)
	ok(t, err)
	stats(1200, 2, 3)
	job, err = api.SyncJobGet(id).Do(ctx)
	ok(t, err)
	is(t, "status", job.Status, syncstatus.Inprogress)
	is(t, "worker", deref(job.WorkerHostname), "worker-7")
	is(t, "indexed", job.IndexedDocumentCount, 1200)
	is(t, "deleted", job.DeletedDocumentCount, 2)
	is(t, "volume", job.IndexedDocumentVolume, 3)
	is(t, "total", job.TotalDocumentCount, 9_007_199_254_740_991)
	is(t, "job type", job.JobType, syncjobtype.Incremental)
	is(t, "trigger", job.TriggerMethod, syncjobtriggermethod.Scheduled)
	is(t, "metadata", string(job.Metadata["rows"]), "530")
	is(t, "index", job.Connector.IndexName, "search-shop")
	is(t, "cursor", string(job.Connector.SyncCursor), `{"after":"x"}`)
	is(t, "error", job.Error, nil)

	_, err = api.SyncJobError(id).Error("no such host").Do(ctx)
	ok(t, err)
	job, err = api.SyncJobGet(id).Do(ctx)
	ok(t, err)
	is(t, "status", job.Status, syncstatus.Error)
	is(t, "error", deref(job.Error), "no such host")

	_, err = api.LastSync("shop").LastSyncStatus(syncstatus.Error).LastSyncError("no such host").LastIndexedDocumentCount(1200).
		LastDeletedDocumentCount(2).LastSynced(at("2026-03-02T09:00:42.118204Z")).SyncCursor(map[string]any{"after": "y"}).Do(ctx)
	ok(t, err)
	shop, err := api.Get("shop").Do(ctx)
	ok(t, err)
	is(t, "last status", deref(shop.LastSyncStatus), syncstatus.Error)
	is(t, "last count", deref(shop.LastIndexedDocumentCount), 1200)
	is(t, "cursor", string(shop.SyncCursor), `{"after":"y"}`)
	is(t, "synced", shop.LastSynced, types.DateTime("2026-03-02T09:00:42.118204Z"))
	is(t, "configured", string(shop.Configuration["host"].Value), `"db.test"`)
	is(t, "schedule", shop.Scheduling.Full.Interval, "0 0 3 * * ?")

	run, err := l.Run(ctx, id) // the same numbers that syncline runs show shows
	ok(t, err)
	is(t, "inserted in the ledger", run.Tasks[0].Stats.Counts.Inserted, 1200)
	is(t, "deleted in the ledger", run.Tasks[0].Stats.Counts.Deleted, 2)
}

// TestLists: what lists, cancels and deletes jobs, and secrets.
func TestLists(t *testing.T) {
	client, _ := serve(t)
	api, ctx := client.Connector, t.Context()
	_, err := api.Put().ConnectorId("shop").IndexName("search-shop").ServiceType("mine").Do(ctx)
	ok(t, err)
	var ids []string
	for range 3 {
		posted, err := api.SyncJobPost().Id("shop").Do(ctx)
		ok(t, err)
		ids = append(ids, posted.Id)
	}
	_, err = api.SyncJobCancel(ids[0]).Do(ctx)
	ok(t, err)
	_, err = api.SyncJobDelete(ids[1]).Do(ctx)
	ok(t, err)
	all, err := api.SyncJobList().ConnectorId("shop").Do(ctx)
	ok(t, err)
	is(t, "count", all.Count, 2)
	is(t, "the newest", all.Results[0].Id, ids[2])
	canceled, err := api.SyncJobList().Status(syncstatus.Canceled).JobType(syncjobtype.Full).Do(ctx)
	ok(t, err)
	is(t, "canceled", canceled.Results[0].Id, ids[0])
	is(t, "canceled at", canceled.Results[0].CanceledAt, canceled.Results[0].CompletedAt)

	made, err := api.SecretPost().Value("pw").Do(ctx)
	ok(t, err)
	kept, err := api.SecretGet(made.Id).Do(ctx)
	ok(t, err)
	is(t, "secret", kept.Value, "pw")
	_, err = api.SecretDelete(kept.Id).Do(ctx)
	ok(t, err)
	_, err = api.SecretGet(kept.Id).Do(ctx)
	refused, isRefusal := err.(*types.ElasticsearchError)
	if !isRefusal || refused.Status != http.StatusNotFound || refused.ErrorCause.Type != "resource_not_found_exception" {
		t.Errorf("a secret that is gone: %v", err)
	}
}
