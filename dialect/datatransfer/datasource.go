package datatransfer

import (
	"context"
	"encoding/json"
	"time"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

// dataSource is where the data of a config comes from: a kind of ours, or a partner's, whose
// runs the partner does.
type dataSource struct {
	*pb.DataSource
	kind   kind
	ours   bool
	offset time.Duration // of a partner's: between a slot and the moment that its run is for
}

// source finds a data source of a place.
func (a *API) source(ctx context.Context, p place, id string) (dataSource, error) {
	if k, ok := a.kind(id); ok {
		return dataSource{DataSource: k.drawSource(p), kind: k, ours: true}, nil
	}
	d, err := a.definition(ctx, p, id)
	if err != nil {
		return dataSource{}, err
	}
	if d.GetDisabled() {
		return dataSource{}, notFound()
	}
	doc := d.GetDataSource()
	doc.Name = sourceName(p, id)
	return dataSource{DataSource: doc, offset: d.GetRunTimeOffset().AsDuration()}, nil
}

// define is what the pipeline of a config of this source does. secrets are the source's
// settings as they are kept.
func (s dataSource) define(a *API, dataset string, given params, secrets json.RawMessage) (syncline.Definition, error) {
	if s.ours {
		return a.define(s.kind, dataset, given, secrets)
	}
	if _, err := a.o.Dataset(dataset); err != nil {
		return syncline.Definition{}, under("transfer_config.destination_dataset_id", err)
	}
	return syncline.Definition{
		Owner: syncline.OwnerExternal, Overlap: syncline.OverlapQueue, Outcome: syncline.OutcomeAll,
		UpdateWithin: time.Duration(s.GetUpdateDeadlineSeconds()) * time.Second,
		Source:       syncline.Endpoint{Shown: s.GetDataSourceId()}, Destination: syncline.Endpoint{Shown: dataset},
	}, nil
}

// hide puts a sign in the place of secrets, which only sources of ours have.
func (s dataSource) hide(values params) params {
	if s.ours {
		return s.kind.hide(values)
	}
	return values
}
