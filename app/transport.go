package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/synclinehq/syncline"
)

// patience is how long a call looks for somebody who holds the ledger: the holder may be
// starting, ending, or handing over.
const patience = 15 * time.Second

// transport carries calls to whoever holds the ledger now. A call whose connection broke is
// made again: every call of the API may be repeated, since starts carry a dedupe key and
// workers' calls a token.
type transport struct {
	http *http.Transport
}

func newTransport(dial func(ctx context.Context) (net.Conn, error)) *transport {
	return &transport{&http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     30 * time.Second,
	}}
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	until := time.Now().Add(patience)
	for {
		again, err := replay(req)
		if err != nil {
			return nil, err
		}
		resp, err := t.http.RoundTrip(again)
		if err == nil || final(req.Context(), err) || time.Now().After(until) {
			return resp, err
		}
		if !pause(req.Context(), 50*time.Millisecond) {
			return nil, req.Context().Err()
		}
	}
}

// replay copies a request with its body from the start.
func replay(req *http.Request) (*http.Request, error) {
	again := req.Clone(req.Context())
	if req.GetBody == nil {
		return again, nil
	}
	var err error
	again.Body, err = req.GetBody()
	return again, err
}

// final reports whether trying again cannot help.
func final(ctx context.Context, err error) bool {
	_, told := errors.AsType[*syncline.Error](err)
	return told || ctx.Err() != nil
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
