package datatransferpb_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// methods are those of the API: verb, path with a location, body. Each but those in
// oneForm is answered without the location, too.
var methods = map[string]string{
	"DataTransferService.ListDataSources":         "GET /v1/{parent=projects/*/locations/*}/dataSources",
	"DataTransferService.GetDataSource":           "GET /v1/{name=projects/*/locations/*/dataSources/*}",
	"DataTransferService.CheckValidCreds":         "POST /v1/{name=projects/*/locations/*/dataSources/*}:checkValidCreds *",
	"DataTransferService.EnrollDataSources":       "POST /v1/{name=projects/*/locations/*}:enrollDataSources *",
	"DataTransferService.UnenrollDataSources":     "POST /v1/{name=projects/*/locations/*}:unenrollDataSources *",
	"DataTransferService.CreateTransferConfig":    "POST /v1/{parent=projects/*/locations/*}/transferConfigs transfer_config",
	"DataTransferService.UpdateTransferConfig":    "PATCH /v1/{transfer_config.name=projects/*/locations/*/transferConfigs/*} transfer_config",
	"DataTransferService.GetTransferConfig":       "GET /v1/{name=projects/*/locations/*/transferConfigs/*}",
	"DataTransferService.ListTransferConfigs":     "GET /v1/{parent=projects/*/locations/*}/transferConfigs",
	"DataTransferService.DeleteTransferConfig":    "DELETE /v1/{name=projects/*/locations/*/transferConfigs/*}",
	"DataTransferService.ScheduleTransferRuns":    "POST /v1/{parent=projects/*/locations/*/transferConfigs/*}:scheduleRuns *",
	"DataTransferService.StartManualTransferRuns": "POST /v1/{parent=projects/*/locations/*/transferConfigs/*}:startManualRuns *",
	"DataTransferService.GetTransferRun":          "GET /v1/{name=projects/*/locations/*/transferConfigs/*/runs/*}",
	"DataTransferService.ListTransferRuns":        "GET /v1/{parent=projects/*/locations/*/transferConfigs/*}/runs",
	"DataTransferService.DeleteTransferRun":       "DELETE /v1/{name=projects/*/locations/*/transferConfigs/*/runs/*}",
	"DataTransferService.ListTransferLogs":        "GET /v1/{parent=projects/*/locations/*/transferConfigs/*/runs/*}/transferLogs",

	"TransferResourceService.GetTransferResource":   "GET /v1/{name=projects/*/locations/*/transferConfigs/*/transferResources/*}",
	"TransferResourceService.ListTransferResources": "GET /v1/{parent=projects/*/locations/*/transferConfigs/*}/transferResources",

	"Locations.ListLocations": "GET /v1/{name=projects/*}/locations",
	"Locations.GetLocation":   "GET /v1/{name=projects/*/locations/*}",

	"DataSourceService.UpdateTransferRun":          "PATCH /v1/{transfer_run.name=projects/*/locations/*/transferConfigs/*/runs/*} transfer_run",
	"DataSourceService.LogTransferRunMessages":     "POST /v1/{name=projects/*/locations/*/transferConfigs/*/runs/*}:logMessages *",
	"DataSourceService.StartBigQueryJobs":          "POST /v1/{name=projects/*/locations/*/transferConfigs/*/runs/*}:startBigQueryJobs *",
	"DataSourceService.FinishRun":                  "POST /v1/{name=projects/*/locations/*/transferConfigs/*/runs/*}:finishRun *",
	"DataSourceService.CreateDataSourceDefinition": "POST /v1/{parent=projects/*/locations/*}/dataSourceDefinitions data_source_definition",
	"DataSourceService.UpdateDataSourceDefinition": "PATCH /v1/{data_source_definition.name=projects/*/locations/*/dataSourceDefinitions/*} data_source_definition",
	"DataSourceService.DeleteDataSourceDefinition": "DELETE /v1/{name=projects/*/locations/*/dataSourceDefinitions/*}",
	"DataSourceService.GetDataSourceDefinition":    "GET /v1/{name=projects/*/locations/*/dataSourceDefinitions/*}",
	"DataSourceService.ListDataSourceDefinitions":  "GET /v1/{parent=projects/*/locations/*}/dataSourceDefinitions",
}

var oneForm = []string{"DataTransferService.UnenrollDataSources", "Locations.ListLocations", "Locations.GetLocation"}

var files = []protoreflect.FileDescriptor{
	pb.File_google_cloud_bigquery_datatransfer_v1_transfer_proto,
	pb.File_google_cloud_bigquery_datatransfer_v1_datatransfer_proto,
	pb.File_google_cloud_bigquery_datatransfer_v1_datasource_proto,
	pb.File_google_cloud_bigquery_datatransfer_v1_transferresource_proto,
	pb.File_google_cloud_location_locations_proto,
}

func TestEveryMethodHasItsForms(t *testing.T) {
	seen := 0
	eachMethod(func(m protoreflect.MethodDescriptor) {
		seen++
		name := string(m.Parent().Name()) + "." + string(m.Name())
		want := []string{methods[name]}
		if !slices.Contains(oneForm, name) {
			want = append(want, strings.Replace(methods[name], "/locations/*", "", 1))
		}
		if got := forms(m); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	})
	if seen != len(methods) {
		t.Errorf("%d methods, want %d", seen, len(methods))
	}
}

func eachMethod(f func(protoreflect.MethodDescriptor)) {
	for _, file := range files {
		for i := range file.Services().Len() {
			s := file.Services().Get(i)
			for j := range s.Methods().Len() {
				f(s.Methods().Get(j))
			}
		}
	}
}

func forms(m protoreflect.MethodDescriptor) []string {
	var out []string
	rule := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
	for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		out = append(out, strings.TrimSpace(form(r)+" "+r.GetBody()))
	}
	return out
}

func form(r *annotations.HttpRule) string {
	switch p := r.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "GET " + p.Get
	case *annotations.HttpRule_Post:
		return "POST " + p.Post
	case *annotations.HttpRule_Patch:
		return "PATCH " + p.Patch
	case *annotations.HttpRule_Delete:
		return "DELETE " + p.Delete
	}
	return fmt.Sprintf("unexpected %T", r.GetPattern())
}
