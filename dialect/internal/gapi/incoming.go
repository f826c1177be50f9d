package gapi

import (
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/synclinehq/syncline"
)

const (
	maxBody       = 4 << 20 // unpacked; what gRPC takes by default, too
	maxParameters = 1000    // of a query
)

// incoming is what a REST request says beside its path.
type incoming struct {
	body       []byte
	parameters parameters // of messages
	system     parameters
}

// read takes in a request's query and body. A form that stands for a query too long for
// a URL is part of the query.
func read(w http.ResponseWriter, r *http.Request, verb string) (*incoming, error) {
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	all, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	in := &incoming{body: body}
	if r.Method != verb && isForm(r) {
		in.body = nil
		form, err := parseQuery(strings.TrimSpace(string(body)))
		if err != nil {
			return nil, err
		}
		all = all.under(form)
	}
	if len(all) > maxParameters {
		return nil, syncline.Errorf(syncline.InvalidArgument, "the query has more than %d parameters", maxParameters)
	}
	in.system, in.parameters = all.split()
	return in, nil
}

func isForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == "application/x-www-form-urlencoded"
}

// readBody reads all of a body, out of its packing, up to its bound.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	var from io.Reader = http.MaxBytesReader(w, r.Body, maxBody)
	switch coding := strings.ToLower(r.Header.Get("Content-Encoding")); coding {
	case "", "identity":
	case "gzip", "x-gzip":
		zip, err := gzip.NewReader(from)
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, unreadable(err)
		}
		from = zip
	default:
		return nil, syncline.Errorf(syncline.InvalidArgument, "bodies packed as %q are not understood", clip(coding)).Try("send it plain, or with gzip")
	}
	body, err := io.ReadAll(io.LimitReader(from, maxBody+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if len(body) > maxBody {
		return nil, tooLarge()
	}
	return body, nil
}

func unreadable(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge()
	}
	return syncline.Errorf(syncline.InvalidArgument, "the body could not be read: %w", err)
}

func tooLarge() error {
	return syncline.Errorf(syncline.InvalidArgument, "the request is larger than %d bytes", maxBody)
}
