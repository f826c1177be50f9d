package datatransfer

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/ledger"
)

// A pipeline that was made elsewhere, and its runs, are there under its derived name: to
// read, to start, and not to change.
func TestMadeElsewhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	p, _, err := d.catalog.Put(t.Context(), "nightly", syncline.Definition{
		Source:      syncline.Endpoint{Kind: "sqlite", Settings: json.RawMessage(`{"path":"` + d.source() + `"}`)},
		Destination: syncline.Endpoint{Kind: "sqlite", Settings: json.RawMessage(`{"path":"` + d.dir + `/lake.db"}`)},
		Entities:    []syncline.EntitySpec{{Name: "orders"}},
		Schedules:   []syncline.Schedule{{Every: time.Hour}},
	}, catalog.PutOptions{})
	must(t, err)
	r, _, err := d.ledger.Start(t.Context(), ledger.Order{PipelineID: p.ID, Origin: syncline.OriginManual})
	must(t, err)
	name := "/v1/projects/syncline/locations/us/transferConfigs/syncline-" + p.ID
	got := d.ok(http.MethodGet, name, nil)
	want := doc{"displayName": "nightly", "dataSourceId": "sqlite", "destinationDatasetId": "lake", "schedule": "every 60 minutes", "state": "PENDING"}
	same(t, "config", pick(got, want), want)
	run := d.ok(http.MethodGet, name+"/runs/"+r.ID, nil)
	if run["state"] != "PENDING" || !strings.HasSuffix(run["name"].(string), "/runs/"+r.ID) || run["scheduleTime"] != run["runTime"] {
		t.Errorf("its run is %v", run)
	}
	if listed := d.ok(http.MethodGet, "/v1/projects/syncline/transferConfigs", nil)["transferConfigs"].([]any); len(listed) != 1 {
		t.Errorf("listed: %v", listed)
	}
	d.refused(http.MethodPatch, name+"?updateMask=displayName", doc{"displayName": "x"}, http.StatusBadRequest, "FAILED_PRECONDITION")
	d.refused(http.MethodDelete, name, nil, http.StatusBadRequest, "FAILED_PRECONDITION")
	d.refused(http.MethodGet, "/v1/projects/other/locations/us/transferConfigs/syncline-"+p.ID, nil, http.StatusNotFound, "NOT_FOUND")
	d.refused(http.MethodGet, "/v1/projects/syncline/locations/eu/transferConfigs/syncline-"+p.ID, nil, http.StatusNotFound, "NOT_FOUND")
	same(t, "after that", d.ok(http.MethodGet, name, nil), got)
}

// A deleted run is gone with its log; a deleted config takes its runs along.
func TestDelete(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.source()
	name := "/v1/" + d.ok(http.MethodPost, parent+"/transferConfigs", d.orders(nil))["name"].(string)
	var runs []string
	for _, at := range []string{"2026-03-04T10:00:00Z", "2026-03-04T10:10:00Z"} {
		started := d.ok(http.MethodPost, name+":startManualRuns", doc{"requestedRunTime": at})["runs"].([]any)
		runs = append(runs, started[0].(doc)["name"].(string))
	}
	d.ok(http.MethodDelete, "/v1/"+runs[0], nil)
	d.refused(http.MethodGet, "/v1/"+runs[0], nil, http.StatusNotFound, "NOT_FOUND")
	d.refused(http.MethodGet, "/v1/"+runs[0]+"/transferLogs", nil, http.StatusNotFound, "NOT_FOUND")
	d.ok(http.MethodGet, "/v1/"+runs[1], nil)
	d.ok(http.MethodDelete, name, nil)
	left, err := d.ledger.Runs(t.Context(), syncline.RunFilter{})
	must(t, err)
	if len(left) != 0 {
		t.Errorf("%d runs are left", len(left))
	}
	d.refused(http.MethodDelete, name, nil, http.StatusNotFound, "NOT_FOUND")
}

// Of each day that data is for, LATEST shows the newest run.
func TestLatest(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.source()
	name := "/v1/" + d.ok(http.MethodPost, parent+"/transferConfigs", d.orders(doc{
		"params": doc{"path": d.dir + "/source.db", "tables": []string{"orders"}, "cursor": "at"},
	}))["name"].(string)
	newest := map[string]bool{}
	for _, at := range []string{"2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", "2026-03-01T10:00:00Z", "2026-03-02T20:00:00Z"} {
		run := d.ok(http.MethodPost, name+":startManualRuns", doc{"requestedRunTime": at})["runs"].([]any)[0].(doc)
		newest[run["name"].(string)] = !strings.HasSuffix(at, "T00:00:00Z")
	}
	seen, token := 0, ""
	for {
		page := d.ok(http.MethodGet, name+"/runs?runAttempt=LATEST&pageSize=1&pageToken="+token, nil)
		for _, r := range page["transferRuns"].([]any) {
			if seen++; !newest[r.(doc)["name"].(string)] {
				t.Errorf("%v is not the newest of its day", r)
			}
		}
		next, more := page["nextPageToken"].(string)
		if token = next; !more {
			break
		}
	}
	if seen != 2 {
		t.Errorf("%d runs of 2 days", seen)
	}
	d.refused(http.MethodGet, name+"/runs?states=TRANSFER_STATE_UNSPECIFIED", nil, http.StatusBadRequest, "INVALID_ARGUMENT")
	d.refused(http.MethodGet, name+"/runs?states=DONE", nil, http.StatusBadRequest, "INVALID_ARGUMENT")
}

func TestSources(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	all := d.ok(http.MethodGet, parent+"/dataSources", nil)["dataSources"].([]any)
	if len(all) != 3 {
		t.Errorf("%d data sources", len(all))
	}
	one := d.ok(http.MethodGet, "/v1/projects/p1/dataSources/postgres", nil)
	if one["name"] != "projects/p1/locations/us/dataSources/postgres" || one["minimumScheduleInterval"] != "900s" {
		t.Errorf("postgres is %v", one)
	}
	types := map[string]any{}
	for _, p := range one["parameters"].([]any) {
		types[p.(doc)["paramId"].(string)] = p.(doc)["type"]
	}
	if types["port"] != "INTEGER" || types["tables"] != "LIST" || types["password"] != "STRING" {
		t.Errorf("parameters are %v", types)
	}
	if valid := d.ok(http.MethodPost, parent+"/dataSources/postgres:checkValidCreds", doc{}); valid["hasValidCreds"] != true {
		t.Errorf("%v", valid)
	}
	d.refused(http.MethodPost, parent+":enrollDataSources", doc{}, http.StatusBadRequest, "INVALID_ARGUMENT")
	d.refused(http.MethodPost, parent+":unenrollDataSources", doc{"dataSourceIds": []string{"oracle"}}, http.StatusNotFound, "NOT_FOUND")
	d.ok(http.MethodPost, parent+":unenrollDataSources", doc{"dataSourceIds": []string{"postgres"}})
	if left := d.ok(http.MethodGet, parent+"/dataSources", nil)["dataSources"].([]any); len(left) != 2 {
		t.Errorf("%d are left", len(left))
	}
	d.ok(http.MethodPost, parent+":enrollDataSources", doc{"dataSourceIds": []string{"postgres"}})
	if again := d.ok(http.MethodGet, parent+"/dataSources?pageSize=2", nil); len(again["dataSources"].([]any)) != 2 || again["nextPageToken"] == nil {
		t.Errorf("a page of two: %v", again)
	}
	if l := d.ok(http.MethodGet, "/v1/projects/p1/locations", nil)["locations"].([]any); len(l) != 1 || l[0].(doc)["locationId"] != "us" {
		t.Errorf("locations: %v", l)
	}
	d.refused(http.MethodGet, "/v1/projects/p1/locations/mars", nil, http.StatusNotFound, "NOT_FOUND")
}
