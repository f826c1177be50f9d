package sourcetest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline/source"
)

// cutter dials connections that end after so many bytes have come in over all of them.
type cutter struct {
	left  atomic.Int64
	taken atomic.Int64
}

func (c *cutter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &cutConn{Conn: conn, c: c}, nil
}

type cutConn struct {
	net.Conn
	c *cutter
}

func (c *cutConn) Read(p []byte) (int, error) {
	left := c.c.left.Load()
	if left <= 0 {
		_ = c.Conn.Close()
		return 0, io.EOF
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), left)])
	c.c.left.Add(-int64(n))
	c.c.taken.Add(int64(n))
	return n, err
}

// cutConnection: whatever byte a connection ends at, the read does not end well.
func cutConnection(t *testing.T, f Fixture) {
	s := open(t, f)
	e := s.create("rows", []string{"id"}, table(1, 30_000))
	q := s.full(e)
	p := s.plan(q)
	opened, total := s.measure(q, p)
	if total == 0 {
		t.Skip("no network")
	}
	random := seeded(t)
	for range 25 {
		at := opened + random.Int64N(total-opened)
		if err := s.readCut(q, p, at); err == nil {
			t.Fatalf("cut after %d of %d bytes: no error", at, total)
		}
	}
}

// measure says how many bytes come in until a read begins, and until it has ended.
func (s *session) measure(q source.Query, p source.Plan) (opened, total int64) {
	s.Helper()
	c := &cutter{}
	c.left.Store(1 << 40)
	src := s.again(c.dial)
	opened = c.taken.Load()
	if _, err := s.readPart(s.ctx, src, q, s.stored(p), p.Parts[0], mark{}); err != nil {
		s.Fatal(err)
	}
	return opened, c.taken.Load()
}

func (s *session) readCut(q source.Query, p source.Plan, at int64) error {
	c := &cutter{}
	c.left.Store(at)
	src := s.again(c.dial)
	_, err := s.readPart(s.ctx, src, q, s.stored(p), p.Parts[0], mark{})
	return err
}

// cancel: the read ends within a second of its context, with the context's error.
func cancel(t *testing.T, f Fixture) {
	s := open(t, f)
	e := s.create("rows", []string{"id"}, table(1, 150_000))
	q := s.full(e)
	p := s.plan(q)
	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	var ended time.Time
	var last error
	for b, err := range s.src.Read(ctx, q, p, p.Parts[0], nil) {
		if last = err; err != nil {
			break
		}
		b.Release()
		if ended.IsZero() {
			stop()
			ended = time.Now()
		}
	}
	if took := time.Since(ended); took > time.Second {
		t.Errorf("went on for %s", took)
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended with %v", last)
	}
	s.readAll(s.src, q, p) // the source is as good as before
}

// stop: a reader may stop asking.
func stop(t *testing.T, f Fixture) {
	s := open(t, f)
	e := s.create("rows", []string{"id"}, table(1, 150_000))
	q := s.full(e)
	p := s.plan(q)
	for b, err := range s.src.Read(s.ctx, q, p, p.Parts[0], nil) {
		if err != nil {
			t.Fatal(err)
		}
		b.Release()
		break
	}
	if g := s.readAll(s.src, q, p); len(g.lines) != 150_000 {
		t.Errorf("%d rows afterwards", len(g.lines))
	}
}

// closeUnderWay: Close ends a read that is under way, with an error.
func closeUnderWay(t *testing.T, f Fixture) {
	s := open(t, f)
	e := s.create("rows", []string{"id"}, table(1, 150_000))
	q := s.full(e)
	src := s.again(nil)
	p, err := src.Plan(s.ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	n, closed := int64(0), false
	var last error
	for b, err := range src.Read(s.ctx, q, p, p.Parts[0], nil) {
		if last = err; err != nil {
			break
		}
		n += b.Rows
		b.Release()
		if !closed {
			closed = true
			go func() { _ = src.Close() }()
		}
		time.Sleep(50 * time.Millisecond)
	}
	if last == nil && n != 150_000 {
		t.Errorf("ended without an error after %d rows", n)
	}
}
