package server_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/dialect"
	"github.com/synclinehq/syncline/server"
)

// remote is a dialect that is a gRPC server.
type remote struct{ *grpc.Server }

func (remote) Name() string { return "remote" }

func (remote) Owns(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// Refuse is an answer of headers alone.
func (remote) Refuse(w http.ResponseWriter, _ *http.Request, e *syncline.Error) {
	number := map[syncline.Code]string{syncline.Unauthenticated: "16", syncline.PermissionDenied: "7", syncline.ResourceExhausted: "8", syncline.Internal: "13"}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Grpc-Status", number[e.Code])
	w.Header().Set("Grpc-Message", e.Message)
	w.WriteHeader(http.StatusOK)
}

// ServeHTTP panics when asked to.
func (d remote) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Panic") != "" {
		panic("canary")
	}
	d.Server.ServeHTTP(w, r)
}

// checked is a health service that says who asks; long names are none.
type checked struct{ *health.Server }

func (c checked) Check(ctx context.Context, r *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	if len(r.GetService()) > 100 {
		r.Service = ""
	}
	_ = grpc.SetTrailer(ctx, metadata.Pairs("who", auth.From(ctx).Key))
	return c.Server.Check(ctx, r)
}

// dialed serves the dialect remote beside the others, and is a client of it.
func (f *fixture) dialed(how server.Listen) grpc_health_v1.HealthClient {
	f.t.Helper()
	s := grpc.NewServer(grpc.MaxRecvMsgSize(8 << 20))
	f.t.Cleanup(s.Stop)
	grpc_health_v1.RegisterHealthServer(s, checked{health.NewServer()})
	f.o.Dialects = append([]dialect.Dialect{f.front, remote{s}}, f.back)
	f.serve(how)
	creds := insecure.NewCredentials()
	if how.Cert != "" {
		creds = credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
	}
	conn, err := grpc.NewClient("passthrough:///"+f.addr, grpc.WithTransportCredentials(creds))
	f.must(err)
	f.t.Cleanup(func() { _ = conn.Close() })
	return grpc_health_v1.NewHealthClient(conn)
}

func (f *fixture) with(pairs ...string) context.Context {
	ctx, stop := context.WithTimeout(metadata.NewOutgoingContext(f.t.Context(), metadata.Pairs(pairs...)), 30*time.Second)
	f.t.Cleanup(stop)
	return ctx
}

// ways are a server without and one with TLS.
func ways(t *testing.T, fn func(t *testing.T, how server.Listen)) {
	t.Run("clear", func(t *testing.T) { fn(t, server.Listen{Address: "0"}) })
	t.Run("tls", func(t *testing.T) {
		cert, key := certificate(t, t.TempDir(), 1)
		fn(t, server.Listen{Address: "0", Cert: cert, Key: key})
	})
}

func TestGRPC(t *testing.T) {
	ways(t, func(t *testing.T, how server.Listen) {
		f := setup(t)
		client := f.dialed(how)
		c := f.key(auth.Viewer)
		wrong := auth.Credential{ID: c.ID, Secret: f.key(auth.Viewer).Secret}
		for _, x := range []struct {
			name    string
			pairs   []string
			service string
			want    codes.Code
			says    string
		}{
			{"key", []string{"authorization", "Bearer " + c.Bearer()}, "", codes.OK, ""},
			{"api key", []string{"x-goog-api-key", c.Bearer()}, "", codes.OK, ""},
			{"none", nil, "", codes.Unauthenticated, "no key was given"},
			{"wrong", []string{"authorization", "Bearer " + wrong.Bearer()}, "", codes.Unauthenticated, "not valid"},
			{"wrong api key", []string{"x-goog-api-key", wrong.Bearer()}, "", codes.Unauthenticated, "not valid"},
			{"wrong beside right", []string{"authorization", "Bearer x", "x-goog-api-key", c.Bearer()}, "", codes.Unauthenticated, "not valid"},
			{"error of the service", []string{"authorization", "Bearer " + c.Bearer()}, "unknown", codes.NotFound, "unknown service"},
			{"panic", []string{"authorization", "Bearer " + c.Bearer(), "panic", "yes"}, "", codes.Internal, "internal error"},
			{"large", []string{"authorization", "Bearer " + c.Bearer()}, strings.Repeat("x", 6<<20), codes.OK, ""},
			{"too large", []string{"authorization", "Bearer " + c.Bearer()}, strings.Repeat("x", 9<<20), codes.ResourceExhausted, "larger than max"},
		} {
			var trailer metadata.MD
			_, err := client.Check(f.with(x.pairs...), &grpc_health_v1.HealthCheckRequest{Service: x.service}, grpc.Trailer(&trailer))
			if got := status.Convert(err); got.Code() != x.want || !strings.Contains(got.Message(), x.says) || strings.Contains(got.Message(), "canary") {
				t.Errorf("%s: %v", x.name, err)
			}
			if x.want == codes.OK && strings.Join(trailer.Get("who"), "") != c.ID {
				t.Errorf("%s: trailer %v", x.name, trailer)
			}
		}
		if log := f.log.String(); strings.Contains(log, wrong.Secret) || !strings.Contains(log, "canary") {
			t.Errorf("the log: %s", log)
		}
		f.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		f.shows(c, `syncline_grpc_requests_total{code="0",dialect="remote"} 3`, `syncline_grpc_requests_total{code="16",dialect="remote"} 4`,
			`syncline_grpc_requests_total{code="5",dialect="remote"} 1`, `syncline_http_requests_total{code="200",dialect="remote",method="POST"} 10`)
	})
}

// Two hundred calls of one client at once are all answered: the connection lets as many in
// as a key may have.
func TestGRPCAtOnce(t *testing.T) {
	ways(t, func(t *testing.T, how server.Listen) {
		f := setup(t)
		client := f.dialed(how)
		ctx := f.with("authorization", "Bearer "+f.key(auth.Viewer).Bearer())
		var wg sync.WaitGroup
		for range 200 {
			wg.Go(func() {
				if _, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// A stream is seen piece by piece, and ends with the client.
func TestGRPCStreams(t *testing.T) {
	f := setup(t)
	client := f.dialed(server.Listen{Address: "0"})
	ctx, stop := context.WithCancel(f.with("authorization", "Bearer "+f.key(auth.Viewer).Bearer()))
	defer stop()
	watch, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	f.must(err)
	if first, err := watch.Recv(); err != nil || first.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatal(first, err)
	}
	stop()
	if _, err := watch.Recv(); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
}
