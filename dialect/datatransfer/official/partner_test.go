package official

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	pb "cloud.google.com/go/bigquery/datatransfer/apiv1/datatransferpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// partner speaks the half of the API that Google's clients for Go have no methods for.
type partner struct {
	s *server
	t *testing.T
}

func (p partner) call(method, at string, body, into any) int {
	p.t.Helper()
	raw, err := json.Marshal(body)
	ok(p.t, err)
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.s.url+path.Join("/v1", at), bytes.NewReader(raw))
	ok(p.t, err)
	r.Header.Set("Authorization", "Bearer "+p.s.key)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	ok(p.t, err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	ok(p.t, err)
	if into != nil {
		ok(p.t, json.Unmarshal(text, into))
	}
	if answer.StatusCode >= http.StatusBadRequest {
		p.t.Logf("%s %s: %d %s", method, at, answer.StatusCode, text)
	}
	return answer.StatusCode
}

func (p partner) must(method, path string, body any) {
	p.t.Helper()
	if status := p.call(method, path, body, nil); status >= http.StatusMultipleChoices {
		p.t.Fatalf("%s %s: %d", method, path, status)
	}
}

type object = map[string]any

// TestPartner is a partner's run from its taking to its end: 1,000 rows of a file, once.
func TestPartner(t *testing.T) {
	s := serve(t)
	c, p := s.grpc(t), partner{s, t}
	var file strings.Builder
	file.WriteString("id,v\n")
	for i := range 1000 {
		fmt.Fprintf(&file, "%d,v%d\n", i, i)
	}
	ok(t, os.WriteFile(filepath.Join(s.dir, "orders.csv"), []byte(file.String()), 0o600))
	p.must(http.MethodPost, parent+"/dataSourceDefinitions", object{"dataSource": object{
		"dataSourceId": "crm", "updateDeadlineSeconds": 60, "parameters": []object{{"paramId": "account", "type": "STRING", "required": true}},
	}})
	params, err := structpb.NewStruct(map[string]any{"account": "acme"})
	ok(t, err)
	config, err := c.CreateTransferConfig(t.Context(), &pb.CreateTransferConfigRequest{Parent: parent, TransferConfig: &pb.TransferConfig{
		Destination: &pb.TransferConfig_DestinationDatasetId{DestinationDatasetId: "lake"}, DataSourceId: "crm", Params: params,
	}})
	ok(t, err)
	started, err := c.StartManualTransferRuns(t.Context(), &pb.StartManualTransferRunsRequest{
		Parent: config.GetName(), Time: &pb.StartManualTransferRunsRequest_RequestedRunTime{RequestedRunTime: timestamppb.Now()},
	})
	ok(t, err)
	run := started.GetRuns()[0].GetName()
	p.must(http.MethodPatch, run+"?updateMask=state", object{"state": "RUNNING"})
	p.must(http.MethodPost, run+":logMessages", object{"transferMessages": []object{{"severity": "INFO", "messageText": "page 1"}}})
	p.must(http.MethodPost, run+":startBigQueryJobs", object{"importedData": []object{{
		"destinationTableId": "orders", "writeDisposition": "WRITE_TRUNCATE",
		"tableDefs": []object{{
			"tableId": "orders", "sourceUris": []string{"file://" + filepath.Join(s.dir, "orders.csv")}, "format": "CSV",
			"csvOptions": object{"skipLeadingRows": "1"},
		}},
	}}})
	p.must(http.MethodPost, run+":finishRun", object{})
	done := s.wait(t, c, run)
	if done.GetState() != pb.TransferState_SUCCEEDED {
		t.Fatalf("the run is %s: %v", done.GetState(), done.GetErrorStatus())
	}
	if n := count(t, open(t, filepath.Join(s.dir, "data", "datasets", "lake.db")), "select count(*) from orders"); n != 1000 {
		t.Errorf("the dataset has %d rows", n)
	}
	var shown struct {
		Totals struct{ Read, Inserted int64 }
	}
	s.json(&shown, "runs", "show", run[strings.LastIndexByte(run, '/')+1:])
	if shown.Totals.Read != 1000 || shown.Totals.Inserted != 1000 {
		t.Errorf("the run counts %+v", shown.Totals)
	}
	var again struct{ Error struct{ Status string } }
	if status := p.call(http.MethodPost, run+":finishRun", object{}, &again); status != http.StatusBadRequest || again.Error.Status != "FAILED_PRECONDITION" {
		t.Errorf("a second finishRun: %d %s", status, again.Error.Status)
	}
}
