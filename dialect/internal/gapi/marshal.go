package gapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// marshal draws a message. protobuf's own writer varies its white space from build to build
// so that nobody relies on it; ours stays.
func marshal(m proto.Message, plain, numbers bool) ([]byte, error) {
	raw, err := protojson.MarshalOptions{UseEnumNumbers: numbers}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("draw %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return layOut(raw, plain)
}

func layOut(raw []byte, plain bool) ([]byte, error) {
	var b bytes.Buffer
	var err error
	if plain {
		err = json.Compact(&b, raw)
	} else {
		err = json.Indent(&b, raw, "", "  ")
	}
	b.WriteByte('\n')
	return b.Bytes(), err
}

func writeJSON(w http.ResponseWriter, status int, raw []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(raw)))
	w.WriteHeader(status)
	_, _ = w.Write(raw) // a caller that is gone needs no answer
}
