package server_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/server"
)

func zipped(t testing.TB, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPackedBodies(t *testing.T) {
	spoken(t, func(t *testing.T, f *fixture) {
		f.serve(server.Listen{Address: "0"})
		c := f.key(auth.Editor)
		packed := header("Content-Encoding", "gzip")
		f.says(f.request("POST", "/x", zipped(t, []byte("hello")), c, packed), 200, `"bytes":5`)
		f.says(f.request("POST", "/x", "hello", c), 200, `"bytes":5`)
		f.says(f.request("POST", "/x", "", c, packed), 200, `"bytes":0`)
		f.says(f.request("POST", "/x", "this is not packed at all", c, packed), 400, "gzip")
		f.says(f.request("POST", "/x", zipped(t, []byte("hello"))[:20], c, packed), 400)
		f.says(f.request("POST", "/x", "hello", c, header("Content-Encoding", "br")), 400, "br", "gzip")
		// 64 MiB of one letter are 64 kB packed.
		f.says(f.request("POST", "/x", zipped(t, bytes.Repeat([]byte("x"), 64<<20)), c, packed), 400, "too large")
	})
}

func TestBodiesAreBounded(t *testing.T) {
	spoken(t, func(t *testing.T, f *fixture) {
		f.serve(server.Listen{Address: "0"})
		c := f.key(auth.Editor)
		req := f.request("POST", "/x", "", c)
		req.Body, req.ContentLength = io.NopCloser(io.LimitReader(endless{}, 110<<20)), -1
		f.says(req, 400, "too large")
	})
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

func TestHeadersAreBounded(t *testing.T) {
	f := setup(t).serve(server.Listen{Address: "0"})
	c := f.key(auth.Viewer)
	f.says(f.request("GET", "/x", "", c, header("X-Long", strings.Repeat("x", 60<<10))), 200)
	if status, _ := f.do(f.request("GET", "/x", "", c, header("X-Long", strings.Repeat("x", 100<<10)))); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a header of 100 kB: %d", status)
	}
}

// An answer may take longer than the time for reading a request, once that was read, and
// longer than the time that a piece of it has.
func TestLongAnswers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	t.Parallel()
	spoken(t, func(t *testing.T, f *fixture) {
		t.Parallel()
		f.back.handle = func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if r.Method == http.MethodPut {
				_ = http.NewResponseController(w).Flush()
			}
			select {
			case <-time.After(62 * time.Second):
				_, _ = io.WriteString(w, "done")
			case <-r.Context().Done():
				_, _ = io.WriteString(w, "given up")
			}
		}
		f.serve(server.Listen{Address: "0"})
		c := f.key(auth.Viewer)
		answers := make(chan string, 4)
		for _, body := range []string{"", "x"} {
			for _, method := range []string{"POST", "PUT"} {
				go func() {
					_, text := f.do(f.request(method, "/x", body, c))
					answers <- text
				}()
			}
		}
		for range 4 {
			if text := <-answers; text != "done" {
				t.Errorf("got %q", text)
			}
		}
	})
}

// A body that comes steadily may take longer than a request's time; one that dribbles not.
func TestSlowBodies(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	spoken(t, func(t *testing.T, f *fixture) {
		t.Parallel()
		f.serve(server.Listen{Address: "0"})
		c := f.key(auth.Editor)
		ends := make(chan string, 2)
		for name, rate := range map[string]int{"steady": 32 << 10, "dribble": 16} {
			go func() { ends <- name + ": " + f.trickle(c, rate, 36) }()
		}
		for range 2 {
			switch end := <-ends; end {
			case "steady: 200", "dribble: cut":
			default:
				t.Error(end)
			}
		}
	})
}

// trickle sends so many bytes a second, for so many seconds, and says how that ended.
func (f *fixture) trickle(c auth.Credential, rate, seconds int) string {
	req := f.request("POST", "/x", "", c)
	req.Body, req.ContentLength = io.NopCloser(&dripping{left: seconds * rate, rate: rate}), int64(seconds*rate)
	resp, err := f.client.Do(req)
	if err != nil {
		return "cut"
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return "cut"
	}
	return "200"
}

type dripping struct{ left, rate int }

func (d *dripping) Read(b []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	n := min(len(b), d.left, d.rate)
	d.left -= n
	time.Sleep(time.Duration(n) * time.Second / time.Duration(d.rate))
	return n, nil
}
