// Package pgcopy is the codec between the tuples of PostgreSQL's binary COPY and Arrow
// record batches, with the map between the two type systems. It opens no connection.
//
// The stream is https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4:
// a header, tuples, a trailer. The binary form of each type is what its send and receive
// functions in the server exchange.
package pgcopy

import (
	"fmt"

	"github.com/synclinehq/syncline/rows"
)

// Header begins a binary COPY stream: signature, no flags, no extension.
var Header = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")

// Trailer ends it.
var Trailer = []byte{0xff, 0xff}

// ValueError is a value that cannot be kept exactly; its row becomes a reject.
type ValueError struct {
	Column string
	Code   string // one of rows' reject codes
	Reason string
}

func (e *ValueError) Error() string { return fmt.Sprintf("column %q: %s", e.Column, e.Reason) }

// fault is a ValueError before it is known in which column it happened.
type fault struct{ code, reason string }

func (f *fault) Error() string { return f.reason }

func faultf(code, format string, args ...any) error {
	return &fault{code: code, reason: fmt.Sprintf(format, args...)}
}

func notA(what string, b []byte) error {
	return faultf(rows.CodeType, "%.64q is no %s", b, what)
}

func valueError(column string, err error) *ValueError {
	if f, ok := err.(*fault); ok {
		return &ValueError{Column: column, Code: f.code, Reason: f.reason}
	}
	return &ValueError{Column: column, Code: rows.CodeType, Reason: err.Error()}
}
