package server

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// maxFrame bounds what a connection of HTTP/2 makes the server hold before it has looked
	// at it, and maxUnread what it holds of bodies that nobody has read yet.
	maxFrame        = 64 << 10
	maxUnread       = 1 << 20
	maxUnreadStream = 256 << 10
	// askAfter is how long a connection may be silent until it is asked whether it is still
	// there. Between the frames of one header it cannot answer: this is what bounds them.
	askAfter = 15 * time.Second
	// maxTurnedAway is how many requests a connection may have turned away until it is
	// closed: whoever goes on has to connect anew, which costs more than a request.
	maxTurnedAway = 100
)

// protocols are spoken on every listener: without TLS, HTTP/2 is for clients that know of it
// beforehand, as gRPC's do.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// streams bounds a connection of HTTP/2. It has as many at once as a key may have, so that
// a client that waits for its turn is never refused.
func streams() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          maxAtOnce,
		MaxReadFrameSize:              maxFrame,
		MaxReceiveBufferPerConnection: maxUnread,
		MaxReceiveBufferPerStream:     maxUnreadStream,
		SendPingTimeout:               askAfter,
		PingTimeout:                   askAfter,
		WriteByteTimeout:              writeTimeout,
	}
}

// turnedAway counts the requests of a connection that were not let in.
type turnedAway struct{}

func counting(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, turnedAway{}, new(atomic.Int32))
}

// turnAway counts a request of nobody's, before it is answered.
func turnAway(w http.ResponseWriter, r *http.Request) {
	n, ok := r.Context().Value(turnedAway{}).(*atomic.Int32)
	if ok && n.Add(1) >= maxTurnedAway {
		w.Header().Set("Connection", "close") // HTTP/2 takes this for GOAWAY
	}
}
