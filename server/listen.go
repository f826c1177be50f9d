package server

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"

	"github.com/synclinehq/syncline"
)

// Listen says where a server listens and how.
type Listen struct {
	Address      string // "host:port"; a port alone is one of this machine only, 0 picks one
	Cert, Key    string // files of a certificate; "": no TLS
	InsecureHTTP bool   // no TLS, although others than this machine can connect
	NoAuth       bool
}

// Check reports whether the address can be read.
func (l Listen) Check() error {
	_, _, err := split(l.Address)
	return err
}

// Listener is an open port.
type Listener struct {
	net.Listener
	Certificate *Certificate // nil: no TLS
	Loopback    bool         // only processes of this machine can connect
}

// Open opens the port, if what is asked for is safe.
func (l Listen) Open(ctx context.Context) (*Listener, error) {
	host, port, err := split(l.Address)
	if err != nil {
		return nil, err
	}
	out := &Listener{Loopback: loopback(host)}
	if err := l.allowed(out.Loopback); err != nil {
		return nil, err
	}
	if l.Cert != "" {
		if out.Certificate, err = loadCertificate(l.Cert, l.Key); err != nil {
			return nil, err
		}
	}
	var lc net.ListenConfig
	if out.Listener, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, port)); err != nil {
		return nil, unopened(l.Address, err)
	}
	if !out.Loopback {
		out.Listener = &fair{Listener: out.Listener, open: map[netip.Addr]int{}}
	}
	return out, nil
}

// URL is where clients find the server.
func (l *Listener) URL() string {
	if l.Certificate != nil {
		return "https://" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}

// allowed refuses what would send keys and data over a network in the clear, or let
// anybody in.
func (l Listen) allowed(loopback bool) error {
	switch {
	case loopback:
		return nil
	case l.NoAuth:
		return syncline.Errorf(syncline.InvalidArgument, "without keys the server listens on this machine only, not on %s", l.Address).
			Of(syncline.ClassConfig).Try("leave --no-auth away, or listen on 127.0.0.1")
	case l.Cert == "" && !l.InsecureHTTP:
		return syncline.Errorf(syncline.InvalidArgument, "on %s keys and data would travel in the clear", l.Address).Of(syncline.ClassConfig).
			Try("give a certificate (tls, in the file of --config); --insecure-http is for a network that nobody else is on, or a proxy that speaks TLS")
	}
	return nil
}

func split(address string) (host, port string, err error) {
	if !strings.Contains(address, ":") {
		address = ":" + address
	}
	host, port, err = net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil || port == "" {
		return "", "", syncline.Errorf(syncline.InvalidArgument, "%q is no address to listen on", address).
			Of(syncline.ClassConfig).Try("write HOST:PORT, or a port alone: 9200 is 127.0.0.1:9200, 0 picks a free one")
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return host, port, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

func unopened(address string, err error) error {
	e := syncline.Errorf(syncline.FailedPrecondition, "listen on %s: %w", address, plain(err)).Of(syncline.ClassConfig)
	if errors.Is(err, syscall.EADDRINUSE) {
		return e.Try("another process has this port: choose another one, or 0 for a free one")
	}
	return e.Try("the address must be one of this machine, and ports below 1024 need rights")
}

// plain leaves away what the message around it says already.
func plain(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// fair bounds the connections of one address, so that none takes all there are.
type fair struct {
	net.Listener
	mu   sync.Mutex
	open map[netip.Addr]int
}

func (f *fair) Accept() (net.Conn, error) {
	for {
		c, err := f.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := address(c.RemoteAddr().String())
		if f.take(from) {
			return &seated{Conn: c, leave: sync.OnceFunc(func() { f.free(from) })}, nil
		}
		_ = c.Close()
	}
}

func (f *fair) take(from netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[from] >= maxPerAddress {
		return false
	}
	f.open[from]++
	return true
}

func (f *fair) free(from netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[from]--; f.open[from] == 0 {
		delete(f.open, from)
	}
}

type seated struct {
	net.Conn
	leave func()
}

func (s *seated) Close() error {
	s.leave()
	return s.Conn.Close()
}
