package gapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
)

// envelope is the body of an error over REST (https://google.aip.dev/193).
type envelope struct {
	Error struct {
		Code    int               `json:"code"`
		Message string            `json:"message"`
		Errors  []legacy          `json:"errors"` // always: bq finds its reason nowhere else
		Status  string            `json:"status"`
		Details []json.RawMessage `json:"details,omitempty"` // an empty list would hide errors from some clients
	} `json:"error"`
}

type legacy struct {
	Message string `json:"message"`
	Domain  string `json:"domain"`
	Reason  string `json:"reason"`
}

func (f *failure) envelope() envelope {
	var e envelope
	e.Error.Code, e.Error.Status, e.Error.Message = f.status, f.name, f.rpc.Message
	e.Error.Errors = []legacy{{f.rpc.Message, "global", f.reason}}
	for _, d := range f.rpc.Details {
		if raw, err := protojson.Marshal(d); err == nil {
			e.Error.Details = append(e.Error.Details, raw)
		}
	}
	return e
}

// writeFailure answers with an error over REST.
func writeFailure(w http.ResponseWriter, f *failure, pretty bool) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(f.envelope()) // strings and numbers can be encoded, and a buffer takes them
	raw, _ := layOut(b.Bytes(), !pretty)
	// A challenge without a parameter is more than some clients can read.
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="syncline"`)
	}
	if f.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.wait+time.Second-1)/time.Second)))
	}
	writeJSON(w, f.status, bytes.TrimSuffix(raw, []byte("\n")))
}
