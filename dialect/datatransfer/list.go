package datatransfer

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

// GetTransferConfig answers one, with its owner.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs/get
func (a *API) GetTransferConfig(ctx context.Context, r *pb.GetTransferConfigRequest) (*pb.TransferConfig, error) {
	c, _, err := a.config(ctx, "name", r.GetName(), ofConfig, auth.Read)
	if err != nil {
		return nil, err
	}
	doc, err := a.drawConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	owner := "syncline"
	doc.OwnerInfo = &pb.UserInfo{Email: &owner}
	return doc, nil
}

// after is where a list of configs goes on.
type after struct {
	At time.Time `json:"at"`
	ID string    `json:"id"`
}

// ListTransferConfigs lists those of a place, the oldest first.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs/list
func (a *API) ListTransferConfigs(ctx context.Context, r *pb.ListTransferConfigsRequest) (*pb.ListTransferConfigsResponse, error) {
	n, err := admit(ctx, "parent", r.GetParent(), ofPlace, auth.Read)
	if err != nil {
		return nil, err
	}
	size, err := gapi.PageSize(r.GetPageSize(), most, most)
	if err != nil {
		return nil, err
	}
	var from after
	if err := a.open(r, r.GetPageToken(), &from); err != nil {
		return nil, err
	}
	all, err := a.configs(ctx, n.place, r.GetDataSourceIds())
	if err != nil {
		return nil, err
	}
	if r.GetPageToken() != "" {
		all = all[firstAfter(all, from):]
	}
	out := &pb.ListTransferConfigsResponse{}
	for i, c := range all {
		if i == size {
			last := all[i-1]
			out.NextPageToken = a.onward(r, after{last.p.CreatedAt, last.p.ID})
			break
		}
		doc, err := a.drawConfig(ctx, c)
		if err != nil {
			return nil, err
		}
		out.TransferConfigs = append(out.TransferConfigs, doc)
	}
	return out, nil
}

// firstAfter is the place of the first config behind the key of a page.
func firstAfter(all []*config, key after) int {
	i := slices.IndexFunc(all, func(c *config) bool {
		return c.p.CreatedAt.After(key.At) || c.p.CreatedAt.Equal(key.At) && c.p.ID > key.ID
	})
	if i < 0 {
		return len(all)
	}
	return i
}

// configs are those of a place that the caller sees, the oldest first.
func (a *API) configs(ctx context.Context, in place, sources []string) (all []*config, err error) {
	for p, err := range a.o.Catalog.All(ctx) {
		if err != nil {
			return nil, err
		}
		if !auth.From(ctx).Sees(p.Name) {
			continue
		}
		c, err := a.configOf(p)
		if err != nil {
			return nil, err
		}
		if c.within(in) && (len(sources) == 0 || slices.Contains(sources, c.doc.GetDataSourceId())) {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(x, y *config) int {
		if byTime := x.p.CreatedAt.Compare(y.p.CreatedAt); byTime != 0 {
			return byTime
		}
		return strings.Compare(x.p.ID, y.p.ID)
	})
	return all, nil
}
