package gapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/synclinehq/syncline"
)

const maxTimeoutDigits = 8 // of gRPC's own

var timeoutUnits = map[byte]time.Duration{
	'H': time.Hour, 'M': time.Minute, 'S': time.Second,
	'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
}

// withTimeout is the time that the caller of gRPC gives a call.
func withTimeout(r *http.Request) (context.Context, context.CancelFunc, error) {
	text := r.Header.Get("Grpc-Timeout")
	if text == "" {
		return r.Context(), func() {}, nil
	}
	last := len(text) - 1
	unit, ok := timeoutUnits[text[last]]
	n, err := strconv.ParseUint(text[:last], 10, 32)
	if !ok || err != nil || last > maxTimeoutDigits {
		return nil, nil, syncline.Errorf(syncline.InvalidArgument, "grpc-timeout does not take %q", clip(text))
	}
	d := time.Duration(n) * unit
	if d/unit != time.Duration(n) { // longer than can be counted
		return r.Context(), func() {}, nil
	}
	ctx, stop := context.WithTimeout(r.Context(), d)
	return ctx, stop, nil
}
