package gapi_test

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

func TestQuery(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const failed, running = pb.TransferState_FAILED, pb.TransferState_RUNNING
	for query, want := range map[string]proto.Message{
		"pageSize=7&pageToken=a%2Bb+c":                &pb.ListTransferRunsRequest{Parent: config, PageSize: 7, PageToken: "a+b c"},
		"page_size=7&page_token=;":                    &pb.ListTransferRunsRequest{Parent: config, PageSize: 7, PageToken: ";"},
		"states=FAILED&states=4&runAttempt=LATEST":    &pb.ListTransferRunsRequest{Parent: config, States: []pb.TransferState{failed, 4}, RunAttempt: pb.ListTransferRunsRequest_LATEST},
		"states=RUNNING&&runAttempt=1&states=":        &pb.ListTransferRunsRequest{Parent: config, States: []pb.TransferState{running}, RunAttempt: 1},
		"pageSize=&pageToken=&states=&runAttempt=":    &pb.ListTransferRunsRequest{Parent: config},
		"parent=projects/other/transferConfigs/other": &pb.ListTransferRunsRequest{Parent: config}, // the path wins
		"": &pb.ListTransferRunsRequest{Parent: config},
	} {
		if w := f.send("GET", "/v1/"+config+"/runs?"+query, ""); w.status != http.StatusOK {
			t.Errorf("%s: %s", query, w.text)
		}
		f.hears(want)
	}
	f.send("POST", "/v1/"+place+"/transferConfigs?serviceAccountName=&version_info=v&authorizationCode=", `{}`)
	f.hears(&pb.CreateTransferConfigRequest{Parent: place, TransferConfig: &pb.TransferConfig{}, VersionInfo: "v"})
}

func TestQueryThatIsRefused(t *testing.T) {
	t.Parallel()
	f := setup(t)
	unknown := func(name string) string {
		return `Invalid JSON payload received. Unknown name "` + name + `": Cannot bind query parameter. Field '` + name + `' could not be found in request message.`
	}
	const state = "type.googleapis.com/google.cloud.bigquery.datatransfer.v1.TransferState"
	runs, create, update, start := "/v1/"+config+"/runs?", "/v1/"+place+"/transferConfigs?", "/v1/"+config+"?", "/v1/"+config+":startManualRuns?"
	for _, c := range []struct{ verb, path, says string }{
		{"GET", runs + "x=1", unknown("x")},
		{"GET", runs + "x=", unknown("x")},
		{"GET", runs + "states.x=1", unknown("states.x")},
		{"GET", runs + "$x=1", unknown("$x")},
		{"GET", runs + ".xgafv=1", unknown(".xgafv")},
		{"GET", runs + "states=FAILED,RUNNING", `Invalid value at 'states' (` + state + `), "FAILED,RUNNING"`},
		{"GET", runs + "pageSize=x", `Invalid value at 'page_size' (TYPE_INT32), "x"`},
		{"GET", runs + "pageSize=99999999999", `Invalid value at 'page_size' (TYPE_INT32), "99999999999"`},
		{"GET", runs + "pageSize=1&page_size=2", `Invalid value at 'page_size': it is given 2 times, and the field takes one value.`},
		{"GET", runs + strings.Repeat("states=2&", 1001), "the query has more than 1000 parameters"},
		{"POST", create + "transferConfig.displayName=x", unknown("transferConfig.displayName")},
		{"POST", create + "transferConfig=x", unknown("transferConfig")},
		{"PATCH", update + "updateMask=nope", `the path "nope" of the field mask leads to no field`},
		{"POST", start + "requestedRunTime=2026-01-01T00:00:00Z", unknown("requestedRunTime")},
	} {
		w := f.send(c.verb, c.path, "{}")
		if e := f.fault(w); w.status != http.StatusBadRequest || e.Message != c.says || f.heard != nil {
			t.Errorf("%s %.80s: %s", c.verb, c.path, w.text)
		}
	}
}
