package server

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/synclinehq/syncline"
)

const (
	// maxBody bounds every body, unpacked: it is Elasticsearch's own bound of a bulk
	// request. A dialect reads what it keeps in memory under a bound of its own.
	maxBody = 100 << 20
	// maxRatio bounds what a packed body may become, beyond freeRatio.
	maxRatio  = 100
	freeRatio = 1 << 20
	// slowest is how fast a body must come, after the first half minute.
	slowest = 16 << 10 // bytes per second
)

// unpack bounds the request's body in time and size, and takes it out of its packing.
func unpack(w *answer, r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody {
		_ = w.SetReadDeadline(time.Time{}) // nothing more is to come; the answer may take long
		return nil
	}
	r.Body = &steady{ReadCloser: r.Body, of: w, begun: time.Now()}
	switch coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); coding {
	case "", "identity":
	case "gzip", "x-gzip":
		r.Body = &unzipped{packed: &counted{ReadCloser: r.Body}}
		r.ContentLength = -1
		r.Header.Del("Content-Length")
	default:
		return syncline.Invalid("Content-Encoding", "bodies packed as %q are not understood", coding).Try("send it plain, or with gzip")
	}
	r.Header.Del("Content-Encoding")
	r.Body = http.MaxBytesReader(w.ResponseWriter, r.Body, maxBody)
	return nil
}

// steady is a body that must keep coming: its deadline moves with what has arrived.
type steady struct {
	io.ReadCloser
	of      *answer
	begun   time.Time
	arrived int64
	moved   time.Time // when the deadline was
}

func (s *steady) Read(b []byte) (int, error) {
	n, err := s.ReadCloser.Read(b)
	s.arrived += int64(n)
	switch now := time.Now(); {
	case err != nil:
		// Whatever comes now is the next request. That nothing comes must not end this one,
		// whose answer may take long.
		_ = s.of.SetReadDeadline(time.Time{})
	case now.Sub(s.moved) > time.Second:
		s.moved = now
		_ = s.of.SetReadDeadline(s.begun.Add(readTimeout + time.Duration(s.arrived)*time.Second/slowest))
	}
	return n, err
}

// counted knows how much was read.
type counted struct {
	io.ReadCloser
	n int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.n += int64(n)
	return n, err
}

// unzipped is a gzip body, which is refused as too large when it grows beyond measure.
type unzipped struct {
	packed *counted
	zip    *gzip.Reader
	n      int64
}

func (u *unzipped) Read(b []byte) (int, error) {
	if u.zip == nil {
		zip, err := gzip.NewReader(u.packed)
		if err != nil {
			return 0, err
		}
		u.zip = zip
	}
	n, err := u.zip.Read(b)
	u.n += int64(n)
	if u.n > freeRatio && u.n/maxRatio > u.packed.n {
		return 0, &http.MaxBytesError{Limit: maxRatio * u.packed.n}
	}
	return n, err
}

func (u *unzipped) Close() error { return u.packed.Close() }
