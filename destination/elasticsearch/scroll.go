package elasticsearch

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// hit is one document that a search has found.
type hit struct {
	ID string `json:"_id"`
	at
	Source json.RawMessage `json:"_source"`
}

const (
	page = 5000
	// keep is how long the cluster remembers a search between two pages.
	keep = "2m"
)

// scroll gives all documents that a search finds, page by page, as they were when it began.
// After an error that is passing it may be begun anew.
func (d *cluster) scroll(ctx context.Context, index string, search object, each func([]hit) error) error {
	search["size"], search["sort"] = page, []string{"_doc"}
	var at struct {
		ID   string `json:"_scroll_id"`
		Hits struct{ Hits []hit }
		// A shard that failed would hide what is on it.
		Shards struct{ Failed int } `json:"_shards"`
	}
	r := request{method: http.MethodPost, path: path(index, "_search"), query: params("scroll", keep), body: body(search), wait: true}
	defer func() { d.forget(ctx, at.ID) }()
	answer, err := d.repeat(ctx, r)
	for {
		at.Hits.Hits = nil
		if err == nil {
			err = json.Unmarshal(answer, &at)
		}
		if err != nil {
			return err
		}
		if at.Shards.Failed > 0 {
			return errShards
		}
		if len(at.Hits.Hits) == 0 {
			return nil
		}
		if err := each(at.Hits.Hits); err != nil {
			return err
		}
		// Not repeated: a page whose answer was lost would be passed over.
		r = request{method: http.MethodPost, path: "/_search/scroll", body: body(object{"scroll": keep, "scroll_id": at.ID}), wait: true}
		answer, err = d.once(ctx, r)
	}
}

var errShards = errors.New("some shards did not answer")

// forget ends a search early; else the cluster keeps it for its two minutes.
func (d *cluster) forget(ctx context.Context, id string) {
	if id == "" {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 500*time.Millisecond)
	defer stop()
	_, _ = d.once(ctx, request{method: http.MethodDelete, path: "/_search/scroll", body: body(object{"scroll_id": []string{id}})})
}

// scrollAll is scroll until it comes to its end; begin is called before each attempt.
func (d *cluster) scrollAll(ctx context.Context, index string, search object, begin func(), each func([]hit) error) error {
	b := newBackoff()
	for {
		begin()
		err := d.scroll(ctx, index, search, each)
		if err == nil || ctx.Err() != nil || !(passing(err) || errors.Is(err, errShards)) || !b.wait(ctx, err) {
			return err
		}
	}
}
