package postgres

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
)

// maxCopyData is the longest CopyData message that the driver gets to see: it holds a
// message as a whole, and the server makes one of every row, however large.
const maxCopyData = 64 << 10

// shortMessages passes the server's messages on and cuts long CopyData ones in pieces,
// which means the same: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-COPY
type shortMessages struct {
	net.Conn
	in    *bufio.Reader
	head  [5]byte // type and length of the message, or piece, that is passed on now
	ahead int     // bytes of head not read yet
	body  int     // bytes of the message, or piece, not read yet
	later int     // bytes of the long message after this piece
}

func newShortMessages(c net.Conn) *shortMessages {
	return &shortMessages{Conn: c, in: bufio.NewReaderSize(c, maxCopyData)}
}

// Read waits for bytes when it has none to give, and gives as many as came with them.
func (m *shortMessages) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		switch {
		case m.ahead > 0:
			k := copy(p[n:], m.head[len(m.head)-m.ahead:])
			m.ahead, n = m.ahead-k, n+k
		case m.body > 0 && (n == 0 || m.in.Buffered() > 0):
			var k int
			k, err = m.in.Read(p[n:min(len(p), n+m.body)])
			m.body, n = m.body-k, n+k
		case m.body == 0 && (n == 0 || m.later > 0 || m.in.Buffered() >= len(m.head)):
			err = m.next()
		default:
			return n, nil
		}
	}
	return n, err
}

// next reads the head of a message, or makes up that of the next piece.
func (m *shortMessages) next() error {
	if m.later == 0 {
		if _, err := io.ReadFull(m.in, m.head[:]); err != nil {
			return err
		}
		m.body = int(binary.BigEndian.Uint32(m.head[1:])) - 4
		if m.head[0] == 'd' && m.body > maxCopyData {
			m.later = m.body
		}
	}
	if m.later > 0 {
		m.body = min(m.later, maxCopyData)
		m.later -= m.body
		binary.BigEndian.PutUint32(m.head[1:], uint32(m.body+4))
	}
	m.ahead, m.body = len(m.head), max(m.body, 0)
	return nil
}
