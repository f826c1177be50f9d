package gapi

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

// bound reads a body into a new message of m's type.
func bound[M proto.Message](m M, body string) (M, *findings) {
	f := &findings{}
	out := m.ProtoReflect().New()
	f.body(out, []byte(body), "")
	return out.Interface().(M), f
}

// What protobuf's own reader takes, in its words, is taken alike.
func TestBodiesThatAreTaken(t *testing.T) {
	t.Parallel()
	for body, same := range map[string]string{
		`{"display_name":"d","dataSourceId":"s","dataRefreshWindowDays":5,"disabled":true,"state":"FAILED"}`: "",
		`{"displayName":null,"params":null,"state":null,"scheduleOptions":null,"emailPreferences":{}}`:       "",
		`{"dataRefreshWindowDays":5.0,"userId":"12"}`:                                                        `{"dataRefreshWindowDays":5,"userId":12}`,
		`{"data_refresh_window_days":"5e0","userId":1.2e1}`:                                                  `{"dataRefreshWindowDays":5,"userId":12}`,
		`{"userId":9223372036854775807}`:                                                                     "",
		`{"userId":"-9223372036854775808"}`:                                                                  "",
		`{"state":5}`:                                                                                        "",
		`{"state":77}`:                                                                                       "",
		`{"params":{"a":null,"b":[1,"x",{"c":true}],"d":1.5e300,"\u00e9":"\ud83d\ude00"}}`:                   "",
		`{"updateTime":"2026-03-04T10:17:42.123456789+02:30"}`:                                               "",
		`{"encryptionConfiguration":{"kmsKeyName":"k"}}`:                                                     "",
		`{"encryption_configuration":{"kms_key_name":{"value":"k"}}}`:                                        `{"encryptionConfiguration":{"kmsKeyName":"k"}}`,
		`{"encryption_configuration":{"kms_key_name":{"value":null}}}`:                                       `{"encryptionConfiguration":{"kmsKeyName":""}}`,
		`{"scheduleOptionsV2":{"manualSchedule":{}}}`:                                                        "",
		`{"ownerInfo":{"email":""}}`:                                                                         "",
	} {
		if same == "" {
			same = body
		}
		want := &pb.TransferConfig{}
		if err := protojson.Unmarshal([]byte(same), want); err != nil {
			t.Fatalf("%s: %v", same, err)
		}
		if got, f := bound(want, body); f.err() != nil || !proto.Equal(got, want) {
			t.Errorf("%s: %v, %v", body, got, f.err())
		}
	}
}

func TestOtherTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		body string
		want proto.Message
	}{
		{`{"labels":{"a":"1","b":""}}`, &pb.StartManualTransferRunsRequest{Labels: map[string]string{"a": "1", "b": ""}}},
		{`{"labels":{"a":null}}`, &pb.StartManualTransferRunsRequest{}},
		{`{"violations":[{"quotaValue":"7","futureQuotaValue":8}]}`, &errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{QuotaValue: 7, FutureQuotaValue: proto.Int64(8)}}}},
		{`{"min_value":1,"maxValue":"-Infinity","maxListSize":"3"}`, &pb.DataSourceParameter{MinValue: wrapperspb.Double(1), MaxValue: wrapperspb.Double(math.Inf(-1)), MaxListSize: 3}},
		{`{"minimumScheduleInterval":"-1.5s"}`, mustJSON(t, `{"minimumScheduleInterval":"-1.5s"}`, &pb.DataSource{})},
		{`{"updateMask":" a.bC, d_e ,,"}`, &pb.UpdateTransferConfigRequest{UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"a.bC", "d_e"}}}},
		{`{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1s"}]}`, mustJSON(t, `{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1s"}]}`, &spb.Status{})},
	} {
		got := c.want.ProtoReflect().New()
		f := &findings{}
		f.body(got, []byte(c.body), "")
		if f.err() != nil || !proto.Equal(got.Interface(), c.want) {
			t.Errorf("%s: %v, %v", c.body, got.Interface(), f.err())
		}
	}
}

func TestBodiesThatAreRefused(t *testing.T) {
	t.Parallel()
	const typ = "type.googleapis.com/google.cloud.bigquery.datatransfer.v1."
	for _, c := range []struct{ body, field, says string }{
		{`{"foo":1}`, "", `Invalid JSON payload received. Unknown name "foo": Cannot find field.`},
		{`{"emailPreferences":{"foo":1}}`, "email_preferences", `Invalid JSON payload received. Unknown name "foo" at 'email_preferences': Cannot find field.`},
		{`{"displayName":5}`, "display_name", `Invalid value at 'display_name' (TYPE_STRING), 5`},
		{`{"displayName":{"a":"canary"}}`, "display_name", `Invalid value at 'display_name' (TYPE_STRING), Starting an object on a scalar field`},
		{`{"displayName":["a"]}`, "", `Invalid JSON payload received. Unknown name "displayName": Proto field is not repeating, cannot start list.`},
		{`{"disabled":"true"}`, "disabled", `Invalid value at 'disabled' (TYPE_BOOL), "true"`},
		{`{"dataRefreshWindowDays":5.5}`, "data_refresh_window_days", `Invalid value at 'data_refresh_window_days' (TYPE_INT32), 5.5`},
		{`{"dataRefreshWindowDays":2147483648}`, "data_refresh_window_days", `Invalid value at 'data_refresh_window_days' (TYPE_INT32), 2147483648`},
		{`{"dataRefreshWindowDays":2147483648.0}`, "data_refresh_window_days", `Invalid value at 'data_refresh_window_days' (TYPE_INT32), 2147483648.0`},
		{`{"dataRefreshWindowDays":" 5"}`, "data_refresh_window_days", `Invalid value at 'data_refresh_window_days' (TYPE_INT32), " 5"`},
		{`{"userId":9223372036854775808}`, "user_id", `Invalid value at 'user_id' (TYPE_INT64), 9223372036854775808`},
		{`{"userId":1e999999999}`, "user_id", `Invalid value at 'user_id' (TYPE_INT64), 1e999999999`},
		{`{"userId":"0x10"}`, "user_id", `Invalid value at 'user_id' (TYPE_INT64), "0x10"`},
		{`{"state":"FOO"}`, "state", `Invalid value at 'state' (` + typ + `TransferState), "FOO"`},
		{`{"state":"5"}`, "state", `Invalid value at 'state' (` + typ + `TransferState), "5"`},
		{`{"emailPreferences":true}`, "email_preferences", `Invalid value at 'email_preferences' (` + typ + `EmailPreferences), true`},
		{`{"params":"canary"}`, "params", `Invalid value at 'params' (type.googleapis.com/google.protobuf.Struct), not an object`},
		{`{"params":{"a":{"b":1,"b":"canary"}}}`, "params", `Invalid value at 'params' (type.googleapis.com/google.protobuf.Struct), the key "b" is given twice`},
		{`{"params":{"a":1e999}}`, "params", `Invalid value at 'params' (type.googleapis.com/google.protobuf.Struct), the JSON does not fit it`},
		{`{"updateTime":"yesterday"}`, "update_time", `Invalid value at 'update_time' (type.googleapis.com/google.protobuf.Timestamp), "yesterday"`},
		{`{"updateTime":1}`, "update_time", `Invalid value at 'update_time' (type.googleapis.com/google.protobuf.Timestamp), 1`},
		{`{"displayName":"a","displayName":"b"}`, "display_name", `Invalid JSON payload received. Repeated name "displayName": Field 'display_name' is given twice.`},
		{`{"displayName":"a","display_name":null}`, "display_name", `Invalid JSON payload received. Repeated name "display_name": Field 'display_name' is given twice.`},
		{`{"encryptionConfiguration":{"kmsKeyName":{"value":1}}}`, "encryption_configuration.kms_key_name", `Invalid value at 'encryption_configuration.kms_key_name' (TYPE_STRING), 1`},
		{`{"encryptionConfiguration":{"kmsKeyName":{"x":1}}}`, "encryption_configuration.kms_key_name", `Invalid value at 'encryption_configuration.kms_key_name' (TYPE_STRING), Starting an object on a scalar field`},
		{`{"scheduleOptionsV2":{"manualSchedule":{},"timeBasedSchedule":{}}}`, "schedule_options_v2.time_based_schedule", `Invalid value at 'schedule_options_v2' (oneof), oneof field 'schedule' is already set. Cannot set 'timeBasedSchedule'`},
	} {
		_, f := bound(&pb.TransferConfig{}, c.body)
		if len(f.all) != 1 || f.all[0] != (finding{c.field, c.says}) {
			t.Errorf("%s:\n%q", c.body, f.all)
		}
		if strings.Contains(f.Error(), "canary") {
			t.Errorf("%s is shown", c.body)
		}
	}
	for body, m := range map[string]proto.Message{
		`{"labels":{"a":1}}`: &pb.StartManualTransferRunsRequest{}, `{"labels":{"a":"","a":""}}`: &pb.StartManualTransferRunsRequest{}, `{"labels":[]}`: &pb.StartManualTransferRunsRequest{},
		`{"dataSourceIds":"a"}`: &pb.EnrollDataSourcesRequest{}, `{"dataSourceIds":[null]}`: &pb.EnrollDataSourcesRequest{}, `{"dataSourceIds":{}}`: &pb.EnrollDataSourcesRequest{},
		`{"details":[{"@type":"type.googleapis.com/no.Such"}]}`: &spb.Status{}, `{"value":"*"}`: &anypb.Any{}, `{"minValue":1e999}`: &pb.DataSourceParameter{},
	} {
		if _, f := bound(m, body); len(f.all) != 1 {
			t.Errorf("%s: %q", body, f.all)
		}
	}
}

// Everything that is wrong is said at once, up to a bound.
func TestSeveralFindings(t *testing.T) {
	t.Parallel()
	_, f := bound(&pb.LogTransferRunMessagesRequest{}, `{"a":1,"transferMessages":[{"severity":"INFO"},{"severity":"X","b":2}]}`)
	const want = `Invalid JSON payload received. Unknown name "a": Cannot find field.
Invalid value at 'transfer_messages[1].severity' (type.googleapis.com/google.cloud.bigquery.datatransfer.v1.TransferMessage.MessageSeverity), "X"
Invalid JSON payload received. Unknown name "b" at 'transfer_messages[1]': Cannot find field.`
	if f.Error() != want {
		t.Errorf("got\n%s", f)
	}
	_, f = bound(&pb.EnrollDataSourcesRequest{}, `{"dataSourceIds":[`+strings.Repeat("1,", 1000)+`1]}`)
	if len(f.all) != maxFindings {
		t.Errorf("%d findings", len(f.all))
	}
}

func TestBytesAndNumbers(t *testing.T) {
	t.Parallel()
	for body, ok := range map[string]bool{`"AQ=="`: true, `"AQ"`: true, `"_-8"`: true, `"/+8="`: true, `"AQ*"`: false, `1`: false} {
		f := &findings{}
		f.message((&wrapperspb.BytesValue{}).ProtoReflect(), parsed(t, body), "x")
		if (f.err() == nil) != ok {
			t.Errorf("bytes %s: %v", body, f.err())
		}
	}
	for body, ok := range map[string]bool{`4294967295`: true, `4294967295.0`: true, `4294967296`: false, `-1`: false, `-0.0`: true, `"1e3"`: true, `1.5`: false, `""`: false} {
		f := &findings{}
		f.message((&wrapperspb.UInt32Value{}).ProtoReflect(), parsed(t, body), "x")
		if (f.err() == nil) != ok {
			t.Errorf("uint32 %s: %v", body, f.err())
		}
	}
}

// FuzzBody holds our reader against protobuf's: what both take is the same message, and what
// ours refuses it refuses in words.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{`{"displayName":"d","params":{"a":[null,1]},"state":"FAILED","userId":"5","updateTime":"2026-03-04T10:17:42Z"}`, `{"encryptionConfiguration":{"kmsKeyName":{"value":""}}}`, `{`, `null`, `{"a":{"a":{}}}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		ours, found := bound(&pb.TransferConfig{}, body)
		theirs := &pb.TransferConfig{}
		err := protojson.Unmarshal([]byte(body), theirs)
		if found.err() == nil && err == nil && !proto.Equal(ours, theirs) {
			t.Fatalf("%s: %v is not %v", body, ours, theirs)
		}
		if found.err() != nil && found.Error() == "" {
			t.Fatal("refused without a word")
		}
		if _, err := proto.Marshal(ours); found.err() == nil && err != nil {
			t.Fatalf("%s became what cannot be sent: %v", body, err)
		}
	})
}

func parsed(t testing.TB, body string) node {
	t.Helper()
	n, err := parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mustJSON[M proto.Message](t testing.TB, text string, m M) M {
	t.Helper()
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	return m
}
