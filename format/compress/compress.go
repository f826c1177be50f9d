// Package compress reads and writes compressed streams that may be several members one
// behind the other, so that a file can be continued after any of them.
package compress

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Codec is a way of compressing; None is none.
type Codec string

// The codecs.
const (
	None Codec = ""
	Gzip Codec = "gzip"
	Zstd Codec = "zstd"
)

var extensions = []struct {
	ext   string
	codec Codec
}{{".gz", Gzip}, {".zst", Zstd}, {".gzip", Gzip}, {".zstd", Zstd}}

// Ext is what names of compressed files end in.
func (c Codec) Ext() string {
	for _, e := range extensions {
		if e.codec == c {
			return e.ext
		}
	}
	return ""
}

// ByName is the codec that a file's name promises, and the name without its ending.
func ByName(name string) (Codec, string) {
	for _, e := range extensions {
		if n := len(name) - len(e.ext); n > 0 && strings.EqualFold(name[n:], e.ext) {
			return e.codec, name[:n]
		}
	}
	return None, name
}

// Sniff is the codec that the beginning of a file shows. No text begins like this.
func Sniff(head []byte) Codec {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return Gzip
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return Zstd
	}
	return None
}

// maxWindow bounds the memory that a zstd stream may ask for.
const maxWindow = 64 << 20

// Reader decodes all members of r. A stream that ends inside a member is an error, never
// an end.
func (c Codec) Reader(r io.Reader) (io.ReadCloser, error) {
	switch c {
	case None:
		return io.NopCloser(r), nil
	case Gzip:
		z, err := gzip.NewReader(r)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // not even a header
		}
		if err != nil {
			return nil, err
		}
		return z, nil
	case Zstd:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return nil, fmt.Errorf("no codec %q", string(c))
}

// Writer encodes one member; Close ends it and leaves w open.
func (c Codec) Writer(w io.Writer) (io.WriteCloser, error) {
	switch c {
	case None:
		return nopCloser{w}, nil
	case Gzip:
		return gzip.NewWriter(w), nil
	case Zstd:
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	}
	return nil, fmt.Errorf("no codec %q", string(c))
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
