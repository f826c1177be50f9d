package postgres

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/iotest"
)

// readConn is a connection that only reads.
type readConn struct {
	net.Conn
	io.Reader
}

func (c readConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

func message(kind byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)+4)), body...)
}

// TestShortMessages: however the bytes come and are asked for, the messages are the same,
// but for long CopyData, whose content is, in pieces.
func TestShortMessages(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		var stream, copied, others []byte
		for range random.IntN(8) + 1 {
			kind := "dDZdC"[random.IntN(5)]
			body := bytes.Repeat([]byte{byte(random.Uint32())}, random.IntN(4)*random.IntN(maxCopyData))
			stream = append(stream, message(kind, body)...)
			if kind == 'd' {
				copied = append(copied, body...)
			} else {
				others = append(others, message(kind, body)...)
			}
		}
		var in io.Reader = bytes.NewReader(stream)
		if random.IntN(2) == 0 {
			in = iotest.HalfReader(in)
		}
		out, err := readAll(newShortMessages(readConn{Reader: in}), random)
		if err != nil {
			t.Fatal(err)
		}
		gotCopied, gotOthers := apart(t, out)
		if !bytes.Equal(gotCopied, copied) || !bytes.Equal(gotOthers, others) {
			t.Fatalf("%d bytes of CopyData came out as %d, %d of others as %d", len(copied), len(gotCopied), len(others), len(gotOthers))
		}
	}
}

func readAll(r io.Reader, random *rand.Rand) (out []byte, err error) {
	for {
		p := make([]byte, random.IntN(2*maxCopyData)+1)
		n, err := r.Read(p)
		out = append(out, p[:n]...)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

func apart(t *testing.T, stream []byte) (copied, others []byte) {
	t.Helper()
	for len(stream) > 0 {
		size := int(binary.BigEndian.Uint32(stream[1:])) + 1
		if stream[0] != 'd' {
			others = append(others, stream[:size]...)
		} else if copied = append(copied, stream[5:size]...); size-5 > maxCopyData {
			t.Fatalf("a piece of %d bytes", size-5)
		}
		stream = stream[size:]
	}
	return copied, others
}

// TestShortMessagesDoNotWait: bytes that have come are given, though the message is not
// whole; or the driver would wait for the server, which waits for it.
func TestShortMessagesDoNotWait(t *testing.T) {
	here, there := net.Pipe()
	defer func() { _ = here.Close(); _ = there.Close() }()
	m := newShortMessages(here)
	go func() { _, _ = there.Write(message('Z', []byte("I"))) }()
	p := make([]byte, 100)
	n, err := io.ReadAtLeast(m, p, 6)
	if err != nil || n != 6 {
		t.Fatal(n, err)
	}
}

// TestShortMessagesCut: a connection that ends inside a message ends the read, not well
// inside a message's head.
func TestShortMessagesCut(t *testing.T) {
	whole := message('D', []byte("abc"))
	for at := 1; at < len(whole); at++ {
		m := newShortMessages(readConn{Reader: bytes.NewReader(whole[:at])})
		if out, err := io.ReadAll(m); err == nil && bytes.Equal(out, whole) {
			t.Errorf("cut at %d: %q", at, out)
		}
	}
}
