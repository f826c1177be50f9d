package elastic

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
)

// elsewhere passes a request that is not the API's own on to the cluster.
func (c *call) elsewhere() (answer, error) {
	p, err := passageOf(c.r.Method, c.path, c.r.URL.Query())
	if err != nil {
		return answer{}, err
	}
	if err := c.admits(p); err != nil {
		return answer{}, err
	}
	switch k := c.api.cluster; {
	case p.own():
		return answer{}, notThere("no handler found for uri [%s] and method [%s]", c.r.URL.RequestURI(), c.r.Method)
	case k == nil:
		return answer{}, rule("[%s %s] is for a search cluster, and this server knows of none: the setting elastic.upstream names it", c.r.Method, p.escaped())
	default:
		return k.pass(c, p)
	}
}

// journey is what a request that is passed on carries with it.
type journey struct {
	call    *call
	passage passage
	alive   *time.Timer // ends the request when nothing moves
	failure error
}

type journeyKey struct{}

func journeyOf(r *http.Request) *journey {
	j, _ := r.Context().Value(journeyKey{}).(*journey)
	return j
}

// errSilent ends a request in which nothing moves.
var errSilent = errors.New("nothing moved")

// pass carries a request to the cluster and its answer back, both as they come.
func (k *cluster) pass(c *call, p passage) (answer, error) {
	if p.query.Get("pipeline") == defaultPipeline {
		if err := k.ingest.see(c.ctx(), k); err != nil {
			return answer{}, k.fault(c, err)
		}
	}
	ctx, cancel := context.WithCancelCause(c.ctx())
	defer cancel(nil)
	j := &journey{call: c, passage: p, alive: time.AfterFunc(k.u.Patience, func() { cancel(errSilent) })}
	defer j.alive.Stop()
	r := c.r.WithContext(context.WithValue(ctx, journeyKey{}, j))
	if r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 {
		if err := c.readable(p); err != nil {
			return answer{}, err
		}
		r.Body = c.carried(p, &moving{r.Body, k.moved(j)})
	}
	k.proxy.ServeHTTP(c.w, r)
	return answer{sent: j.failure == nil}, j.failure
}

func (k *cluster) moved(j *journey) func() { return func() { j.alive.Reset(k.u.Patience) } }

// moving is a body that says when it moves.
type moving struct {
	io.ReadCloser
	moved func()
}

func (m *moving) Read(b []byte) (int, error) {
	n, err := m.ReadCloser.Read(b)
	if n > 0 {
		m.moved()
	}
	return n, err
}

// readable refuses a body that cannot be looked into where it must be.
func (c *call) readable(p passage) error {
	kind := c.r.Header.Get("Content-Type")
	if p.bulk() && !strings.Contains(kind, "json") {
		return fault(http.StatusNotAcceptable, "media_type_header_exception", "Content-Type header [%s] is not supported", kind)
	}
	return nil
}

// Only these headers travel: others mean something between the client and this server, or
// would let a client act for others at the cluster.
var (
	sentHeaders     = []string{"Accept", "Accept-Encoding", "Content-Type", "Content-Encoding", "User-Agent", "X-Opaque-Id", "X-Elastic-Product-Origin", "Traceparent", "Tracestate"}
	receivedHeaders = []string{"Content-Type", "Content-Length", "Content-Encoding", "Warning", "Retry-After", "X-Opaque-Id", "Etag", "Date"}
)

func (k *cluster) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: k.rewrite, Transport: k, FlushInterval: -1,
		ModifyResponse: k.received,
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			j := journeyOf(r)
			j.failure = k.fault(j.call, errors.Join(context.Cause(r.Context()), err))
		},
		ErrorLog: nil,
	}
}

// rewrite makes of a client's request the cluster's.
func (k *cluster) rewrite(pr *httputil.ProxyRequest) {
	j := journeyOf(pr.In)
	to, err := k.at(j.passage.escaped(), j.passage.query)
	if err != nil {
		to = pr.Out.URL // without a host, which RoundTrip refuses
	}
	pr.Out.URL, pr.Out.Host = to, ""
	out := http.Header{}
	for _, name := range sentHeaders {
		if v := pr.In.Header[name]; len(v) > 0 {
			out[name] = v
		}
	}
	plainTypes(out, pr.Out.ContentLength != 0)
	if out["User-Agent"] == nil {
		out.Set("User-Agent", "") // none, not the library's
	}
	pr.Out.Header = out
}

// vendor is Elasticsearch's own kind of media type, which OpenSearch refuses.
const vendor = "application/vnd.elasticsearch+"

// plainTypes translates media types to those that every cluster knows. Both at once: one
// alone is refused by Elasticsearch.
func plainTypes(h http.Header, body bool) {
	if !body {
		h.Del("Content-Type")
	}
	for _, name := range []string{"Content-Type", "Accept"} {
		kind, _, _ := strings.Cut(h.Get(name), ";")
		switch kind = strings.ToLower(strings.TrimSpace(kind)); kind {
		case vendor + "json":
			h.Set(name, "application/json")
		case vendor + "x-ndjson":
			h.Set(name, "application/x-ndjson")
		}
	}
}

// received makes of the cluster's answer the client's.
func (k *cluster) received(resp *http.Response) error {
	j := journeyOf(resp.Request)
	if err := k.plausible(resp); err != nil {
		return err
	}
	for name := range resp.Header {
		if !slices.Contains(receivedHeaders, name) {
			resp.Header.Del(name)
		}
	}
	resp.Header.Set("X-Elastic-Product", "Elasticsearch")
	k.moved(j)()
	resp.Body = &moving{resp.Body, k.moved(j)}
	return nil
}

// plausible refuses an answer that is not for the client: one about the server's own
// credentials, or one that no search cluster gives.
func (k *cluster) plausible(resp *http.Response) error {
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized:
		return fault(http.StatusBadGateway, "status_exception", "the search cluster does not accept the credentials of elastic.upstream")
	case status == http.StatusForbidden:
		return fault(http.StatusForbidden, "security_exception", "the search cluster does not let the user of elastic.upstream do that")
	case status >= 300 && status < 400, strings.TrimSpace(kind) == "text/html":
		return fault(http.StatusBadGateway, "status_exception", "what answers at elastic.upstream is no search cluster: it said %d %s", status, kind)
	}
	return nil
}

// fault is what became of a request that did not come through. The client hears who it was
// that failed; where the cluster is stays in the log.
func (k *cluster) fault(c *call, err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if e, ok := errors.AsType[*syncline.Error](err); ok {
		return e
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return fault(http.StatusRequestEntityTooLarge, "status_exception", "the body is too large")
	}
	if c.ctx().Err() == nil {
		c.api.o.Log.Warn("the search cluster", "method", c.r.Method, "path", c.r.URL.Path, "err", err)
	}
	op, isNet := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, errSilent), errors.Is(err, context.DeadlineExceeded):
		return fault(http.StatusServiceUnavailable, "status_exception", "the search cluster of elastic.upstream does not answer")
	case isNet && op.Op == "dial":
		return fault(http.StatusServiceUnavailable, "status_exception", "the search cluster of elastic.upstream cannot be reached")
	}
	return fault(http.StatusBadGateway, "status_exception", "the exchange with the search cluster of elastic.upstream was broken off")
}
