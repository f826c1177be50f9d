package pgcopy_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"testing"

	"github.com/synclinehq/syncline/format/pgcopy"
)

// FuzzEnds: Ends and the framer, however the stream is cut in pieces, find the tuples that
// the plainest reading of the format finds, and refuse what it refuses.
func FuzzEnds(f *testing.F) {
	f.Add([]byte{}, 2, 1)
	f.Add([]byte{0, 1, 0, 0, 0, 1, 'x', 0, 1, 0xff, 0xff, 0xff, 0xff}, 1, 3)
	f.Add([]byte{0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 'a', 'b', 0, 2}, 2, 5)
	f.Add([]byte{0, 0, 0, 0, 0xff, 0xff}, 0, 1)
	f.Add([]byte{0, 1, 0xff, 0xff, 0xff, 0xfe}, 1, 9)
	f.Fuzz(func(t *testing.T, raw []byte, columns, piece int) {
		columns, piece = max(0, min(columns, pgcopy.MaxColumns)), max(1, min(piece, 1<<16))
		want, whole := plainEnds(raw, columns)
		ends, err := pgcopy.Ends(raw, columns)
		if whole != (err == nil) || whole && !slices.Equal(ends, want) {
			t.Fatalf("Ends: %v, %v; want %v, whole %v", ends, err, want, whole)
		}
		ends, err = framed(append(slices.Concat(pgcopy.Header, raw), pgcopy.Trailer...), columns, piece)
		if whole && (err != io.EOF || !slices.Equal(ends, want)) {
			t.Fatalf("framed in pieces of %d: %v, %v; want %v", piece, ends, err, want)
		}
		if n := min(len(ends), len(want)); !slices.Equal(ends[:n], want[:n]) || len(ends) < len(want) && err != io.EOF {
			t.Fatalf("framed in pieces of %d: %v, %v; want %v first", piece, ends, err, want)
		}
	})
}

// plainEnds says where tuples end, and whether there is nothing but whole ones.
func plainEnds(raw []byte, columns int) (ends []int, whole bool) {
	for at := 0; at < len(raw); ends = append(ends, at) {
		if at+2 > len(raw) || int(binary.BigEndian.Uint16(raw[at:])) != columns {
			return ends, false
		}
		at += 2
		for range columns {
			if at+4 > len(raw) {
				return ends, false
			}
			n := int(int32(binary.BigEndian.Uint32(raw[at:])))
			if at += 4; n < -1 || at+max(n, 0) > len(raw) {
				return ends, false
			}
			at += max(n, 0)
		}
	}
	return ends, true
}

// framed feeds a stream in pieces; its error is io.EOF after the trailer, nil when that is
// missing.
func framed(stream []byte, columns, piece int) (ends []int, err error) {
	f, at := pgcopy.NewFramer(columns, 0), 0
	for rest := stream; len(rest) > 0; {
		n := min(piece, len(rest))
		fed := bytes.Clone(rest[:n]) // it is the framer's until the next
		f.Feed(fed)
		rest = rest[n:]
		for {
			tuple, err := f.Next()
			if err != nil {
				return ends, err
			}
			if tuple == nil {
				break
			}
			at += len(tuple)
			ends = append(ends, at)
		}
	}
	return ends, nil
}
