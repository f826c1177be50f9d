package csv

import (
	"bytes"

	"github.com/synclinehq/syncline/rows"
)

// quoted cuts the row at the beginning of data, which holds quotes and may go on over
// several lines.
func (s *Scanner) quoted(data []byte) (end int, bad *Malformed, more bool) {
	s.fields, s.scratch = s.fields[:0], s.scratch[:0]
	for i := 0; ; i++ {
		var f Field
		start := i
		if i < len(data) && data[i] == s.d.Quote {
			f, i = s.inQuotes(data, i)
			if i < 0 && s.w.Ended() {
				return 0, s.malformed(data, start, "a quote that is opened here is never closed"), false
			}
			if i < 0 {
				return 0, nil, true
			}
		} else {
			i = s.unquoted(data, i)
			f = Field{Text: data[start:i]}
		}
		s.fields = append(s.fields, f)
		switch stop, ok := s.stop(data, i); {
		case ok && stop == i:
			continue // a separator
		case ok:
			s.trimReturn(f)
			return min(stop, len(data)), nil, false
		case !s.w.Ended() && len(data)-i < 2:
			return 0, nil, true
		case f.Quoted:
			return 0, s.malformed(data, i, "text stands behind the quote that closes a field"), false
		default:
			return 0, s.malformed(data, i, "a quote stands inside a field that does not begin with one"), false
		}
	}
}

// inQuotes reads the field that opens at data[i]. It returns the place behind the closing
// quote, -1 when that is not in data, or could be the first half of a doubled one. A field
// with doubled quotes is copied, with single ones, as far as each of them.
func (s *Scanner) inQuotes(data []byte, i int) (Field, int) {
	start, copied := i+1, len(s.scratch)
	for i = start; ; i += 2 {
		n := bytes.IndexByte(data[i:], s.d.Quote)
		if n < 0 {
			return Field{}, -1
		}
		i += n
		if i+1 == len(data) && !s.w.Ended() {
			return Field{}, -1
		}
		if i+1 == len(data) || data[i+1] != s.d.Quote {
			break
		}
		s.scratch = append(s.scratch, data[start:i+1]...)
		start = i + 2
	}
	if len(s.scratch) == copied {
		return Field{Text: data[start:i], Quoted: true}, i + 1
	}
	s.scratch = append(s.scratch, data[start:i]...)
	return Field{Text: s.scratch[copied:len(s.scratch):len(s.scratch)], Quoted: true}, i + 1
}

// unquoted returns the end of the field at data[i]: a separator, a line end, a quote or
// the end of data.
func (s *Scanner) unquoted(data []byte, i int) int {
	for i < len(data) && data[i] != s.d.Separator && data[i] != '\n' && data[i] != s.d.Quote {
		i++
	}
	return i
}

// stop looks at what follows a field: a separator, then it returns i; a line end or the
// end of the stream, then the place behind it; or something else.
func (s *Scanner) stop(data []byte, i int) (int, bool) {
	switch {
	case i == len(data):
		return i + 1, s.w.Ended()
	case data[i] == s.d.Separator:
		return i, true
	case data[i] == '\n':
		return i + 1, true
	case data[i] == '\r' && i+1 < len(data) && data[i+1] == '\n':
		return i + 2, true
	case data[i] == '\r' && i+1 == len(data) && s.w.Ended():
		return i + 1, true
	}
	return 0, false
}

// trimReturn takes the carriage return of the line end off an unquoted last field.
func (s *Scanner) trimReturn(last Field) {
	if n := len(last.Text); !last.Quoted && n > 0 && last.Text[n-1] == '\r' {
		s.fields[len(s.fields)-1].Text = last.Text[:n-1]
	}
}

func (s *Scanner) malformed(data []byte, i int, text string) *Malformed {
	return &Malformed{Line: s.w.At().Line + int64(bytes.Count(data[:i], []byte{'\n'})), Code: rows.CodeMalformed, Text: text}
}
