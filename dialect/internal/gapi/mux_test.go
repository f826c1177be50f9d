package gapi_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

func TestOwns(t *testing.T) {
	t.Parallel()
	f := setup(t)
	if f.mux.Name() != "datatransfer" {
		t.Error(f.mux.Name())
	}
	for target, want := range map[string]bool{
		"GET /v1/" + config: true, "PUT /v1/" + config: true, "GET /datatransfer/v1/" + config: true, "GET /v1/projects/p/transferConfigs": true,
		"POST /v1/" + config + ":startManualRuns": true, "POST /v1/projects/p:enrollDataSources": true, "GET /v1/projects/p:nope": false,
		"GET /v1/projects/p/transferConfigs/": false, "GET /v1/projects/p": false, "GET /v1/projects": false, "GET /v1": false, "GET /": false, "GET /_bulk": false, "GET /datatransfer": false,
		"GET /datatransferv1/" + config: false, "GET /v1/projects/p/nope/x": false, "GET /v1/projects/p%2Fq/transferConfigs": false, "GET /v2/" + config: false,
		"GET /$discovery/rest?version=v1": true, "GET /%24discovery/rest?version=v1": true, "GET /datatransfer/$discovery/rest?version=v1": true,
		"GET /$discovery/rest?version=v2": false, "GET /$discovery/rest": false, "POST /$discovery/rest?version=v1": false, "GET /x/$discovery/rest?version=v1": false,
		"POST /google.cloud.bigquery.datatransfer.v1.DataTransferService/GetTransferConfig": false, // not gRPC
	} {
		verb, path, _ := strings.Cut(target, " ")
		if got := f.mux.Owns(httptest.NewRequest(verb, path, nil)); got != want {
			t.Errorf("%s: %v", target, got)
		}
	}
	for _, c := range []struct {
		path, kind string
		major      int
		want       bool
	}{
		{"/google.cloud.bigquery.datatransfer.v1.DataTransferService/GetTransferConfig", "application/grpc", 2, true},
		{"/google.cloud.bigquery.datatransfer.v1.DataTransferService/Nope", "application/grpc+proto", 2, true},
		{"/google.cloud.bigquery.datatransfer.v1.DataTransferService/Nope", "application/grpc", 1, false},
		{"/google.cloud.bigquery.datatransfer.v1.DataTransferService/Nope", "application/grpc-web", 2, false},
		{"/google.cloud.bigquery.datatransfer.v1.Other/Nope", "application/grpc", 2, false},
		{"/v1/" + config, "application/grpc", 2, false},
	} {
		r := httptest.NewRequest(http.MethodPost, c.path, nil)
		r.Header.Set("Content-Type", c.kind)
		r.ProtoMajor = c.major
		if got := f.mux.Owns(r); got != c.want {
			t.Errorf("%v: %v", c, got)
		}
	}
}

func BenchmarkOwnsNot(b *testing.B) {
	f := setup(b)
	r := httptest.NewRequest(http.MethodPost, "/index/_bulk", nil)
	for b.Loop() {
		if f.mux.Owns(r) {
			b.Fatal("it does")
		}
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	f := setup(t)
	w := httptest.NewRecorder()
	f.mux.Refuse(w, httptest.NewRequest(http.MethodGet, "/v1/"+config+"?prettyPrint=false", nil), syncline.Errorf(syncline.Unauthenticated, "no key").Try("send one"))
	const want = `{"error":{"code":401,"message":"no key: send one","errors":[{"message":"no key: send one","domain":"global","reason":"authError"}],"status":"UNAUTHENTICATED"}}`
	if got := w.Body.String(); got != want || w.Header().Get("WWW-Authenticate") != `Bearer realm="syncline"` {
		t.Errorf("%v\n%s", w.Header(), got)
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for path, root := range map[string]string{"/$discovery/rest?version=v1&labels=x": f.http.URL + "/", "/datatransfer/$discovery/rest?version=v1": f.http.URL + "/datatransfer/"} {
		w := f.send("GET", path, "")
		var got map[string]string
		if err := json.Unmarshal([]byte(w.text), &got); err != nil || w.status != http.StatusOK {
			t.Fatal(err, w.text)
		}
		if got["rootUrl"] != root || got["baseUrl"] != root+"s/" || got["mtlsRootUrl"] != root || got["name"] != "x" || got["servicePath"] != "s/" || len(got) != 5 {
			t.Errorf("%s: %s", path, w.text)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]gapi.Service{
		"not implemented": {Desc: &pb.DataTransferService_ServiceDesc, Impl: 5},
		"nothing":         {Desc: &pb.DataTransferService_ServiceDesc},
		"not linked in":   {Desc: &grpc.ServiceDesc{ServiceName: "no.Such", HandlerType: (*any)(nil)}, Impl: 5},
		"no service":      {Desc: &grpc.ServiceDesc{ServiceName: "google.protobuf.Empty", HandlerType: (*any)(nil)}, Impl: 5},
		"a stream":        {Desc: &grpc.ServiceDesc{ServiceName: "x", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{{StreamName: "S"}}}, Impl: 5},
	} {
		if m, err := gapi.New(gapi.Options{Name: "x", Services: []gapi.Service{s}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}); err == nil {
			t.Errorf("%s: %v", name, m)
		}
	}
	twice := gapi.Service{Desc: &pb.DataTransferService_ServiceDesc, Impl: &stub{}}
	if _, err := gapi.New(gapi.Options{Services: []gapi.Service{twice, twice}}); err == nil || !strings.Contains(err.Error(), "both answer") {
		t.Error(err)
	}
	if _, err := gapi.New(gapi.Options{Discovery: map[string][]byte{"v1": []byte("[]")}}); err == nil || !strings.Contains(err.Error(), "v1") {
		t.Error(err)
	}
}
