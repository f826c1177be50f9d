// Package stream holds the unread piece of a text stream for readers that cut it into
// rows, and knows the place of every row in it.
package stream

import (
	"bytes"
	"errors"
	"io"

	"github.com/synclinehq/syncline/rows"
)

// Place is a row boundary in a stream.
type Place struct {
	Offset int64 `json:"offset"` // in the decoded stream
	Line   int64 `json:"line"`   // of the row that begins there, from 1
}

// Start is the place where a stream begins.
var Start = Place{Line: 1}

// ErrUTF16 says that a stream is not UTF-8 as a whole.
var ErrUTF16 = errors.New("the file is written in UTF-16: convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8")

const firstBuffer = 64 << 10

// maxBuffer is a little more than the largest row, so that one is seen to be too large.
const maxBuffer = rows.MaxRowBytes + firstBuffer

// Window is what has been read of a stream and not yet been taken. Its owner calls More
// only until Data holds more than rows.MaxRowBytes.
type Window struct {
	r     io.Reader
	buf   []byte
	from  int // buf[from:to] is the data
	to    int
	ended bool
	err   error
	at    Place
}

// New makes a window on r, which stands at the given place of its stream.
func New(r io.Reader, at Place) *Window {
	return &Window{r: r, buf: make([]byte, firstBuffer), at: at}
}

// Data is valid until the next call of More.
func (w *Window) Data() []byte { return w.buf[w.from:w.to] }

// Ended reports whether Data is all there is.
func (w *Window) Ended() bool { return w.ended }

// At is the place where Data begins.
func (w *Window) At() Place { return w.at }

// Advance takes n bytes away, up to a row boundary.
func (w *Window) Advance(n int) {
	w.at.Line += int64(bytes.Count(w.buf[w.from:w.from+n], newline))
	w.at.Offset += int64(n)
	w.from += n
}

var newline = []byte{'\n'}

// More reads on. An error is final: a stream that broke off has not ended, whatever rows
// its last bytes may hold.
func (w *Window) More() error {
	if w.err != nil {
		return w.err
	}
	if w.from > 0 {
		w.to = copy(w.buf, w.buf[w.from:w.to])
		w.from = 0
	}
	if w.to == len(w.buf) {
		grown := make([]byte, min(2*len(w.buf), maxBuffer))
		copy(grown, w.buf)
		w.buf = grown
	}
	for range 100 {
		n, err := w.r.Read(w.buf[w.to:])
		w.to += n
		if err == io.EOF {
			w.ended = true
			return nil
		}
		if err != nil || n > 0 {
			w.err = err
			return err
		}
	}
	w.err = io.ErrNoProgress
	return w.err
}

var bom = []byte("\xef\xbb\xbf")

// SkipBOM takes away a byte order mark at the start of the stream; elsewhere it does
// nothing.
func (w *Window) SkipBOM() error {
	if w.at.Offset > 0 {
		return nil
	}
	for len(w.Data()) < len(bom) && !w.ended {
		if err := w.More(); err != nil {
			return err
		}
	}
	if bytes.HasPrefix(w.Data(), []byte("\xff\xfe")) || bytes.HasPrefix(w.Data(), []byte("\xfe\xff")) {
		return ErrUTF16
	}
	if bytes.HasPrefix(w.Data(), bom) {
		w.Advance(len(bom))
	}
	return nil
}
