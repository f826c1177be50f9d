package gapi_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

// wire is an answer of gRPC as it stands on the wire.
type wire struct {
	status  int
	header  http.Header
	trailer http.Header
	body    []byte
}

// raw sends whatever it is given over HTTP/2 without TLS, as no client of gRPC would.
func (f *fixture) raw(path string, body []byte, headers ...string) wire {
	f.Helper()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequest(http.MethodPost, f.http.URL+path, bytes.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	f.heard = nil
	w, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer w.Body.Close()
	answer, err := io.ReadAll(w.Body)
	if err != nil {
		f.Fatal(err)
	}
	return wire{w.StatusCode, w.Header, w.Trailer, answer}
}

const get = "/google.cloud.bigquery.datatransfer.v1.DataTransferService/GetTransferConfig"

func TestWire(t *testing.T) {
	t.Parallel()
	f := setup(t)
	message, err := proto.Marshal(&pb.GetTransferConfigRequest{Name: "n"})
	if err != nil {
		t.Fatal(err)
	}
	framed := append([]byte{0, 0, 0, 0, byte(len(message))}, message...)
	zipped := []byte(packed(t, string(message)))
	zipped = append([]byte{1, 0, 0, 0, byte(len(zipped))}, zipped...)
	for name, c := range map[string]struct {
		path   string
		body   []byte
		header []string
		want   string // grpc-status
	}{
		"good":            {get, framed, nil, "0"},
		"with its coding": {get, framed, []string{"Content-Type", "application/grpc+proto", "Grpc-Timeout", "99999999H"}, "0"},
		"packed":          {get, zipped, []string{"Grpc-Encoding", "gzip"}, "0"},
		"packed unsaid":   {get, zipped, nil, "12"},
		"packed as br":    {get, zipped, []string{"Grpc-Encoding", "br"}, "12"},
		"not packed":      {get, append([]byte{1}, framed[1:]...), []string{"Grpc-Encoding", "gzip"}, "3"},
		"odd head":        {get, append([]byte{2}, framed[1:]...), nil, "3"},
		"nothing":         {get, nil, nil, "3"},
		"cut in the head": {get, framed[:3], nil, "3"},
		"cut":             {get, framed[:6], nil, "3"},
		"two":             {get, append(framed[:len(framed):len(framed)], framed...), nil, "3"},
		"says it is huge": {get, []byte{0, 255, 255, 255, 255}, nil, "3"},
		"no message":      {get, []byte{0, 0, 0, 0, 1, 0xFF}, nil, "3"},
		"JSON":            {get, framed, []string{"Content-Type", "application/grpc+json"}, "12"},
		"bad timeout":     {get, framed, []string{"Grpc-Timeout", "1x"}, "3"},
		"no number":       {get, framed, []string{"Grpc-Timeout", "S"}, "3"},
		"long timeout":    {get, framed, []string{"Grpc-Timeout", "123456789S"}, "3"},
		"no method":       {get + "s", framed, nil, "12"},
	} {
		w := f.raw(c.path, c.body, c.header...)
		if w.status != http.StatusOK || w.trailer.Get("Grpc-Status") != c.want || w.header.Get("Content-Type") != "application/grpc" {
			t.Errorf("%s: %d %v %v", name, w.status, w.header, w.trailer)
		}
		if good := c.want == "0"; good != (f.heard != nil) || good != (len(w.body) > 0) || good != (w.trailer.Get("Grpc-Message") == "") {
			t.Errorf("%s: %v, %q, %v", name, f.heard, w.body, w.trailer)
		}
	}
	f.raw(get, framed)
	f.hears(&pb.GetTransferConfigRequest{Name: "n"})
}

// The status in the details must say what the trailers say; details that would burst a
// client's bound are left out.
func TestWireDetails(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fails(syncline.Invalid("name", "é%%"))
	w := f.raw(get, make([]byte, 5))
	if w.trailer.Get("Grpc-Message") != "%C3%A9%25" {
		t.Error(w.trailer)
	}
	raw, err := base64.RawStdEncoding.DecodeString(w.trailer.Get("Grpc-Status-Details-Bin"))
	s := &spb.Status{}
	if err != nil || proto.Unmarshal(raw, s) != nil || s.GetCode() != 3 || s.GetMessage() != "é%" || len(s.GetDetails()) != 1 {
		t.Errorf("%v, %v", s, err)
	}
	f.fails(syncline.Invalid("name", "%s", strings.Repeat("x", 1<<20)))
	w = f.raw(get, make([]byte, 5))
	if w.trailer.Get("Grpc-Status") != "3" || w.trailer.Get("Grpc-Status-Details-Bin") != "" || len(w.trailer.Get("Grpc-Message")) > 5000 {
		t.Errorf("%d bytes, %d of details", len(w.trailer.Get("Grpc-Message")), len(w.trailer.Get("Grpc-Status-Details-Bin")))
	}
}

// What the door refuses is refused over gRPC as gRPC has it.
func TestWireRefusal(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.door = func(w http.ResponseWriter, r *http.Request) {
		f.mux.Refuse(w, r, syncline.Errorf(syncline.Unauthenticated, "no key"))
	}
	w := f.raw(get, make([]byte, 5))
	if w.status != http.StatusOK || w.trailer.Get("Grpc-Status") != "16" || w.trailer.Get("Grpc-Message") != "no key" || len(w.body) != 0 {
		t.Errorf("%d %v", w.status, w.trailer)
	}
}

// A caller that goes away ends its call, over HTTP/1 as well.
func TestGoneCaller(t *testing.T) {
	t.Parallel()
	f := setup(t)
	began, ended := make(chan bool, 1), make(chan bool, 1)
	f.say = func(ctx context.Context, _ proto.Message) (proto.Message, error) {
		began <- true
		<-ctx.Done()
		ended <- true
		return nil, ctx.Err()
	}
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.http.URL+"/v1/"+config, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-began; leave() }()
	if w, err := f.http.Client().Do(r); err == nil {
		_ = w.Body.Close()
		t.Error("there was an answer")
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the call goes on")
	}
}
