package gapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"

	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

const (
	place  = "projects/p/locations/us"
	config = place + "/transferConfigs/c"
)

func TestRoutes(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range []struct {
		verb, path, body string
		want             proto.Message
	}{
		{"GET", "/v1/" + config, "", &pb.GetTransferConfigRequest{Name: config}},
		{"GET", "/datatransfer/v1/" + config, "", &pb.GetTransferConfigRequest{Name: config}},
		{"GET", "/v1/projects/p/transferConfigs/c", "", &pb.GetTransferConfigRequest{Name: "projects/p/transferConfigs/c"}},
		{"GET", "/v1/projects/x.com:p/transferConfigs/a%20b", "", &pb.GetTransferConfigRequest{Name: "projects/x.com:p/transferConfigs/a b"}},
		{"GET", "/v1/projects/p/transferConfigs/a:b", "", &pb.GetTransferConfigRequest{Name: "projects/p/transferConfigs/a:b"}},
		{"GET", "/v1/projects/p/transferConfigs/a%2525", "", &pb.GetTransferConfigRequest{Name: "projects/p/transferConfigs/a%25"}},
		{"DELETE", "/v1/" + config, "", &pb.DeleteTransferConfigRequest{Name: config}},
		{"POST", "/v1/projects/x.com:p:enrollDataSources", `{"dataSourceIds":["a"]}`, &pb.EnrollDataSourcesRequest{Name: "projects/x.com:p", DataSourceIds: []string{"a"}}},
		{"POST", "/v1/" + place + ":enrollDataSources", "", &pb.EnrollDataSourcesRequest{Name: place}},
		{"POST", "/v1/" + place + "%3AenrollDataSources", " \n", &pb.EnrollDataSourcesRequest{Name: place}},
		{"POST", "/v1/" + config + ":startManualRuns", `{"parent":"projects/other/transferConfigs/x"}`, &pb.StartManualTransferRunsRequest{Parent: config}},
		{"POST", "/v1/" + place + "/transferConfigs", `{"displayName":"d"}`, &pb.CreateTransferConfigRequest{Parent: place, TransferConfig: &pb.TransferConfig{DisplayName: "d"}}},
		{"POST", "/v1/" + place + "/transferConfigs", ``, &pb.CreateTransferConfigRequest{Parent: place, TransferConfig: &pb.TransferConfig{}}},
		{"PATCH", "/v1/" + config + "?updateMask=displayName", `{"name":"projects/other/transferConfigs/x","displayName":"d"}`, &pb.UpdateTransferConfigRequest{
			TransferConfig: &pb.TransferConfig{Name: config, DisplayName: "d"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name"}},
		}},
		{"PATCH", "/v1/" + config + "?update_mask=transferConfig.scheduleOptionsV2,%20params.baseUrl,displayName,transfer_config.display_name,*", `{}`, &pb.UpdateTransferConfigRequest{
			TransferConfig: &pb.TransferConfig{Name: config}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"schedule_options_v2", "params.baseUrl", "display_name", "*"}},
		}},
		{"PATCH", "/v1/" + config + "?updateMask=", `{}`, &pb.UpdateTransferConfigRequest{TransferConfig: &pb.TransferConfig{Name: config}}},
	} {
		w := f.send(c.verb, c.path, c.body)
		if w.status != http.StatusOK || w.text != "{}\n" {
			t.Errorf("%s %s: %d %s", c.verb, c.path, w.status, w.text)
		}
		f.hears(c.want)
	}
}

func TestNoRoute(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range [][2]string{
		{"PUT", "/v1/" + config},
		{"HEAD", "/v1/" + config},
		{"GET", "/v1/" + config + "/"},
		{"GET", "/v1/projects//transferConfigs/c"},
		{"GET", "/v1/projects/p%2Flocations%2Fus/transferConfigs/c"},
		{"POST", "/v1/" + config + ":nope"},
		{"GET", "/v1/"},
		{"GET", "/v2/" + config},
		{"GET", "/other/v1/" + config},
		{"POST", "/v1/projects/p:unenrollDataSources"},
		{"GET", "/v2/" + config + "?access_token=canary"},
	} {
		w := f.send(c[0], c[1], "")
		if w.status != http.StatusNotFound || f.heard != nil {
			t.Errorf("%s: %d %s", c, w.status, w.text)
		}
		if c[0] != "HEAD" {
			if e := f.fault(w); e.Status != "NOT_FOUND" || e.Errors[0].Reason != "notFound" || strings.Contains(w.text, "canary") {
				t.Errorf("%s: %s", c, w.text)
			}
		}
	}
}

func TestOverride(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const form = "application/x-www-form-urlencoded"
	list := &pb.ListTransferRunsRequest{Parent: config, PageToken: "url", PageSize: 3, States: []pb.TransferState{pb.TransferState_FAILED, pb.TransferState_RUNNING}}
	w := f.send("POST", "/v1/"+config+"/runs?pageToken=url", "pageToken=body&pageSize=3&states=FAILED&states=RUNNING&alt=json&prettyPrint=false", "X-HTTP-Method-Override", "GET", "Content-Type", form)
	if w.status != http.StatusOK {
		t.Error(w.text)
	}
	f.hears(list)
	f.send("POST", "/v1/"+config+"?updateMask=displayName", `{"displayName":"d"}`, "X-HTTP-Method-Override", "PATCH")
	f.hears(&pb.UpdateTransferConfigRequest{TransferConfig: &pb.TransferConfig{Name: config, DisplayName: "d"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name"}}})
	f.send("POST", "/v1/"+config, "", "X-HTTP-Method-Override", "DELETE")
	f.hears(&pb.DeleteTransferConfigRequest{Name: config})
	f.send("GET", "/v1/"+config, "", "X-HTTP-Method-Override", "DELETE") // only a POST stands for something else
	f.hears(&pb.GetTransferConfigRequest{Name: config})
	// What curl says of a JSON body without being asked does not make it a form.
	f.send("POST", "/v1/"+place+"/transferConfigs", `{"displayName":"d"}`, "Content-Type", form)
	f.hears(&pb.CreateTransferConfigRequest{Parent: place, TransferConfig: &pb.TransferConfig{DisplayName: "d"}})
	w = f.send("POST", "/v1/"+config, "", "X-HTTP-Method-Override", "STEAL")
	if e := f.fault(w); e.Status != "INVALID_ARGUMENT" || !strings.Contains(e.Message, "STEAL") {
		t.Error(w.text)
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	f := setup(t)
	send := func(body string, headers ...string) (int, string) {
		w := f.send("POST", "/v1/"+place+"/transferConfigs", body, headers...)
		return w.status, w.text
	}
	want := &pb.CreateTransferConfigRequest{Parent: place, TransferConfig: &pb.TransferConfig{DisplayName: "d"}}
	if status, text := send(packed(t, `{"displayName":"d"}`), "Content-Encoding", "gzip"); status != http.StatusOK {
		t.Error(status, text)
	}
	f.hears(want)
	for name, c := range map[string]struct{ body, coding, says string }{
		"large":          {`{"displayName":"` + strings.Repeat("x", 4<<20) + `"}`, "", "larger than 4194304 bytes"},
		"large unpacked": {packed(t, `{"displayName":"`+strings.Repeat("x", 64<<20)+`"}`), "gzip", "larger than"},
		"many values":    {`{"params":{"a":[` + strings.Repeat("0,", 100_000) + `0]}}`, "", "more than 100000 values"},
		"deep":           {`{"params":{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}`, "", "more than 100 deep"},
		"not packed":     {`{}`, "gzip", "could not be read"},
		"cut":            {packed(t, `{"displayName":"d"}`)[:25], "gzip", "could not be read"},
		"other coding":   {`{}`, "br", "br"},
		"not UTF-8":      {"{\"displayName\":\"\xff\"}", "", "UTF-8"},
		"not JSON":       {`{"displayName":}`, "", "Invalid JSON payload received. "},
		"two":            {`{}{}`, "", "Invalid JSON payload received. "},
		"no object":      {`[]`, "", "Root element must be a message."},
	} {
		status, text := send(c.body, "Content-Encoding", c.coding)
		if status != http.StatusBadRequest || !strings.Contains(text, c.says) || f.heard != nil || len(text) > 2000 {
			t.Errorf("%s: %d %.300s", name, status, text)
		}
	}
}

func packed(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.say = func(context.Context, proto.Message) (proto.Message, error) {
		return &pb.TransferConfig{Name: config, UserId: 1 << 60, State: pb.TransferState_FAILED, Params: &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewStringValue("<&>")}}}, nil
	}
	const pretty = `{
  "name": "projects/p/locations/us/transferConfigs/c",
  "params": {
    "a": "<&>"
  },
  "state": "FAILED",
  "userId": "1152921504606846976"
}
`
	const plain = `{"name":"projects/p/locations/us/transferConfigs/c","params":{"a":"<&>"},"state":"FAILED","userId":"1152921504606846976"}` + "\n"
	for query, want := range map[string]string{
		"": pretty, "?prettyPrint=true": pretty, "?$prettyPrint=false": plain, "?prettyPrint=false&alt=json&key=k&access_token=t&oauth_token=t&quotaUser=q&userIp=i&uploadType=u&upload_protocol=p&$.xgafv=2": plain,
		"?prettyPrint=false&$alt=json;enum-encoding=int": strings.Replace(plain, `"FAILED"`, "5", 1), "?prettyPrint=false&%24alt=json%3Benum-encoding%3Dint": strings.Replace(plain, `"FAILED"`, "5", 1),
		"?prettyPrint=false&fields=name,params/a": `{"name":"projects/p/locations/us/transferConfigs/c","params":{"a":"<&>"}}` + "\n",
	} {
		w := f.send("GET", "/v1/"+config+query, "")
		if w.text != want || w.status != http.StatusOK || w.header.Get("Content-Type") != "application/json; charset=UTF-8" {
			t.Errorf("%s: %d\n%s", query, w.status, w.text)
		}
	}
	if w := f.send("GET", "/v1/"+config+"?prettyPrint=false", "", "X-Goog-FieldMask", "state"); w.text != `{"state":"FAILED"}`+"\n" {
		t.Error(w.text)
	}
	for query, says := range map[string]string{
		"alt=media": "media", "$alt=proto": "proto", "alt=json;x=y": "json;x=y", "callback=f": "callback", "$callback=f": "callback",
		"fields=nope": "nope", "fields=a(": "fields", "x=%zz": "encoded",
	} {
		w := f.send("GET", "/v1/"+config+"?"+query, "")
		if e := f.fault(w); e.Status != "INVALID_ARGUMENT" || !strings.Contains(e.Message, says) || f.heard != nil {
			t.Errorf("%s: %s", query, w.text)
		}
	}
}
