package datatransfer

import (
	"context"

	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

const (
	resources  = "/transferResources/"
	ofResource = ofConfig + resources + "{resource}"
)

// resourceFields are what a list of resources is filtered by.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs.transferResources/list
var resourceFields = []string{"name", "type", "destination", "latest_status_detail.state", "update_time", "hierarchy_detail.partition_detail.table"}

// GetTransferResource answers what is known of one entity of a config.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs.transferResources/get
func (a *API) GetTransferResource(ctx context.Context, r *pb.GetTransferResourceRequest) (*pb.TransferResource, error) {
	c, n, err := a.config(ctx, "name", r.GetName(), ofResource, auth.Read)
	if err != nil {
		return nil, err
	}
	found, err := a.entities(ctx, c, func(id string) bool { return id == n.Get("resource") })
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, notFound()
	}
	return drawResource(c, found[0]), nil
}

// ListTransferResources lists the entities of a config.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs.transferResources/list
func (a *API) ListTransferResources(ctx context.Context, r *pb.ListTransferResourcesRequest) (*pb.ListTransferResourcesResponse, error) {
	c, _, err := a.config(ctx, "parent", r.GetParent(), ofConfig, auth.Read)
	if err != nil {
		return nil, err
	}
	size, err := gapi.PageSize(r.GetPageSize(), most, most)
	if err != nil {
		return nil, err
	}
	filter, err := gapi.ParseFilter(r.GetFilter(), (&pb.TransferResource{}).ProtoReflect().Descriptor(), resourceFields...)
	if err != nil {
		return nil, err
	}
	var last string
	if err := a.open(r, r.GetPageToken(), &last); err != nil {
		return nil, err
	}
	all, err := a.entities(ctx, c, func(id string) bool { return id > last })
	if err != nil {
		return nil, err
	}
	out := &pb.ListTransferResourcesResponse{}
	for _, e := range all {
		doc := drawResource(c, e)
		if !filter.Match(doc) {
			continue
		}
		if len(out.TransferResources) == size {
			out.NextPageToken = a.onward(r, last)
			break
		}
		last = e.id
		out.TransferResources = append(out.TransferResources, doc)
	}
	return out, nil
}
