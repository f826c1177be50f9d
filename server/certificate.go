package server

import (
	"crypto/tls"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
)

// look is how often the files of a certificate are looked at, when clients come.
const look = time.Second

// Certificate is read from files, again whenever they have changed: whoever renews it
// needs no restart.
type Certificate struct {
	cert, key string

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]stamp
	looked  time.Time
}

// stamp tells a file from the one that stood there before.
type stamp struct {
	at   time.Time
	size int64
}

func loadCertificate(cert, key string) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key}
	if err := c.load(); err != nil {
		return nil, syncline.Errorf(syncline.FailedPrecondition, "the certificate cannot be used: %w", err).Of(syncline.ClassConfig).
			Try("tls needs cert and key: files in PEM that belong together, the certificate's chain after it")
	}
	return c, nil
}

func (c *Certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.newest(), nil
		},
	}
}

// newest is the certificate of the files. While they are being replaced, or cannot be
// read, the one before is as good as any.
func (c *Certificate) newest() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= look {
		c.looked = now
		if at, err := stamps(c.cert, c.key); err == nil && at != c.seen {
			_ = c.load()
		}
	}
	return c.current
}

func (c *Certificate) load() error {
	at, err := stamps(c.cert, c.key)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.current, c.seen = &pair, at
	return nil
}

func stamps(names ...string) (out [2]stamp, err error) {
	for i, name := range names {
		var info fs.FileInfo
		if info, err = os.Stat(name); err != nil {
			return out, err
		}
		out[i] = stamp{info.ModTime(), info.Size()}
	}
	return out, nil
}
