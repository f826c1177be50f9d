package gapi_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

var filtered = []string{
	"name", "type", "latest_status_detail.state", "latest_status_detail.completed_percentage", "update_time",
	"latest_run.run", "hierarchy_detail.table_detail.partition_count", "hierarchy_detail.partition_detail.table",
}

// orders is what the filters of the tests are asked about.
func orders() *pb.TransferResource {
	return &pb.TransferResource{
		Name: "projects/p/transferResources/public.orders", Type: pb.ResourceType_RESOURCE_TYPE_TABLE,
		LatestStatusDetail: &pb.TransferResourceStatusDetail{State: pb.ResourceTransferState_RESOURCE_TRANSFER_RUNNING, CompletedPercentage: 12.5},
		HierarchyDetail:    &pb.HierarchyDetail{Detail: &pb.HierarchyDetail_TableDetail{TableDetail: &pb.TableDetail{PartitionCount: math.MaxInt64}}},
		UpdateTime:         &timestamppb.Timestamp{Seconds: 1772619462, Nanos: 500}, // 2026-03-04T10:17:42.0000005Z
	}
}

func matches(t *testing.T, m proto.Message, text string, fields ...string) bool {
	t.Helper()
	f, err := gapi.ParseFilter(text, m.ProtoReflect().Descriptor(), fields...)
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return false
	}
	return f.Match(m)
}

func TestFilter(t *testing.T) {
	t.Parallel()
	const yes, no = `type=RESOURCE_TYPE_TABLE`, `type=RESOURCE_TYPE_PARTITION`
	for text, want := range map[string]bool{
		"": true, " \t\n": true,
		yes: true, no: false, "(" + yes + ")": true, "( ( " + no + " ) )": false, "  " + yes + "\n": true,
		yes + " AND " + yes: true, yes + " AND " + no: false, yes + " " + no: false, no + " " + yes: false, yes + " " + yes: true,
		yes + " OR " + no: true, no + " OR " + yes: true, no + " OR " + no: false, no + " OR " + no + " OR " + yes: true,
		// OR binds tighter: yes AND (yes OR no), and not (no AND yes) OR yes.
		no + " AND " + yes + " OR " + yes: false, yes + " OR " + yes + " AND " + no: false,
		"(" + no + " AND " + yes + ") OR " + yes: true, yes + " OR (" + yes + " " + no + ")": true,
		"NOT " + yes: false, "NOT " + no: true, "-" + yes: false, "-" + no: true, "NOT(" + no + ")": true, "-(" + yes + " " + no + ")": true,
		"NOT " + no + " OR " + no: true, no + " OR -" + no: true, "NOT (" + no + " OR " + yes + ")": false, yes + " -" + no: true, yes + " NOT " + no: true,

		`type != RESOURCE_TYPE_TABLE`: false, `type!="RESOURCE_TYPE_PARTITION"`: true, `type:RESOURCE_TYPE_TABLE`: true, `type:*`: true,
		`latestStatusDetail.state=RESOURCE_TRANSFER_RUNNING`: true, `latest_status_detail.state = 'RESOURCE_TRANSFER_FAILED'`: false,

		`name="projects/p/transferResources/public.orders"`: true, `name=projects/p/transferResources/public.orders`: true,
		`name=public.orders`: false, `name:public.orders`: true, `name:ORDERS`: false, `name="*orders"`: true, `name=*public*`: true, `name:*public*`: true,
		`name:pub*`: false, `name:projects*orders`: true, `name=projects*users`: false, `name="projects/*/transferResources/*.orders"`: true,
		`name="projects/p/transferResources/public.orders*"`: true, `name="*orders*orders*"`: false, `name="*"`: true, `name!="*orders"`: false, `name!=*users`: true,
		`name="*ord\*ers"`: false, `name=*\o\rders`: true, `name>projects`: true, `name<"projects"`: false, `name=""`: false, `name:""`: true,

		`latest_status_detail.completed_percentage=12.5`: true, `latestStatusDetail.completedPercentage > 1.25e1`: false, `latestStatusDetail.completedPercentage>=12.5`: true,
		`latest_status_detail.completed_percentage<100`: true, `latest_status_detail.completed_percentage<=-5`: false, `latest_status_detail.completed_percentage != 12`: true,
		`hierarchy_detail.table_detail.partition_count = 9223372036854775807`: true, `hierarchy_detail.table_detail.partition_count < 9223372036854775807`: false,
		`hierarchy_detail.table_detail.partition_count > 9223372036854775806`: true, `hierarchy_detail.table_detail.partition_count > 1e-999999999`: true,

		`update_time="2026-03-04T10:17:42.0000005Z"`: true, `updateTime > "2026-03-04T10:17:42Z"`: true, `update_time<2026-03-04T10:17:42.0000005Z`: false,
		`update_time <= "2026-03-04T12:17:42.0000005+02:00"`: true, `update_time:*`: true, `update_time!="2026-03-04T10:17:42Z"`: true,

		// What is not there is not equal to anything, and in no order to it.
		`latest_run.run=""`: false, `latest_run.run!=x`: true, `latest_run.run:*`: false, `NOT latest_run.run=x`: true, `latest_run.run<x`: false,
		`hierarchy_detail.partition_detail.table:*`: false, `hierarchyDetail.partitionDetail.table=*`: false,
	} {
		if got := matches(t, orders(), text, filtered...); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// Without a time there is none to compare with.
func TestFilterAbsentTime(t *testing.T) {
	t.Parallel()
	m := &pb.TransferResource{}
	for text, want := range map[string]bool{
		`update_time < "2026-03-04T10:17:42Z"`: false, `update_time > "1960-03-04T10:17:42Z"`: false, `update_time != "2026-03-04T10:17:42Z"`: true,
		`update_time:*`: false, `name=""`: true, `name:*`: false, `type:*`: false, `type=RESOURCE_TYPE_UNSPECIFIED`: true,
	} {
		if got := matches(t, m, text, filtered...); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestFilterKinds(t *testing.T) {
	t.Parallel()
	source := &pb.DataSource{Scopes: []string{"read", "write all"}, ManualRunsDisabled: true, UpdateDeadlineSeconds: -5, DisplayName: `a "b" \ * c`, MinimumScheduleInterval: durationpb.New(1)}
	fields := []string{"scopes", "manual_runs_disabled", "update_deadline_seconds", "display_name", "minimum_schedule_interval"}
	for text, want := range map[string]bool{
		`scopes:read`: true, `scopes:"write*"`: true, `scopes:admin`: false, `scopes:*`: true, `-scopes:admin`: true,
		`manual_runs_disabled=true`: true, `manualRunsDisabled!=true`: false, `manual_runs_disabled:false`: false, `manual_runs_disabled:*`: true,
		`update_deadline_seconds=-5`: true, `update_deadline_seconds<-4.5`: true, `update_deadline_seconds>=0`: false,
		`display_name="a \"b\" \\ \* c"`: true, `display_name='a "b" \\ * c'`: true, `display_name='a "b" \\ \* d'`: false,
		`minimum_schedule_interval:*`: true,
	} {
		if got := matches(t, source, text, fields...); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// A field of each type that holds a number.
func TestFilterNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind  descriptorpb.FieldDescriptorProto_Type
		value any
		yes   string
	}{
		{descriptorpb.FieldDescriptorProto_TYPE_UINT64, uint64(math.MaxUint64), "value = 18446744073709551615 value > 18446744073709551614"},
		{descriptorpb.FieldDescriptorProto_TYPE_UINT32, uint32(math.MaxUint32), "value = 4294967295 value<4294967295.5"},
		{descriptorpb.FieldDescriptorProto_TYPE_SINT32, int32(math.MinInt32), "value = -2147483648 value:-2147483648"},
		{descriptorpb.FieldDescriptorProto_TYPE_SFIXED64, int64(math.MinInt64), "value = -9223372036854775808 value < -9223372036854775807"},
		{descriptorpb.FieldDescriptorProto_TYPE_FLOAT, float32(0.1), "value = 0.1 value != 0.2"},
		{descriptorpb.FieldDescriptorProto_TYPE_DOUBLE, 0.1, "value = 0.1 value < 0.2 value > 0.05"},
		{descriptorpb.FieldDescriptorProto_TYPE_DOUBLE, math.NaN(), "value != 0 -value<0 -value>=0"},
		{descriptorpb.FieldDescriptorProto_TYPE_DOUBLE, math.Inf(1), "value > 1e308"},
	} {
		d := holder(t, c.kind)
		m := dynamicpb.NewMessage(d)
		m.Set(d.Fields().Get(0), protoreflect.ValueOf(c.value))
		if !matches(t, m, c.yes, "value") || matches(t, m, "-("+c.yes+")", "value") {
			t.Errorf("%s of %v", c.yes, m)
		}
	}
}

// holder is a message of one field.
func holder(t *testing.T, kind descriptorpb.FieldDescriptorProto_Type) protoreflect.MessageDescriptor {
	t.Helper()
	f, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("holder.proto"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{
			Name:  proto.String("Holder"),
			Field: []*descriptorpb.FieldDescriptorProto{{Name: proto.String("value"), Number: proto.Int32(1), Type: &kind, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}},
		}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return f.Messages().Get(0)
}

// Each fault is found where it is, in characters.
func TestFilterFaults(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("(", 33) + "name=a" + strings.Repeat(")", 33)
	for text, column := range map[string]int{
		`nam=a`: 1, `name=a AND nom=b`: 12, `latest_run=a`: 1, `latest_run.start_time:*`: 1, `name.x=a`: 1, `.name=a`: 1, `name.=a`: 1, `"name"=a`: 1,
		`name`: 5, `name a`: 6, `name =`: 7, `name = `: 8, `name==a`: 6, `name=a=b`: 7, `name<>a`: 6, `name=a,b`: 7, `name=a(b)`: 7, `name~a`: 5,
		`name="a`: 6, `name='a"`: 6, `name="a\"`: 6, `name=a\`: 7, `name="a\`: 8, `name="ü" AND nom="ü"`: 14, `name="a"b`: 9, `name="a""b"`: 9,
		`(name=a`: 1, `name=a)`: 7, `()`: 2, `name=a AND`: 11, `name=a OR`: 10, `AND name=a`: 1, `OR name=a`: 1, `name=a AND AND name=b`: 12, `NOT`: 4, `-`: 2, `NOT NOT name=a`: 5,
		`name=a (name=b OR )`: 19, `name < a*`: 8, `and name=a`: 1, deep: 33,
		`type=TABLE`: 6, `type=RESOURCE_*`: 6, `type=1`: 6, `type<RESOURCE_TYPE_TABLE`: 6,
		`update_time > yesterday`: 15, `update_time=2026-03-04`: 13, `update_time=*`: 13,
		`latest_status_detail.completed_percentage > many`: 45, `latest_status_detail.completed_percentage=1e999`: 43, `latest_status_detail.completed_percentage=0x10`: 43,
		`hierarchy_detail.table_detail.partition_count=NaN`: 47,
	} {
		_, err := gapi.ParseFilter(text, (&pb.TransferResource{}).ProtoReflect().Descriptor(), filtered...)
		var e *syncline.Error
		if !errors.As(err, &e) || e.Code != syncline.InvalidArgument || e.Field != "filter" || !strings.Contains(e.Message, fmt.Sprintf(" column %d: ", column)) {
			t.Errorf("%s: %v, want a fault at column %d", text, err, column)
		}
	}
	for text, of := range map[string]proto.Message{
		`string_value="aGk="`: &descriptorpb.UninterpretedOption{}, `scopes=a`: &pb.DataSource{}, `scopes<a`: &pb.DataSource{},
		`manual_runs_disabled=yes`: &pb.DataSource{}, `manual_runs_disabled>false`: &pb.DataSource{}, `minimum_schedule_interval>1s`: &pb.DataSource{},
	} {
		if _, err := gapi.ParseFilter(text, of.ProtoReflect().Descriptor(), "string_value", "scopes", "manual_runs_disabled", "minimum_schedule_interval"); syncline.CodeOf(err) != syncline.InvalidArgument {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := gapi.ParseFilter("name="+strings.Repeat("a", 4<<10), (&pb.TransferResource{}).ProtoReflect().Descriptor(), filtered...); syncline.CodeOf(err) != syncline.InvalidArgument {
		t.Errorf("a long filter: %v", err)
	}
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		`name:a AND (type=RESOURCE_TYPE_TABLE OR -update_time<"2026-03-04T10:17:42Z")`, `NOT name="*a\**" latestStatusDetail.completedPercentage>=1e5`,
		`((name='ü' OR name:*)`, `name="a\`, `hierarchy_detail.table_detail.partition_count=9e18 AND AND`, "name=\xff\\\xff", `)`,
	} {
		f.Add(seed)
	}
	of := (&pb.TransferResource{}).ProtoReflect().Descriptor()
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := gapi.ParseFilter(text, of, filtered...)
		if err != nil {
			if syncline.CodeOf(err) != syncline.InvalidArgument {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		opposite, err := gapi.ParseFilter("NOT ("+text+")", of, filtered...)
		if err != nil && len(text) < 4000 && strings.Trim(text, " \t\r\n") != "" && strings.Count(text, "(") < 32 {
			t.Fatalf("%q is a filter, and its opposite is none: %v", text, err)
		}
		for _, m := range []*pb.TransferResource{orders(), {}} {
			if got := filter.Match(m); err == nil && opposite.Match(m) == got {
				t.Fatalf("%q and its opposite are both %v of %v", text, got, m)
			}
		}
	})
}
