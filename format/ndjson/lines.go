package ndjson

import (
	"bytes"
	"io"

	"github.com/synclinehq/syncline/format/stream"
	"github.com/synclinehq/syncline/rows"
)

// lines cuts a stream into lines.
type lines struct{ w *stream.Window }

// line is one of them; of a line over the limit, text is only the beginning.
type line struct {
	text   []byte // without its end
	size   int64  // with its end
	number int64
}

func newLines(r io.Reader, at stream.Place) *lines { return &lines{stream.New(r, at)} }

// next returns the next line, valid until the call after; io.EOF at the end.
func (l *lines) next() (line, error) {
	if err := l.w.SkipBOM(); err != nil {
		return line{}, err
	}
	searched := 0
	for {
		data := l.w.Data()
		end := bytes.IndexByte(data[searched:], '\n')
		switch {
		case end >= 0 && searched+end < rows.MaxRowBytes:
			return l.take(data, searched+end+1), nil
		case len(data) > rows.MaxRowBytes:
			return l.skip()
		case l.w.Ended() && len(data) == 0:
			return line{}, io.EOF
		case l.w.Ended():
			return l.take(data, len(data)), nil
		}
		searched = len(data)
		if err := l.w.More(); err != nil {
			return line{}, err
		}
	}
}

func (l *lines) take(data []byte, size int) line {
	text := bytes.TrimSuffix(data[:size], []byte{'\n'})
	taken := line{text: bytes.TrimSuffix(text, []byte{'\r'}), size: int64(size), number: l.w.At().Line}
	l.w.Advance(size)
	return taken
}

// skip passes over a line that is too large.
func (l *lines) skip() (line, error) {
	skipped := line{text: bytes.Clone(l.w.Data()[:rows.MaxSample]), number: l.w.At().Line}
	for {
		data := l.w.Data()
		end := bytes.IndexByte(data, '\n') + 1
		if end == 0 {
			l.w.Advance(len(data))
			skipped.size += int64(len(data))
			if l.w.Ended() {
				return skipped, nil
			}
			if err := l.w.More(); err != nil {
				return line{}, err
			}
			continue
		}
		l.w.Advance(end)
		skipped.size += int64(end)
		return skipped, nil
	}
}
