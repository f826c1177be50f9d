package official

import (
	"net/http"
	"strings"
	"testing"
	"time"

	datatransfer "cloud.google.com/go/bigquery/datatransfer/apiv1"
	pb "cloud.google.com/go/bigquery/datatransfer/apiv1/datatransferpb"
	"google.golang.org/api/iterator"
)

// TestAcross looks at a run that Elastic's API has started, and at one that this API has,
// from the other side.
func TestAcross(t *testing.T) {
	source, _ := table(t)
	s := serve(t)
	c, p := s.grpc(t), partner{s, t}
	config, err := c.CreateTransferConfig(t.Context(), &pb.CreateTransferConfigRequest{Parent: parent, TransferConfig: &pb.TransferConfig{
		Destination: &pb.TransferConfig_DestinationDatasetId{DestinationDatasetId: "lake"}, DataSourceId: "postgres", Params: params(t, source),
	}})
	ok(t, err)
	mine := s.full(t, c, config.GetName())
	var job struct {
		Status      string    `json:"status"`
		CompletedAt time.Time `json:"completed_at"`
		Indexed     int       `json:"indexed_document_count"`
	}
	id := mine.GetName()[strings.LastIndexByte(mine.GetName(), '/')+1:]
	if status := p.call(http.MethodGet, "../_connector/_sync_job/"+id, nil, &job); status != http.StatusOK {
		t.Fatalf("%s as a sync job: %d", id, status)
	}
	if job.Status != "completed" || job.Indexed != 50 || !job.CompletedAt.Equal(mine.GetEndTime().AsTime()) {
		t.Errorf("%s is %s until %s here, and there %+v", id, mine.GetState(), mine.GetEndTime().AsTime(), job)
	}

	p.must(http.MethodPut, "../_connector/crm", object{"index_name": "search-crm", "service_type": "mine"})
	var posted struct{ ID string }
	p.call(http.MethodPost, "../_connector/_sync_job", object{"id": "crm"}, &posted)
	theirs := s.find(t, c, posted.ID)
	if theirs.GetState() != pb.TransferState_PENDING || theirs.GetStartTime() != nil {
		t.Errorf("a job that waits is %v", theirs)
	}
	p.must(http.MethodPut, "../_connector/_sync_job/"+posted.ID+"/_claim", object{"worker_hostname": "w"})
	p.must(http.MethodPut, "../_connector/_sync_job/"+posted.ID+"/_error", object{"error": "the CRM went away"})
	if ended := s.find(t, c, posted.ID); ended.GetState() != pb.TransferState_FAILED || ended.GetErrorStatus().GetMessage() != "the CRM went away" {
		t.Errorf("a job in error is %v", ended)
	}
}

// find looks for a run among those of the pipelines that were made elsewhere.
func (s *server) find(t *testing.T, c *datatransfer.Client, id string) *pb.TransferRun {
	t.Helper()
	for configs := c.ListTransferConfigs(t.Context(), &pb.ListTransferConfigsRequest{Parent: "projects/syncline/locations/us"}); ; {
		config, err := configs.Next()
		if err == iterator.Done {
			t.Fatalf("run %s is in no list", id)
		}
		ok(t, err)
		for runs := c.ListTransferRuns(t.Context(), &pb.ListTransferRunsRequest{Parent: config.GetName()}); ; {
			run, err := runs.Next()
			if err == iterator.Done {
				break
			}
			ok(t, err)
			if strings.HasSuffix(run.GetName(), "/"+id) {
				return run
			}
		}
	}
}
