package elastic

import (
	"encoding/json"
	"net/http"
)

// getLicense answers with the cluster's own licence, or the free one. Never with more: by
// it Elastic's software decides what it may do.
// https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-license-get
func (c *call) getLicense() (answer, error) {
	if k := c.api.cluster; k != nil {
		status, doc, err := k.ask(c.ctx(), http.MethodGet, "/_license", "")
		var own struct {
			License map[string]any `json:"license"`
		}
		if err == nil && status == http.StatusOK && json.Unmarshal(doc, &own) == nil && own.License["type"] != nil {
			return ok(own), nil
		}
	}
	return ok(map[string]any{"license": map[string]any{"status": "active", "type": "basic"}}), nil
}
