package csv

import (
	"bytes"
	"fmt"
	"io"

	"github.com/synclinehq/syncline/format/stream"
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

// Scanner cuts a stream into rows.
type Scanner struct {
	d       Dialect
	w       *stream.Window
	fields  []Field
	scratch []byte // fields with doubled quotes, unfolded
}

// NewScanner scans r, which stands at the given place of its stream.
func NewScanner(r io.Reader, d Dialect, at stream.Place) *Scanner {
	return &Scanner{d: d, w: stream.New(r, at)}
}

// At is the place behind the row that Next returned last.
func (s *Scanner) At() stream.Place { return s.w.At() }

// Next returns the next row; io.EOF when the stream has ended. With a *Malformed the row
// has no fields, only Raw, and the next call goes on. Any other error is final.
func (s *Scanner) Next() (Row, error) {
	if err := s.w.SkipBOM(); err != nil {
		return Row{}, err
	}
	for {
		data := s.w.Data()
		if len(data) == 0 && s.w.Ended() {
			return Row{}, io.EOF
		}
		end, bad, more := s.row(data)
		switch {
		case more && len(data) > rows.MaxRowBytes:
			return s.tooLarge()
		case more:
			if err := s.w.More(); err != nil {
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
	row := Row{Fields: s.fields, Raw: s.w.Data()[:end], Line: s.w.At().Line, Bytes: int64(end)}
	s.w.Advance(end)
	if bad != nil {
		row.Fields = nil
		return row, bad
	}
	return row, nil
}

// row cuts the row at the beginning of data into s.fields. It returns its length with
// the line end, what is wrong with it, and whether more data is needed to tell.
func (s *Scanner) row(data []byte) (end int, bad *Malformed, more bool) {
	nl := bytes.IndexByte(data, '\n')
	if nl < 0 && !s.w.Ended() {
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

// split cuts a line without quotes. Byte by byte, because fields are mostly too short for
// a vector search to pay.
func (s *Scanner) split(line []byte) {
	fields, start := s.fields[:0], 0
	for i, c := range line {
		if c == s.d.Separator {
			fields = append(fields, Field{Text: line[start:i]})
			start = i + 1
		}
	}
	s.fields = append(fields, Field{Text: line[start:]})
}

// tooLarge skips to the end of a row that is over the limit, by counting quotes: a line
// end inside a pair belongs to the row.
func (s *Scanner) tooLarge() (Row, error) {
	row := Row{Line: s.w.At().Line, Raw: bytes.Clone(s.w.Data()[:rows.MaxSample])}
	open := false
	for {
		end, done := s.skip(&open)
		row.Bytes += int64(end)
		s.w.Advance(end)
		if done || s.w.Ended() {
			break
		}
		if err := s.w.More(); err != nil {
			return Row{}, err
		}
	}
	if open {
		// Nobody can say how many rows that quote has swallowed.
		return Row{}, fmt.Errorf("line %d begins a row with a quote that is never closed, more than %d MiB before the end of the file", row.Line, rows.MaxRowBytes>>20)
	}
	return row, &Malformed{Line: row.Line, Code: rows.CodeTooLarge, Text: fmt.Sprintf("the row is larger than %d MiB", rows.MaxRowBytes>>20)}
}

// skip returns the end of the row in the data there is, or of the data.
func (s *Scanner) skip(open *bool) (end int, done bool) {
	for i, c := range s.w.Data() {
		if c == s.d.Quote {
			*open = !*open
		}
		if c == '\n' && !*open {
			return i + 1, true
		}
	}
	return len(s.w.Data()), false
}
