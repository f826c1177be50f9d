// Package csv reads and writes comma-separated values (RFC 4180) as record batches. It
// keeps NULL, an unquoted empty field, and the empty string, a quoted one, apart; a row
// that is not well formed becomes a reject and reading goes on.
package csv

import (
	"fmt"
	"strings"
)

// Dialect is how a file writes its rows.
type Dialect struct {
	Separator byte
	Quote     byte
	Header    bool // the first row holds the names of the columns
	// Null are the unquoted fields that mean NULL. In columns that are not text an
	// unquoted empty field always does, since it can be nothing else.
	Null []string
}

// Default is the dialect that Writer writes unless told otherwise.
func Default() Dialect { return Dialect{Separator: ',', Quote: '"', Header: true, Null: []string{""}} }

// Check refuses a dialect in which values could not be told from structure.
func (d Dialect) Check() error {
	for _, c := range []struct {
		what string
		b    byte
	}{{"separator", d.Separator}, {"quote", d.Quote}} {
		// What stands in numbers, dates and the words for infinity can separate nothing.
		if c.b == 0 || c.b >= 0x80 || isWordByte(c.b) || strings.IndexByte("+-.:\r\n\\", c.b) >= 0 {
			return fmt.Errorf("%q cannot be the %s: take a comma, a semicolon, a tab or another ASCII sign that stands in no number or date", string(c.b), c.what)
		}
	}
	if d.Separator == d.Quote {
		return fmt.Errorf("%q cannot be both separator and quote", string(d.Quote))
	}
	return nil
}

func isWordByte(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// Sniff guesses the separator from the beginning of a file: the one of the usual four
// that stands most often in the first row, a comma when none does.
func Sniff(head []byte, quote byte) byte {
	var count [4]int
	const usual = ",;\t|"
	quoted := false
	for _, c := range head {
		if c == quote {
			quoted = !quoted
		}
		if c == '\n' && !quoted {
			break
		}
		if i := strings.IndexByte(usual, c); i >= 0 && !quoted {
			count[i]++
		}
	}
	best := 0
	for i, n := range count {
		if n > count[best] {
			best = i
		}
	}
	return usual[best]
}

func (d Dialect) isNull(field []byte) bool {
	for _, token := range d.Null {
		if string(field) == token {
			return true
		}
	}
	return false
}

var bom = []byte("\xef\xbb\xbf")
