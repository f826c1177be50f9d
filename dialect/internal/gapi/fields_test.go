package gapi

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

const listed = `{"transferConfigs":[
	{"name":"a","displayName":"A","state":"FAILED","updateTime":"2026-01-01T00:00:00Z","emailPreferences":{},
	 "params":{"x":{"y":1,"z":[{"w":1,"v":2},3]},"q":"s","l":[1,2]},"scheduleOptionsV2":{"timeBasedSchedule":{"schedule":"every 1 hours","startTime":"2026-01-01T00:00:00Z"}}},
	{"name":"b","params":{"x":5}}],"nextPageToken":"t"}`

func TestFields(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		"":              listed,
		" * ":           listed,
		"nextPageToken": `{"nextPageToken":"t"}`,
		"transferConfigs(name,state),nextPageToken":                     `{"transferConfigs":[{"name":"a","state":"FAILED"},{"name":"b"}],"nextPageToken":"t"}`,
		"transfer_configs/display_name":                                 `{"transferConfigs":[{"displayName":"A"},{}]}`,
		"transferConfigs.name , nextPageToken":                          `{"transferConfigs":[{"name":"a"},{"name":"b"}],"nextPageToken":"t"}`,
		"transferConfigs/emailPreferences":                              `{"transferConfigs":[{"emailPreferences":{}},{}]}`,
		"transferConfigs/updateTime":                                    `{"transferConfigs":[{"updateTime":"2026-01-01T00:00:00Z"},{}]}`,
		"transferConfigs(params/x/y)":                                   `{"transferConfigs":[{"params":{"x":{"y":1}}},{"params":{}}]}`,
		"transferConfigs/params(x(z/w),q)":                              `{"transferConfigs":[{"params":{"x":{"z":[{"w":1}]},"q":"s"}},{"params":{}}]}`,
		"transferConfigs/params/*/y":                                    `{"transferConfigs":[{"params":{"x":{"y":1},"l":[]}},{"params":{}}]}`,
		"transferConfigs/params(*/y,x/z/v,x/q)":                         `{"transferConfigs":[{"params":{"x":{"y":1,"z":[{"v":2}]},"l":[]}},{"params":{}}]}`,
		"transferConfigs/params/*":                                      `{"transferConfigs":[{"params":{"x":{"y":1,"z":[{"w":1,"v":2},3]},"q":"s","l":[1,2]}},{"params":{"x":5}}]}`,
		"transferConfigs(scheduleOptionsV2/timeBasedSchedule/schedule)": `{"transferConfigs":[{"scheduleOptionsV2":{"timeBasedSchedule":{"schedule":"every 1 hours"}}},{}]}`,
		"transferConfigs(name),transferConfigs/state":                   `{"transferConfigs":[{"name":"a","state":"FAILED"},{"name":"b"}]}`,
		"transferConfigs/name,transferConfigs":                          strings.Replace(listed, `,"nextPageToken":"t"`, "", 1),
	} {
		m := mustJSON(t, listed, &pb.ListTransferConfigsResponse{})
		s, err := parseFields(fields, m.ProtoReflect().Descriptor())
		if err != nil {
			t.Errorf("%s: %v", fields, err)
			continue
		}
		if got := s.prune(m); !proto.Equal(got, mustJSON(t, want, &pb.ListTransferConfigsResponse{})) {
			t.Errorf("%s:\n%s", fields, protojson.Format(got))
		}
		if !proto.Equal(m, mustJSON(t, listed, &pb.ListTransferConfigsResponse{})) {
			t.Fatalf("%s: the message itself was changed", fields)
		}
	}
}

func TestFieldsThatAreRefused(t *testing.T) {
	t.Parallel()
	for fields, says := range map[string]string{
		"nope": `"nope"`, "transferConfigs/nope": `"nope"`, "transferConfigs(name,nope)": `"nope"`, "nextPageToken/x": `"x"`, "transferConfigs/updateTime/seconds": `"seconds"`,
		"transferConfigs/*/name": `"name"`, "a,": `"a"`, ",": "not understood", "transferConfigs(name": "not understood", "transferConfigs(name))": "not understood", "transferConfigs()": "not understood",
		"transferConfigs//name": "not understood", "nextPageToken(": "not understood", "transferConfigs(name)x": "not understood",
		strings.Repeat("transferConfigs(", 500): "leads to no field", "transferConfigs/params/" + strings.Repeat("a(", 500): "not understood", "transferConfigs/params/" + strings.Repeat("a/", 500) + "a": "not understood",
		strings.Repeat("nextPageToken,", 1000): "longer",
	} {
		_, err := parseFields(fields, (&pb.ListTransferConfigsResponse{}).ProtoReflect().Descriptor())
		e, ok := err.(*syncline.Error)
		if !ok || e.Field != "fields" || e.Code != syncline.InvalidArgument || !strings.Contains(e.Message, says) || len(e.Message) > 300 {
			t.Errorf("%.80s: %v", fields, err)
		}
	}
}

// FuzzFields: whatever is asked for, what comes back is part of what there is.
func FuzzFields(f *testing.F) {
	for _, seed := range []string{"*", "transferConfigs(name,params(*/y,x/z))", "transferConfigs/params/x.y,nextPageToken", "a(b(c", "transferConfigs/scheduleOptionsV2/*"} {
		f.Add(seed)
	}
	whole := &pb.ListTransferConfigsResponse{}
	if err := protojson.Unmarshal([]byte(listed), whole); err != nil {
		f.Fatal(err)
	}
	of := parsed(f, protojson.Format(whole))
	f.Fuzz(func(t *testing.T, fields string) {
		s, err := parseFields(fields, whole.ProtoReflect().Descriptor())
		if err != nil {
			return
		}
		raw, err := marshal(s.prune(whole), true, false)
		if err != nil {
			t.Fatalf("%q: %v", fields, err)
		}
		if part := parsed(t, string(raw)); !within(part, of) {
			t.Fatalf("%q: %s", fields, raw)
		}
	})
}

// within reports whether a value is part of another: members may be missing, and items.
func within(part, of node) bool {
	if part.kind != of.kind || part.text != of.text || len(part.items) > len(of.items) {
		return false
	}
	for _, m := range part.members {
		if !hasMember(of, m) {
			return false
		}
	}
	rest := of.items
	for _, item := range part.items {
		for len(rest) > 0 && !within(item, rest[0]) {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return false
		}
		rest = rest[1:]
	}
	return true
}

func hasMember(of node, m member) bool {
	for _, one := range of.members {
		if one.name == m.name {
			return within(m.value, one.value)
		}
	}
	return false
}
