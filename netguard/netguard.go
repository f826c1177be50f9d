// Package netguard keeps connections that are opened on somebody's behalf away from
// addresses that are not theirs to reach. It decides by the address that is being dialed,
// after names were resolved: a name may mean anything, and another thing a second later.
package netguard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// Reach is how far connections may go. Each reaches what those before it reach.
type Reach int

const (
	// Public is what everybody on the internet can reach.
	Public Reach = iota
	// Private is the networks around this machine too, where databases are.
	Private
	// Loopback is this machine itself too, its Unix sockets among it.
	Loopback
)

// Refused says that an address is not to be reached.
type Refused struct {
	Host    string // as it was dialed, without the port; "" if it is the address
	Address string // what it resolved to
	Rule    string // "it is this machine itself"
	Hint    string // the next step
}

func (r *Refused) Error() string {
	if r.Host == "" || r.Host == r.Address {
		return fmt.Sprintf("no connection to %s: %s", r.Address, r.Rule)
	}
	return fmt.Sprintf("no connection to %s, which is %s: %s", r.Host, r.Address, r.Rule)
}

// Guard is d's DialContext for addresses within reach; the error for another one is a
// *Refused. A name may have addresses of both sorts: those within reach are tried.
func (to Reach) Guard(d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	guarded := *d
	guarded.Control = nil
	guarded.ControlContext = func(ctx context.Context, network, address string, c syscall.RawConn) error {
		if err := to.Check(network, address); err != nil {
			return err
		}
		if d.ControlContext != nil {
			return d.ControlContext(ctx, network, address, c)
		}
		if d.Control != nil {
			return d.Control(network, address, c)
		}
		return nil
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := guarded.DialContext(ctx, network, address)
		if r, ok := errors.AsType[*Refused](err); ok {
			named := *r
			named.Host = host(address)
			return nil, &named
		}
		return conn, err
	}
}

func host(address string) string {
	h, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return h
}

// Check says whether a resolved address is within reach, as Dialer.Control is given it: an
// IP address with its port, or the path of a socket.
func (to Reach) Check(network, address string) error {
	if strings.HasPrefix(network, "unix") {
		return to.refuse(address, here)
	}
	ip, err := resolved(address)
	if err != nil {
		return &Refused{Address: address, Rule: "it is no address that can be judged", Hint: nowhere}
	}
	return to.refuse(ip.String(), classify(ip))
}

// resolved reads "127.0.0.1:80", and the address alone of networks without ports.
func resolved(address string) (netip.Addr, error) {
	if at, err := netip.ParseAddrPort(address); err == nil {
		return at.Addr(), nil
	}
	return netip.ParseAddr(address)
}

const nowhere = "name another host: no setting allows this one"

func (to Reach) refuse(address string, c class) error {
	switch {
	case c == never:
		return &Refused{Address: address, Rule: "it is link-local, a cloud's metadata, or no host's address at all", Hint: nowhere}
	case c == here && to < Loopback:
		return &Refused{
			Address: address, Rule: "it is this machine itself",
			Hint: "whoever runs the server can allow it: allow_private: true in its configuration",
		}
	case c == around && to < Private:
		return &Refused{
			Address: address, Rule: "it is in a private network",
			Hint: "whoever runs the server can allow it: allow_private: true in its configuration",
		}
	}
	return nil
}
