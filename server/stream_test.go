package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/server"
)

// raw is a connection of HTTP/2 that does as it likes.
type raw struct {
	t testing.TB
	net.Conn
	*http2.Framer
	block bytes.Buffer
	pack  *hpack.Encoder
}

func (f *fixture) raw(settings ...http2.Setting) *raw {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	f.must(err)
	f.t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, http2.ClientPreface)
	f.must(err)
	r := &raw{t: f.t, Conn: conn, Framer: http2.NewFramer(conn, conn)}
	r.pack = hpack.NewEncoder(&r.block)
	r.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.must(r.WriteSettings(settings...))
	return r
}

// headers is the header block of a request, with more fields of the given names and values.
func (r *raw) headers(c auth.Credential, more ...string) []byte {
	r.block.Reset()
	fields := append([]string{":method", "GET", ":scheme", "http", ":path", "/x", ":authority", "localhost", "authorization", "Bearer " + c.Bearer()}, more...)
	for i := 0; i < len(fields); i += 2 {
		_ = r.pack.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // a buffer takes everything
	}
	return r.block.Bytes()
}

func (r *raw) ask(stream uint32, block []byte) error {
	return r.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndStream: true, EndHeaders: true})
}

// until reads frames until one is what is looked for; false: the connection ended.
func (r *raw) until(within time.Duration, looked func(http2.Frame) bool) bool {
	r.t.Helper()
	_ = r.SetReadDeadline(time.Now().Add(within))
	for {
		frame, err := r.ReadFrame()
		if err != nil {
			if e, ok := err.(net.Error); ok && e.Timeout() {
				r.t.Error("the connection is still open")
			}
			return false
		}
		if looked(frame) {
			return true
		}
	}
}

// sentAway is the reason that the connection ends for.
func (r *raw) sentAway(within time.Duration) (why http2.ErrCode) {
	r.t.Helper()
	r.until(within, func(f http2.Frame) bool {
		g, ok := f.(*http2.GoAwayFrame)
		if ok {
			why = g.ErrCode
		}
		return ok
	})
	return why
}

func ended(f http2.Frame) bool { _, ok := f.(*http2.GoAwayFrame); return ok }

func TestStreamHeadersAreBounded(t *testing.T) {
	f := setup(t).serve(server.Listen{Address: "0"})
	c := f.key(auth.Viewer)
	value := strings.Repeat("~", 14<<10) // a letter that hpack does not shorten
	r := f.raw()
	f.must(r.long(r.headers(c, "x-a", value, "x-b", value, "x-c", value, "x-d", value, "x-e", value)))
	status := ""
	r.until(5*time.Second, func(f http2.Frame) bool {
		h, ok := f.(*http2.MetaHeadersFrame)
		if ok {
			status = h.PseudoValue("status")
		}
		return ok || ended(f)
	})
	if status != "431" {
		t.Errorf("answered %q", status)
	}
	r = f.raw()
	_ = r.long(r.headers(c, "x-long", strings.Repeat(value, 5))) // it may be cut off before its end
	if r.until(5*time.Second, func(f http2.Frame) bool { _, answered := f.(*http2.MetaHeadersFrame); return answered }) {
		t.Error("a field of 70 kB is answered")
	}
}

// long asks with a header block that is longer than a frame.
func (r *raw) long(block []byte) error {
	const most = 16 << 10
	if err := r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:most], EndStream: true}); err != nil {
		return err
	}
	for block = block[most:]; len(block) > most; block = block[most:] {
		if err := r.WriteContinuation(1, false, block[:most]); err != nil {
			return err
		}
	}
	return r.WriteContinuation(1, true, block)
}

// A header that never comes to its end is no way to keep a connection.
func TestSlowStreamHeaders(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	f := setup(t).serve(server.Listen{Address: "0"})
	r := f.raw()
	block := r.headers(f.key(auth.Viewer))
	f.must(r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block[:1]}))
	go func() {
		for i := 1; i < len(block)-1; i++ {
			time.Sleep(time.Second)
			if r.WriteContinuation(1, false, block[i:i+1]) != nil {
				return
			}
		}
	}()
	r.until(40*time.Second, func(http2.Frame) bool { return false })
}

func TestLargeFrames(t *testing.T) {
	f := setup(t).serve(server.Listen{Address: "0"})
	r := f.raw()
	f.must(r.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 100<<10)))
	if why := r.sentAway(5 * time.Second); why != http2.ErrCodeFrameSize {
		t.Errorf("sent away with %s", why)
	}
}

// A client that asks and takes back, again and again, has no more done for it than one that
// waits, and is sent away.
func TestRapidResets(t *testing.T) {
	f := setup(t)
	var inside, most atomic.Int32
	hold := make(chan struct{})
	f.back.handle = func(http.ResponseWriter, *http.Request) {
		if n := inside.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-hold
		inside.Add(-1)
	}
	f.serve(server.Listen{Address: "0"})
	defer close(hold)
	c := f.key(auth.Worker)
	r := f.raw()
	go func() {
		for i := uint32(1); i < 4000; i += 2 {
			if r.ask(i, r.headers(c)) != nil || r.WriteRSTStream(i, http2.ErrCodeCancel) != nil {
				return
			}
		}
	}()
	if why := r.sentAway(10 * time.Second); why != http2.ErrCodeEnhanceYourCalm || most.Load() > 100 {
		t.Errorf("sent away with %s; %d at once", why, most.Load())
	}
	f.says(f.request("GET", "/api/x", "", f.key(auth.Viewer)), 200)
}

// Who is turned away has to connect anew after a hundred times.
func TestTurnedAwayTooOften(t *testing.T) {
	spoken(t, func(t *testing.T, f *fixture) {
		var connected atomic.Int32
		f.serve(server.Listen{Address: "0"})
		f.client.Transport.(*http.Transport).DialContext = counting(&connected)
		for range 250 {
			f.says(f.request("GET", "/x", "", auth.Credential{}), 401)
		}
		if n := connected.Load(); n != 3 {
			t.Errorf("%d connections for 250 requests", n)
		}
		c := f.key(auth.Worker)
		for range 250 {
			f.says(f.request("GET", "/x", "", c), 200)
		}
		if n := connected.Load(); n != 3 {
			t.Errorf("%d connections after those that were let in", n)
		}
	})
}

// An answer that is not taken ends, and what it held is free.
func TestAnswersThatAreNotTaken(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	f := setup(t)
	wrote := make(chan error, 1)
	f.back.handle = func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write(make([]byte, 1<<20))
		wrote <- err
	}
	f.serve(server.Listen{Address: "0"})
	r := f.raw(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	f.must(r.ask(1, r.headers(f.key(auth.Viewer))))
	go func() { // the connection itself is well
		for {
			frame, err := r.ReadFrame()
			if err != nil {
				return
			}
			if p, ok := frame.(*http2.PingFrame); ok && !p.IsAck() {
				_ = r.WritePing(true, p.Data)
			}
		}
	}()
	select {
	case err := <-wrote:
		if err == nil {
			t.Error("an answer that nobody takes is written")
		}
	case <-time.After(70 * time.Second):
		t.Error("an answer that nobody takes is written for ever")
	}
}

// What reads a body may outlive the request: HTTP/2 has nothing left of it then.
func TestBodiesThatAreReadTooLong(t *testing.T) {
	f := setup(t)
	over, read := make(chan struct{}), make(chan error, 1)
	f.back.handle = func(w http.ResponseWriter, r *http.Request) {
		go func() {
			<-over
			_, err := io.Copy(io.Discard, r.Body)
			read <- err
		}()
		w.WriteHeader(http.StatusNoContent)
	}
	f.speaks = new(http.Protocols)
	f.speaks.SetUnencryptedHTTP2(true)
	f.serve(server.Listen{Address: "0"})
	f.says(f.request("POST", "/x", strings.Repeat("x", 1<<20), f.key(auth.Editor)), 204)
	close(over)
	if err := <-read; err == nil {
		t.Error("a body was read after its request")
	}
}

// Of TLS, HTTP/2 is what both sides prefer, and HTTP/1.1 is there for who does not speak it.
func TestProtocolsOfTLS(t *testing.T) {
	cert, key := certificate(t, t.TempDir(), 1)
	f := setup(t).serve(server.Listen{Address: "0", Cert: cert, Key: key})
	c := f.key(auth.Viewer)
	for _, want := range []string{"HTTP/2.0", "HTTP/1.1"} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: want == "HTTP/2.0"}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Do(f.request("GET", "/x", "", c))
		f.must(err)
		_ = resp.Body.Close()
		if resp.Proto != want || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", resp.Proto, resp.Status)
		}
	}
}

func counting(n *atomic.Int32) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		n.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}
