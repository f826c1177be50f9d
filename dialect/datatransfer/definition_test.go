package datatransfer

import (
	"net/http"
	"path"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
)

// crm is a data source whose runs a partner does.
var crm = doc{"dataSource": doc{
	"dataSourceId": "crm", "displayName": "The CRM", "defaultSchedule": "every day 03:00", "supportsCustomSchedule": true,
	"updateDeadlineSeconds": 3600, "minimumScheduleInterval": "3600s",
	"parameters": []any{
		doc{"paramId": "account", "type": "STRING", "required": true, "validationRegex": "[a-z]+", "validationDescription": "small letters"},
		doc{"paramId": "limit", "type": "INTEGER", "minValue": 0, "maxValue": 10},
		doc{"paramId": "region", "type": "STRING", "allowedValues": []any{"eu", "us"}, "immutable": true},
		doc{"paramId": "lists", "type": "LIST", "maxListSize": "2"},
	},
}, "runTimeOffset": "-86400s", "supportEmail": "help@crm.example"}

// A partner's definition is a data source, whose configs are held to its parameters.
func TestDefinition(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	made := d.ok(http.MethodPost, parent+"/dataSourceDefinitions", crm)
	name := parent + "/dataSourceDefinitions/crm"
	if "/v1/"+made["name"].(string) != name {
		t.Errorf("name is %v", made["name"])
	}
	same(t, "read", d.ok(http.MethodGet, name, nil), made)
	if e := d.refused(http.MethodPost, parent+"/dataSourceDefinitions", crm, http.StatusConflict, "ALREADY_EXISTS"); e["message"] == "" {
		t.Error("no message")
	}
	d.refused(http.MethodPost, parent+"/dataSourceDefinitions", doc{"dataSource": doc{"dataSourceId": "postgres"}}, http.StatusConflict, "ALREADY_EXISTS")
	d.refused(http.MethodPost, parent+"/dataSourceDefinitions", doc{"dataSource": doc{"dataSourceId": "No"}}, http.StatusBadRequest, "INVALID_ARGUMENT")
	if got := d.ok(http.MethodGet, parent+"/dataSources/crm", nil); got["displayName"] != "The CRM" || got["name"] != "projects/p1/locations/us/dataSources/crm" {
		t.Errorf("as a data source it is %v", got)
	}
	config := func(params doc, more doc) doc {
		body := doc{"dataSourceId": "crm", "destinationDatasetId": "ds1", "params": params}
		for k, v := range more {
			body[k] = v
		}
		return body
	}
	for what, c := range map[string]struct {
		body  doc
		field string
	}{
		"none":      {config(doc{}, nil), "params.account"},
		"capitals":  {config(doc{"account": "ACME"}, nil), "params.account"},
		"above":     {config(doc{"account": "acme", "limit": 11}, nil), "params.limit"},
		"a word":    {config(doc{"account": "acme", "region": "mars"}, nil), "params.region"},
		"too many":  {config(doc{"account": "acme", "lists": []any{"a", "b", "c"}}, nil), "params.lists"},
		"too often": {config(doc{"account": "acme"}, doc{"schedule": "every 30 minutes"}), "transfer_config.schedule"},
	} {
		if got := violation(d.refused(http.MethodPost, parent+"/transferConfigs", c.body, http.StatusBadRequest, "INVALID_ARGUMENT")); got != c.field {
			t.Errorf("%s: field %q, want %q", what, got, c.field)
		}
	}
	got := d.ok(http.MethodPost, parent+"/transferConfigs", config(doc{"account": "acme", "limit": 0, "region": "eu"}, nil))
	if got["nextRunTime"] != "2026-03-05T03:00:00Z" || got["params"].(doc)["limit"] != "0" {
		t.Errorf("config %v", got)
	}
	p, err := d.catalog.Named(t.Context(), Name, path.Base(got["name"].(string)))
	must(t, err)
	slot := time.Date(2026, 3, 4, 3, 0, 0, 0, time.UTC)
	r, _, err := d.ledger.Start(t.Context(), ledger.Order{PipelineID: p.ID, Origin: syncline.OriginSchedule, DataTime: slot})
	must(t, err)
	want := doc{"scheduleTime": "2026-03-04T03:00:00Z", "runTime": "2026-03-03T03:00:00Z", "schedule": "every day 03:00", "state": "PENDING"}
	same(t, "a run of the schedule", pick(d.ok(http.MethodGet, "/v1/"+got["name"].(string)+"/runs/"+r.ID, nil), want), want)
	d.refused(http.MethodPatch, "/v1/"+got["name"].(string)+"?updateMask=params.region", doc{"params": doc{"region": "us"}}, http.StatusBadRequest, "INVALID_ARGUMENT")
	d.refused(http.MethodDelete, name, nil, http.StatusBadRequest, "FAILED_PRECONDITION")
	d.ok(http.MethodPatch, name+"?updateMask=disabled", doc{"disabled": true})
	d.refused(http.MethodGet, parent+"/dataSources/crm", nil, http.StatusNotFound, "NOT_FOUND")
	d.ok(http.MethodPatch, name+"?updateMask=disabled", doc{})
	d.ok(http.MethodDelete, "/v1/"+got["name"].(string), nil)
	d.ok(http.MethodDelete, name, nil)
	d.refused(http.MethodGet, name, nil, http.StatusNotFound, "NOT_FOUND")
	if left := d.ok(http.MethodGet, parent+"/dataSourceDefinitions", nil); len(left) != 0 {
		t.Errorf("there is %v", left)
	}
}
