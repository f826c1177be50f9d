package app

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgurl"
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

// TestAddressesArePoliced: what is refused is said by a driver too as it is, with its next
// step, and is not tried again.
func TestAddressesArePoliced(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, err = guardedDial(Options{NoLoopback: true})(t.Context(), "tcp", l.Addr().String())
	policed(t, err, "this machine itself", "allow_private: true")
	c, err := guardedDial(Options{})(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	for _, o := range []Options{{}, {NoLoopback: true}} {
		_, err := guardedDial(o)(t.Context(), "tcp", "169.254.169.254:80")
		policed(t, err, "169.254.169.254", "another host")
	}
	s := pgurl.Settings{Host: "169.254.169.254", Port: 5432, User: "u", Database: "d", SSLMode: "disable", TargetSessionAttrs: "any"}
	_, err = pgurl.Connect(t.Context(), guardedDial(Options{}), s, nil)
	policed(t, err, `connect to database "d" at 169.254.169.254`, "another host")
}

func policed(t *testing.T, err error, says, hint string) {
	t.Helper()
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok || e.Code != syncline.PermissionDenied || e.Class != syncline.ClassConfig || e.Retryable {
		t.Fatalf("got %#v", err)
	}
	if !strings.Contains(e.Message, says) || !strings.Contains(e.Hint, hint) {
		t.Errorf("%s (%s)", e.Message, e.Hint)
	}
}
