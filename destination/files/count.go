package files

import (
	"bytes"
	"io"
)

// count counts the rows of a file.
func (f *format) count(r io.Reader) (n int64, err error) {
	t := tally{quote: f.quote}
	buf := make([]byte, 256<<10)
	for err == nil {
		var got int
		got, err = r.Read(buf)
		t.add(buf[:got])
	}
	if n = t.lines; t.open {
		n++
	}
	if len(f.header) > 0 && n > 0 {
		n--
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}

// tally counts lines, of which each row is one but for line ends inside quotes.
type tally struct {
	quote  byte // 0: there are none
	lines  int64
	quoted bool // the last line ended inside quotes
	open   bool // the last line has no end yet
}

func (t *tally) add(p []byte) {
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, newline)
		if t.quote != 0 && bytes.Count(line, []byte{t.quote})%2 == 1 {
			t.quoted = !t.quoted
		}
		t.open = !ended || t.quoted
		if !t.open {
			t.lines++
		}
		p = rest
	}
}

var newline = []byte{'\n'}
