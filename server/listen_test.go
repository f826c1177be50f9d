package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/server"
)

func TestListen(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"0": "http://127.0.0.1:", ":0": "http://127.0.0.1:", "127.0.0.1:0": "http://127.0.0.1:", "localhost:0": "http://127.0.0.1:", "[::1]:0": "http://[::1]:",
	} {
		l, err := (server.Listen{Address: address, NoAuth: true}).Open(t.Context())
		if err != nil && address == "[::1]:0" {
			continue // a machine without IPv6
		}
		if err != nil || !strings.HasPrefix(l.URL(), want) || strings.HasSuffix(l.URL(), ":0") || !l.Loopback {
			t.Errorf("%s: %+v, %v", address, l, err)
			continue
		}
		_ = l.Close()
	}
}

// What is not safe is refused with the next step.
func TestListenRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for name, c := range map[string]struct {
		how  server.Listen
		code syncline.Code
		hint string
	}{
		"clear":       {server.Listen{Address: "0.0.0.0:0"}, syncline.InvalidArgument, "tls"},
		"all of IPv6": {server.Listen{Address: "[::]:0"}, syncline.InvalidArgument, "--insecure-http"},
		"a name":      {server.Listen{Address: "localhost.example:0"}, syncline.InvalidArgument, "--insecure-http"},
		"no auth":     {server.Listen{Address: "0.0.0.0:0", NoAuth: true, InsecureHTTP: true}, syncline.InvalidArgument, "--no-auth"},
		"no port":     {server.Listen{Address: "localhost:"}, syncline.InvalidArgument, "HOST:PORT"},
		"nonsense":    {server.Listen{Address: "a:b:c"}, syncline.InvalidArgument, "HOST:PORT"},
		"no number":   {server.Listen{Address: ":99999"}, syncline.InvalidArgument, "HOST:PORT"},
		"taken":       {server.Listen{Address: taken.Addr().String()}, syncline.FailedPrecondition, "another process"},
		"certificate": {server.Listen{Address: "0", Cert: "/none", Key: "/none"}, syncline.FailedPrecondition, "PEM"},
	} {
		l, err := c.how.Open(t.Context())
		if err == nil {
			_ = l.Close()
		}
		e, _ := err.(*syncline.Error)
		if e == nil || e.Code != c.code || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%s: %+v", name, err)
		}
	}
}

// certificate writes a new one for localhost with the given serial number.
func certificate(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func serial(t *testing.T, addr string) int64 {
	t.Helper()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// A renewed certificate is served without a restart; while its files do not belong
// together, the one before is.
func TestCertificatesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir, 1)
	f := setup(t).serve(server.Listen{Address: "0", Cert: cert, Key: key})
	if !strings.HasPrefix(f.url, "https://") || serial(t, f.addr) != 1 {
		t.Fatal("the first certificate is not served")
	}
	f.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	f.says(f.request("GET", "/x", "", f.key(auth.Viewer)), 200)
	if err := os.WriteFile(key, []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond)
	if got := serial(t, f.addr); got != 1 {
		t.Errorf("serial %d while the files are being replaced", got)
	}
	certificate(t, dir, 2)
	for end := time.Now().Add(5 * time.Second); serial(t, f.addr) != 2; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the renewed certificate is never served")
		}
	}
}

// An address has a thousand connections, where others can connect, and no more.
func TestConnectionsOfOneAddress(t *testing.T) {
	f := setup(t)
	f.o.Hosts = []string{"x"}
	f.serve(server.Listen{Address: "0.0.0.0:0", InsecureHTTP: true})
	_, port, err := net.SplitHostPort(f.addr)
	f.must(err)
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for range 1000 {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		f.must(err)
		open = append(open, c)
	}
	ask := func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port+"/healthz", nil)
		f.must(err)
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err
	}
	if ask(t.Context()) == nil {
		t.Error("the thousand and first is served")
	}
	_ = open[0].Close()
	for end := time.Now().Add(5 * time.Second); ask(t.Context()) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a free place is not given out")
		}
	}
}
