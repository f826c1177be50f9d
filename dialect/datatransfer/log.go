package datatransfer

import (
	"context"
	"slices"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

// severities are the words of a message.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs.runs.transferLogs#MessageSeverity
var severities = map[syncline.Severity]pb.TransferMessage_MessageSeverity{
	syncline.Info:    pb.TransferMessage_INFO,
	syncline.Warning: pb.TransferMessage_WARNING,
	syncline.Failure: pb.TransferMessage_ERROR,
}

// ListTransferLogs lists what was said of a run, the oldest first.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs.runs.transferLogs/list
func (a *API) ListTransferLogs(ctx context.Context, r *pb.ListTransferLogsRequest) (*pb.ListTransferLogsResponse, error) {
	_, d, err := a.run(ctx, "parent", r.GetParent(), auth.Read)
	if err != nil {
		return nil, err
	}
	size, err := gapi.PageSize(r.GetPageSize(), most, most)
	if err != nil {
		return nil, err
	}
	for _, s := range r.GetMessageTypes() {
		if s < pb.TransferMessage_INFO || s > pb.TransferMessage_ERROR {
			return nil, syncline.Invalid("message_types", "%s is no severity that messages are listed by", s)
		}
	}
	var seq int64
	if err := a.open(r, r.GetPageToken(), &seq); err != nil {
		return nil, err
	}
	out := &pb.ListTransferLogsResponse{}
	for {
		page, err := a.o.Ledger.Messages(ctx, d.Run.ID, seq, most)
		if err != nil {
			return nil, err
		}
		for _, m := range page {
			s, shown := severities[m.Severity]
			if !shown || len(r.GetMessageTypes()) > 0 && !slices.Contains(r.GetMessageTypes(), s) {
				continue
			}
			if len(out.TransferMessages) == size {
				out.NextPageToken = a.onward(r, seq)
				return out, nil
			}
			seq = m.Seq
			out.TransferMessages = append(out.TransferMessages, &pb.TransferMessage{MessageTime: instant(m.At), Severity: s, MessageText: m.Text})
		}
		if len(page) < most {
			return out, nil
		}
		seq = page[len(page)-1].Seq
	}
}
