package datatransfer

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/builtin"
	"github.com/synclinehq/syncline/catalog"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/task/transfer"
)

// Whoever is not the server's user loads files below its roots and no others, and is told
// which member names one.
func TestJobsKeepToTheRoots(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	a := &API{o: Options{
		Catalog: catalog.New(catalog.Options{
			Registry: builtin.Registry(transfer.Options{}), Host: "here", Roots: []string{root}, Local: func(context.Context) bool { return false },
		}),
		Dataset: func(id string) (syncline.Endpoint, error) {
			return syncline.Endpoint{Kind: "sqlite", Settings: json.RawMessage(fmt.Sprintf(`{"path":%q}`, filepath.Join(root, id+".db")))}, nil
		},
	}}
	c := &config{place: place{"p", "us"}, doc: &pb.TransferConfig{Destination: &pb.TransferConfig_DestinationDatasetId{DestinationDatasetId: "ds1"}}}
	load := func(path string) error {
		jobs, err := importJobs(&pb.StartBigQueryJobsRequest{ImportedData: []*pb.ImportedDataInfo{{
			DestinationTableId: "orders", TableDefs: []*pb.ImportedDataInfo_TableDefinition{{SourceUris: []string{"file://" + path}}},
		}}})
		must(t, err)
		all, err := a.children(t.Context(), c, jobs)
		if err == nil && (len(all) != 1 || !all[0].Definition.Confined) {
			t.Errorf("%s is loaded by %+v", path, all)
		}
		return err
	}
	must(t, load(root+"/orders.csv"))
	for _, path := range []string{"/etc/passwd", root + "/../x.csv", "/%2e%2e" + root + "/x.csv"} {
		wrong, ok := load(path).(*syncline.Error) //nolint:errorlint // it is not wrapped
		if !ok || wrong.Code != syncline.InvalidArgument || wrong.Field != "imported_data[0].table_defs[0].source_uris" {
			t.Errorf("%s: %v", path, wrong)
		}
	}
}

// Records and lists are kept as JSON; the fields of CSV are separated by commas; a partition is appended to its table; a file without
// a header has numbered columns.
func TestJobsFormats(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	lines, bare := filepath.Join(d.dir, "x.dat"), filepath.Join(d.dir, "bare.csv")
	must(t, os.WriteFile(lines, []byte(`{"id":"7","lines":[{"sku":"a"}],"tags":["x"]}`+"\n"), 0o600))
	must(t, os.WriteFile(bare, []byte("1,a\n2,b\n"), 0o600))
	run, id := d.partnerRun()
	d.ok(http.MethodPost, run+":startBigQueryJobs", jobs(lines, doc{"destinationTableId": "nested$20260304"}, doc{
		"format": "JSON",
		"schema": doc{"fields": []doc{
			{"fieldName": "id", "type": "INTEGER"},
			{"fieldName": "lines", "type": "RECORD", "isRepeated": true, "schema": doc{"fields": []doc{{"fieldName": "sku", "type": "STRING"}}}},
			{"fieldName": "tags", "type": "STRING", "isRepeated": true},
		}},
	}))
	d.ok(http.MethodPost, run+":startBigQueryJobs", jobs(bare, doc{"destinationTableId": "bare"}, doc{"format": "FORMAT_UNSPECIFIED", "csvOptions": doc{"skipLeadingRows": "0"}}))
	d.ok(http.MethodPost, run+":startBigQueryJobs", jobs(d.csv("whole.csv", 3), doc{"destinationTableId": "whole"}, nil))
	d.ok(http.MethodPost, run+":finishRun", doc{})
	if got := d.works(id); got.Run.State != syncline.StateSucceeded {
		t.Fatalf("the run is %s: %v", got.Run.State, got.Run.Error)
	}
	db, err := sql.Open("sqlite", filepath.Join(d.dir, "ds1.db"))
	must(t, err)
	defer func() { must(t, db.Close()) }()
	var number int
	var sku, tag, last, whole string
	must(t, db.QueryRowContext(t.Context(), `select id, json_extract("lines", '$[0].sku'), json_extract(tags, '$[0]') from nested`).Scan(&number, &sku, &tag))
	must(t, db.QueryRowContext(t.Context(), `select max(column_2) from bare`).Scan(&last))
	must(t, db.QueryRowContext(t.Context(), `select max("id;word") from whole`).Scan(&whole))
	if whole != "2;w2" || number != 7 || sku != "a" || tag != "x" || last != "b" || d.count("ds1", "bare") != 2 {
		t.Errorf("loaded: %d %q %q, %q, %q", number, sku, tag, last, whole)
	}
}
