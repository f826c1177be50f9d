package elasticsearch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/source"
)

const (
	// callTimeout bounds one request. A stopped holder's last one must be over before the
	// cluster forgets the versions of deleted documents, after 60 s.
	callTimeout = 30 * time.Second
	// patience is how long a call is repeated while the cluster is busy or away.
	patience = 5 * time.Minute
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 64 << 20
)

var errTooMuch = errors.New("the answer is too large to be one of a search server")

// client speaks HTTP. The official client refuses OpenSearch, and what it would add is
// what must be done with care here: repeating.
type client struct {
	http  *http.Client
	base  string // scheme and host
	auth  string // the header, "" none
	clock func() time.Time
}

func newClient(env source.Env, s settings) (*client, error) {
	t := &http.Transport{
		DialContext: env.Dial, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: 10 * time.Second, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
	}
	c := &client{http: &http.Client{Transport: t}, base: "http://" + net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), clock: env.Now}
	// A redirect would carry the key to whoever it names.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if s.TLS {
		c.base = "https" + c.base[len("http"):]
		roots, err := authorities(s.CA)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	}
	switch {
	case !s.APIKey.Empty():
		c.auth = "ApiKey " + s.APIKey.Reveal()
	case s.User != "":
		c.auth = "Basic " + base64.StdEncoding.EncodeToString([]byte(s.User+":"+s.Password.Reveal()))
	}
	return c, nil
}

// authorities reads certificates from a file; nil stands for those of the machine.
func authorities(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, syncline.Invalid("ca", "the certificate authority's file: %w", err).Try("name a file in PEM form that can be read")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, syncline.Invalid("ca", "%s holds no certificate in PEM form", path).Try("name the authority's file, http_ca.crt for instance")
	}
	return pool, nil
}

func (c *client) close() { c.http.CloseIdleConnections() }

// request is one call of the API.
type request struct {
	method, path string // path escaped
	query        url.Values
	body         []byte
	lines        bool // body is NDJSON
	wait         bool // how long it takes is the cluster's affair, within reason
}

// path puts names together, each of which may hold anything.
func path(names ...string) string {
	var b []byte
	for _, n := range names {
		b = append(append(b, '/'), url.PathEscape(n)...)
	}
	return string(b)
}

// once makes one attempt. An answer that is no success is a *refusal.
func (c *client) once(ctx context.Context, r request) ([]byte, error) {
	timeout := callTimeout
	if r.wait {
		timeout = 2 * time.Minute
	}
	ctx, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	sent := &sending{Reader: bytes.NewReader(r.body), done: make(chan struct{})}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path+"?"+r.query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if len(r.body) > 0 {
		req.Body, req.ContentLength = sent, int64(len(r.body))
		req.Header.Set("Content-Type", "application/json")
		if r.lines {
			req.Header.Set("Content-Type", "application/x-ndjson")
		}
	}
	if c.auth != "" {
		req.Header.Set("Authorization", c.auth)
	}
	answer, err := c.receive(req)
	if len(r.body) > 0 {
		stop()
		<-sent.done // the transport may still read it, and it is used again
	}
	return answer, err
}

func (c *client) receive(req *http.Request) ([]byte, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var out bytes.Buffer
	if n := resp.ContentLength; n > 0 && n <= maxAnswer {
		out.Grow(int(n) + bytes.MinRead)
	}
	if _, err := out.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1)); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if out.Len() > maxAnswer {
		return nil, errTooMuch
	}
	if resp.StatusCode/100 != 2 {
		return nil, refused(resp, out.Bytes(), c.clock())
	}
	return out.Bytes(), nil
}

// sending tells when the transport has let go of a body.
type sending struct {
	*bytes.Reader
	once sync.Once
	done chan struct{}
}

func (s *sending) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

// call repeats a request that may be made twice until it is answered, and reads the answer
// into a value.
func (c *client) call(ctx context.Context, r request, into any) error {
	answer, err := c.repeat(ctx, r)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s %s is answered by what is no such answer: %w", r.method, r.path, err)
	}
	return nil
}

func (c *client) repeat(ctx context.Context, r request) ([]byte, error) {
	b := newBackoff()
	for {
		answer, err := c.once(ctx, r)
		if err == nil || ctx.Err() != nil || !passing(err) || !b.wait(ctx, err) {
			return answer, err
		}
	}
}

// body writes a document that is known to be writable.
func body(v any) []byte {
	doc, err := json.Marshal(v)
	if err != nil {
		panic("elasticsearch: a request cannot be written: " + err.Error())
	}
	return doc
}
