package gapi

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"net/http"

	"github.com/synclinehq/syncline"
)

// frameHead is a byte that says whether a message is packed, and four with its length.
const frameHead = 5

// readFrame reads the one message of a unary call.
func readFrame(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	from := http.MaxBytesReader(w, r.Body, frameHead+maxBody+1)
	var head [frameHead]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return nil, cutShort(err)
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > maxBody {
		return nil, tooLarge()
	}
	var message bytes.Buffer // grows as it comes: the length is only what the caller says
	if _, err := io.CopyN(&message, from, int64(size)); err != nil {
		return nil, cutShort(err)
	}
	if n, _ := from.Read(head[:1]); n > 0 {
		return nil, syncline.Errorf(syncline.InvalidArgument, "a unary call takes one message")
	}
	switch head[0] {
	case 0:
		return message.Bytes(), nil
	case 1:
		return unpackFrame(&message, r.Header.Get("Grpc-Encoding"))
	}
	return nil, syncline.Errorf(syncline.InvalidArgument, "the message's head is not gRPC's")
}

func unpackFrame(packed io.Reader, coding string) ([]byte, error) {
	if coding != "gzip" {
		return nil, syncline.Errorf(syncline.Unimplemented, "messages packed as %q are not understood", clip(coding)).Try("send them plain, or with gzip")
	}
	zip, err := gzip.NewReader(packed)
	if err != nil {
		return nil, cutShort(err)
	}
	message, err := io.ReadAll(io.LimitReader(zip, maxBody+1))
	if err != nil {
		return nil, cutShort(err)
	}
	if len(message) > maxBody {
		return nil, tooLarge()
	}
	return message, nil
}

// frame puts a head before a message.
func frame(message []byte) []byte {
	out := make([]byte, frameHead, frameHead+len(message))
	binary.BigEndian.PutUint32(out[1:], uint32(len(message)))
	return append(out, message...)
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return syncline.Errorf(syncline.InvalidArgument, "the call ended before its message did")
	}
	return unreadable(err)
}
