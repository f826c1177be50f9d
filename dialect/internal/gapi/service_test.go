package gapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
	"github.com/synclinehq/syncline/secret"
)

// stub is a service whose answer is what the test says.
type stub struct {
	pb.UnimplementedDataTransferServiceServer
	pb.UnimplementedDataSourceServiceServer
	heard proto.Message
	who   auth.Principal
	say   func(ctx context.Context, heard proto.Message) (proto.Message, error)
}

func ask[A proto.Message](s *stub, ctx context.Context, q proto.Message) (a A, err error) {
	s.heard, s.who = proto.Clone(q), auth.From(ctx)
	if s.say == nil {
		return a.ProtoReflect().New().Interface().(A), nil
	}
	out, err := s.say(ctx, q)
	if err != nil {
		return a, err
	}
	return out.(A), nil
}

func (s *stub) CreateTransferConfig(ctx context.Context, r *pb.CreateTransferConfigRequest) (*pb.TransferConfig, error) {
	return ask[*pb.TransferConfig](s, ctx, r)
}

func (s *stub) UpdateTransferConfig(ctx context.Context, r *pb.UpdateTransferConfigRequest) (*pb.TransferConfig, error) {
	return ask[*pb.TransferConfig](s, ctx, r)
}

func (s *stub) GetTransferConfig(ctx context.Context, r *pb.GetTransferConfigRequest) (*pb.TransferConfig, error) {
	return ask[*pb.TransferConfig](s, ctx, r)
}

func (s *stub) ListTransferConfigs(ctx context.Context, r *pb.ListTransferConfigsRequest) (*pb.ListTransferConfigsResponse, error) {
	return ask[*pb.ListTransferConfigsResponse](s, ctx, r)
}

func (s *stub) ListTransferRuns(ctx context.Context, r *pb.ListTransferRunsRequest) (*pb.ListTransferRunsResponse, error) {
	return ask[*pb.ListTransferRunsResponse](s, ctx, r)
}

func (s *stub) DeleteTransferConfig(ctx context.Context, r *pb.DeleteTransferConfigRequest) (*emptypb.Empty, error) {
	return ask[*emptypb.Empty](s, ctx, r)
}

func (s *stub) GetDataSource(ctx context.Context, r *pb.GetDataSourceRequest) (*pb.DataSource, error) {
	return ask[*pb.DataSource](s, ctx, r)
}

func (s *stub) EnrollDataSources(ctx context.Context, r *pb.EnrollDataSourcesRequest) (*emptypb.Empty, error) {
	return ask[*emptypb.Empty](s, ctx, r)
}

func (s *stub) StartManualTransferRuns(ctx context.Context, r *pb.StartManualTransferRunsRequest) (*pb.StartManualTransferRunsResponse, error) {
	return ask[*pb.StartManualTransferRunsResponse](s, ctx, r)
}

func (s *stub) LogTransferRunMessages(ctx context.Context, r *pb.LogTransferRunMessagesRequest) (*emptypb.Empty, error) {
	return ask[*emptypb.Empty](s, ctx, r)
}

func (s *stub) UpdateTransferRun(ctx context.Context, r *pb.UpdateTransferRunRequest) (*pb.TransferRun, error) {
	return ask[*pb.TransferRun](s, ctx, r)
}

// fixture is a Mux over a stub, on a listener that speaks HTTP/1 and HTTP/2 without TLS.
type fixture struct {
	testing.TB
	*stub
	mux  *gapi.Mux
	http *httptest.Server
	log  *bytes.Buffer
	as   auth.Principal
	door func(w http.ResponseWriter, r *http.Request) // nil: lets everybody in
}

func setup(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{TB: t, stub: &stub{}, log: &bytes.Buffer{}, as: auth.Principal{Key: "k1", Role: auth.Admin}}
	var err error
	f.mux, err = gapi.New(gapi.Options{
		Name: "datatransfer", Prefix: "/datatransfer", Log: slog.New(slog.NewTextHandler(f.log, nil)),
		Services:  []gapi.Service{{Desc: &pb.DataTransferService_ServiceDesc, Impl: f.stub}, {Desc: &pb.DataSourceService_ServiceDesc, Impl: f.stub}},
		Discovery: map[string][]byte{"v1": []byte(`{"name":"x","rootUrl":"https://real.example/","baseUrl":"https://real.example/s/","mtlsRootUrl":"https://mtls.example/","servicePath":"s/"}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.door != nil {
			f.door(w, r)
			return
		}
		f.mux.ServeHTTP(w, r.WithContext(auth.With(r.Context(), f.as)))
	}))
	f.http.Config.Protocols = new(http.Protocols)
	f.http.Config.Protocols.SetHTTP1(true)
	f.http.Config.Protocols.SetUnencryptedHTTP2(true)
	f.http.Start()
	t.Cleanup(f.http.Close)
	return f
}

// reply is an answer that was read.
type reply struct {
	status int
	header http.Header
	text   string
}

// send makes a request; headers are names and values in turn.
func (f *fixture) send(verb, path, body string, headers ...string) reply {
	f.Helper()
	r, err := http.NewRequest(verb, f.http.URL+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	f.heard = nil
	w, err := f.http.Client().Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		f.Fatal(err)
	}
	return reply{w.StatusCode, w.Header, string(text)}
}

// fault is the envelope of an error, as a client reads it.
type fault struct {
	Code    int
	Message string
	Status  string
	Errors  []struct{ Message, Domain, Reason string }
	Details []map[string]any
}

func (f *fixture) fault(w reply) fault {
	f.Helper()
	var e struct{ Error fault }
	if err := json.Unmarshal([]byte(w.text), &e); err != nil || e.Error.Code != w.status || len(e.Error.Errors) != 1 {
		f.Fatalf("%d is no envelope: %v\n%s", w.status, err, w.text)
	}
	if ct := w.header.Get("Content-Type"); ct != "application/json; charset=UTF-8" {
		f.Errorf("content type %q", ct)
	}
	return e.Error
}

// hears asserts what the service was asked, in protobuf's JSON.
func (f *fixture) hears(want proto.Message) {
	f.Helper()
	if f.heard == nil || !proto.Equal(f.heard, want) {
		f.Errorf("the service heard\n%v, not\n%v", f.heard, want)
	}
}

// dial is a real client of gRPC.
func (f *fixture) dial(o ...grpc.DialOption) *grpc.ClientConn {
	f.Helper()
	c, err := grpc.NewClient(f.http.Listener.Addr().String(), append(o, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = c.Close() })
	return c
}

func box(t testing.TB) *secret.Box {
	t.Helper()
	b, err := secret.Load(filepath.Join(t.TempDir(), "master.key"), "")
	if err != nil {
		t.Fatal(err)
	}
	return b
}
