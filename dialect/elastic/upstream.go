package elastic

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// Upstream is a search cluster, Elasticsearch or OpenSearch, and how to come in there.
type Upstream struct {
	URL      string // http://host:9200 or https://…, perhaps with a path
	User     string
	Password string
	APIKey   string // encoded; in place of user and password
	CA       string // file of certificates in PEM form; "": those of the machine
	// Dial opens connections; nil: as package net does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Patience is how long nothing may move while a request is under way, in neither
	// direction; default 5 min. A cluster may think long before it answers.
	Patience time.Duration
}

const (
	patience  = 5 * time.Minute
	shortCall = 5 * time.Second // a question of our own
	maxShort  = 1 << 20
)

// cluster is the connection to an upstream.
type cluster struct {
	u         Upstream
	transport func() (*http.Transport, error)
	proxy     *httputil.ReverseProxy
	ingest    ingest
	mu        sync.Mutex
	heard     map[string]time.Time // when an index's worker was last looked for
}

func newCluster(u *Upstream) *cluster {
	if u == nil {
		return nil
	}
	k := &cluster{u: *u, heard: map[string]time.Time{}}
	if k.u.Patience == 0 {
		k.u.Patience = patience
	}
	k.transport = sync.OnceValues(k.dialing)
	k.proxy = k.newProxy()
	return k
}

func (k *cluster) dialing() (*http.Transport, error) {
	roots, err := authorities(k.u.CA)
	if err != nil {
		return nil, err
	}
	dial := k.u.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: shortCall}).DialContext
	}
	return &http.Transport{
		DialContext: dial, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout: 10 * time.Second, MaxConnsPerHost: 256, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, // what the client asked for is passed on
	}, nil
}

// authorities reads certificates; nil stands for those of the machine.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read elastic.upstream.ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("elastic.upstream.ca holds no certificate in PEM form")
	}
	return pool, nil
}

// RoundTrip makes one request of the cluster under the server's own credentials.
func (k *cluster) RoundTrip(r *http.Request) (*http.Response, error) {
	t, err := k.transport()
	if err != nil {
		return nil, err
	}
	switch {
	case k.u.APIKey != "":
		r.Header.Set("Authorization", "ApiKey "+k.u.APIKey)
	case k.u.User != "":
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(k.u.User+":"+k.u.Password)))
	}
	return t.RoundTrip(r)
}

// at is the cluster's address of a path, which is escaped, and a query.
func (k *cluster) at(path string, query url.Values) (*url.URL, error) {
	to, err := url.Parse(strings.TrimSuffix(k.u.URL, "/") + path)
	if err != nil {
		return nil, errors.New("elastic.upstream.url cannot be read") // not repeated: it may hold a password
	}
	to.RawQuery = query.Encode()
	return to, nil
}

// ask makes a small call of our own.
func (k *cluster) ask(ctx context.Context, method, path, body string) (status int, answer []byte, err error) {
	ctx, stop := context.WithTimeout(ctx, shortCall)
	defer stop()
	to, err := k.at(path, nil)
	if err != nil {
		return 0, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, to.String(), strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := k.RoundTrip(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxShort))
	return resp.StatusCode, answer, err
}
