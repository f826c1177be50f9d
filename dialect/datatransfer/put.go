package datatransfer

import (
	"context"
	"encoding/json"
	"regexp"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
)

// CreateTransferConfig makes a pipeline.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs/create
func (a *API) CreateTransferConfig(ctx context.Context, r *pb.CreateTransferConfigRequest) (*pb.TransferConfig, error) {
	n, err := admit(ctx, "parent", r.GetParent(), ofPlace, auth.Edit)
	if err != nil {
		return nil, err
	}
	if n.location == anywhere {
		n.location = defaultLocation
	}
	if err := oneIdentity(r.GetServiceAccountName(), r.GetVersionInfo(), r.GetAuthorizationCode()); err != nil { //nolint:staticcheck // clients still send it
		return nil, err
	}
	given := proto.CloneOf(r.GetTransferConfig())
	if given.GetDestinationDatasetId() == "" {
		return nil, syncline.Invalid("transfer_config.destination_dataset_id", "a transfer config needs a destination_dataset_id")
	}
	s, err := a.source(ctx, n.place, given.GetDataSourceId())
	if err != nil {
		return nil, err
	}
	id := uuid.NewString()
	p, err := a.o.Catalog.Make(ctx, Name, id, func(_ syncline.Tx, p *syncline.Pipeline) error {
		return a.keep(&config{place: n.place, id: id, p: p}, s, given, true)
	})
	if err != nil {
		return nil, err
	}
	c, err := a.configOf(p)
	if err != nil {
		return nil, err
	}
	return a.drawConfig(ctx, c)
}

// oneIdentity refuses two ways of saying whom a transfer runs as.
func oneIdentity(account, version, code string) error {
	if account != "" && (version != "" || code != "") {
		return syncline.Invalid("service_account_name", "service_account_name cannot be given together with version_info or authorization_code")
	}
	return nil
}

// keep checks a config and stores it in its pipeline. Plain intervals count from now when
// timed says that when it runs was given.
func (a *API) keep(c *config, s dataSource, given *pb.TransferConfig, timed bool) error {
	clearOutput(given)
	values, err := s.accept(given.GetParams().AsMap(), c.values())
	if err != nil {
		return err
	}
	if err := checkMembers(given); err != nil {
		return err
	}
	t, err := timingOf(given, s.DataSource)
	if err != nil {
		return err
	}
	d, err := s.define(a, given.GetDestinationDatasetId(), values, c.p.Definition.Source.Settings)
	if err != nil {
		return err
	}
	if d.Schedules, err = t.schedules(a.anchor(c.p, timed)); err != nil {
		return err
	}
	if given.Params, err = structpb.NewStruct(s.hide(values)); err != nil {
		return syncline.Invalid("transfer_config.params", "%s", err.Error())
	}
	d.Labels, d.Parallel, d.KeepRuns, d.KeepDays = c.p.Definition.Labels, c.p.Definition.Parallel, c.p.Definition.KeepRuns, c.p.Definition.KeepDays
	c.p.Definition, c.p.PausedAt = d, a.paused(c.p.PausedAt, given.GetDisabled())
	c.offset = s.offset
	given.Disabled = false // it is the pipeline's pause
	return c.store(given)
}

// values are the parameters so far; nil of a config that is being made.
func (c *config) values() params {
	if c.doc == nil {
		return nil
	}
	return c.doc.GetParams().AsMap()
}

// anchor is what a plain interval counts from.
func (a *API) anchor(p *syncline.Pipeline, timed bool) time.Time {
	if !timed && len(p.Definition.Schedules) > 0 {
		return p.Definition.Schedules[0].Anchor
	}
	return a.o.Now()
}

func (a *API) paused(at time.Time, disabled bool) time.Time {
	switch {
	case !disabled:
		return time.Time{}
	case at.IsZero():
		return a.o.Now()
	}
	return at
}

func (c *config) store(doc *pb.TransferConfig) error {
	raw, err := protojson.Marshal(doc)
	if err != nil {
		return err
	}
	// proto-JSON varies its white space: what is the same must be the same bytes.
	var plain any
	if err := json.Unmarshal(raw, &plain); err != nil {
		return err
	}
	if raw, err = json.Marshal(plain); err != nil {
		return err
	}
	whole, err := json.Marshal(drawer{ID: c.id, Project: c.project, Location: c.location, Config: raw, Offset: c.offset})
	if err != nil {
		return err
	}
	if c.p.Ext == nil {
		c.p.Ext = map[string]json.RawMessage{}
	}
	c.p.Ext[Name] = whole
	return nil
}

// clearOutput drops what only the service says.
func clearOutput(c *pb.TransferConfig) {
	c.Name, c.UpdateTime, c.NextRunTime, c.State = "", nil, nil, pb.TransferState_TRANSFER_STATE_UNSPECIFIED
	c.UserId, c.DatasetRegion, c.OwnerInfo, c.Error = 0, "", nil, nil
}

var topicName = regexp.MustCompile(`^projects/[^/]+/topics/[^/]+$`)

func checkMembers(c *pb.TransferConfig) error {
	if topic := c.GetNotificationPubsubTopic(); topic != "" && !topicName.MatchString(topic) {
		return syncline.Invalid("transfer_config.notification_pubsub_topic", "%q is no topic", topic).Try("topics are named projects/PROJECT/topics/TOPIC")
	}
	if days := c.GetDataRefreshWindowDays(); days != 0 {
		return syncline.Invalid("transfer_config.data_refresh_window_days", "data source %s reads no sliding window of days", c.GetDataSourceId()).
			Try("start runs for the days that are to be read again: startManualRuns")
	}
	return nil
}

// hide puts a sign in the place of secrets.
func (k kind) hide(values params) params {
	out := params{}
	for id, v := range values {
		if out[id] = v; k.secret(id) && v != "" {
			out[id] = hidden
		}
	}
	return out
}
