package datatransfer

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/ledger"
)

const (
	// mostText is how long a text of a partner may be, in bytes.
	mostText = 32 << 10
	// mostMessages is how many messages one call may bring.
	mostMessages = 1000
)

// UpdateTransferRun hears from a partner where its run stands. Of the mask only state and
// error_status count; other paths are passed over.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rpc/google.cloud.bigquery.datatransfer.v1#google.cloud.bigquery.datatransfer.v1.DataSourceService
func (a *API) UpdateTransferRun(ctx context.Context, r *pb.UpdateTransferRunRequest) (*pb.TransferRun, error) {
	c, run, err := a.reported(ctx, "transfer_run.name", r.GetTransferRun().GetName())
	if err != nil {
		return nil, err
	}
	said, err := reportOf(r.GetTransferRun(), r.GetUpdateMask())
	if err != nil {
		return nil, err
	}
	next, err := a.report(ctx, run, said)
	if err != nil {
		return nil, err
	}
	return drawRun(c, &next), nil
}

// FinishRun hears that a partner is done with its run, which ends with the last of its loads.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rpc/google.cloud.bigquery.datatransfer.v1#google.cloud.bigquery.datatransfer.v1.DataSourceService
func (a *API) FinishRun(ctx context.Context, r *pb.FinishRunRequest) (*emptypb.Empty, error) {
	_, run, err := a.reported(ctx, "name", r.GetName())
	if err != nil {
		return nil, err
	}
	_, err = a.o.Ledger.FinishOutside(ctx, run.ID, partner(ctx))
	return &emptypb.Empty{}, err
}

// LogTransferRunMessages appends what a partner says to the log of its run. What is only
// for debugging shows that it is alive, and is not kept.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rpc/google.cloud.bigquery.datatransfer.v1#google.cloud.bigquery.datatransfer.v1.DataSourceService
func (a *API) LogTransferRunMessages(ctx context.Context, r *pb.LogTransferRunMessagesRequest) (*emptypb.Empty, error) {
	_, run, err := a.reported(ctx, "name", r.GetName())
	if err != nil {
		return nil, err
	}
	kept, err := messages(r.GetTransferMessages())
	if err != nil {
		return nil, err
	}
	err = a.o.Ledger.LogOutside(ctx, run.ID, partner(ctx), kept)
	if err == nil && len(kept) == 0 && len(r.GetTransferMessages()) > 0 {
		_, err = a.o.Ledger.NoteOutside(ctx, run.ID, partner(ctx))
	}
	return &emptypb.Empty{}, err
}

// partner is who calls, as a worker that does runs.
func partner(ctx context.Context) ledger.Outside {
	who := auth.From(ctx)
	return ledger.Outside{By: who.Key, Worker: who.Name}
}

// reported is a run that a partner does, as long as it may say something of it.
func (a *API) reported(ctx context.Context, field, text string) (*config, syncline.Run, error) {
	c, d, err := a.run(ctx, field, text, auth.Work)
	switch {
	case err != nil:
	case foreign(c.p) || d.Run.Owner != syncline.OwnerExternal:
		err = syncline.Errorf(syncline.FailedPrecondition, "run %s is not one that a partner's data source does", d.Run.ID).Because("state")
	case d.Run.State.Final():
		err = ended(&d.Run)
	case !d.Run.Facts.FinishAskedAt.IsZero():
		err = syncline.Errorf(syncline.FailedPrecondition, "run %s was finished: nothing more is accepted of it", d.Run.ID).Because("state")
	}
	return c, d.Run, err
}

func ended(r *syncline.Run) error {
	return syncline.Errorf(syncline.FailedPrecondition, "run %s has ended, as %s: nothing more is accepted of it", r.ID, runStates[r.Aspect()]).Because("state")
}

// report is what a partner says of a run.
type report struct {
	state pb.TransferState // unspecified: nothing of the state
	named bool             // whether the error is among it
	error complaint
}

// complaint is an error as a run keeps it until it fails; without a code there is none.
type complaint struct {
	Code    int32  `json:"code"`
	Message string `json:"message,omitempty"`
}

func reportOf(given *pb.TransferRun, mask *fieldmaskpb.FieldMask) (said report, err error) {
	if len(mask.GetPaths()) == 0 {
		return said, syncline.Invalid("update_mask", "an update needs a mask that names what it changes").Try("name state, error_status or both")
	}
	for _, path := range mask.GetPaths() {
		member, _, _ := strings.Cut(path, ".")
		if member == "state" || member == "*" {
			if said.state = given.GetState(); saidStates[said.state] == "" {
				return said, syncline.Invalid("transfer_run.state", "%s is no state that a run can be in", said.state)
			}
		}
		said.named = said.named || member == "error_status" || member == "*"
	}
	if said.named {
		said.error = complaint{given.GetErrorStatus().GetCode(), given.GetErrorStatus().GetMessage()}
	}
	if n := len(said.error.Message); n > mostText {
		return said, syncline.Invalid("transfer_run.error_status", "the message has %d bytes, and may have %d", n, mostText)
	}
	return said, nil
}

// saidStates are the states of the ledger that the words of a partner mean.
var saidStates = map[pb.TransferState]syncline.State{
	pb.TransferState_PENDING:   syncline.StatePending,
	pb.TransferState_RUNNING:   syncline.StateRunning,
	pb.TransferState_SUCCEEDED: syncline.StateSucceeded,
	pb.TransferState_FAILED:    syncline.StateFailed,
	pb.TransferState_CANCELLED: syncline.StateCanceled,
}

// report moves a run to where its partner says that it is.
func (a *API) report(ctx context.Context, r syncline.Run, said report) (syncline.Run, error) {
	o := partner(ctx)
	o.Edit = said.keep
	to := saidStates[said.state]
	switch {
	case to == "" || to == r.State:
		return a.alive(ctx, r.ID, o)
	case to == syncline.StateRunning:
		return a.o.Ledger.ClaimOutside(ctx, r.ID, o)
	case to == syncline.StatePending:
		return r, syncline.Errorf(syncline.FailedPrecondition, "run %s is running, and does not wait again", r.ID).Because("state")
	case to == syncline.StateFailed && r.State != syncline.StateRunning:
		claimed, err := a.o.Ledger.ClaimOutside(ctx, r.ID, o)
		if err != nil {
			return r, err
		}
		r = claimed
	}
	return a.end(ctx, r, o, to, said)
}

// alive notes a sign of life.
func (a *API) alive(ctx context.Context, id string, o ledger.Outside) (syncline.Run, error) {
	r, err := a.o.Ledger.NoteOutside(ctx, id, o)
	if err == nil && r.State.Final() {
		err = ended(&r)
	}
	return r, err
}

// end ends a run as its partner says. One that has ended otherwise meanwhile stays so.
func (a *API) end(ctx context.Context, r syncline.Run, o ledger.Outside, to syncline.State, said report) (syncline.Run, error) {
	var failed *syncline.Error
	if to == syncline.StateFailed {
		var err error
		if failed, err = said.failure(r); err != nil {
			return r, err
		}
	}
	r, err := a.o.Ledger.EndOutside(ctx, r.ID, o, to, failed)
	if err == nil && r.State != to {
		err = ended(&r)
	}
	return r, err
}

// keep puts a named error into the run's drawer, for when it fails.
func (s report) keep(r *syncline.Run, _ time.Time) error {
	if !s.named {
		return nil
	}
	raw, err := json.Marshal(s.error)
	if err != nil {
		return err
	}
	if r.Ext == nil {
		r.Ext = map[string]json.RawMessage{}
	}
	r.Ext[Name] = raw
	return nil
}

// failure is why a run fails: what its partner says now, or has said before.
func (s report) failure(r syncline.Run) (*syncline.Error, error) {
	c := s.error
	if raw := r.Ext[Name]; !s.named && len(raw) > 0 {
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, fmt.Errorf("error of run %s: %w", r.ID, err)
		}
	}
	if c.Code == 0 {
		return syncline.Errorf(syncline.Unknown, "the data source reported a failure").Of(syncline.ClassSource), nil
	}
	return syncline.Errorf(codeOf(c.Code), "%s", c.Message).Of(syncline.ClassSource), nil
}

// codeOf is the code with a number.
func codeOf(number int32) syncline.Code {
	if word, ok := code.Code_name[number]; ok {
		return syncline.Code(strings.ToLower(word))
	}
	return syncline.Unknown
}

// messages are those of a call that are kept.
func messages(given []*pb.TransferMessage) (kept []syncline.Message, err error) {
	if n := len(given); n > mostMessages {
		return nil, syncline.Invalid("transfer_messages", "%d messages at once, and there may be %d", n, mostMessages)
	}
	for i, m := range given {
		field := fmt.Sprintf("transfer_messages[%d]", i)
		one := syncline.Message{Text: m.GetMessageText()}
		if one.At, err = moment(field+".message_time", m.GetMessageTime()); err != nil {
			return nil, err
		}
		if n := len(one.Text); n > mostText {
			return nil, syncline.Invalid(field+".message_text", "the text has %d bytes, and may have %d", n, mostText)
		}
		if one.Severity, err = severity(field+".severity", m.GetSeverity()); err != nil {
			return nil, err
		}
		if one.Severity != "" {
			kept = append(kept, one)
		}
	}
	return kept, nil
}

// severity is that of a word; "" of what is not kept.
func severity(field string, word pb.TransferMessage_MessageSeverity) (syncline.Severity, error) {
	switch word {
	case pb.TransferMessage_MESSAGE_SEVERITY_UNSPECIFIED:
		return syncline.Info, nil
	case pb.TransferMessage_DEBUG:
		return "", nil
	}
	for s, known := range severities {
		if known == word {
			return s, nil
		}
	}
	return "", syncline.Invalid(field, "%s is no severity", word)
}
