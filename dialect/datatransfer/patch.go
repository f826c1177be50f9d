package datatransfer

import (
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

// maskable are the members that an update may name.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs/patch
var maskable = map[string]bool{
	"display_name": true, "params": true, "schedule": true, "schedule_options": true, "schedule_options_v2": true,
	"destination_dataset_id": true, "data_refresh_window_days": true, "disabled": true, "notification_pubsub_topic": true,
	"email_preferences": true, "encryption_configuration": true, "managed_table_type": true, "metadata_destination": true,
	"param_config": true, "partner_token": true, "partner_connection_info": true, "data_source_id": true,
}

// beside are paths that stand for query parameters, which say whom a transfer runs as.
var beside = map[string]bool{"service_account_name": true, "version_info": true, "authorization_code": true}

// UpdateTransferConfig changes what the mask names and nothing else.
func (a *API) UpdateTransferConfig(ctx context.Context, r *pb.UpdateTransferConfigRequest) (*pb.TransferConfig, error) {
	given := r.GetTransferConfig()
	c, n, err := a.config(ctx, "transfer_config.name", given.GetName(), ofConfig, auth.Edit)
	if err != nil {
		return nil, err
	}
	paths, err := changes(r.GetUpdateMask())
	if err != nil {
		return nil, err
	}
	s, err := a.source(ctx, c.place, c.doc.GetDataSourceId())
	if err != nil && !foreign(c.p) {
		return nil, err
	}
	p, err := a.o.Catalog.Alter(ctx, Name, n.Get("config"), func(_ syncline.Tx, p *syncline.Pipeline) error {
		c, err := a.configOf(p)
		if err != nil {
			return err
		}
		doc := proto.CloneOf(c.doc)
		doc.Disabled = !p.PausedAt.IsZero()
		timed, err := apply(doc, given, paths, s)
		if err != nil {
			return err
		}
		return a.keep(c, s, doc, timed)
	})
	if err != nil {
		return nil, absent(err)
	}
	if c, err = a.configOf(p); err != nil {
		return nil, err
	}
	return a.drawConfig(ctx, c)
}

// changes are the paths of a mask that name members of a config.
func changes(mask *fieldmaskpb.FieldMask) ([]string, error) {
	if len(mask.GetPaths()) == 0 {
		return nil, syncline.Invalid("update_mask", "an update needs a mask that names what it changes")
	}
	return slices.DeleteFunc(slices.Clone(mask.GetPaths()), func(path string) bool { return beside[path] }), nil
}

// apply copies what the paths name. timed reports whether when it runs was among it.
func apply(doc, given *pb.TransferConfig, paths []string, s dataSource) (timed bool, err error) {
	for _, path := range paths {
		top, rest, nested := strings.Cut(path, ".")
		switch {
		case path == "*":
			more, err := apply(doc, given, everything(), s)
			timed = timed || more
			if err != nil {
				return timed, err
			}
			continue
		case !maskable[top]:
			return timed, syncline.Invalid("update_mask", "%q cannot be changed", path)
		case path == "data_source_id" && given.GetDataSourceId() != doc.GetDataSourceId():
			return timed, syncline.Invalid("transfer_config.data_source_id", "the data source of a transfer config cannot be changed")
		case top == "params" && nested:
			copyParam(doc, given, rest, s)
			continue
		}
		switch top {
		case "schedule", "schedule_options":
			doc.ScheduleOptionsV2, timed = nil, true
		case "schedule_options_v2":
			doc.Schedule, doc.ScheduleOptions, timed = "", nil, true
		case "disabled":
			timed = timed || doc.GetDisabled() && !given.GetDisabled()
		}
		copyPath(doc.ProtoReflect(), given.ProtoReflect(), strings.Split(path, "."))
	}
	return timed, nil
}

// everything is what "*" stands for.
func everything() (paths []string) {
	for path := range maskable {
		if path != "data_source_id" && path != "schedule" && path != "schedule_options" {
			paths = append(paths, path)
		}
	}
	return paths
}

// copyParam copies one parameter; a client may have written its id in camel case.
func copyParam(doc, given *pb.TransferConfig, id string, s dataSource) {
	if s.parameter(id) == nil {
		id = gapi.Snake(id)
	}
	if doc.Params == nil {
		doc.Params = &structpb.Struct{Fields: map[string]*structpb.Value{}}
	}
	if v, ok := given.GetParams().GetFields()[id]; ok {
		doc.Params.Fields[id] = v
		return
	}
	delete(doc.Params.Fields, id)
}

// copyPath copies one member; one that is not given is cleared.
func copyPath(to, from protoreflect.Message, path []string) {
	f := to.Descriptor().Fields().ByName(protoreflect.Name(path[0]))
	switch {
	case f == nil:
		return // the mask was checked against the descriptor
	case len(path) == 1 && from.Has(f):
		to.Set(f, from.Get(f))
	case len(path) == 1:
		to.Clear(f)
	case from.Has(f) || to.Has(f):
		copyPath(to.Mutable(f).Message(), from.Get(f).Message(), path[1:])
	}
}
