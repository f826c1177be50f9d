package gapi_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

func TestPaths(t *testing.T) {
	t.Parallel()
	config := (&pb.TransferConfig{}).ProtoReflect().Descriptor()
	for _, c := range []struct{ given, want string }{
		{"", ""},
		{"displayName", "display_name"},
		{"display_name,displayName,transfer_config.displayName,transferConfig.display_name,TransferConfig.displayName", "display_name"},
		{"scheduleOptionsV2.timeBasedSchedule.startTime", "schedule_options_v2.time_based_schedule.start_time"},
		{"schedule_options_v2.timeBasedSchedule", "schedule_options_v2.time_based_schedule"},
		{"params.base_url,params.baseUrl,transfer_config.params.a.B-c", "params.base_url,params.baseUrl,params.a.B-c"},
		{"encryption_configuration.kms_key_name.value", "encryption_configuration.kms_key_name"},
		{"*", "*"},
		{"state,*", "state,*"},
	} {
		mask := &fieldmaskpb.FieldMask{}
		if c.given != "" {
			mask.Paths = strings.Split(c.given, ",")
		}
		got, err := gapi.Paths(mask, config)
		if err != nil || strings.Join(got, ",") != c.want {
			t.Errorf("%s: %q, %v", c.given, got, err)
		}
		if again, err := gapi.Paths(&fieldmaskpb.FieldMask{Paths: got}, config); err != nil || !slices.Equal(again, got) {
			t.Errorf("%s: clean paths become %q, %v", c.given, again, err)
		}
	}
	for _, bad := range []string{"nope", "", ".", "displayName.", ".displayName", "displayName.x", "params.", "updateTime.seconds", "transfer_config", "transfer_config.", "transfer_run.state", "transfer_config.transfer_config.state", "emailPreferences.nope", "*.state", "Display_Name"} {
		_, err := gapi.Paths(&fieldmaskpb.FieldMask{Paths: []string{"state", bad}}, config)
		e, ok := err.(*syncline.Error)
		if !ok || e.Code != syncline.InvalidArgument || e.Field != "update_mask" || !strings.Contains(e.Message, `"`+bad+`"`) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	run := (&pb.TransferRun{}).ProtoReflect().Descriptor()
	if got, err := gapi.Paths(&fieldmaskpb.FieldMask{Paths: []string{"transfer_run.errorStatus", "transferRun.state"}}, run); err != nil || strings.Join(got, ",") != "error_status,state" {
		t.Errorf("%q, %v", got, err)
	}
}
