package gapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/synclinehq/syncline"
)

const (
	maxMessage = 4 << 10     // bytes of an error's message
	patience   = time.Second // before a call is tried again, when nobody said how long
	domain     = "syncline"  // whose reasons those in ErrorInfo are
)

// failure is an error on its way out.
type failure struct {
	word
	rpc  *spb.Status
	wait time.Duration // before the same call is worth another try; 0: unknown
}

// failure draws any error of a call. What is not meant for people outside stays in the log.
func (m *Mux) failure(r *http.Request, err error) *failure {
	if f, ok := errors.AsType[*findings](err); ok {
		return drawFindings(f)
	}
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok || words[e.Code].name == "" {
		e = m.hide(r, err)
	}
	return draw(e)
}

// hide stands for an error that has no code.
func (m *Mux) hide(r *http.Request, err error) *syncline.Error {
	switch {
	case errors.Is(err, context.Canceled):
		return syncline.Errorf(syncline.Canceled, "the call was cancelled")
	case errors.Is(err, context.DeadlineExceeded):
		return syncline.Errorf(syncline.DeadlineExceeded, "the call took longer than it may")
	case status.Code(err) == codes.Unimplemented: // of a method that a service's generated code stands in for
		return syncline.Errorf(syncline.Unimplemented, "this method is not served")
	case !errors.Is(err, errPanic):
		m.o.Log.Error("internal error", "path", r.URL.Path, "err", err)
	}
	return syncline.Errorf(syncline.Internal, "internal error").Try("the log says more")
}

func draw(e *syncline.Error) *failure {
	f := &failure{word: words[e.Code]}
	f.rpc = &spb.Status{Code: int32(f.number), Message: sentence(e)}
	if e.Reason != "" {
		f.detail(&errdetails.ErrorInfo{Reason: strings.ToUpper(Snake(e.Reason)), Domain: domain})
	}
	switch e.Code {
	case syncline.InvalidArgument:
		if e.Field != "" {
			f.detail(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: valid(e.Field), Description: f.rpc.Message}}})
		}
	case syncline.Unavailable, syncline.ResourceExhausted:
		if f.wait = e.RetryAfter; f.wait <= 0 {
			f.wait = patience
		}
		f.detail(&errdetails.RetryInfo{RetryDelay: durationpb.New(f.wait)})
	}
	return f
}

func drawFindings(found *findings) *failure {
	f := &failure{word: words[syncline.InvalidArgument]}
	f.reason = "invalid"
	f.rpc = &spb.Status{Code: int32(f.number), Message: shorten(found.Error())}
	bad := &errdetails.BadRequest{}
	for _, one := range found.all {
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: valid(one.field), Description: valid(one.message)})
	}
	f.detail(bad)
	return f
}

// detail adds what programs read. Only types of google.rpc may be sent: some clients take
// an answer for broken that has a type they do not know.
func (f *failure) detail(d proto.Message) {
	if a, err := anypb.New(d); err == nil {
		f.rpc.Details = append(f.rpc.Details, a)
	}
}

// sentence is what happened, and the next step.
func sentence(e *syncline.Error) string {
	if e.Hint == "" {
		return shorten(e.Message)
	}
	return shorten(e.Message + ": " + e.Hint)
}

func shorten(text string) string {
	if len(text) > maxMessage {
		text = text[:maxMessage]
	}
	return valid(text)
}

// valid is text that protobuf takes, which knows nothing but UTF-8.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
