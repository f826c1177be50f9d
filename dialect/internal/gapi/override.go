package gapi

import (
	"net/http"

	"github.com/synclinehq/syncline"
)

const overrideHeader = "X-Http-Method-Override"

// verbOf is the verb that a request means: a POST may stand for another one, for callers
// behind something that lets through no others.
func verbOf(r *http.Request) (string, error) {
	as := r.Header.Get(overrideHeader)
	if as == "" || r.Method != http.MethodPost {
		return r.Method, nil
	}
	switch as {
	case http.MethodGet, http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete:
		return as, nil
	}
	return "", syncline.Errorf(syncline.InvalidArgument, "the header X-HTTP-Method-Override does not take %q", clip(as)).
		Try("send GET, PUT, PATCH or DELETE")
}
