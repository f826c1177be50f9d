package native

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

// status is the one table from a code to what HTTP says of it.
var status = map[syncline.Code]int{
	syncline.Canceled:           499,
	syncline.Unknown:            http.StatusInternalServerError,
	syncline.InvalidArgument:    http.StatusBadRequest,
	syncline.DeadlineExceeded:   http.StatusGatewayTimeout,
	syncline.NotFound:           http.StatusNotFound,
	syncline.AlreadyExists:      http.StatusConflict,
	syncline.PermissionDenied:   http.StatusForbidden,
	syncline.ResourceExhausted:  http.StatusTooManyRequests,
	syncline.FailedPrecondition: http.StatusConflict,
	syncline.Aborted:            http.StatusConflict,
	syncline.OutOfRange:         http.StatusBadRequest,
	syncline.Unimplemented:      http.StatusNotImplemented,
	syncline.Internal:           http.StatusInternalServerError,
	syncline.Unavailable:        http.StatusServiceUnavailable,
	syncline.DataLoss:           http.StatusInternalServerError,
	syncline.Unauthenticated:    http.StatusUnauthorized,
}

// failure is an error on its way out.
type failure struct {
	client.Failure
	status int
}

func (f *failure) Error() string { return f.Failure.Error.Message }

func (f *failure) GetStatus() int { return f.status }

func fail(e *syncline.Error) *failure {
	code, ok := status[e.Code]
	if !ok {
		code = http.StatusInternalServerError
	}
	return &failure{client.Failure{Error: e}, code}
}

// drawError shows what a person may see of err; the rest stays in the log.
func drawError(ctx context.Context, log *slog.Logger, err error) *failure {
	if errors.Is(err, syncline.ErrLeaseLost) {
		return fail(syncline.Errorf(syncline.Aborted, "%w", syncline.ErrLeaseLost).Because(client.ReasonLeaseLost))
	}
	if e, ok := errors.AsType[*syncline.Error](err); ok {
		return fail(e)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fail(syncline.Errorf(syncline.Unavailable, "the ledger did not answer in time").Of(syncline.ClassInternal).Again())
	}
	if ctx.Err() == nil {
		log.Error("internal error", "err", err)
	}
	return fail(syncline.Errorf(syncline.Internal, "internal error").Of(syncline.ClassInternal).Try("the log says more"))
}

// The framework has one variable for the errors it finds itself, such as a body that does
// not fit its schema. It is set here once, so that they look like all others.
func init() {
	huma.NewError = func(code int, message string, errs ...error) huma.StatusError {
		e := syncline.Errorf(codeOf(code), "%s", message).Of(syncline.ClassConfig)
		var details []string
		for _, err := range errs {
			if err == nil {
				continue
			}
			details = append(details, detail(err))
		}
		if len(details) > 0 {
			e.Message += ": " + strings.Join(details, "; ")
		}
		return &failure{client.Failure{Error: e}, code}
	}
}

// detail says what is wrong and where. It leaves out the value: it may be a secret in the
// wrong field.
func detail(err error) string {
	if d, ok := errors.AsType[*huma.ErrorDetail](err); ok {
		if d.Location == "" {
			return d.Message
		}
		return d.Location + ": " + d.Message
	}
	return err.Error()
}

func codeOf(code int) syncline.Code {
	switch {
	case code == http.StatusNotFound:
		return syncline.NotFound
	case code == http.StatusRequestEntityTooLarge:
		return syncline.ResourceExhausted
	case code >= http.StatusInternalServerError:
		return syncline.Internal
	}
	return syncline.InvalidArgument
}
