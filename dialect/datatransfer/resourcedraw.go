package datatransfer

import (
	"time"

	spb "google.golang.org/genproto/googleapis/rpc/status"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

// The words for where an entity stands.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs.transferResources#ResourceTransferState
const (
	entityPending   = pb.ResourceTransferState_RESOURCE_TRANSFER_PENDING
	entityRunning   = pb.ResourceTransferState_RESOURCE_TRANSFER_RUNNING
	entitySucceeded = pb.ResourceTransferState_RESOURCE_TRANSFER_SUCCEEDED
	entityFailed    = pb.ResourceTransferState_RESOURCE_TRANSFER_FAILED
	entityCancelled = pb.ResourceTransferState_RESOURCE_TRANSFER_CANCELLED
)

var taskStates = map[syncline.TaskState]pb.ResourceTransferState{
	syncline.TaskPending:   entityPending,
	syncline.TaskRunning:   entityRunning,
	syncline.TaskRetryWait: entityRunning,
	syncline.TaskSuspended: entityRunning,
	syncline.TaskSucceeded: entitySucceeded,
	syncline.TaskFailed:    entityFailed,
	syncline.TaskSkipped:   entityCancelled,
	syncline.TaskCanceled:  entityCancelled,
}

// entityStates is where entities stand in a run that has not said what it transfers.
var entityStates = map[pb.TransferState]pb.ResourceTransferState{
	pb.TransferState_PENDING:   entityPending,
	pb.TransferState_RUNNING:   entityPending,
	pb.TransferState_FAILED:    entityFailed,
	pb.TransferState_CANCELLED: entityCancelled,
}

// drawResource draws an entity. All datasets are BigQuery's to clients.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs.transferResources#TransferResource
func drawResource(c *config, e *entity) *pb.TransferResource {
	doc := &pb.TransferResource{
		Name: c.name() + resources + e.id, Type: pb.ResourceType_RESOURCE_TYPE_TABLE,
		Destination: pb.ResourceDestination_RESOURCE_DESTINATION_BIGQUERY,
		LatestRun:   brief(c, e.run), LastSuccessfulRun: brief(c, e.done),
		UpdateTime: instant(e.changedAt(c.p)),
	}
	state, stats := e.state(), e.stats()
	doc.LatestStatusDetail = &pb.TransferResourceStatusDetail{
		State: state, CompletedPercentage: percentage(state, stats), Error: e.failure(state), Summary: summary(state, stats),
	}
	return doc
}

// brief names a run as it is named everywhere else.
func brief(c *config, r *syncline.Run) *pb.TransferRunBrief {
	if r == nil {
		return nil
	}
	return &pb.TransferRunBrief{Run: runName(c.name(), r), StartTime: instant(r.StartedAt)}
}

// state is where all loads of the entity stand together. What no run has been asked to
// transfer yet waits for one.
func (e *entity) state() pb.ResourceTransferState {
	switch {
	case e.run == nil:
		return entityPending
	case len(e.tasks) == 0:
		return entityStates[runStates[e.run.Aspect()]]
	}
	seen := map[pb.ResourceTransferState]bool{}
	for _, t := range e.tasks {
		seen[taskStates[t.State]] = true
	}
	if seen[entityPending] && len(seen) > 1 {
		return entityRunning
	}
	for _, s := range []pb.ResourceTransferState{entityRunning, entityPending, entityFailed, entityCancelled} {
		if seen[s] {
			return s
		}
	}
	return entitySucceeded
}

// stats are those of all loads of the entity.
func (e *entity) stats() syncline.Stats {
	sum := syncline.Stats{Counts: syncline.Totals(e.tasks)}
	for _, t := range e.tasks {
		if t.Stats.Expected < 0 {
			sum.Expected = -1
			break
		}
		sum.Expected += t.Stats.Expected
	}
	return sum
}

func percentage(state pb.ResourceTransferState, s syncline.Stats) float64 {
	switch {
	case state == entitySucceeded:
		return 100
	case s.Expected <= 0:
		return 0
	}
	return min(100, 100*float64(s.Counts.Read)/float64(s.Expected))
}

// summary counts bytes, and rows as objects, as far as they are known.
func summary(state pb.ResourceTransferState, s syncline.Stats) *pb.TransferStatusSummary {
	bytes := &pb.TransferStatusMetric{Unit: pb.TransferStatusUnit_TRANSFER_STATUS_UNIT_BYTES, Completed: s.Counts.Bytes}
	rows := &pb.TransferStatusMetric{
		Unit: pb.TransferStatusUnit_TRANSFER_STATUS_UNIT_OBJECTS, Completed: s.Counts.Read - s.Counts.Rejected, Failed: s.Counts.Rejected,
	}
	switch {
	case state == entitySucceeded:
		bytes.Total, rows.Total = s.Counts.Bytes, s.Counts.Read
	case s.Expected > 0:
		rows.Total = max(s.Expected, s.Counts.Read)
		rows.Pending = rows.Total - s.Counts.Read
	}
	out := &pb.TransferStatusSummary{}
	for _, m := range []*pb.TransferStatusMetric{bytes, rows} {
		if m.Total > 0 || m.Completed > 0 || m.Failed > 0 {
			out.Metrics = append(out.Metrics, m)
		}
	}
	if len(out.Metrics) == 0 {
		return nil
	}
	return out
}

// failure is why the entity was not transferred. Like that of a run it has no details.
func (e *entity) failure(state pb.ResourceTransferState) *spb.Status {
	if state != entityFailed && state != entityCancelled {
		return nil
	}
	for _, t := range e.tasks {
		if t.Error != nil && t.State != syncline.TaskSucceeded {
			return &spb.Status{Code: gapi.CodeNumber(t.Error.Code), Message: t.Error.Message}
		}
	}
	return failure(e.run)
}

// changedAt is when anything of this last moved.
func (e *entity) changedAt(p *syncline.Pipeline) time.Time {
	switch {
	case e.run == nil:
		return p.UpdatedAt
	case len(e.tasks) == 0:
		return e.run.StateAt
	}
	var last time.Time
	for _, t := range e.tasks {
		for _, at := range []time.Time{t.StateAt, t.Stats.At} {
			if at.After(last) {
				last = at
			}
		}
	}
	return last
}
