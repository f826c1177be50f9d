package gapi

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

// Fields that no method of ours takes in a query today, some API will.
func TestQueryOfOtherTypes(t *testing.T) {
	t.Parallel()
	at := timestamppb.New(time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC))
	for query, want := range map[string]proto.Message{
		"requestedTimeRange.startTime=2026-03-04T10:00:00%2B02:00": &pb.StartManualTransferRunsRequest{Time: &pb.StartManualTransferRunsRequest_RequestedTimeRange{
			RequestedTimeRange: &pb.StartManualTransferRunsRequest_TimeRange{StartTime: at},
		}},
		"requestedRunTime=2026-03-04T08:00:00Z": &pb.StartManualTransferRunsRequest{Time: &pb.StartManualTransferRunsRequest_RequestedRunTime{RequestedRunTime: at}},
		"required=true&minValue=1.5&allowedValues=a&allowedValues=b&maxListSize=9": &pb.DataSourceParameter{
			Required: true, MinValue: wrapperspb.Double(1.5), AllowedValues: []string{"a", "b"}, MaxListSize: 9,
		},
	} {
		got, f := queried(t, want, query)
		if f.err() != nil || !proto.Equal(got, want) {
			t.Errorf("%s: %v, %v", query, got, f.err())
		}
	}
	for query, m := range map[string]proto.Message{
		"required=yes": &pb.DataSourceParameter{}, "fields.paramId=x": &pb.DataSourceParameter{}, "minValue.value=1": &pb.DataSourceParameter{}, "minValue=x": &pb.DataSourceParameter{},
		"labels=x": &pb.StartManualTransferRunsRequest{}, "labels.a=x": &pb.StartManualTransferRunsRequest{}, "requestedTimeRange=x": &pb.StartManualTransferRunsRequest{}, "params.a=1": &pb.TransferConfig{},
		"requestedRunTime.seconds=1": &pb.StartManualTransferRunsRequest{}, "requestedRunTime=now": &pb.StartManualTransferRunsRequest{}, ".=1": &pb.TransferConfig{}, "=1": &pb.TransferConfig{},
		"requestedRunTime=2026-03-04T08:00:00Z&requestedTimeRange.startTime=2026-03-04T08:00:00Z": &pb.StartManualTransferRunsRequest{},
	} {
		if _, f := queried(t, m, query); len(f.all) != 1 {
			t.Errorf("%s: %q", query, f.all)
		}
	}
}

func queried(t testing.TB, m proto.Message, query string) (proto.Message, *findings) {
	t.Helper()
	all, err := parseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	f, out := &findings{}, m.ProtoReflect().New()
	f.query(out, all, func(protoreflect.FieldDescriptor) bool { return true })
	return out.Interface(), f
}
