package datatransfer

import (
	"context"
	"slices"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

// ListTransferRuns lists the runs of a config, the newest first.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs.runs/list
func (a *API) ListTransferRuns(ctx context.Context, r *pb.ListTransferRunsRequest) (*pb.ListTransferRunsResponse, error) {
	c, _, err := a.config(ctx, "parent", r.GetParent(), ofConfig, auth.Read)
	if err != nil {
		return nil, err
	}
	size, err := gapi.PageSize(r.GetPageSize(), most, most)
	if err != nil {
		return nil, err
	}
	if err := knownStates(r.GetStates()); err != nil {
		return nil, err
	}
	latest, err := latestOnly(r.GetRunAttempt())
	if err != nil {
		return nil, err
	}
	var key after
	if err := a.open(r, r.GetPageToken(), &key); err != nil {
		return nil, err
	}
	page, more, err := a.runs(ctx, wanted{c.p.ID, r.GetStates(), latest, key, size})
	if err != nil {
		return nil, err
	}
	out := &pb.ListTransferRunsResponse{}
	for _, one := range page {
		out.TransferRuns = append(out.TransferRuns, drawRun(c, one))
	}
	if more {
		last := page[len(page)-1]
		out.NextPageToken = a.onward(r, after{last.CreatedAt, last.ID})
	}
	return out, nil
}

func knownStates(states []pb.TransferState) error {
	for _, s := range states {
		if len(aspects([]pb.TransferState{s})) == 0 {
			return syncline.Invalid("states", "%s is no state that a run can be in", s)
		}
	}
	return nil
}

func latestOnly(given pb.ListTransferRunsRequest_RunAttempt) (bool, error) {
	switch given {
	case pb.ListTransferRunsRequest_RUN_ATTEMPT_UNSPECIFIED:
		return false, nil
	case pb.ListTransferRunsRequest_LATEST:
		return true, nil
	}
	return false, syncline.Invalid("run_attempt", "%d is no run attempt", given)
}

// wanted is which runs of a pipeline a page has.
type wanted struct {
	pipeline string
	states   []pb.TransferState
	latest   bool // of each day that the data is for only the newest
	key      after
	size     int
}

// runs are a page of them, and whether there are more. For the newest of each day all that
// are newer than the page are looked at again.
func (a *API) runs(ctx context.Context, w wanted) (page []*syncline.Run, more bool, err error) {
	f := syncline.RunFilter{PipelineID: w.pipeline, Roots: true, Limit: most}
	if !w.latest {
		f.Aspects, f.BeforeAt, f.BeforeID = aspects(w.states), w.key.At, w.key.ID
	}
	seen := map[string]bool{}
	for {
		found, err := a.o.Ledger.Runs(ctx, f)
		if err != nil {
			return nil, false, err
		}
		for i := range found {
			r := &found[i].Run
			if !w.takes(r, seen) {
				continue
			}
			if len(page) == w.size {
				return page, true, nil
			}
			page = append(page, r)
		}
		if len(found) < most {
			return page, false, nil
		}
		last := found[len(found)-1].Run
		f.BeforeAt, f.BeforeID = last.CreatedAt, last.ID
	}
}

// takes reports whether a run belongs to the page or a later one.
func (w wanted) takes(r *syncline.Run, seen map[string]bool) bool {
	if !w.latest {
		return true
	}
	of := r.DataTime
	if of.IsZero() {
		of = r.Due
	}
	date := of.UTC().Format(time.DateOnly)
	first := !seen[date]
	seen[date] = true
	behind := w.key.At.IsZero() || r.CreatedAt.Before(w.key.At) || r.CreatedAt.Equal(w.key.At) && r.ID < w.key.ID
	return first && behind && (len(w.states) == 0 || slices.Contains(w.states, runStates[r.Aspect()]))
}
