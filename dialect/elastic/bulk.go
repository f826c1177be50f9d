package elastic

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"

	"github.com/synclinehq/syncline/auth"
)

// maxAction bounds a line that says what to do with a document. The documents themselves
// are passed on piece by piece.
const maxAction = 64 << 10

// bulk reports whether the lines of the body name indexes.
func (p passage) bulk() bool { return p.path[len(p.path)-1] == "_bulk" && len(p.path) <= 2 }

// carried is a body on its way.
func (c *call) carried(p passage, body io.ReadCloser) io.ReadCloser {
	if !p.bulk() {
		return body
	}
	b := newBulkBody(body, c.bulkIndex)
	if len(p.indexes) == 1 {
		b.index = p.indexes[0]
	}
	return b
}

// bulkIndex reports whether the caller may write to an index that a bulk request names. It
// is a sign of life of the worker whose job writes there, under whatever key it comes.
func (c *call) bulkIndex(index string) error {
	if err := c.reachesIndex(auth.Work, index); err != nil {
		return err
	}
	return c.alive(index)
}

// bulkBody reads along in a bulk request: what the lines do is checked before the cluster
// sees them, and it does nothing before it has seen all of them.
// https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
type bulkBody struct {
	io.ReadCloser
	in    *bufio.Reader
	index string // of lines that name none
	check func(index string) error

	rest    []byte // read and not yet passed on
	err     error
	within  bool // the next piece goes on with a line
	source  bool // the line is a document
	checked string
}

func newBulkBody(body io.ReadCloser, check func(index string) error) *bulkBody {
	return &bulkBody{ReadCloser: body, in: bufio.NewReaderSize(body, maxAction), check: check}
}

func (b *bulkBody) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.next()
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// next reads a line, or a piece of a long document.
func (b *bulkBody) next() {
	piece, err := b.in.ReadSlice('\n')
	more := err == bufio.ErrBufferFull
	if !more {
		b.err = err
	}
	switch begins := !b.within && !b.source; {
	case begins && more:
		b.err = illegal("The bulk request has an action line of more than [%d] bytes.", maxAction)
		return
	case begins:
		source, err := b.action(piece)
		if err != nil {
			b.err = err
			return
		}
		b.source = source
	case !more:
		b.source = false
	}
	b.within, b.rest = more, piece
}

// action checks what a line does, and reports whether a document follows it.
func (b *bulkBody) action(line []byte) (source bool, err error) {
	if len(bytes.TrimSpace(line)) == 0 {
		return false, nil
	}
	d := &scanner{json.NewDecoder(bytes.NewReader(line)), line}
	v, err := d.value(0)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = illegal("Malformed action/metadata line, expected one object")
		}
	}
	if err != nil || v.token != "START_OBJECT" || len(v.members) != 1 {
		return false, illegal("Malformed action/metadata line, expected an object with one of [create], [delete], [index] or [update]")
	}
	index := b.index
	if named := v.members[0].get("_index"); named != nil {
		index = named.text
	}
	if index != b.checked {
		if err := b.check(index); err != nil {
			return false, err
		}
		b.checked = index
	}
	switch v.members[0].name {
	case "create", "index", "update":
		return true, nil
	case "delete":
		return false, nil
	}
	return false, fault(http.StatusBadRequest, "illegal_argument_exception", "Malformed action/metadata line, expected one of [create, delete, index, update] but found [%s]", v.members[0].name)
}
