package datatransfer

import (
	"context"
	"slices"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/catalog"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/schedule"
)

const (
	// ahead is how far in the future the moment of a run may be: clocks differ.
	ahead = 10 * time.Minute
	// apart is how long after each other the runs of a range fall due.
	apart = 15 * time.Second
)

// StartManualTransferRuns starts a run for a moment, or one for each slot of a range.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs/startManualRuns
func (a *API) StartManualTransferRuns(ctx context.Context, r *pb.StartManualTransferRunsRequest) (*pb.StartManualTransferRunsResponse, error) {
	c, err := a.startable(ctx, r.GetParent())
	if err != nil {
		return nil, err
	}
	if r.GetTime() == nil {
		return nil, syncline.Invalid("requested_run_time", "a call needs either requested_run_time or requested_time_range")
	}
	moments, err := a.moments(c, r)
	if err != nil {
		return nil, err
	}
	runs, err := a.start(ctx, c, moments, r.GetLabels())
	return &pb.StartManualTransferRunsResponse{Runs: runs}, err
}

// ScheduleTransferRuns starts a run for each slot of a range, both ends included.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs/scheduleRuns
func (a *API) ScheduleTransferRuns(ctx context.Context, r *pb.ScheduleTransferRunsRequest) (*pb.ScheduleTransferRunsResponse, error) {
	c, err := a.startable(ctx, r.GetParent())
	if err != nil {
		return nil, err
	}
	from, err := moment("start_time", r.GetStartTime())
	if err != nil {
		return nil, err
	}
	to, err := moment("end_time", r.GetEndTime())
	if err != nil {
		return nil, err
	}
	switch {
	case from.IsZero() || to.IsZero():
		return nil, syncline.Invalid("start_time", "a call needs both start_time and end_time")
	case from.After(to):
		return nil, syncline.Invalid("end_time", "the end, %s, is before the start, %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
	}
	moments, err := a.slots(c, from, to.Add(time.Nanosecond))
	if err != nil {
		return nil, err
	}
	runs, err := a.start(ctx, c, moments, r.GetLabels())
	return &pb.ScheduleTransferRunsResponse{Runs: runs}, err
}

// startable is the config whose runs are to be started.
func (a *API) startable(ctx context.Context, parent string) (*config, error) {
	c, _, err := a.config(ctx, "parent", parent, ofConfig, auth.Operate)
	if err == nil && !c.p.PausedAt.IsZero() {
		err = syncline.Errorf(syncline.FailedPrecondition, "transfer config %s is disabled", c.name()).Try("enable it first: set disabled to false")
	}
	return c, err
}

// moments are what the data of the runs is for, the newest first.
func (a *API) moments(c *config, r *pb.StartManualTransferRunsRequest) ([]time.Time, error) {
	if at := r.GetRequestedRunTime(); at != nil {
		t, err := moment("requested_run_time", at)
		if err == nil && t.After(a.o.Now().Add(ahead)) {
			err = syncline.Invalid("requested_run_time", "%s lies in the future", t.Format(time.RFC3339))
		}
		return []time.Time{t}, err
	}
	from, err := moment("requested_time_range.start_time", r.GetRequestedTimeRange().GetStartTime())
	if err != nil {
		return nil, err
	}
	to, err := moment("requested_time_range.end_time", r.GetRequestedTimeRange().GetEndTime())
	switch {
	case err != nil:
		return nil, err
	case from.IsZero() || to.IsZero():
		return nil, syncline.Invalid("requested_time_range", "a range needs both start_time and end_time")
	case !from.Before(to):
		return nil, syncline.Invalid("requested_time_range.end_time", "the end, %s, is not after the start, %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
	case to.After(a.o.Now()):
		return nil, syncline.Invalid("requested_time_range.end_time", "the end, %s, lies in the future", to.Format(time.RFC3339))
	}
	return a.slots(c, from, to)
}

// slots are the moments in [from, to) that the config's schedule has, the newest first.
func (a *API) slots(c *config, from, to time.Time) ([]time.Time, error) {
	s, err := c.schedule()
	if err != nil {
		return nil, err
	}
	all, err := schedule.Over(s, from, to, ledger.MaxOrders+1)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0:
		return nil, syncline.Invalid("requested_time_range", "no slot of the schedule %q lies in the range", s.Cron)
	case len(all) > ledger.MaxOrders:
		return nil, syncline.Invalid("requested_time_range", "the range has more than %d slots", ledger.MaxOrders).Try("ask for a shorter range")
	}
	slices.Reverse(all)
	return all, nil
}

// schedule is what the slots of a range are counted by; the times between which a config
// runs by itself do not limit what a person asks for.
func (c *config) schedule() (syncline.Schedule, error) {
	for _, s := range c.p.Definition.Schedules {
		s.Start, s.End = time.Time{}, time.Time{}
		return s, nil
	}
	return syncline.Schedule{}, syncline.Invalid("requested_run_time", "Starting transfer run with on-demand schedule requires 'requested_run_time' to be specified.")
}

// start starts a run for each moment, all or none.
func (a *API) start(ctx context.Context, c *config, moments []time.Time, labels map[string]string) ([]*pb.TransferRun, error) {
	now := a.o.Now().Truncate(time.Microsecond) // as the ledger keeps times
	var orders []ledger.Order
	for i, at := range moments {
		o := ledger.Order{
			PipelineID: c.p.ID, Origin: syncline.OriginManual, DataTime: at, Labels: labels, Due: now.Add(apart * time.Duration(i)),
		}
		w, err := c.window(at, now)
		if err != nil {
			return nil, err
		}
		o.Window = w
		orders = append(orders, o)
	}
	started, err := a.o.Ledger.StartAll(ctx, orders)
	if err != nil {
		return nil, err
	}
	var out []*pb.TransferRun
	for i := range started {
		out = append(out, drawRun(c, &started[i]))
	}
	return out, nil
}

// window is the stretch of the cursor that a run for a moment reads and replaces: the
// schedule's interval before it. Without a cursor nothing but the present can be read, so
// that only a run for now is possible.
func (c *config) window(at, now time.Time) (*syncline.Window, error) {
	if c.p.Definition.Owner == syncline.OwnerExternal {
		return nil, nil // whoever does the run knows what the moment means
	}
	interval, err := c.interval(at)
	if err != nil {
		return nil, err
	}
	err = catalog.Windowed(c.p.Definition)
	if err == nil {
		return &syncline.Window{From: at.Add(-interval), To: at}, nil
	}
	if !at.Before(now.Add(-interval)) {
		return nil, nil
	}
	return nil, syncline.Invalid("params.cursor", "the data of %s cannot be read without a cursor", at.Format(time.RFC3339)).
		Try("name the time column that says when a row belongs to, in the parameter cursor")
}

// interval is the time between a moment and the slot before it; a day when the config does
// not run by itself.
func (c *config) interval(at time.Time) (time.Duration, error) {
	s, err := c.schedule()
	if err != nil {
		return day, nil // on demand
	}
	if schedule.Counted(s) {
		return schedule.Shortest(s)
	}
	for _, back := range []time.Duration{2 * day, 32 * day, 400 * day} {
		before, err := schedule.Over(s, at.Add(-back), at, int(back/shortest)+1)
		if err != nil {
			return 0, err
		}
		if n := len(before); n > 0 {
			return at.Sub(before[n-1]), nil
		}
	}
	return 400 * day, nil // the rarest are years apart
}
