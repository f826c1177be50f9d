package datatransfer

import (
	"context"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

// DeleteTransferConfig ends its runs and removes it with them.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs/delete
func (a *API) DeleteTransferConfig(ctx context.Context, r *pb.DeleteTransferConfigRequest) (*emptypb.Empty, error) {
	c, _, err := a.config(ctx, "name", r.GetName(), ofConfig, auth.Edit)
	if err != nil {
		return nil, err
	}
	if foreign(c.p) {
		return nil, syncline.Errorf(syncline.FailedPrecondition, "transfer config %s is pipeline %q, which was not made over this API", c.name(), c.p.Name).
			Try("delete it where it was made")
	}
	const tries = 5 // a run may begin between the end of the others and the deletion
	for try := 1; ; try++ {
		if err = a.removeRuns(ctx, c.p.ID); err == nil {
			err = a.o.Catalog.Delete(ctx, c.p.ID)
		}
		if syncline.CodeOf(err) != syncline.FailedPrecondition || try == tries {
			return &emptypb.Empty{}, absent(err)
		}
	}
}

// removeRuns deletes all runs of a pipeline, over the heads of workers that are at them.
func (a *API) removeRuns(ctx context.Context, pipeline string) error {
	for {
		page, err := a.o.Ledger.Runs(ctx, syncline.RunFilter{PipelineID: pipeline})
		if err != nil || len(page) == 0 {
			return err
		}
		for _, d := range page {
			if err := a.o.Ledger.Delete(ctx, d.Run.ID); err != nil && syncline.CodeOf(err) != syncline.NotFound {
				return err
			}
		}
	}
}

// DeleteTransferRun removes a run and its log; one that is under way is ended first.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs.runs/delete
func (a *API) DeleteTransferRun(ctx context.Context, r *pb.DeleteTransferRunRequest) (*emptypb.Empty, error) {
	_, d, err := a.run(ctx, "name", r.GetName(), auth.Operate)
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, absent(a.o.Ledger.Delete(ctx, d.Run.ID))
}
