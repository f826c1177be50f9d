package gapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// document is a discovery document (https://developers.google.com/discovery/v1/reference/apis)
// by its members.
type document map[string]json.RawMessage

const discoveryPath = "/$discovery/rest"

func readDocuments(raw map[string][]byte) (map[string]document, error) {
	all := map[string]document{}
	for version, text := range raw {
		var d document
		if err := json.Unmarshal(text, &d); err != nil {
			return nil, fmt.Errorf("discovery document %s: %w", version, err)
		}
		all[version] = d
	}
	return all, nil
}

// document is the one that a request is for.
func (m *Mux) document(r *http.Request) (document, bool) {
	if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, discoveryPath) {
		return nil, false
	}
	if before := strings.TrimSuffix(r.URL.Path, discoveryPath); before != "" && before != m.o.Prefix {
		return nil, false
	}
	all, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, false
	}
	d, ok := m.discovery[all.get("version")]
	return d, ok
}

// serveDocument answers with a document whose addresses are the one that was asked.
func (m *Mux) serveDocument(w http.ResponseWriter, r *http.Request, d document) {
	err := known(r)
	var raw []byte
	if err == nil {
		raw, err = json.Marshal(d.at(root(r)))
	}
	if err == nil {
		raw, err = layOut(raw, plainWanted(r))
	}
	if err != nil {
		writeFailure(w, m.failure(r, err), !plainWanted(r))
		return
	}
	writeJSON(w, http.StatusOK, raw)
}

// root is the address that a request came to.
func root(r *http.Request) string {
	u := url.URL{Scheme: "http", Host: r.Host, Path: strings.TrimSuffix(r.URL.Path, discoveryPath) + "/"}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u.String()
}

// at is the document with its addresses replaced: those it has, so that no client goes to
// another server.
func (d document) at(root string) document {
	d = maps.Clone(d)
	var under string
	_ = json.Unmarshal(d["servicePath"], &under) // without one, the API is at the root
	for name, address := range map[string]string{"rootUrl": root, "mtlsRootUrl": root, "baseUrl": root + under} {
		if _, ok := d[name]; ok {
			d[name] = quoted(address)
		}
	}
	return d
}
