package gapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

// fails makes the service answer with an error.
func (f *fixture) fails(err error) {
	f.say = func(context.Context, proto.Message) (proto.Message, error) { return nil, err }
}

// Every code is the same one over REST and gRPC, and in a resource.
func TestCodes(t *testing.T) {
	t.Parallel()
	f := setup(t)
	c := pb.NewDataTransferServiceClient(f.dial())
	for number, want := range []struct {
		code           syncline.Code
		status         int
		name, reason   string
		details, retry int
	}{
		1:  {syncline.Canceled, 499, "CANCELLED", "cancelled", 0, 0},
		2:  {syncline.Unknown, 500, "UNKNOWN", "backendError", 0, 0},
		3:  {syncline.InvalidArgument, 400, "INVALID_ARGUMENT", "badRequest", 0, 0},
		4:  {syncline.DeadlineExceeded, 504, "DEADLINE_EXCEEDED", "backendError", 0, 0},
		5:  {syncline.NotFound, 404, "NOT_FOUND", "notFound", 0, 0},
		6:  {syncline.AlreadyExists, 409, "ALREADY_EXISTS", "alreadyExists", 0, 0},
		7:  {syncline.PermissionDenied, 403, "PERMISSION_DENIED", "forbidden", 0, 0},
		8:  {syncline.ResourceExhausted, 429, "RESOURCE_EXHAUSTED", "rateLimitExceeded", 1, 1},
		9:  {syncline.FailedPrecondition, 400, "FAILED_PRECONDITION", "failedPrecondition", 0, 0},
		10: {syncline.Aborted, 409, "ABORTED", "aborted", 0, 0},
		11: {syncline.OutOfRange, 400, "OUT_OF_RANGE", "outOfRange", 0, 0},
		12: {syncline.Unimplemented, 501, "UNIMPLEMENTED", "notImplemented", 0, 0},
		13: {syncline.Internal, 500, "INTERNAL", "backendError", 0, 0},
		14: {syncline.Unavailable, 503, "UNAVAILABLE", "backendError", 1, 1},
		15: {syncline.DataLoss, 500, "DATA_LOSS", "backendError", 0, 0},
		16: {syncline.Unauthenticated, 401, "UNAUTHENTICATED", "authError", 0, 0},
	} {
		if number == 0 {
			continue
		}
		f.fails(fmt.Errorf("get: %w", syncline.Errorf(want.code, "it is <so>").Try("do that")))
		w := f.send("GET", "/v1/"+config, "")
		e := f.fault(w)
		if w.status != want.status || e.Status != want.name || e.Errors[0].Reason != want.reason || e.Errors[0].Domain != "global" || e.Message != "it is <so>: do that" || e.Errors[0].Message != e.Message {
			t.Errorf("%s: %d %s", want.code, w.status, w.text)
		}
		if len(e.Details) != want.details || strings.Contains(w.text, `"details"`) != (want.details > 0) || (w.header.Get("Retry-After") != "") != (want.retry > 0) {
			t.Errorf("%s: %v %s", want.code, w.header, w.text)
		}
		if challenge := w.header.Get("WWW-Authenticate"); (challenge == `Bearer realm="syncline"`) != (want.status == http.StatusUnauthorized) {
			t.Errorf("%s: %q", want.code, challenge)
		}
		_, err := c.GetTransferConfig(t.Context(), &pb.GetTransferConfigRequest{})
		if s := status.Convert(err); s.Code() != codes.Code(number) || s.Message() != e.Message || len(s.Details()) != want.details {
			t.Errorf("%s: %v %v", want.code, s, s.Details())
		}
		if got := gapi.CodeNumber(want.code); got != int32(number) {
			t.Errorf("%s is %d", want.code, got)
		}
	}
	if got := gapi.CodeNumber("nonsense"); got != 13 {
		t.Errorf("what is no code is %d", got)
	}
}

func TestDetails(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.fails(syncline.Invalid("transfer_config.schedule", "no schedule").Because("no_such_slot"))
	e := f.fault(f.send("GET", "/v1/"+config, ""))
	if len(e.Details) != 2 || e.Details[0]["reason"] != "NO_SUCH_SLOT" || e.Details[0]["domain"] != "syncline" || e.Details[1]["@type"] != "type.googleapis.com/google.rpc.BadRequest" {
		t.Fatalf("%v", e.Details)
	}
	if v := fmt.Sprint(e.Details[1]["fieldViolations"]); v != "[map[description:no schedule field:transfer_config.schedule]]" {
		t.Error(v)
	}
	busy := syncline.Errorf(syncline.ResourceExhausted, "busy")
	busy.RetryAfter = 1500 * time.Millisecond
	f.fails(busy)
	w := f.send("GET", "/v1/"+config, "")
	if e := f.fault(w); w.header.Get("Retry-After") != "2" || e.Details[0]["retryDelay"] != "1.500s" {
		t.Errorf("%v %s", w.header, w.text)
	}
	f.fails(syncline.Errorf(syncline.NotFound, "%s", strings.Repeat("é\xff", 1<<20)))
	if w := f.send("GET", "/v1/"+config, ""); len(w.text) > 20<<10 || f.fault(w).Status != "NOT_FOUND" {
		t.Errorf("%d bytes", len(w.text))
	}
}

// The binding of a request says every unknown name, and the field each is in.
func TestFindingsOnTheWire(t *testing.T) {
	t.Parallel()
	f := setup(t)
	w := f.send("POST", "/v1/"+place+"/transferConfigs?x=1", `{"foo":1,"emailPreferences":{"bar":2}}`)
	e := f.fault(w)
	const want = `Invalid JSON payload received. Unknown name "foo" at 'transfer_config': Cannot find field.
Invalid JSON payload received. Unknown name "bar" at 'transfer_config.email_preferences': Cannot find field.
Invalid JSON payload received. Unknown name "x": Cannot bind query parameter. Field 'x' could not be found in request message.`
	if e.Message != want || e.Errors[0].Reason != "invalid" || e.Status != "INVALID_ARGUMENT" || len(e.Details) != 1 {
		t.Fatal(w.text)
	}
	violations := e.Details[0]["fieldViolations"].([]any)
	if len(violations) != 3 || fmt.Sprint(violations[0]) != `map[description:Invalid JSON payload received. Unknown name "foo" at 'transfer_config': Cannot find field. field:transfer_config]` {
		t.Errorf("%v", violations)
	}
}

// What has no code is nobody's business.
func TestHiddenErrors(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, c := range []struct {
		err    error
		status int
		logged bool
	}{
		{errors.New("canary"), 500, true},
		{&syncline.Error{Message: "canary"}, 500, true},
		{status.Error(codes.NotFound, "canary"), 500, true},
		{fmt.Errorf("canary: %w", context.Canceled), 499, false},
		{fmt.Errorf("canary: %w", context.DeadlineExceeded), 504, false},
		{status.Error(codes.Unimplemented, "canary"), 501, false},
	} {
		f.log.Reset()
		f.fails(c.err)
		w := f.send("GET", "/v1/"+config+"?access_token=key", "")
		if w.status != c.status || strings.Contains(w.text, "canary") || strings.Contains(f.log.String(), "canary") != c.logged || strings.Contains(f.log.String(), "access_token") {
			t.Errorf("%v: %d %s\n%s", c.err, w.status, w.text, f.log)
		}
	}
	f.log.Reset()
	f.say = func(context.Context, proto.Message) (proto.Message, error) { panic("canary") }
	if w := f.send("GET", "/v1/"+config, ""); w.status != 500 || strings.Contains(w.text, "canary") || !strings.Contains(f.log.String(), "canary") {
		t.Errorf("%d %s\n%s", w.status, w.text, f.log)
	}
}

// Who calls is asked after the route, and before anything of the request is read.
func TestNobody(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.as.Key = ""
	for _, c := range []struct {
		path   string
		status int
	}{{"/v1/" + config, 401}, {"/v1/" + config + "?nope=1", 401}, {"/$discovery/rest?version=v1", 401}, {"/v1/nope", 404}} {
		if w := f.send("GET", c.path, ""); w.status != c.status || f.heard != nil {
			t.Errorf("%s: %d", c.path, w.status)
		}
	}
}
