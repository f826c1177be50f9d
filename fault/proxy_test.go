package fault_test

import (
	"bufio"
	"bytes"
	bin "encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between a process and PostgreSQL, and takes the stream of bytes apart into
// the protocol's messages: so a fault can be put between any two of them, without the
// program's knowing.
type proxy struct {
	server string
	listen net.Listener
	ends   sync.WaitGroup
	// unending makes of every client one that may not end the sessions of others.
	unending bool
	trap     atomic.Pointer[trap]
	seen     atomic.Int64 // messages since the last arm

	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
}

// message is one of the protocol's, not yet passed on.
type message struct {
	client net.Addr // the process's end
	front  bool     // it goes to the server
	kind   byte     // 0: the first one of a connection
	body   []byte
	gone   <-chan struct{} // closed when the other direction of the connection has ended
}

// verdict is what becomes of a message that sprang a trap.
type verdict int

const (
	pass   verdict = iota
	cut            // the message and the connection are lost
	cutOff         // the message arrives, then the connection is lost
)

// trap waits for one message. It springs once.
type trap struct {
	on     func(m message, n int64) bool // called for every message, from many goroutines
	spring func(m message) verdict
}

// newProxy starts one before the server of url, and returns the url that leads through it.
func newProxy(t *testing.T, to string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{server: u.Host, listen: l, open: map[net.Conn]bool{}}
	u.Host = l.Addr().String()
	p.ends.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.hangUp(true)
		p.ends.Wait()
	})
	return p, u.String()
}

// arm sets a trap and counts messages anew; nil takes away the one that waits.
func (p *proxy) arm(tr *trap) {
	p.seen.Store(0)
	p.trap.Store(tr)
}

func (p *proxy) accept() {
	for {
		c, err := p.listen.Accept()
		if err != nil {
			return
		}
		p.ends.Go(func() { p.join(c) })
	}
}

// keep enters a connection among those that are open; false when the proxy has ended.
func (p *proxy) keep(cs ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range cs {
		p.open[c] = true
	}
	return !p.closed
}

// hangUp closes every connection.
func (p *proxy) hangUp(forGood bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = p.closed || forGood
	for c := range p.open {
		_ = c.Close()
	}
}

// join passes messages both ways until either side ends.
func (p *proxy) join(client net.Conn) {
	server, err := net.Dial("tcp", p.server)
	if err != nil { // it is being restarted
		_ = client.Close()
		return
	}
	if !p.keep(client, server) {
		p.hangUp(true)
	}
	frontGone, backGone := make(chan struct{}), make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() { p.pump(client, server, true, client.RemoteAddr(), backGone, frontGone) })
	both.Go(func() { p.pump(server, client, false, client.RemoteAddr(), frontGone, backGone) })
	both.Wait()
	p.mu.Lock()
	delete(p.open, client)
	delete(p.open, server)
	p.mu.Unlock()
}

func (p *proxy) pump(from, to net.Conn, front bool, client net.Addr, gone <-chan struct{}, ended chan<- struct{}) {
	defer close(ended)
	defer func() { _, _ = to.Close(), from.Close() }()
	r, w := bufio.NewReaderSize(from, 64<<10), bufio.NewWriterSize(to, 64<<10)
	var buf []byte
	for first := front; ; first = false {
		var err error
		if buf, err = next(r, buf[:0], first); err != nil {
			_ = w.Flush()
			return
		}
		m := message{client: client, front: front, gone: gone}
		if m.body = buf[4:]; !first {
			m.kind, m.body = buf[0], buf[5:]
		}
		if p.unending && front {
			forbid(m.body)
		}
		v := p.judge(m, w)
		if v != cut {
			_, _ = w.Write(buf)
		}
		if (v != pass || r.Buffered() == 0) && w.Flush() != nil || v != pass {
			return
		}
	}
}

// forbid takes the end of a session out of a statement, in place.
func forbid(body []byte) {
	end := []byte("pg_terminate_backend(pid)")
	if at := bytes.Index(body, end); at >= 0 {
		copy(body[at:], fmt.Sprintf("%-*s", len(end), "null::boolean"))
	}
}

// judge springs the trap on the message that it waits for. What came before is with the
// other side by then.
func (p *proxy) judge(m message, w *bufio.Writer) verdict {
	n := p.seen.Add(1)
	tr := p.trap.Load()
	if tr == nil || !tr.on(m, n) || !p.trap.CompareAndSwap(tr, nil) {
		return pass
	}
	_ = w.Flush()
	return tr.spring(m)
}

// maxMessage bounds what the proxy keeps of one message.
const maxMessage = 64 << 20

// next reads a message; the first one of a client has no kind.
func next(r *bufio.Reader, buf []byte, first bool) ([]byte, error) {
	head := 5
	if first {
		head = 4
	}
	h, err := r.Peek(head)
	if err != nil {
		return nil, err
	}
	size := head - 4 + int(bin.BigEndian.Uint32(h[head-4:]))
	if size < head || size > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes", size)
	}
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	_, err = io.ReadFull(r, buf[:size])
	return buf[:size], err
}

// says reports whether a client's message carries a statement with this text in it.
func (m message) says(text string) bool {
	return m.front && (m.kind == 'Q' || m.kind == 'P') && bytes.Contains(bytes.ToLower(m.body), []byte(text))
}

// is reports whether a client's message is this statement.
func (m message) is(statement string) bool {
	return m.front && m.kind == 'Q' && string(m.body) == statement+"\x00"
}

// completes reports whether the server says that this command was done.
func (m message) completes(command string) bool {
	return !m.front && m.kind == 'C' && string(m.body) == command+"\x00"
}
