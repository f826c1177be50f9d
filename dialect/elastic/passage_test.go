package elastic

import (
	"net/url"
	"strings"
	"testing"

	"github.com/synclinehq/syncline/auth"
)

func TestPassages(t *testing.T) {
	for call, want := range map[string]auth.Action{
		"GET /content": auth.Read, "HEAD /content": auth.Read, "PUT /content": auth.Work, "DELETE /content": auth.Edit,
		"GET /content?ignore_unavailable=true": auth.Read, "POST /content/_search?scroll=5m": auth.Read,
		"POST /_search/scroll": auth.Read, "DELETE /_search/scroll": auth.Read, "DELETE /_search/scroll/_all": auth.Administer,
		"PUT /_bulk?pipeline=search-default-ingestion": auth.Work, "POST /content/_bulk": auth.Work,
		"POST /content/_refresh": auth.Read, "POST /content/_count": auth.Read, "GET /*/_stats": auth.Read,
		"POST /content/_delete_by_query": auth.Edit, "POST /content/_update_by_query": auth.Edit,
		"PUT /content/_doc/1": auth.Work, "POST /content/_doc": auth.Work, "DELETE /content/_doc/1": auth.Work, "POST /content/_update/1": auth.Work,
		"PUT /content/_mapping": auth.Work, "PUT /content/_settings": auth.Edit, "POST /content/_close": auth.Edit,
		"PUT /.search-acl-filter-content": auth.Work, "GET /.search-acl-filter-content/_search": auth.Read,
		"GET /_ingest/pipeline/x": auth.Read, "PUT /_ingest/pipeline/x": auth.Edit,
		"GET /_cat/indices": auth.Read, "GET /_cluster/health": auth.Read, "PUT /_cluster/settings": auth.Administer, "GET /_cluster/settings": auth.Administer,
		"GET /_all": auth.Read, "DELETE /_all": auth.Administer, "DELETE /*": auth.Administer, "DELETE /a*": auth.Administer, "DELETE /a,b?expand_wildcards=all": auth.Administer,
		"GET /_security/user": auth.Administer, "PUT /_security/api_key": auth.Administer, "GET /%5Fsecurity/user": auth.Administer,
		"GET /.security/_search": auth.Administer, "GET /a,.security/_search": auth.Administer, "GET /a%2C.security/_search": auth.Administer,
		"GET /%2Esecurity/_search": auth.Administer, "GET /.*/_search": auth.Administer, "GET /*/_search?expand_wildcards=hidden": auth.Administer,
		"GET /_search?expand_wildcards=open,all": auth.Administer, "GET /*/_search?expand_wildcards=open&expand_wildcards=hidden": auth.Administer,
		"GET /%3C.security-%7Bnow%2Fd%7D%3E/_search": auth.Administer, "GET /other:content/_search": auth.Administer,
		"POST /_mget": auth.Administer, "POST /_msearch": auth.Administer, "POST /content/_msearch": auth.Administer, "POST /_reindex": auth.Administer,
		"POST /_sql": auth.Administer, "PUT /_snapshot/x": auth.Administer, "POST /_scripts/x": auth.Administer, "GET /_nodes": auth.Administer,
		"POST /_search/template": auth.Administer, "POST /content/_search/template": auth.Administer, "PATCH /content": auth.Administer, "GET /content/_unknown": auth.Administer,
		"GET /_bulk": auth.Administer, "DELETE /_bulk": auth.Administer, "DELETE /content/_bulk": auth.Administer,
	} {
		method, path, _ := strings.Cut(call, " ")
		path, query, _ := strings.Cut(path, "?")
		q, _ := url.ParseQuery(query)
		p, err := passageOf(method, path, q)
		if err != nil || p.may != want {
			t.Errorf("%s is for who may %s, want %s (%v)", call, p.may, want, err)
		}
	}
}

func TestPathsThatCannotBe(t *testing.T) {
	for _, path := range []string{"", "/", "//_security", "/a//b", "/a/../_security", "/a/%2e%2e/_security", "/./a", "/a/%zz"} {
		if p, err := passageOf("GET", path, nil); err == nil {
			t.Errorf("%q became %q", path, p.escaped())
		}
	}
	p, err := passageOf("GET", "/a%2Fb/_doc/x%20y%2Fz/", nil)
	if got := p.escaped(); err != nil || got != "/a%2Fb/_doc/x%20y%2Fz" {
		t.Errorf("%s, %v", got, err)
	}
}
