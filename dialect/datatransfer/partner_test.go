package datatransfer

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/builtin"
	"github.com/synclinehq/syncline/catalog"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/engine"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/task/transfer"
)

// partnerRun starts a run of a config whose source a partner serves; it answers its path.
func (d *desk) partnerRun() (path, id string) {
	d.Helper()
	name := fmt.Sprintf("c%d", time.Now().UnixNano())
	p, err := d.catalog.Make(auth.With(d.Context(), d.who), Name, name, func(_ syncline.Tx, p *syncline.Pipeline) error {
		p.Definition = syncline.Definition{
			Owner: syncline.OwnerExternal, Overlap: syncline.OverlapQueue,
			Source: syncline.Endpoint{Shown: "src"}, Destination: syncline.Endpoint{Shown: "ds1"},
		}
		c := &config{place: place{"p1", "us"}, id: name, p: p}
		return c.store(&pb.TransferConfig{DisplayName: name, DataSourceId: "src", Destination: &pb.TransferConfig_DestinationDatasetId{DestinationDatasetId: "ds1"}})
	})
	must(d, err)
	r, _, err := d.ledger.Start(d.Context(), ledger.Order{PipelineID: p.ID, Origin: syncline.OriginManual})
	must(d, err)
	return parent + "/transferConfigs/" + name + "/runs/" + r.ID, r.ID
}

func (d *desk) says(run string, mask string, body doc) doc {
	d.Helper()
	return d.ok(http.MethodPatch, run+"?updateMask="+mask, body)
}

// A partner takes its run, fails it with what it has said before, and is heard no more.
func TestPartnerFails(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	run, _ := d.partnerRun()
	d.refused(http.MethodPatch, run, doc{"state": "RUNNING"}, http.StatusBadRequest, "INVALID_ARGUMENT")
	d.refused(http.MethodPatch, run+"?updateMask=state", doc{}, http.StatusBadRequest, "INVALID_ARGUMENT")
	d.refused(http.MethodPatch, run+"?updateMask=state", doc{"state": "SUCCEEDED"}, http.StatusBadRequest, "FAILED_PRECONDITION")
	if got := d.says(run, "state", doc{"state": "PENDING"}); got["state"] != "PENDING" {
		t.Errorf("it waits as %v", got)
	}
	got := d.says(run, "transferRun.state", doc{"state": "RUNNING", "errorStatus": doc{"code": 3}})
	if got["state"] != "RUNNING" || got["startTime"] == nil || got["errorStatus"] != nil {
		t.Errorf("it runs as %v", got)
	}
	d.says(run, "state", doc{"state": "RUNNING"})
	d.refused(http.MethodPatch, run+"?updateMask=state", doc{"state": "PENDING"}, http.StatusBadRequest, "FAILED_PRECONDITION")
	if got := d.says(run, "errorStatus,labels", doc{"errorStatus": doc{"code": 8, "message": "quota"}}); got["state"] != "RUNNING" || got["errorStatus"] != nil {
		t.Errorf("an error alone: %v", got)
	}
	failed := d.says(run, "state", doc{"state": "FAILED"})
	if failed["state"] != "FAILED" || failed["endTime"] == nil || text(failed["errorStatus"]) != `{"code":8,"message":"quota"}` {
		t.Errorf("it failed as %v", failed)
	}
	for _, state := range []string{"FAILED", "RUNNING"} {
		d.refused(http.MethodPatch, run+"?updateMask=state", doc{"state": state}, http.StatusBadRequest, "FAILED_PRECONDITION")
	}
	d.refused(http.MethodPost, run+":logMessages", doc{}, http.StatusBadRequest, "FAILED_PRECONDITION")
	d.refused(http.MethodPost, run+":finishRun", doc{}, http.StatusBadRequest, "FAILED_PRECONDITION")
}

// From PENDING too; without an error it is an unknown one.
func TestPartnerEnds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, c := range []struct {
		mask, want string
		body       doc
	}{
		{"state", `{"code":2,"message":"the data source reported a failure"}`, doc{"state": "FAILED"}},
		{"state,error_status", `{"code":7,"message":"no"}`, doc{"state": "FAILED", "errorStatus": doc{"code": 7, "message": "no"}}},
		{"state,error_status", `{"code":2,"message":"odd"}`, doc{"state": "FAILED", "errorStatus": doc{"code": 99, "message": "odd"}}},
	} {
		run, _ := d.partnerRun()
		if got := d.says(run, c.mask, c.body); got["state"] != "FAILED" || text(got["errorStatus"]) != c.want {
			t.Errorf("%v: %v", c.body, got)
		}
	}
	for _, state := range []string{"SUCCEEDED", "CANCELLED"} {
		run, _ := d.partnerRun()
		d.says(run, "state", doc{"state": "RUNNING"})
		if got := d.says(run, "state", doc{"state": state}); got["state"] != state || got["errorStatus"] != nil {
			t.Errorf("%s: %v", state, got)
		}
	}
}

// Another key's run, and one that Syncline does, are not for a partner to report on.
func TestPartnerReportsItsOwn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	run, _ := d.partnerRun()
	d.says(run, "state", doc{"state": "RUNNING"})
	d.who.Key = "b"
	d.refused(http.MethodPost, run+":finishRun", doc{}, http.StatusForbidden, "PERMISSION_DENIED")
	d.refused(http.MethodPost, run+":startBigQueryJobs", jobs("/x.csv", nil, nil), http.StatusForbidden, "PERMISSION_DENIED")
	d.who.Role = auth.Viewer
	d.refused(http.MethodPost, run+":logMessages", doc{}, http.StatusForbidden, "PERMISSION_DENIED")
	d.who.Role = auth.Admin
	d.source()
	name := "/v1/" + d.ok(http.MethodPost, parent+"/transferConfigs", d.orders(nil))["name"].(string)
	own := d.ok(http.MethodPost, name+":startManualRuns", doc{"requestedRunTime": "2026-03-04T10:17:42Z"})["runs"].([]any)[0].(doc)
	d.refused(http.MethodPatch, "/v1/"+own["name"].(string)+"?updateMask=state", doc{"state": "FAILED"}, http.StatusBadRequest, "FAILED_PRECONDITION")
	p, _, err := d.catalog.Put(t.Context(), "other", syncline.Definition{Owner: syncline.OwnerExternal}, catalog.PutOptions{})
	must(t, err)
	other, _, err := d.ledger.Start(t.Context(), ledger.Order{PipelineID: p.ID, Origin: syncline.OriginManual})
	must(t, err)
	elsewhere := "/v1/projects/syncline/locations/us/transferConfigs/syncline-" + p.ID + "/runs/" + other.ID
	d.refused(http.MethodPatch, elsewhere+"?updateMask=state", doc{"state": "RUNNING"}, http.StatusBadRequest, "FAILED_PRECONDITION")
	d.refused(http.MethodPatch, name+"/runs/none?updateMask=state", doc{"state": "FAILED"}, http.StatusNotFound, "NOT_FOUND")
}

// What a partner says is in the log in its order; what is for debugging is not.
func TestPartnerLogs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	run, id := d.partnerRun()
	d.says(run, "state", doc{"state": "RUNNING"})
	d.ok(http.MethodPost, run+":logMessages", doc{"transferMessages": []doc{
		{"messageText": "a", "messageTime": "2026-03-04T10:00:00Z"}, {"severity": "DEBUG", "messageText": "hidden"}, {"severity": "ERROR"}, {"severity": "ERROR"},
	}})
	before := d.seen(id)
	d.ok(http.MethodPost, run+":logMessages", doc{})
	if !d.seen(id).Equal(before) {
		t.Error("no message at all is a sign of life")
	}
	d.ok(http.MethodPost, run+":logMessages", doc{"transferMessages": []doc{{"severity": "DEBUG"}}})
	if !d.seen(id).After(before) {
		t.Error("a message for debugging is no sign of life")
	}
	kept, err := d.ledger.Messages(t.Context(), id, 0, 100)
	must(t, err)
	var said []string
	for _, m := range kept {
		said = append(said, string(m.Severity)+" "+m.Text)
	}
	if got := strings.Join(said, "|"); got != "info a|error |error " {
		t.Errorf("said: %s", got)
	}
	if !kept[0].At.Equal(time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)) || time.Since(kept[1].At) > time.Minute {
		t.Errorf("at %s and %s", kept[0].At, kept[1].At)
	}
	d.invalid(run+":logMessages", doc{"transferMessages": []doc{{}, {"severity": 9}}}, "transfer_messages[1].severity")
	d.invalid(run+":logMessages", doc{"transferMessages": []doc{{"messageText": strings.Repeat("x", mostText+1)}}}, "transfer_messages[0].message_text")
}

// seen is when the partner last gave a sign of life.
func (d *desk) seen(id string) time.Time {
	d.Helper()
	got, err := d.ledger.Run(d.Context(), id)
	must(d, err)
	if len(got.Leases) != 1 {
		d.Fatalf("%d leases", len(got.Leases))
	}
	return got.Leases[0].SeenAt
}

func (d *desk) invalid(path string, body doc, field string) {
	d.Helper()
	if e := d.refused(http.MethodPost, path, body, http.StatusBadRequest, "INVALID_ARGUMENT"); !strings.Contains(text(e), `"`+field+`"`) {
		d.Errorf("%v does not name %s", e, field)
	}
}

// jobs asks for one load; more goes into the data, def into its table definition.
func jobs(file string, more, def doc) doc {
	table := doc{"tableId": "t", "sourceUris": []string{"file://" + file}, "format": "CSV"}
	for k, v := range def {
		table[k] = v
	}
	data := doc{"destinationTableId": "orders", "tableDefs": []doc{table}}
	for k, v := range more {
		data[k] = v
	}
	return doc{"importedData": []doc{data}}
}

func TestJobsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	run, id := d.partnerRun()
	fields := func(f ...doc) doc { return doc{"schema": doc{"fields": f}} }
	const def = "imported_data[0].table_defs[0]."
	for _, c := range []struct {
		field     string
		more, def doc
	}{
		{field: "imported_data[0].sql", more: doc{"sql": "select 1"}},
		{field: "imported_data[0].table_defs", more: doc{"tableDefs": []doc{}}},
		{field: "imported_data[0].table_defs", more: doc{"tableDefs": []doc{{}, {}}}},
		{field: "imported_data[0].destination_table_id", more: doc{"destinationTableId": ""}},
		{field: "imported_data[0].destination_table_id", more: doc{"destinationTableId": "a*"}},
		{field: "imported_data[0].destination_table_id", more: doc{"destinationTableId": "a$20260304", "writeDisposition": "WRITE_TRUNCATE"}},
		{field: def + "source_uris", def: doc{"sourceUris": []string{}}},
		{field: def + "source_uris", def: doc{"sourceUris": []string{"gs://b/x.csv"}}},
		{field: def + "source_uris", def: doc{"sourceUris": []string{"file:///x.csv", "gs://b/x.csv"}}},
		{field: def + "source_uris", def: doc{"sourceUris": []string{"file://host/x.csv"}}},
		{field: def + "format", def: doc{"format": "PARQUET"}},
		{field: def + "encoding", def: doc{"encoding": "ISO_8859_1"}},
		{field: def + "csv_options.field_delimiter", def: doc{"csvOptions": doc{"fieldDelimiter": "||"}}},
		{field: def + "csv_options.quote_char", def: doc{"csvOptions": doc{"quoteChar": "\x00"}}},
		{field: def + "csv_options.skip_leading_rows", def: doc{"csvOptions": doc{"skipLeadingRows": "2"}}},
		{field: def + "csv_options.skip_leading_rows", def: doc{"csvOptions": doc{"skipLeadingRows": "0"}, "schema": fields(doc{"fieldName": "id", "type": "STRING"})["schema"]}},
		{field: def + "schema.fields[0].field_name", def: fields(doc{"fieldName": "1", "type": "STRING"})},
		{field: def + "schema.fields[1].field_name", def: fields(doc{"fieldName": "a", "type": "STRING"}, doc{"fieldName": "A", "type": "STRING"})},
		{field: def + "schema.fields[0].type", def: fields(doc{"fieldName": "a"})},
		{field: def + "schema.fields[0].schema", def: fields(doc{"fieldName": "a", "type": "RECORD"})},
		{field: def + "schema.fields[0].schema", def: fields(doc{"fieldName": "a", "type": "STRING", "schema": doc{}})},
		{field: def + "schema.fields[0]", def: fields(doc{"fieldName": "a", "type": "STRING", "isRepeated": true})},
	} {
		d.invalid(run+":startBigQueryJobs", jobs("/x.csv", c.more, c.def), c.field)
	}
	d.invalid(run+":startBigQueryJobs", doc{}, "imported_data")
	if got, err := d.ledger.Run(t.Context(), id); err != nil || got.Run.State != syncline.StatePending {
		t.Errorf("the run is %s, %v", got.Run.State, err)
	}
}

// works sets a worker to work until a run has ended.
func (d *desk) works(id string) ledger.Detail {
	d.Helper()
	w := engine.NewWorker(engine.WorkerOptions{
		Door: d.ledger, Opener: d.catalog, Tasks: builtin.Registry(transfer.Options{Memory: rows.NewBudget(64 << 20)}).Task,
		Self: syncline.Worker{ID: "here/1", Session: "s", Host: "here", Kinds: []string{"sync"}},
		Beat: 50 * time.Millisecond, Poll: 20 * time.Millisecond, Flush: 20 * time.Millisecond,
	})
	ctx, stop := context.WithCancel(d.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	defer func() { stop(); <-ended }()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		got, err := d.ledger.Run(d.Context(), id)
		must(d, err)
		if got.Run.State.Final() {
			return got
		}
	}
	d.Fatalf("run %s does not end", id)
	return ledger.Detail{}
}

func (d *desk) csv(name string, n int) string {
	d.Helper()
	var b strings.Builder
	b.WriteString("id;word\n")
	for i := range n {
		fmt.Fprintf(&b, "%d;w%d\n", i, i)
	}
	path := filepath.Join(d.dir, name)
	must(d, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// Two files of a thousand rows land in one table, the first in the place of what was there,
// and the run ends with the last of them.
func TestJobsLoad(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first, second := d.csv("a b.csv", 1000), d.csv("c.csv", 1000)
	for range 2 {
		run, id := d.partnerRun()
		d.ok(http.MethodPost, run+":startBigQueryJobs", jobs("", doc{"writeDisposition": "WRITE_TRUNCATE"}, doc{
			"sourceUris": []string{"file://" + strings.ReplaceAll(first, " ", "%20"), "file://" + second},
			"csvOptions": doc{"fieldDelimiter": ";", "skipLeadingRows": "1"},
			"schema":     doc{"fields": []doc{{"fieldName": "id", "type": "INTEGER"}, {"fieldName": "word", "type": "STRING"}}},
		}))
		d.refused(http.MethodPatch, run+"?updateMask=state", doc{"state": "SUCCEEDED"}, http.StatusBadRequest, "FAILED_PRECONDITION")
		d.ok(http.MethodPost, run+":finishRun", doc{})
		d.refused(http.MethodPost, run+":finishRun", doc{}, http.StatusBadRequest, "FAILED_PRECONDITION")
		d.refused(http.MethodPatch, run+"?updateMask=state", doc{"state": "RUNNING"}, http.StatusBadRequest, "FAILED_PRECONDITION")
		got := d.works(id)
		if c := syncline.Totals(got.Tasks); c.Read != 2000 || c.Inserted != 2000 {
			t.Errorf("the run came to %+v", c)
		}
		if shown := d.ok(http.MethodGet, run, nil); shown["state"] != "SUCCEEDED" || shown["errorStatus"] != nil {
			t.Errorf("the run is shown as %v", shown)
		}
	}
	if n := d.count("ds1", "orders"); n != 2000 {
		t.Errorf("the table has %d rows", n)
	}
}

// A file that is not there fails the run, with the error of its load.
func TestJobsFail(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	run, id := d.partnerRun()
	d.ok(http.MethodPost, run+":startBigQueryJobs", jobs(d.dir+"/none.csv", nil, nil))
	d.ok(http.MethodPost, run+":finishRun", doc{})
	d.works(id)
	shown := d.ok(http.MethodGet, run, nil)
	if shown["state"] != "FAILED" || !strings.Contains(text(shown["errorStatus"]), "none.csv") {
		t.Errorf("the run is shown as %v", shown)
	}
}

func (d *desk) count(dataset, table string) (n int) {
	d.Helper()
	db, err := sql.Open("sqlite", filepath.Join(d.dir, dataset+".db"))
	must(d, err)
	defer func() { must(d, db.Close()) }()
	must(d, db.QueryRowContext(d.Context(), `select count(*) from "`+table+`"`).Scan(&n))
	return n
}
