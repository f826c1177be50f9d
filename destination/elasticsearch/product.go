package elasticsearch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/source"
)

// product is what answers, and which version of it.
type product struct {
	name, version string
}

func (p product) String() string { return p.name + " " + p.version }

// oldest are the first major versions that can be written to.
var oldest = map[string]int{"Elasticsearch": 8, "OpenSearch": 2}

// product asks once: who opens a destination waits for it.
func (c *client) product(ctx context.Context) (product, error) {
	answer, err := c.once(ctx, request{method: http.MethodGet, path: "/"})
	if err != nil {
		return product{}, failed(ctx, err, "connect to %s", c.base)
	}
	p, err := identify(answer)
	if err != nil {
		return p, syncline.Errorf(syncline.FailedPrecondition, "%s: %w", c.base, err).Of(syncline.ClassConfig).
			Try("give the address of an Elasticsearch (8 or later) or an OpenSearch (2 or later)")
	}
	return p, nil
}

func identify(answer []byte) (product, error) {
	var root struct {
		Version struct{ Number, Distribution string }
	}
	if err := json.Unmarshal(answer, &root); err != nil || root.Version.Number == "" {
		return product{}, fmt.Errorf("what answers is no search server")
	}
	p := product{name: "Elasticsearch", version: root.Version.Number}
	if strings.EqualFold(root.Version.Distribution, "opensearch") {
		p.name = "OpenSearch"
	}
	major, _, _ := strings.Cut(p.version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldest[p.name] {
		return p, fmt.Errorf("%s is too old", p)
	}
	return p, nil
}

// Check says whether the cluster can be written to.
func (d *cluster) Check(ctx context.Context) ([]source.Finding, error) {
	found := []source.Finding{{Level: source.OK, What: "connection", Text: d.product.String()}}
	var health struct {
		Status string `json:"status"`
		Nodes  int    `json:"number_of_nodes"`
	}
	if err := d.call(ctx, request{method: http.MethodGet, path: "/_cluster/health"}, &health); err != nil {
		return append(found, source.Finding{
			Level: source.Warn, What: "cluster", Text: "its health cannot be asked: " + bare(err).Error(), Remedy: "give the user or key the privilege monitor",
		}), nil
	}
	f := source.Finding{Level: source.OK, What: "cluster", Text: fmt.Sprintf("%s, %d nodes", health.Status, health.Nodes)}
	switch {
	case health.Status == "red":
		f.Level, f.Remedy = source.Fail, "some shards have no copy that works: see GET _cluster/allocation/explain"
	case health.Nodes == 1 && d.Replicas > 0:
		f.Level, f.Remedy = source.Warn, "one node holds no replicas: set replicas=0"
	}
	return append(found, f), nil
}
