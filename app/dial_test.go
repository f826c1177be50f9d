package app

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSilenceIsBounded: the system gives up a connection whose other end says nothing.
func TestSilenceIsBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := newDialer().DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	option := func(name int) (value int) {
		if e := raw.Control(func(fd uintptr) { value, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, name) }); e != nil || err != nil {
			t.Fatal(e, err)
		}
		return value
	}
	if got := option(unix.TCP_USER_TIMEOUT); got != int(silence/time.Millisecond) {
		t.Errorf("TCP_USER_TIMEOUT is %d ms", got)
	}
	idle := time.Duration(option(unix.TCP_KEEPIDLE)+option(unix.TCP_KEEPINTVL)*option(unix.TCP_KEEPCNT)) * time.Second
	if idle != silence {
		t.Errorf("an idle connection is given up after %s", idle)
	}
}
