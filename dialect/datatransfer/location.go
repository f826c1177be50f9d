package datatransfer

import (
	"context"
	"slices"
	"strings"

	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

// ListLocations lists where configs live, the default location and that of pipelines made
// elsewhere among them.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations/list
func (a *API) ListLocations(ctx context.Context, r *pb.ListLocationsRequest) (*pb.ListLocationsResponse, error) {
	n, err := admit(ctx, "name", r.GetName(), ofPlace, auth.Read)
	if err != nil {
		return nil, err
	}
	ids, err := a.locations(ctx, n.project)
	if err != nil {
		return nil, err
	}
	out := &pb.ListLocationsResponse{}
	for _, id := range ids {
		out.Locations = append(out.Locations, drawLocation(place{n.project, id}))
	}
	return out, nil
}

// GetLocation answers one of them.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations/get
func (a *API) GetLocation(ctx context.Context, r *pb.GetLocationRequest) (*pb.Location, error) {
	n, err := admit(ctx, "name", r.GetName(), ofPlace, auth.Read)
	if err != nil {
		return nil, err
	}
	ids, err := a.locations(ctx, n.project)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(ids, n.location) {
		return nil, notFound()
	}
	return drawLocation(n.place), nil
}

func (a *API) locations(ctx context.Context, project string) ([]string, error) {
	ids := []string{defaultLocation, a.o.Location}
	all, err := a.configs(ctx, place{project, anywhere}, nil)
	for _, c := range all {
		ids = append(ids, c.location)
	}
	slices.Sort(ids)
	return slices.Compact(ids), err
}

func drawLocation(p place) *pb.Location {
	return &pb.Location{Name: p.parent(), LocationId: p.location, DisplayName: strings.ToUpper(p.location)}
}
