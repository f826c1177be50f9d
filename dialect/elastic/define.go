package elastic

import (
	"github.com/synclinehq/syncline"
)

// define makes of a connector's document the definition that the ledger runs it by.
func (a *API) define(p *syncline.Pipeline, doc map[string]any) error {
	service, _ := doc["service_type"].(string)
	index, _ := doc["index_name"].(string)
	p.Definition = syncline.Definition{
		Owner: syncline.OwnerExternal, Overlap: syncline.OverlapQueue,
		Source: syncline.Endpoint{Shown: service}, Destination: syncline.Endpoint{Shown: index},
	}
	return nil
}
