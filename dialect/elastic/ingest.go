package elastic

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// defaultPipeline is the ingest pipeline that Elastic's connector service names with every
// document. Elasticsearch brings it along; other clusters do not.
const defaultPipeline = "search-default-ingestion"

// plainPipeline takes off the documents what the service only tells the pipeline.
const plainPipeline = `{
  "description": "What documents of connectors pass through: made by Syncline",
  "processors": [{"remove": {"field": ["_attachment", "_extract_binary_content", "_reduce_whitespace", "_run_ml_inference"], "ignore_missing": true}}]
}`

// seenFor is how long the pipeline is believed to be there.
const seenFor = time.Minute

// ingest sees to it that the pipeline is there: a cluster without it would refuse every
// document of a job, and a small job would end as completed all the same.
type ingest struct {
	mu   sync.Mutex
	seen time.Time
}

// see makes the pipeline if the cluster has none.
func (i *ingest) see(ctx context.Context, k *cluster) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if time.Since(i.seen) < seenFor {
		return nil
	}
	const path = "/_ingest/pipeline/" + defaultPipeline
	status, _, err := k.ask(ctx, http.MethodGet, path, "")
	if err == nil && status == http.StatusNotFound {
		status, _, err = k.ask(ctx, http.MethodPut, path, plainPipeline)
	}
	if err != nil {
		return fmt.Errorf("look for the ingest pipeline: %w", err)
	}
	if status != http.StatusOK {
		return fault(http.StatusBadGateway, "status_exception", "the search cluster of elastic.upstream has no ingest pipeline [%s] and does not let one be made: it said %d", defaultPipeline, status)
	}
	i.seen = time.Now()
	return nil
}
