package app

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// silence is how long a peer may leave what was sent to it unacknowledged, or an idle
// connection's questions whether it is still there unanswered. Without a bound a statement
// would wait for a machine that is gone, or a network that swallows everything, for as long
// as the system's own patience lasts: a quarter of an hour.
const silence = 30 * time.Second

// newDialer opens the connections of sources and destinations.
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
