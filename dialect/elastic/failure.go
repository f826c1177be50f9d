package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/synclinehq/syncline"
)

// failure is an error in Elasticsearch's words.
type failure struct {
	status int
	typ    string
	reason string
	cause  *failure
}

func (f *failure) Error() string { return f.typ + ": " + f.reason }

func fault(status int, typ, format string, args ...any) *failure {
	return &failure{status: status, typ: typ, reason: fmt.Sprintf(format, args...)}
}

// notThere says that a resource does not exist.
func notThere(format string, args ...any) *failure {
	return fault(http.StatusNotFound, "resource_not_found_exception", format, args...)
}

// rule says that a rule of the service is broken.
func rule(format string, args ...any) *failure {
	return fault(http.StatusBadRequest, "status_exception", format, args...)
}

func illegal(format string, args ...any) *failure {
	return fault(http.StatusBadRequest, "illegal_argument_exception", format, args...)
}

// conflict says that a document has moved on, or somebody else holds a job.
func conflict(format string, args ...any) *failure {
	return fault(http.StatusConflict, "version_conflict_engine_exception", format, args...)
}

// invalid collects what a request's own checks found; nil when that is nothing.
func invalid(found ...string) error {
	if len(found) == 0 {
		return nil
	}
	var text strings.Builder
	text.WriteString("Validation Failed: ")
	for i, f := range found {
		fmt.Fprintf(&text, "%d: %s;", i+1, f)
	}
	return fault(http.StatusBadRequest, "action_request_validation_exception", "%s", text.String())
}

// words is the one table from a code to the status and type of what is not a failure yet.
var words = map[syncline.Code]struct {
	status int
	typ    string
}{
	syncline.InvalidArgument:    {http.StatusBadRequest, "illegal_argument_exception"},
	syncline.OutOfRange:         {http.StatusBadRequest, "illegal_argument_exception"},
	syncline.FailedPrecondition: {http.StatusBadRequest, "status_exception"},
	syncline.Unauthenticated:    {http.StatusUnauthorized, "security_exception"},
	syncline.PermissionDenied:   {http.StatusForbidden, "security_exception"},
	syncline.NotFound:           {http.StatusNotFound, "resource_not_found_exception"},
	syncline.AlreadyExists:      {http.StatusConflict, "resource_already_exists_exception"},
	syncline.Aborted:            {http.StatusConflict, "version_conflict_engine_exception"},
	syncline.ResourceExhausted:  {http.StatusTooManyRequests, "circuit_breaking_exception"},
	syncline.Unimplemented:      {http.StatusBadRequest, "status_exception"},
	syncline.Unavailable:        {http.StatusServiceUnavailable, "status_exception"},
	syncline.DeadlineExceeded:   {http.StatusServiceUnavailable, "status_exception"},
}

// translate draws any error. What has no code stays in the log.
func (c *call) translate(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*syncline.Error](err); ok {
		if w, ok := words[e.Code]; ok {
			reason := e.Message
			if e.Hint != "" {
				reason += ": " + e.Hint
			}
			return fault(w.status, w.typ, "%s", reason)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fault(http.StatusServiceUnavailable, "status_exception", "the ledger did not answer in time")
	}
	if c.ctx().Err() == nil {
		c.api.o.Log.Error("internal error", "path", c.r.URL.Path, "err", err)
	}
	return fault(http.StatusInternalServerError, "exception", "internal error")
}

// envelope is the body of an error.
func (f *failure) envelope() map[string]any {
	root := f
	for root.cause != nil && root.cause.typ == "x_content_parse_exception" {
		root = root.cause
	}
	e := f.document()
	e["root_cause"] = []any{map[string]any{"type": root.typ, "reason": root.reason}}
	return map[string]any{"error": e, "status": f.status}
}

func (f *failure) document() map[string]any {
	d := map[string]any{"type": f.typ, "reason": f.reason}
	if f.cause != nil {
		d["caused_by"] = f.cause.document()
	}
	return d
}
