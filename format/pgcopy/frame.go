package pgcopy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/synclinehq/syncline/rows"
)

// ErrMalformed says that the bytes are not a binary COPY stream: nothing after them can be
// trusted.
var ErrMalformed = errors.New("not a binary COPY stream")

// MaxColumns is what PostgreSQL allows in a tuple.
const MaxColumns = 1664

// keptField is the largest field that is kept of a tuple that is too large.
const keptField = 2 << 10

// TooLarge is a tuple over the framer's limit. It was passed over without being held.
type TooLarge struct {
	Size int64
	// Trimmed is the tuple with its large fields turned to NULL: keys survive in it.
	Trimmed []byte
}

func (e *TooLarge) Error() string { return fmt.Sprintf("row of %d bytes", e.Size) }

// Framer cuts a binary COPY stream that comes in pieces of any size into its tuples. It
// holds at most one tuple, and of one over the limit only its small fields.
type Framer struct {
	columns int // of every tuple
	limit   int
	in      []byte // fed and not yet looked at; the feeder's memory
	held    []byte // the beginning of a tuple that is not whole yet
	header  bool   // was seen
	ended   bool   // the trailer was seen
	skip    *skipper
}

// NewFramer frames tuples of so many columns. limit 0 is rows.MaxRowBytes.
func NewFramer(columns, limit int) *Framer {
	if limit == 0 {
		limit = rows.MaxRowBytes
	}
	return &Framer{columns: columns, limit: limit}
}

// Feed gives the framer more of the stream. Next must have answered nil before.
func (f *Framer) Feed(p []byte) { f.in = p }

// Ended reports whether the trailer has come.
func (f *Framer) Ended() bool { return f.ended }

// Next is the next whole tuple, valid until the next call of Next or Feed, or nil when
// more must be fed. Its error is io.EOF after the trailer, *TooLarge for one row that was
// passed over, or ErrMalformed.
func (f *Framer) Next() ([]byte, error) {
	if !f.header {
		if ok, err := f.readHeader(); !ok || err != nil {
			return nil, err
		}
	}
	if f.skip != nil {
		return nil, f.passOver()
	}
	if len(f.held) > 0 {
		return f.fromHeld()
	}
	return f.fromInput()
}

func (f *Framer) fromInput() ([]byte, error) {
	if f.ended {
		return nil, f.end(f.in)
	}
	end, ok, err := f.measure(f.in)
	switch {
	case err == io.EOF:
		return nil, f.end(f.in[2:])
	case err != nil:
		return nil, err
	case end > f.limit:
		return nil, f.passOver()
	case ok:
		t := f.in[:end]
		f.in = f.in[end:]
		return t, nil
	}
	f.held, f.in = append(f.held[:0], f.in...), nil
	return nil, nil
}

// fromHeld completes the tuple that has begun, taking from the input just what it lacks.
func (f *Framer) fromHeld() ([]byte, error) {
	for {
		end, ok, err := f.measure(f.held)
		switch {
		case err == io.EOF:
			f.held = nil
			return nil, f.end(f.in)
		case err != nil:
			return nil, err
		case ok:
			return f.release(), nil
		case end > f.limit:
			return nil, f.passOver()
		case len(f.in) == 0:
			return nil, nil
		}
		n := min(end-len(f.held), len(f.in))
		f.held, f.in = append(f.held, f.in[:n]...), f.in[n:]
	}
}

// release gives the held tuple away; one large row is not a reason to keep its memory.
func (f *Framer) release() []byte {
	t := f.held
	f.held = f.held[:0]
	if cap(t) > 1<<20 {
		f.held = nil
	}
	return t
}

// end notes the trailer; rest is what came after it.
func (f *Framer) end(rest []byte) error {
	f.ended = true
	if len(rest) > 0 {
		return fmt.Errorf("%w: data after its end", ErrMalformed)
	}
	f.in = nil
	return io.EOF
}

// measure finds the end of the tuple at the start of p: ok when all of it is there, else
// end is how much of it is known to exist. io.EOF: this is the trailer.
func (f *Framer) measure(p []byte) (end int, ok bool, err error) {
	if len(p) < 2 {
		return 2, false, nil
	}
	switch n := int16(binary.BigEndian.Uint16(p)); {
	case n == -1:
		return 0, false, io.EOF
	case int(n) != f.columns:
		return 0, false, fmt.Errorf("%w: a tuple of %d fields among those of %d", ErrMalformed, n, f.columns)
	}
	at := 2
	for range f.columns {
		if len(p) < at+4 {
			return at + 4, false, nil
		}
		n := int32(binary.BigEndian.Uint32(p[at:]))
		at += 4
		if n < -1 {
			return 0, false, fmt.Errorf("%w: a field of %d bytes", ErrMalformed, n)
		}
		at += int(max(n, 0))
		if at > len(p) {
			return at, false, nil
		}
	}
	return at, true, nil
}

func (f *Framer) readHeader() (bool, error) {
	n := min(len(Header)-len(f.held), len(f.in))
	f.held, f.in = append(f.held, f.in[:n]...), f.in[n:]
	if !bytes.Equal(f.held, Header[:len(f.held)]) {
		return false, fmt.Errorf("%w: it begins with %q", ErrMalformed, f.held)
	}
	f.header = len(f.held) == len(Header)
	if f.header {
		f.held = f.held[:0]
	}
	return f.header, nil
}

// passOver goes through a tuple that is too large.
func (f *Framer) passOver() error {
	if f.skip == nil {
		f.skip = newSkipper(f.columns)
		if _, err := f.skip.eat(f.held); err != nil {
			return err
		}
		f.held = nil
	}
	n, err := f.skip.eat(f.in)
	if err != nil {
		return err
	}
	f.in = f.in[n:]
	if !f.skip.done() {
		return nil
	}
	s := f.skip
	f.skip = nil
	return &TooLarge{Size: s.size, Trimmed: s.trimmed}
}

// skipper reads a tuple in pieces and keeps only what is small of it.
type skipper struct {
	trimmed []byte
	left    int   // fields whose length has not been read
	size    int64 // bytes so far
	word    []byte
	body    int // bytes left of the current field
	keep    bool
}

func newSkipper(columns int) *skipper {
	return &skipper{trimmed: binary.BigEndian.AppendUint16(nil, uint16(columns)), left: columns}
}

func (s *skipper) done() bool { return s.left == 0 && s.body == 0 }

// eat takes what belongs to the tuple from the start of p and says how much that was.
func (s *skipper) eat(p []byte) (int, error) {
	start := len(p)
	if s.size < 2 { // the count of fields, checked before
		n := min(int(2-s.size), len(p))
		p, s.size = p[n:], s.size+int64(n)
	}
	for len(p) > 0 && !s.done() {
		n, err := s.step(p)
		if err != nil {
			return 0, err
		}
		p, s.size = p[n:], s.size+int64(n)
	}
	return start - len(p), nil
}

func (s *skipper) step(p []byte) (int, error) {
	if s.body > 0 {
		n := min(s.body, len(p))
		if s.keep {
			s.trimmed = append(s.trimmed, p[:n]...)
		}
		s.body -= n
		return n, nil
	}
	n := min(4-len(s.word), len(p))
	s.word = append(s.word, p[:n]...)
	if len(s.word) < 4 {
		return n, nil
	}
	size := int32(binary.BigEndian.Uint32(s.word))
	if size < -1 {
		return 0, fmt.Errorf("%w: a field of %d bytes", ErrMalformed, size)
	}
	s.word, s.body, s.keep, s.left = s.word[:0], int(max(size, 0)), size <= keptField, s.left-1
	if !s.keep {
		size = -1
	}
	s.trimmed = binary.BigEndian.AppendUint32(s.trimmed, uint32(size))
	return n, nil
}
