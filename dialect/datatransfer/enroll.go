package datatransfer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

// unenrolled is the document, one a place, that lists the data sources left out of lists:
// all are there from the start.
const unenrolled = "unenrolled"

// EnrollDataSources puts data sources back into the lists of a place.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations/enrollDataSources
func (a *API) EnrollDataSources(ctx context.Context, r *pb.EnrollDataSourcesRequest) (*emptypb.Empty, error) {
	return a.enroll(ctx, r.GetName(), r.GetDataSourceIds(), func(left []string) []string {
		return slices.DeleteFunc(left, func(id string) bool { return slices.Contains(r.GetDataSourceIds(), id) })
	})
}

// UnenrollDataSources leaves data sources out of the lists of a place; they work as before.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations/unenrollDataSources
func (a *API) UnenrollDataSources(ctx context.Context, r *pb.UnenrollDataSourcesRequest) (*emptypb.Empty, error) {
	return a.enroll(ctx, r.GetName(), r.GetDataSourceIds(), func(left []string) []string {
		left = append(left, r.GetDataSourceIds()...)
		slices.Sort(left)
		return slices.Compact(left)
	})
}

func (a *API) enroll(ctx context.Context, text string, ids []string, change func(left []string) []string) (*emptypb.Empty, error) {
	n, err := admit(ctx, "name", text, ofPlace, auth.Edit)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, syncline.Invalid("data_source_ids", "name at least one data source")
	}
	for _, id := range ids {
		if _, err := a.source(ctx, n.place, id); err != nil {
			return nil, err
		}
	}
	left, err := a.unenrolled(ctx, n.place)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(change(left))
	if err != nil {
		return nil, err
	}
	_, err = a.o.Catalog.PutDoc(ctx, Name, unenrolled, n.parent(), raw)
	return &emptypb.Empty{}, err
}

// unenrolled are the data sources that the lists of a place leave out.
func (a *API) unenrolled(ctx context.Context, p place) (ids []string, err error) {
	doc, err := a.o.Catalog.Doc(ctx, Name, unenrolled, p.parent())
	if syncline.CodeOf(err) == syncline.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(doc.Body, &ids); err != nil {
		return nil, fmt.Errorf("read which data sources %s leaves out: %w", p.parent(), err)
	}
	return ids, nil
}
