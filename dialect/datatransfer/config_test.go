package datatransfer

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// A config comes back as it was given, in every place that shows it.
func TestConfigLives(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.source()
	made := d.ok(http.MethodPost, parent+"/transferConfigs", d.orders(doc{"schedule": "every 24 hours", "emailPreferences": doc{"enableFailureEmail": true}}))
	name := "/v1/" + made["name"].(string)
	if !strings.HasPrefix(name, parent+"/transferConfigs/") {
		t.Errorf("name is %s", name)
	}
	want := doc{
		"displayName": "orders", "dataSourceId": "sqlite", "destinationDatasetId": "ds1", "schedule": "every 24 hours",
		"datasetRegion": "us", "nextRunTime": "2026-03-05T10:17:00Z", "emailPreferences": doc{"enableFailureEmail": true},
		"scheduleOptionsV2": doc{"timeBasedSchedule": doc{"schedule": "every 24 hours"}},
		"params":            doc{"path": filepath.Join(d.dir, "source.db"), "tables": []any{"orders"}},
	}
	same(t, "created", pick(made, want), want)
	got := d.ok(http.MethodGet, name, nil)
	same(t, "read", pick(got, want), want)
	if got["ownerInfo"] == nil || made["ownerInfo"] != nil {
		t.Error("the owner is shown by get, and by nothing else")
	}
	listed := d.ok(http.MethodGet, "/v1/projects/p1/transferConfigs?dataSourceIds=sqlite", nil)["transferConfigs"].([]any)
	if len(listed) != 1 {
		t.Fatalf("listed: %v", listed)
	}
	same(t, "listed", pick(listed[0].(doc), want), want)
	if other := d.ok(http.MethodGet, "/v1/projects/p1/transferConfigs?dataSourceIds=postgres", nil); len(other) != 0 {
		t.Errorf("of another source: %v", other)
	}
	d.ok(http.MethodDelete, name, nil)
	if e := d.refused(http.MethodGet, name, nil, http.StatusNotFound, "NOT_FOUND"); e["message"] != "Requested entity was not found." {
		t.Errorf("gone: %v", e)
	}
}

// pick is the part of a document that another one speaks of.
func pick(from, like doc) doc {
	out := doc{}
	for k := range like {
		out[k] = from[k]
	}
	return out
}

func TestPatch(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.source()
	name := "/v1/" + d.ok(http.MethodPost, parent+"/transferConfigs", d.orders(doc{"schedule": "every 24 hours"}))["name"].(string)
	for _, c := range []struct {
		mask       string
		body, want doc
	}{
		{"displayName", doc{"displayName": "new", "schedule": "every 15 minutes"}, doc{"displayName": "new", "schedule": "every 24 hours"}},
		{"transfer_config.display_name", doc{"displayName": "newer"}, doc{"displayName": "newer"}},
		{"scheduleOptionsV2", doc{"scheduleOptionsV2": doc{"manualSchedule": doc{}}}, doc{"scheduleOptionsV2": doc{"manualSchedule": doc{}}, "nextRunTime": nil, "schedule": nil}},
		{"notificationPubsubTopic", doc{"notificationPubsubTopic": "projects/p/topics/t"}, doc{"notificationPubsubTopic": "projects/p/topics/t"}},
	} {
		got := d.ok(http.MethodPatch, name+"?updateMask="+c.mask, c.body)
		same(t, c.mask, pick(got, c.want), c.want)
	}
	d.ok(http.MethodPatch, name+"?updateMask=transfer_config.displayName,service_account_name&serviceAccountName=", doc{"displayName": "newest"})
	same(t, "a schedule again", d.ok(http.MethodPatch, name+"?updateMask=schedule", doc{"schedule": "every 15 minutes"})["nextRunTime"], any("2026-03-04T10:32:00Z"))
	off := d.ok(http.MethodPatch, name+"?updateMask=disabled", doc{"disabled": true})
	if off["disabled"] != true || off["nextRunTime"] != nil {
		t.Errorf("disabled: %v", off)
	}
	if on := d.ok(http.MethodPatch, name+"?updateMask=disabled", doc{}); on["disabled"] != nil || on["nextRunTime"] != "2026-03-04T10:32:00Z" {
		t.Errorf("enabled: %v", on)
	}
	param := d.ok(http.MethodPatch, name+"?updateMask=params.mode,params.cursor", doc{"params": doc{"mode": "incremental", "cursor": "at"}})
	if p := param["params"].(doc); p["mode"] != "incremental" || p["cursor"] != "at" || p["path"] == nil {
		t.Errorf("one parameter: %v", p)
	}
	before := d.ok(http.MethodGet, name, nil)
	for mask, body := range map[string]doc{
		"":                  {"displayName": "x"},
		"name":              {"name": "x"},
		"state":             {},
		"nextRunTime":       {},
		"nothing":           {},
		"dataSourceId":      {"dataSourceId": "postgres"},
		"schedule":          {"schedule": "every 5 minutes"},
		"params.tables":     {"params": doc{}},
		"params.mode":       {"params": doc{"mode": "sometimes"}},
		"scheduleOptionsV2": {"scheduleOptionsV2": doc{"eventDrivenSchedule": doc{"pubsubSubscription": "x"}}},
	} {
		e := d.refused(http.MethodPatch, name+"?updateMask="+mask, body, http.StatusBadRequest, "INVALID_ARGUMENT")
		if e["message"] == "" {
			t.Errorf("%s: no message", mask)
		}
	}
	same(t, "after all that was refused", d.ok(http.MethodGet, name, nil), before)
}

// Every vector of the published grammar gives the first slot after now.
func TestScheduleVectors(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.source()
	for text, want := range map[string]string{
		"every 24 hours": "2026-03-05T10:17:00Z", "every 15 minutes": "2026-03-04T10:32:00Z", "every 15 mins": "2026-03-04T10:32:00Z",
		"every 1 hours": "2026-03-04T11:17:00Z", "every 99999 minutes": "2026-05-12T20:56:00Z", "every day 09:00": "2026-03-05T09:00:00Z",
		"every day 9:00": "2026-03-05T09:00:00Z", "every monday 09:00": "2026-03-09T09:00:00Z", "every mon,wed,fri 00:00": "2026-03-06T00:00:00Z",
		"1st,3rd monday of month 15:30": "2026-03-16T15:30:00Z", "every wed,fri of jan,jun 13:15": "2026-06-03T13:15:00Z",
		"first sunday of quarter 00:00": "2026-04-05T00:00:00Z", "1st monday of first month of quarter 09:00": "2026-04-06T09:00:00Z",
		"1 of second month of quarter 00:00": "2026-05-01T00:00:00Z", "1,15 of month 04:00": "2026-03-15T04:00:00Z", "31 of month 00:00": "2026-03-31T00:00:00Z",
		"29 of february 00:00": "2028-02-29T00:00:00Z", "5th monday of month 10:00": "2026-03-30T10:00:00Z", "1st day 00:00": "2026-04-01T00:00:00Z",
		"2nd,4th day of month 06:00": "2026-04-02T06:00:00Z", "every day of quarter 00:00": "2026-04-01T00:00:00Z", "third sun,mon of feb 03:00": "2027-02-15T03:00:00Z",
		"every 2 hours synchronized": "2026-03-04T12:00:00Z", "every 90 minutes synchronized": "2026-03-04T10:30:00Z", "every 24 hours synchronized": "2026-03-05T00:00:00Z",
		"every 30 minutes from 09:00 to 17:00": "2026-03-04T10:30:00Z", "every 12 hours from 09:00 to 17:00": "2026-03-05T09:00:00Z",
		"every 45 minutes from 22:00 to 02:00": "2026-03-04T22:00:00Z", "": "2026-03-05T10:17:00Z",
	} {
		got := d.ok(http.MethodPost, parent+"/transferConfigs", d.orders(doc{"schedule": text}))
		if got["nextRunTime"] != want {
			t.Errorf("%q: %v, want %s", text, got["nextRunTime"], want)
		}
	}
}

// What is wrong with a config is said with the field, and nothing is made.
func TestConfigRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.source()
	path := filepath.Join(d.dir, "source.db")
	for what, c := range map[string]struct {
		body  doc
		field string
	}{
		"no dataset":        {doc{"destinationDatasetId": ""}, "transfer_config.destination_dataset_id"},
		"unknown parameter": {doc{"params": doc{"path": path, "tables": []string{"orders"}, "colour": "red"}}, "params.colour"},
		"no table":          {doc{"params": doc{"path": path}}, "params.tables"},
		"a table, no list":  {doc{"params": doc{"path": path, "tables": "orders"}}, "params.tables"},
		"no cursor":         {doc{"params": doc{"path": path, "tables": []string{"orders"}, "mode": "incremental"}}, "params.cursor"},
		"two of a name":     {doc{"params": doc{"path": path, "tables": []string{"a.orders", "b.orders"}}}, "params.tables"},
		"no schedule":       {doc{"schedule": "every hour"}, "transfer_config.schedule"},
		"too often":         {doc{"schedule": "every 14 minutes"}, "transfer_config.schedule"},
		"two families":      {doc{"schedule": "every 24 hours", "scheduleOptionsV2": doc{"timeBasedSchedule": doc{}}}, "transfer_config.schedule_options_v2"},
		"ends first":        {doc{"scheduleOptions": doc{"startTime": "2026-04-01T00:00:00Z", "endTime": "2026-04-01T00:00:00Z"}}, "transfer_config.schedule_options.end_time"},
		"no topic":          {doc{"notificationPubsubTopic": "t"}, "transfer_config.notification_pubsub_topic"},
		"a window of days":  {doc{"dataRefreshWindowDays": 3}, "transfer_config.data_refresh_window_days"},
	} {
		e := d.refused(http.MethodPost, parent+"/transferConfigs", d.orders(c.body), http.StatusBadRequest, "INVALID_ARGUMENT")
		if got := violation(e); got != c.field {
			t.Errorf("%s: field %q, want %q (%v)", what, got, c.field, e["message"])
		}
	}
	d.refused(http.MethodPost, parent+"/transferConfigs", d.orders(doc{"dataSourceId": "oracle"}), http.StatusNotFound, "NOT_FOUND")
	if left := d.ok(http.MethodGet, parent+"/transferConfigs", nil); len(left) != 0 {
		t.Errorf("there is %v", left)
	}
}

// violation is the field that an error names.
func violation(e doc) string {
	for _, one := range e["details"].([]any) {
		if all, ok := one.(doc)["fieldViolations"].([]any); ok {
			return all[0].(doc)["field"].(string)
		}
	}
	return ""
}

// A page goes on behind its last one, whatever is made meanwhile, and its token is good for
// its own list only.
func TestConfigPages(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.source()
	for range 5 {
		d.ok(http.MethodPost, parent+"/transferConfigs", d.orders(nil))
	}
	seen, token := map[string]bool{}, ""
	for pages := 0; ; pages++ {
		page := d.ok(http.MethodGet, parent+"/transferConfigs?pageSize=2&pageToken="+token, nil)
		for _, c := range page["transferConfigs"].([]any) {
			seen[c.(doc)["name"].(string)] = true
		}
		next, more := page["nextPageToken"].(string)
		if !more {
			break
		}
		if token = next; pages == 0 {
			d.refused(http.MethodGet, "/v1/projects/p2/locations/us/transferConfigs?pageToken="+token, nil, http.StatusBadRequest, "INVALID_ARGUMENT")
			d.refused(http.MethodGet, parent+"/transferConfigs?pageToken="+token[:len(token)-2]+"xx", nil, http.StatusBadRequest, "INVALID_ARGUMENT")
		}
	}
	if len(seen) != 5 {
		t.Errorf("the pages have %d configs of 5", len(seen))
	}
	d.refused(http.MethodGet, parent+"/transferConfigs?pageSize=-1", nil, http.StatusBadRequest, "INVALID_ARGUMENT")
}

func same[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if g, w := text(got), text(want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}
