// Package elasticsearch writes documents to Elasticsearch and OpenSearch by _bulk, one for
// each row, under an id made of the row's key. There are no transactions, so what holds is
// that writing again comes to the same: ids do not change, the version of every document is
// the token of who wrote it, and what a full load did not write is swept when it is published.
//
// The API is https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk.
package elasticsearch

import (
	"context"
	"encoding/json"

	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/source"
)

// Kind is the elasticsearch destination.
var Kind = destination.Kind{Spec: kindSpec(), Open: open}

// cluster is an open Elasticsearch or OpenSearch.
type cluster struct {
	settings
	*client
	env     source.Env
	product product
}

var (
	_ destination.Destination = (*cluster)(nil)
	_ source.Checker          = (*cluster)(nil)
)

func open(ctx context.Context, env source.Env, raw json.RawMessage) (destination.Destination, error) {
	s, err := decode(raw)
	if err != nil {
		return nil, err
	}
	c, err := newClient(env, s)
	if err != nil {
		return nil, err
	}
	d := &cluster{settings: s, client: c, env: env}
	if d.product, err = c.product(ctx); err != nil {
		c.close()
		return nil, err
	}
	return d, nil
}

// Lands is the index that the settings name, or one named after the entity.
func (d *cluster) Lands(entity string) string {
	if d.Index != "" {
		return d.Index
	}
	return indexName(entity)
}

// Open prepares one entity.
func (d *cluster) Open(ctx context.Context, t destination.Target) (destination.Writer, error) {
	if err := checkTarget(t); err != nil {
		return nil, err
	}
	w := newWriter(d, t)
	have, err := w.describe(ctx)
	if err != nil {
		return nil, err
	}
	_, err = settle(t, have)
	return w, err
}

// Close lets go of the connections.
func (d *cluster) Close() error {
	d.close()
	return nil
}
