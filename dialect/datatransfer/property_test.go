package datatransfer

import (
	"net/http"
	"strings"
	"testing"

	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

// settable is a value for every member of a config that a client sets.
var settable = doc{
	"displayName":             "orders of the day",
	"schedule":                "every monday 09:00",
	"scheduleOptions":         doc{"startTime": "2026-04-01T00:00:00Z", "endTime": "2027-01-01T00:00:00.500Z"},
	"notificationPubsubTopic": "projects/p/topics/t",
	"disabled":                true,
	"emailPreferences":        doc{"enableFailureEmail": true},
	"encryptionConfiguration": doc{"kmsKeyName": "projects/p/locations/us/keyRings/r/cryptoKeys/k"},
	"managedTableType":        "NATIVE",
	"metadataDestination":     doc{"dataplexConfiguration": doc{"entryGroup": "projects/p/locations/us/entryGroups/g"}},
	"destinationDatasetId":    "ds2",
	"paramConfig":             doc{"secretManagerManagedParams": []any{"password"}},
	"partnerToken":            "opaque",
	"partnerConnectionInfo":   doc{"account": "a", "n": 1.5},
}

// unsettable are the members that are not in settable, and why.
var unsettable = map[string]string{
	"name":                  "the service gives it",
	"updateTime":            "the service says it",
	"nextRunTime":           "the service says it",
	"state":                 "the service says it",
	"userId":                "the service says it",
	"datasetRegion":         "the service says it",
	"ownerInfo":             "the service says it",
	"error":                 "the service says it",
	"dataSourceId":          "cannot be changed after the config was made; TestConfigLives reads it",
	"params":                "TestPatch and TestSecretsStayHidden read them",
	"scheduleOptionsV2":     "cannot be given with schedule; TestPatch reads it",
	"dataRefreshWindowDays": "no source of ours has a sliding window; TestConfigRefused",
}

// Every member that a client sets comes back as it was set, after create and after patch.
func TestEveryMemberComesBack(t *testing.T) {
	t.Parallel()
	fields := (&pb.TransferConfig{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		member := fields.Get(i).JSONName()
		if _, set := settable[member]; !set && unsettable[member] == "" {
			t.Errorf("nobody says whether %s comes back", member)
		}
	}
	d := newDesk(t)
	d.source()
	made := d.ok(http.MethodPost, parent+"/transferConfigs", d.orders(settable))
	same(t, "created", pick(made, settable), settable)
	name := "/v1/" + d.ok(http.MethodPost, parent+"/transferConfigs", d.orders(nil))["name"].(string)
	for member, value := range settable {
		got := d.ok(http.MethodPatch, name+"?updateMask="+member, doc{member: value})
		same(t, "patched", got[member], value)
	}
	same(t, "read after all", pick(d.ok(http.MethodGet, name, nil), settable), settable)
	for member := range settable {
		if member != "destinationDatasetId" {
			d.ok(http.MethodPatch, name+"?updateMask="+member, doc{})
		}
	}
	left := d.ok(http.MethodGet, name, nil)
	for member := range settable {
		if member != "destinationDatasetId" && left[member] != nil {
			t.Errorf("%s was cleared and is %v", member, left[member])
		}
	}
}

// A secret is never shown; what stands in its place, given back, keeps it.
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const canary = "c4n4ry-p4ssword"
	body := d.orders(doc{"dataSourceId": "postgres", "params": doc{
		"host": "db", "user": "u", "database": "shop", "password": canary, "port": 5433, "tables": []string{"public.orders"},
	}})
	made := d.ok(http.MethodPost, parent+"/transferConfigs", body)
	params := made["params"].(doc)
	if params["password"] != hidden || params["port"] != "5433" {
		t.Errorf("params are %v", params)
	}
	name := "/v1/" + made["name"].(string)
	params["host"] = "db2"
	d.ok(http.MethodPatch, name+"?updateMask=params", doc{"params": params})
	p, err := d.catalog.Named(t.Context(), Name, name[len("/v1/projects/p1/locations/us/transferConfigs/"):])
	must(t, err)
	open, err := d.catalog.Open(t.Context(), p.Definition)
	must(t, err)
	var s struct{ Host, Password string }
	mustJSON(t, open.Source.Settings, &s)
	if s.Host != "db2" || s.Password != canary {
		t.Errorf("the source is %s with another password", s.Host)
	}
	for _, text := range []string{string(p.Ext[Name]), string(p.Definition.Source.Settings)} {
		if strings.Contains(text, canary) {
			t.Error("the secret is stored as it is")
		}
	}
}
