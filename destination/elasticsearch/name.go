package elasticsearch

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/synclinehq/syncline"
)

// maxIndex is how many bytes an index name has at most:
// https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-create
const maxIndex = 255

// forbidden may not stand in the name of an index.
const forbidden = `\/*?"<>| ,#:`

// indexName is the index of an entity. Names that must change to be one end in a hash, so
// that different ones stay different.
func indexName(entity string) string {
	safe := strings.Map(func(r rune) rune {
		if strings.ContainsRune(forbidden, r) || unicode.IsControl(r) || r == utf8.RuneError {
			return '-'
		}
		return unicode.ToLower(r)
	}, entity)
	safe = strings.TrimLeft(safe, "-_+.")
	if safe == entity && safe != "" && len(safe) <= maxIndex {
		return safe
	}
	for len(safe) > maxIndex-17 {
		_, size := utf8.DecodeLastRuneInString(safe)
		safe = safe[:len(safe)-size]
	}
	return strings.TrimLeft(safe+"-"+short(entity), "-")
}

// checkIndex refuses a name that no index can have.
func checkIndex(name string) error {
	if indexName(name) == name {
		return nil
	}
	return syncline.Invalid("index", "%q cannot be the name of an index", name).
		Try(`use small letters, digits, - and _, at most %d bytes, beginning with a letter or digit; %q would do`, maxIndex, indexName(name))
}

// short is a name of fixed length for s.
func short(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:8])
}
