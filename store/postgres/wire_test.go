package postgres_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// wire carries bytes between a client and a server. When it is cut it still brings what
// the client says next, and loses the answer and that connection.
type wire struct {
	dsn string
	cut atomic.Bool
}

func newWire(t *testing.T, dsn string) *wire {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{}
	server := u.Host
	u.Host = l.Addr().String()
	w.dsn = u.String()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", server)
			if err != nil {
				_ = c.Close()
				continue
			}
			wg.Go(func() { _, _ = io.Copy(s, c); _ = s.Close() })
			wg.Go(func() { w.answers(c, s) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return w
}

func (w *wire) answers(c, s net.Conn) {
	defer func() { _ = c.Close(); _ = s.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := s.Read(buf)
		if err != nil || w.cut.CompareAndSwap(true, false) {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}
