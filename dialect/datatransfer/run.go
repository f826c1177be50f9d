package datatransfer

import (
	"context"
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
	"github.com/synclinehq/syncline/ledger"
)

// runStates is the one word for each aspect of a run.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/TransferState
var runStates = map[syncline.Aspect]pb.TransferState{
	syncline.AspectPending:   pb.TransferState_PENDING,
	syncline.AspectAgain:     pb.TransferState_RUNNING,
	syncline.AspectRunning:   pb.TransferState_RUNNING,
	syncline.AspectCanceling: pb.TransferState_RUNNING,
	syncline.AspectSuspended: pb.TransferState_RUNNING,
	syncline.AspectSucceeded: pb.TransferState_SUCCEEDED,
	syncline.AspectRejects:   pb.TransferState_SUCCEEDED,
	syncline.AspectPartly:    pb.TransferState_FAILED,
	syncline.AspectFailed:    pb.TransferState_FAILED,
	syncline.AspectCanceled:  pb.TransferState_CANCELLED,
	syncline.AspectSkipped:   pb.TransferState_CANCELLED,
}

// aspects are all that one of the words shows.
func aspects(words []pb.TransferState) (all []syncline.Aspect) {
	for _, w := range words {
		for _, a := range syncline.Aspects {
			if runStates[a] == w {
				all = append(all, a)
			}
		}
	}
	return all
}

// run finds a run by its name, if the caller may do this to it.
func (a *API) run(ctx context.Context, field, text string, do auth.Action) (*config, ledger.Detail, error) {
	c, n, err := a.config(ctx, field, text, ofRun, do)
	if err != nil {
		return nil, ledger.Detail{}, err
	}
	d, err := a.o.Ledger.Run(ctx, n.Get("run"))
	if err == nil && d.Run.PipelineID != c.p.ID {
		err = notFound()
	}
	return c, d, absent(err)
}

// GetTransferRun answers one.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs.runs/get
func (a *API) GetTransferRun(ctx context.Context, r *pb.GetTransferRunRequest) (*pb.TransferRun, error) {
	c, d, err := a.run(ctx, "name", r.GetName(), auth.Read)
	if err != nil {
		return nil, err
	}
	return drawRun(c, &d.Run), nil
}

// drawRun draws a run of any pipeline.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs.runs#TransferRun
func drawRun(c *config, r *syncline.Run) *pb.TransferRun {
	doc := &pb.TransferRun{
		Name: runName(c.name(), r), Labels: r.Labels, DataSourceId: c.doc.GetDataSourceId(), Params: c.doc.GetParams(),
		State: runStates[r.Aspect()], UserId: userID(c.p), ErrorStatus: failure(r),
		NotificationPubsubTopic: c.doc.GetNotificationPubsubTopic(), EmailPreferences: c.doc.GetEmailPreferences(),
		PartnerToken: c.doc.GetPartnerToken(),
		ScheduleTime: instant(r.Due), RunTime: instant(r.Due.Add(c.offset)), UpdateTime: instant(r.StateAt), EndTime: instant(r.EndedAt),
	}
	doc.Destination = &pb.TransferRun_DestinationDatasetId{DestinationDatasetId: c.doc.GetDestinationDatasetId()}
	switch {
	case r.DataTime.IsZero():
	case r.Origin == syncline.OriginSchedule: // what it is for is its slot
		doc.ScheduleTime, doc.RunTime = instant(r.DataTime), instant(r.DataTime.Add(c.offset))
	default:
		doc.RunTime = instant(r.DataTime)
	}
	if doc.State != pb.TransferState_PENDING {
		doc.StartTime = instant(r.StartedAt)
	}
	if r.Origin == syncline.OriginSchedule {
		doc.Schedule = c.text()
	}
	return doc
}

// text is the schedule in words.
func (c *config) text() string {
	for _, s := range c.p.Definition.Schedules {
		return scheduleText(s)
	}
	return c.doc.GetSchedule()
}

func instant(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// failure is why a run did not succeed. It has no details: clients that meet some they do
// not know inside a resource throw the whole answer away.
func failure(r *syncline.Run) *spb.Status {
	switch a := r.Aspect(); {
	case !r.State.Final() || runStates[a] == pb.TransferState_SUCCEEDED:
		return nil
	case r.Error != nil:
		return &spb.Status{Code: gapi.CodeNumber(r.Error.Code), Message: r.Error.Message}
	case a == syncline.AspectSkipped:
		return &spb.Status{Code: gapi.CodeNumber(syncline.Canceled), Message: r.Why}
	}
	return nil
}
