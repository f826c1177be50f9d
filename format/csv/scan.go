package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/synclinehq/syncline/rows"
)

// Field is one field of a row, its quotes taken off.
type Field struct {
	Text   []byte
	Quoted bool
}

// Row is one row as it stands in the stream. Its bytes are valid until the next call.
type Row struct {
	Fields []Field
	Raw    []byte // with its line end; of a row that is too large, only the beginning
	Line   int64  // where it begins, from 1
	Bytes  int64  // its length in the stream
}

// Blank reports whether the row is an empty line.
func (r *Row) Blank() bool {
	return len(r.Fields) == 1 && len(r.Fields[0].Text) == 0 && !r.Fields[0].Quoted
}

// Malformed is a row that is none. Scanning goes on behind it: behind the line on which
// it begins, since how far a broken quote was meant to reach cannot be known.
type Malformed struct {
	Line int64 // of the fault
	Code string
	Text string
}

func (m *Malformed) Error() string { return fmt.Sprintf("line %d: %s", m.Line, m.Text) }

// ErrEncoding is input that is not UTF-8 as a whole.
var ErrEncoding = errors.New("the file is written in UTF-16: convert it to UTF-8, for example with iconv -f UTF-16 -t UTF-8")

// Scanner cuts a stream into rows.
type Scanner struct {
	d       Dialect
	r       io.Reader
	buf     []byte
	from    int // buf[from:to] is read and not yet given out
	to      int
	eof     bool
	err     error // of r
	at      Place
	fields  []Field
	scratch []byte // fields with doubled quotes, unfolded
}

// Place is a row boundary in the stream.
type Place struct {
	Offset int64 `json:"offset"` // in the decoded stream
	Line   int64 `json:"line"`   // of the row that begins there, from 1
}

// Start is the place where a stream begins.
var Start = Place{Line: 1}

const (
	firstBuffer = 256 << 10
	// A little more than the largest row, so that one is seen to be too large.
	maxBuffer = rows.MaxRowBytes + firstBuffer
)

// NewScanner scans r, which stands at the given place of its stream.
func NewScanner(r io.Reader, d Dialect, at Place) *Scanner {
	return &Scanner{d: d, r: r, buf: make([]byte, firstBuffer), at: at}
}

// At is the place behind the row that Next returned last.
func (s *Scanner) At() Place { return s.at }

// Next returns the next row; io.EOF when the stream has ended. With a *Malformed the row
// has no fields, only Raw, and the next call goes on. Any other error is final.
func (s *Scanner) Next() (Row, error) {
	if s.at.Offset == 0 {
		if err := s.skipBOM(); err != nil {
			return Row{}, err
		}
	}
	for {
		data := s.buf[s.from:s.to]
		if len(data) == 0 && s.eof {
			return Row{}, s.end()
		}
		end, bad, more := s.row(data)
		switch {
		case more && len(data) > rows.MaxRowBytes:
			return s.tooLarge()
		case more:
			if err := s.fill(); err != nil {
				return Row{}, err
			}
		case end > rows.MaxRowBytes:
			return s.tooLarge()
		default:
			return s.take(end, bad)
		}
	}
}

// take gives out the row that ends at end.
func (s *Scanner) take(end int, bad *Malformed) (Row, error) {
	row := Row{Fields: s.fields, Raw: s.buf[s.from : s.from+end], Line: s.at.Line, Bytes: int64(end)}
	s.advance(end)
	if bad != nil {
		row.Fields = nil
		return row, bad
	}
	return row, nil
}

func (s *Scanner) advance(n int) {
	s.at.Line += int64(bytes.Count(s.buf[s.from:s.from+n], newline))
	s.at.Offset += int64(n)
	s.from += n
}

var newline = []byte{'\n'}

func (s *Scanner) end() error {
	if s.err != nil {
		return s.err
	}
	return io.EOF
}

// fill reads more behind what there is.
func (s *Scanner) fill() error {
	if s.from > 0 {
		s.to = copy(s.buf, s.buf[s.from:s.to])
		s.from = 0
	}
	if s.to == len(s.buf) {
		s.buf = append(make([]byte, 0, min(2*len(s.buf), maxBuffer)), s.buf...)
		s.buf = s.buf[:cap(s.buf)]
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.to:])
		s.to += n
		if err == io.EOF {
			s.eof = true
			return nil
		}
		// What was read before a fault may hold whole rows, but a stream that broke off
		// is never taken as one that ended.
		if err != nil {
			s.err = err
			return err
		}
		if n > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}

func (s *Scanner) skipBOM() error {
	for s.to-s.from < len(bom) && !s.eof {
		if err := s.fill(); err != nil {
			return err
		}
	}
	head := s.buf[s.from:s.to]
	if foreign(head) != "" {
		return ErrEncoding
	}
	if bytes.HasPrefix(head, bom) {
		s.advance(len(bom))
	}
	return nil
}

// row cuts the row at the beginning of data into s.fields. It returns its length with
// the line end, what is wrong with it, and whether more data is needed to tell.
func (s *Scanner) row(data []byte) (end int, bad *Malformed, more bool) {
	nl := bytes.IndexByte(data, '\n')
	if nl < 0 && !s.eof {
		return 0, nil, true
	}
	line, end := data, len(data)
	if nl >= 0 {
		line, end = data[:nl], nl+1
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if bytes.IndexByte(line, s.d.Quote) < 0 {
		s.split(line)
		return end, nil, false
	}
	stop, bad, more := s.quoted(data)
	if bad != nil {
		return end, bad, false // behind the line on which the row begins
	}
	return stop, nil, more
}

// split cuts a line without quotes.
func (s *Scanner) split(line []byte) {
	s.fields = s.fields[:0]
	for {
		i := bytes.IndexByte(line, s.d.Separator)
		if i < 0 {
			s.fields = append(s.fields, Field{Text: line})
			return
		}
		s.fields = append(s.fields, Field{Text: line[:i]})
		line = line[i+1:]
	}
}

// tooLarge skips to the end of a row that is over the limit, by counting quotes: a line
// end inside a pair belongs to the row.
func (s *Scanner) tooLarge() (Row, error) {
	row := Row{Line: s.at.Line, Raw: bytes.Clone(s.buf[s.from:min(s.to, s.from+rows.MaxSample)])}
	open := false
	for {
		data := s.buf[s.from:s.to]
		end, done := len(data), false
		for i, c := range data {
			if c == s.d.Quote {
				open = !open
			}
			if c == '\n' && !open {
				end, done = i+1, true
				break
			}
		}
		row.Bytes += int64(end)
		s.advance(end)
		if done || s.eof {
			break
		}
		if err := s.fill(); err != nil {
			return Row{}, err
		}
	}
	if open {
		// Nobody can say how many rows that quote has swallowed.
		return Row{}, fmt.Errorf("line %d begins a row with a quote that is never closed, more than %d MiB before the end of the file", row.Line, rows.MaxRowBytes>>20)
	}
	return row, &Malformed{Line: row.Line, Code: rows.CodeTooLarge, Text: fmt.Sprintf("the row is larger than %d MiB", rows.MaxRowBytes>>20)}
}
