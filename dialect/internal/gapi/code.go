package gapi

import (
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/synclinehq/syncline"
)

// word is what the wire has for a code.
type word struct {
	number codes.Code
	name   string
	status int
	reason string // of the older error list, which some clients go by
}

const clientClosed = 499 // nobody waits for the answer any more

// words is the one table of codes
// (https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto).
var words = map[syncline.Code]word{
	syncline.Canceled:           {codes.Canceled, "CANCELLED", clientClosed, "cancelled"},
	syncline.Unknown:            {codes.Unknown, "UNKNOWN", http.StatusInternalServerError, "backendError"},
	syncline.InvalidArgument:    {codes.InvalidArgument, "INVALID_ARGUMENT", http.StatusBadRequest, "badRequest"},
	syncline.DeadlineExceeded:   {codes.DeadlineExceeded, "DEADLINE_EXCEEDED", http.StatusGatewayTimeout, "backendError"},
	syncline.NotFound:           {codes.NotFound, "NOT_FOUND", http.StatusNotFound, "notFound"},
	syncline.AlreadyExists:      {codes.AlreadyExists, "ALREADY_EXISTS", http.StatusConflict, "alreadyExists"},
	syncline.PermissionDenied:   {codes.PermissionDenied, "PERMISSION_DENIED", http.StatusForbidden, "forbidden"},
	syncline.ResourceExhausted:  {codes.ResourceExhausted, "RESOURCE_EXHAUSTED", http.StatusTooManyRequests, "rateLimitExceeded"},
	syncline.FailedPrecondition: {codes.FailedPrecondition, "FAILED_PRECONDITION", http.StatusBadRequest, "failedPrecondition"},
	syncline.Aborted:            {codes.Aborted, "ABORTED", http.StatusConflict, "aborted"},
	syncline.OutOfRange:         {codes.OutOfRange, "OUT_OF_RANGE", http.StatusBadRequest, "outOfRange"},
	syncline.Unimplemented:      {codes.Unimplemented, "UNIMPLEMENTED", http.StatusNotImplemented, "notImplemented"},
	syncline.Internal:           {codes.Internal, "INTERNAL", http.StatusInternalServerError, "backendError"},
	syncline.Unavailable:        {codes.Unavailable, "UNAVAILABLE", http.StatusServiceUnavailable, "backendError"},
	syncline.DataLoss:           {codes.DataLoss, "DATA_LOSS", http.StatusInternalServerError, "backendError"},
	syncline.Unauthenticated:    {codes.Unauthenticated, "UNAUTHENTICATED", http.StatusUnauthorized, "authError"},
}

// CodeNumber is the number of a code, for the google.rpc.Status of a resource. What is no
// code is INTERNAL.
func CodeNumber(c syncline.Code) int32 {
	if w, ok := words[c]; ok {
		return int32(w.number)
	}
	return int32(codes.Internal)
}
