package app

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/netguard"
)

// silence is how long a peer may leave what was sent to it unacknowledged, or an idle
// connection's questions whether it is still there unanswered. Without a bound a statement
// would wait for a machine that is gone, or a network that swallows everything, for as long
// as the system's own patience lasts: a quarter of an hour.
const silence = 30 * time.Second

// guardedDial opens the connections of sources and destinations, which are databases and
// search servers: private networks are where those are.
func guardedDial(o Options) func(ctx context.Context, network, address string) (net.Conn, error) {
	reach := netguard.Loopback
	if o.NoLoopback {
		reach = netguard.Private
	}
	dial := reach.Guard(newDialer())
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if r, ok := errors.AsType[*netguard.Refused](err); ok {
			return nil, syncline.Errorf(syncline.PermissionDenied, "%w", r).Of(syncline.ClassConfig).Because("address_refused").Try("%s", r.Hint)
		}
		return conn, err
	}
}

// newDialer bounds how long a connection may be without an answer.
func newDialer() *net.Dialer {
	const questions = 3
	return &net.Dialer{
		Timeout:         dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silence / 2, Interval: silence / 2 / questions, Count: questions},
		Control:         boundSilence,
	}
}

func boundSilence(network, _ string, c syscall.RawConn) error {
	if len(network) < 3 || network[:3] != "tcp" {
		return nil
	}
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence/time.Millisecond))
	}); e != nil {
		return e
	}
	return err
}
