package datatransfer

import (
	"net/http"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
)

// A range makes one run for each slot, the newest first and 15 seconds after each other,
// and each means the day before its moment.
func TestBackfill(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.source()
	name := "/v1/" + d.ok(http.MethodPost, parent+"/transferConfigs", d.orders(doc{
		"schedule": "every day 00:00",
		"params":   doc{"path": d.dir + "/source.db", "tables": []string{"orders"}, "cursor": "at"},
	}))["name"].(string)
	started := d.ok(http.MethodPost, name+":startManualRuns", doc{"requestedTimeRange": doc{"startTime": "2026-03-01T00:00:00Z", "endTime": "2026-03-04T00:00:00Z"}})["runs"].([]any)
	var moments []string
	for _, r := range started {
		run := r.(doc)
		moments = append(moments, run["runTime"].(string))
		if run["state"] != "PENDING" || run["schedule"] != nil || run["startTime"] != nil {
			t.Errorf("a new run is %v", run)
		}
		id := run["name"].(string)[strings.LastIndexByte(run["name"].(string), '/')+1:]
		got, err := d.ledger.Run(t.Context(), id)
		must(t, err)
		w := got.Run.Window
		if w == nil || w.To.Format("2006-01-02T15:04:05Z") != run["runTime"] || w.To.Sub(w.From) != day {
			t.Errorf("run for %s means %v", run["runTime"], w)
		}
	}
	if got := strings.Join(moments, " "); got != "2026-03-03T00:00:00Z 2026-03-02T00:00:00Z 2026-03-01T00:00:00Z" {
		t.Errorf("moments %s", got)
	}
	listed := d.ok(http.MethodGet, name+"/runs?states=PENDING", nil)["transferRuns"].([]any)
	if len(listed) != 3 {
		t.Errorf("%d runs are listed", len(listed))
	}
	if none := d.ok(http.MethodGet, name+"/runs?states=SUCCEEDED", nil); len(none) != 0 {
		t.Errorf("succeeded: %v", none)
	}
}

func TestStartRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.source()
	name := "/v1/" + d.ok(http.MethodPost, parent+"/transferConfigs", d.orders(doc{"schedule": "every day 00:00"}))["name"].(string)
	manual := "/v1/" + d.ok(http.MethodPost, parent+"/transferConfigs", d.orders(doc{"scheduleOptions": doc{"disableAutoScheduling": true}}))["name"].(string)
	between := func(from, to string) doc { return doc{"requestedTimeRange": doc{"startTime": from, "endTime": to}} }
	for what, c := range map[string]struct {
		name  string
		body  doc
		field string
	}{
		"nothing":       {name, doc{}, "requested_run_time"},
		"backwards":     {name, between("2026-03-03T00:00:00Z", "2026-03-01T00:00:00Z"), "requested_time_range.end_time"},
		"in the future": {name, between("2026-03-03T00:00:00Z", "2026-03-09T00:00:00Z"), "requested_time_range.end_time"},
		"no slot":       {name, between("2026-03-03T01:00:00Z", "2026-03-03T02:00:00Z"), "requested_time_range"},
		"too late":      {name, doc{"requestedRunTime": "2026-03-04T10:28:00Z"}, "requested_run_time"},
		"on demand":     {manual, between("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z"), "requested_run_time"},
		"no cursor":     {name, between("2026-03-01T00:00:00Z", "2026-03-03T00:00:00Z"), "params.cursor"},
	} {
		e := d.refused(http.MethodPost, c.name+":startManualRuns", c.body, http.StatusBadRequest, "INVALID_ARGUMENT")
		if got := violation(e); got != c.field {
			t.Errorf("%s: field %q, want %q (%v)", what, got, c.field, e["message"])
		}
	}
	if runs := d.ok(http.MethodGet, name+"/runs", nil); len(runs) != 0 {
		t.Errorf("there is %v", runs)
	}
	d.ok(http.MethodPatch, name+"?updateMask=disabled", doc{"disabled": true})
	d.refused(http.MethodPost, name+":startManualRuns", doc{"requestedRunTime": "2026-03-04T10:00:00Z"}, http.StatusBadRequest, "FAILED_PRECONDITION")
	if now := d.ok(http.MethodPost, manual+":startManualRuns", doc{"requestedRunTime": "2026-03-04T10:00:00Z"})["runs"].([]any); len(now) != 1 {
		t.Errorf("a run for now: %v", now)
	}
}

// Every word is the one of the run model, and final on the wire iff final in the ledger.
func TestStates(t *testing.T) {
	t.Parallel()
	for _, a := range syncline.Aspects {
		word, ok := runStates[a]
		if !ok {
			t.Errorf("%s has no word", a)
		}
		final := syncline.State(a).Final() || a == syncline.AspectRejects || a == syncline.AspectPartly
		if wire := word.String() != "PENDING" && word.String() != "RUNNING"; wire != final {
			t.Errorf("%s is %s: final on the wire %t, in the ledger %t", a, word, wire, final)
		}
	}
}
