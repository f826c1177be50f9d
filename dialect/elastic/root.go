package elastic

import (
	"net/http"

	"github.com/synclinehq/syncline/auth"
)

// release is the Elasticsearch that clients take this server for: one of another major
// version, or an earlier minor one than their own, some of them refuse.
const release = "9.6.0"

var rootRoutes = []route{
	{method: http.MethodGet, path: "/", may: auth.Read, handle: (*call).getRoot},
	{method: http.MethodGet, path: "/_license", query: []string{"local", "accept_enterprise"}, may: auth.Read, handle: (*call).getLicense},
}

// getRoot says who answers.
// https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-info
func (c *call) getRoot() (answer, error) {
	return ok(map[string]any{
		"name": "syncline", "cluster_name": "syncline", "cluster_uuid": "syncline",
		"version": map[string]any{
			"number": c.api.o.Release, "build_flavor": "default", "build_type": "syncline", "build_hash": "unknown",
			"build_date": "1970-01-01T00:00:00Z", "build_snapshot": false, "lucene_version": "10.0.0",
			"minimum_wire_compatibility_version": "8.19.0", "minimum_index_compatibility_version": "8.0.0",
		},
		"tagline": "You Know, for Search",
	}), nil
}
