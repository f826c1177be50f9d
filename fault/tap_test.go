package fault_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/synclinehq/syncline/source"
)

// Places in what a server answers.
const (
	inQuestion     = "a question"
	beforeRows     = "before the rows"
	inHeader       = "header"
	midRow         = "mid-row"
	rowBoundary    = "row boundary"
	beforeTrailer  = "before the trailer"
	inTrailer      = "in the trailer"
	afterTrailer   = "after the trailer"
	beforeComplete = "before CommandComplete"
	beforeReady    = "between CommandComplete and ReadyForQuery"
)

// insideCopy are the places at which rows are under way.
var insideCopy = []string{beforeRows, inHeader, midRow, rowBoundary, beforeTrailer, inTrailer, afterTrailer, beforeComplete, beforeReady}

// span is a stretch of the bytes of all answers, [from, to), that is one place.
type span struct {
	place    string
	from, to int64
}

// tap dials connections to PostgreSQL and counts the bytes of all answers. The connection
// on which byte number at would come ends there.
type tap struct {
	at int64 // negative: never

	mu    sync.Mutex
	taken int64
	cut   string // the place of the cut, once it has happened
	spans []span
}

// env is what a source gets that reads through the tap.
func (t *tap) env() source.Env {
	return source.Env{Dial: t.dial, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func (t *tap) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &tapped{Conn: c, tap: t, in: bufio.NewReaderSize(c, 64<<10)}, nil
}

// pass counts a message of which pieces are made at different places, and says how much
// of it arrives.
func (t *tap) pass(size int, pieces []span) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := t.taken
	t.taken += int64(size)
	for _, p := range pieces {
		s := span{p.place, from + p.from, from + p.to}
		if t.at < 0 {
			t.spans = append(t.spans, s)
		}
		if t.cut == "" && s.from <= t.at && t.at < s.to {
			t.cut = s.place
			return int(t.at - from)
		}
	}
	return size
}

// answers is what a server answers over the life of a read that nothing cuts.
type answers struct {
	total  int64
	spans  []span
	places map[string][]int // indices in spans
}

// answers is what a tap that cuts nothing has seen.
func (t *tap) answers() *answers {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := &answers{total: t.taken, spans: t.spans, places: map[string][]int{}}
	for i, s := range a.spans {
		a.places[s.place] = append(a.places[s.place], i)
	}
	return a
}

// draw picks a byte: every second one anywhere, the others at one place inside of COPY
// after the other, however few bytes that place has.
func (a *answers) draw(r *rand.Rand, n int64) int64 {
	at := a.places[insideCopy[n/2%int64(len(insideCopy))]]
	if n%2 == 0 || len(at) == 0 {
		return r.Int64N(a.total)
	}
	s := a.spans[at[r.IntN(len(at))]]
	return s.from + r.Int64N(s.to-s.from)
}

// tapped is one connection. Only its reader calls Read.
type tapped struct {
	net.Conn
	tap     *tap
	in      *bufio.Reader
	message []byte // the last one
	rest    []byte // of it, not passed on yet
	over    bool   // nothing comes after rest

	copying bool
	last    byte // kind of the message before
}

func (c *tapped) Read(p []byte) (n int, err error) {
	if len(c.rest) == 0 && !c.over {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if len(c.rest) == 0 {
		_ = c.Close()
		if c.tap.at%2 == 0 {
			return 0, syscall.ECONNRESET
		}
		return 0, io.EOF
	}
	n = copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *tapped) next() (err error) {
	if c.message, err = next(c.in, c.message[:0], false); err != nil {
		return err
	}
	n := c.tap.pass(len(c.message), c.pieces(c.message))
	c.rest, c.over = c.message[:n], n < len(c.message)
	return nil
}

// copyHeader is the length of what stands before the first row, in the row's message.
const copyHeader = 5 + 19

// pieces tells the places within a message.
func (c *tapped) pieces(m []byte) []span {
	kind, before, n := m[0], c.last, int64(len(m))
	c.last = kind
	switch {
	case kind == 'H':
		c.copying = true
		return []span{{beforeRows, 0, n}}
	case !c.copying:
		return []span{{inQuestion, 0, n}}
	case kind == 'd' && bytes.Equal(m[5:], []byte{0xff, 0xff}):
		return []span{{beforeTrailer, 0, 1}, {inTrailer, 1, n}}
	case kind == 'd' && before == 'H':
		return []span{{beforeRows, 0, 1}, {inHeader, 1, min(n, copyHeader)}, {midRow, min(n, copyHeader), n}}
	case kind == 'd':
		return []span{{rowBoundary, 0, 1}, {midRow, 1, n}}
	case kind == 'c':
		return []span{{afterTrailer, 0, n}}
	case kind == 'C':
		return []span{{beforeComplete, 0, n}}
	case kind == 'Z':
		c.copying = false
		return []span{{beforeReady, 0, n}}
	}
	return []span{{inQuestion, 0, n}}
}
