package datatransferpb_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

// Bytes as a client of the public or the partner's messages sends them, put together by
// number, must mean the same here as the documented JSON does.

func bytesAt(n protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), v)
}

func textAt(n protowire.Number, s string) []byte { return bytesAt(n, []byte(s)) }

func intAt(n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
}

// at is a message at number n.
func at(n protowire.Number, parts ...[]byte) []byte { return bytesAt(n, join(parts...)) }

func join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// structAt is {key: value}, as google.protobuf.Struct has it.
func structAt(n protowire.Number, key, value string) []byte {
	return at(n, at(1, textAt(1, key), at(2, textAt(3, value))))
}

func entryAt(n protowire.Number, key, value string) []byte {
	return at(n, textAt(1, key), textAt(2, value))
}

func TestBytesOfOfficialClientsDecode(t *testing.T) {
	second := func(n protowire.Number) []byte { return at(n, intAt(1, 1772619462)) } // a Timestamp
	const instant = `"2026-03-04T10:17:42Z"`
	for name, c := range map[string]struct {
		message proto.Message
		wire    []byte
		json    string
	}{
		"config": {
			&pb.TransferConfig{},
			join(textAt(1, "projects/p/transferConfigs/c"), textAt(2, "ds"), textAt(3, "orders"), second(4), textAt(5, "demo"),
				textAt(7, "every 24 hours"), second(8), structAt(9, "a", "b"), intAt(10, 4), intAt(11, 1234567890123456789),
				intAt(12, 10), intAt(13, 1), textAt(14, "us"), textAt(15, "projects/p/topics/t"), at(18, intAt(1, 1)),
				textAt(22, "token"), structAt(23, "account", "x"), at(24, second(1), second(2), intAt(3, 1)), at(27, textAt(1, "a@b")),
				at(28, at(1, textAt(1, "key"))), at(31, at(3, textAt(1, "sub"))), at(32, intAt(1, 7), textAt(2, "no"))),
			`{"name":"projects/p/transferConfigs/c","destinationDatasetId":"ds","displayName":"orders","updateTime":` + instant + `,
			  "dataSourceId":"demo","schedule":"every 24 hours","nextRunTime":` + instant + `,"params":{"a":"b"},"state":"SUCCEEDED",
			  "userId":"1234567890123456789","dataRefreshWindowDays":10,"disabled":true,"datasetRegion":"us",
			  "notificationPubsubTopic":"projects/p/topics/t","emailPreferences":{"enableFailureEmail":true},
			  "partnerToken":"token","partnerConnectionInfo":{"account":"x"},
			  "scheduleOptions":{"startTime":` + instant + `,"endTime":` + instant + `,"disableAutoScheduling":true},
			  "ownerInfo":{"email":"a@b"},"encryptionConfiguration":{"kmsKeyName":"key"},
			  "scheduleOptionsV2":{"eventDrivenSchedule":{"pubsubSubscription":"sub"}},"error":{"code":7,"message":"no"}}`,
		},
		"time-based schedule": {
			&pb.ScheduleOptionsV2{}, at(1, textAt(1, "every day 09:00"), second(2), second(3)),
			`{"timeBasedSchedule":{"schedule":"every day 09:00","startTime":` + instant + `,"endTime":` + instant + `}}`,
		},
		"manual schedule": {&pb.ScheduleOptionsV2{}, at(2), `{"manualSchedule":{}}`},
		"run": {
			&pb.TransferRun{},
			join(textAt(1, "r"), textAt(2, "ds"), second(3), second(4), second(5), second(6), textAt(7, "demo"), intAt(8, 5),
				structAt(9, "a", "b"), second(10), intAt(11, 7), textAt(12, "every 1 hours"), at(21, intAt(1, 7), textAt(2, "no")),
				entryAt(22, "team", "red"), textAt(23, "projects/p/topics/t"), at(25), textAt(28, "token")),
			`{"name":"r","destinationDatasetId":"ds","scheduleTime":` + instant + `,"startTime":` + instant + `,"endTime":` + instant + `,
			  "updateTime":` + instant + `,"dataSourceId":"demo","state":"FAILED","params":{"a":"b"},"runTime":` + instant + `,"userId":"7",
			  "schedule":"every 1 hours","errorStatus":{"code":7,"message":"no"},"labels":{"team":"red"},
			  "notificationPubsubTopic":"projects/p/topics/t","emailPreferences":{},"partnerToken":"token"}`,
		},
		"manual start over a range": {
			&pb.StartManualTransferRunsRequest{}, join(textAt(1, "c"), entryAt(2, "team", "red"), at(3, second(1), second(2))),
			`{"parent":"c","labels":{"team":"red"},"requestedTimeRange":{"startTime":` + instant + `,"endTime":` + instant + `}}`,
		},
		"manual start of one": {&pb.StartManualTransferRunsRequest{}, second(4), `{"requestedRunTime":` + instant + `}`},
		"scheduled runs": {
			&pb.ScheduleTransferRunsRequest{}, join(textAt(1, "c"), second(2), second(3), entryAt(6, "team", "red")),
			`{"parent":"c","startTime":` + instant + `,"endTime":` + instant + `,"labels":{"team":"red"}}`,
		},
		"messages": {
			&pb.LogTransferRunMessagesRequest{}, join(textAt(1, "r"), at(2, second(1), intAt(2, 4), textAt(3, "page 1"))),
			`{"name":"r","transferMessages":[{"messageTime":` + instant + `,"severity":"DEBUG","messageText":"page 1"}]}`,
		},
		"runs by state": {
			&pb.ListTransferRunsRequest{}, join(textAt(1, "c"), bytesAt(2, []byte{2, 3}), textAt(3, "t"), intAt(4, 5), intAt(5, 1)),
			`{"parent":"c","states":["PENDING","RUNNING"],"pageToken":"t","pageSize":5,"runAttempt":"LATEST"}`,
		},
		"patched run": {
			&pb.UpdateTransferRunRequest{}, join(at(1, intAt(8, 3)), at(2, textAt(1, "state"))),
			`{"transferRun":{"state":"RUNNING"},"updateMask":"state"}`,
		},
		"jobs": {
			&pb.StartBigQueryJobsRequest{},
			join(textAt(1, "r"), textAt(3, "\x00\xff"), intAt(8, 4), at(2, textAt(1, "select 1"), textAt(2, "orders$20260304"),
				at(3, textAt(1, "orders"), textAt(2, "gs://b/a.csv"), intAt(3, 1), intAt(4, 9), intAt(5, 2),
					at(6, at(1, textAt(1, ",")), at(2, intAt(1, 1)), at(3, textAt(1, `"`)), at(4, intAt(1, 1)), at(5)),
					at(7, at(1, textAt(1, "lines"), intAt(2, 4), intAt(3, 1), textAt(4, "d"), at(5, at(1, textAt(1, "sku"), intAt(2, 1))))),
					at(10, intAt(1, 1))),
				textAt(4, "f"), intAt(6, 1), textAt(10, "…"))),
			`{"name":"r","userCredentials":"AP8=","maxParallelism":4,"importedData":[{"sql":"select 1","destinationTableId":"orders$20260304",
			  "tableDefs":[{"tableId":"orders","sourceUris":["gs://b/a.csv"],"format":"CSV","maxBadRecords":9,"encoding":"UTF8",
			    "csvOptions":{"fieldDelimiter":",","allowQuotedNewlines":true,"quoteChar":"\"","skipLeadingRows":"1","allowJaggedRows":false},
			    "schema":{"fields":[{"fieldName":"lines","type":"RECORD","isRepeated":true,"description":"d",
			      "schema":{"fields":[{"fieldName":"sku","type":"STRING"}]}}]},"ignoreUnknownValues":true}],
			  "userDefinedFunctions":["f"],"writeDisposition":"WRITE_TRUNCATE","destinationTableDescription":"…"}]}`,
		},
		"definition": {
			&pb.DataSourceDefinition{},
			join(at(1, textAt(2, "demo"), intAt(9, 600), textAt(22, "Acme"), textAt(23, "https://acme.example")), textAt(2, "sa"), intAt(5, 1),
				textAt(12, "configs"), textAt(13, "runs"), at(16, intAt(1, 3600)), textAt(21, "d"), textAt(22, "help@acme.example"), textAt(23, "us")),
			`{"dataSource":{"dataSourceId":"demo","updateDeadlineSeconds":600,"partnerLegalName":"Acme","redirectUrl":"https://acme.example"},
			  "serviceAccount":"sa","disabled":true,"transferConfigPubsubTopic":"configs","transferRunPubsubTopic":"runs","runTimeOffset":"3600s",
			  "name":"d","supportEmail":"help@acme.example","supportedLocationIds":["us"]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := c.message.ProtoReflect().New().Interface()
			if err := protojson.Unmarshal([]byte(c.json), want); err != nil {
				t.Fatal(err)
			}
			if err := proto.Unmarshal(c.wire, c.message); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, c.message, protocmp.Transform()); diff != "" {
				t.Errorf("the bytes mean something else than the JSON:\n%s", diff)
			}
		})
	}
}
