package elasticsearch

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/text"
)

// maxID is how many bytes a document's _id has at most.
const maxID = 512

// appendKeyID appends the id of a row by its key columns, of which none is NULL. A key of
// one column is its own id, as a person would look it up; several are joined by commas,
// which are escaped in them. What is too long is hashed, and a tilde at the beginning tells
// that apart from a key that looks like it: different keys have different ids, always.
func appendKeyID(dst []byte, key []arrow.Array, i int) []byte {
	start := len(dst)
	if len(key) == 1 {
		dst = text.Append(dst, key[0], i)
	} else {
		dst = appendJoined(dst, key, i)
	}
	id := dst[start:]
	switch {
	case len(id) == 0:
		return append(dst, '~')
	case len(id) > maxID || id[0] == '~' && len(id) == maxID:
		sum := sha256.Sum256(id)
		return hex.AppendEncode(append(dst[:start], '~'), sum[:])
	case id[0] == '~':
		dst = append(dst, 0)
		copy(dst[start+1:], dst[start:])
		dst[start] = '~'
	}
	return dst
}

func appendJoined(dst []byte, key []arrow.Array, i int) []byte {
	var scratch [64]byte
	for n, column := range key {
		if n > 0 {
			dst = append(dst, ',')
		}
		for _, c := range text.Append(scratch[:0], column, i) {
			if c == ',' || c == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
		}
	}
	return dst
}

// placeID begins the ids of rows that have no key: by stream and part, and by load where
// loads are added to each other. The row's ordinal in the part ends them, so that a row that
// is written again is not there twice.
func placeID(stream, load, part string) []byte {
	return append([]byte(short(stream+"\x00"+load+"\x00"+part)), '-')
}

func appendPlaceID(dst, begin []byte, ordinal int64) []byte {
	return strconv.AppendInt(append(dst, begin...), ordinal, 10)
}
