package datatransfer

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

// definitions are the documents of partners' data sources, one each, by its full name.
const definitions = "definition"

var sourceID = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// definitionName is the full name of a partner's data source.
func definitionName(p place, id string) string { return p.parent() + "/dataSourceDefinitions/" + id }

// definition reads one.
func (a *API) definition(ctx context.Context, p place, id string) (*pb.DataSourceDefinition, error) {
	doc, err := a.o.Catalog.Doc(ctx, Name, definitions, definitionName(p, id))
	if err != nil {
		return nil, absent(err)
	}
	return readDefinition(doc)
}

func readDefinition(doc *syncline.Doc) (*pb.DataSourceDefinition, error) {
	d := &pb.DataSourceDefinition{}
	if err := protojson.Unmarshal(doc.Body, d); err != nil {
		return nil, fmt.Errorf("read %s: %w", doc.ID, err)
	}
	d.Name = doc.ID
	return d, nil
}

// CreateDataSourceDefinition registers a data source whose runs a partner does.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rpc/google.cloud.bigquery.datatransfer.v1
func (a *API) CreateDataSourceDefinition(ctx context.Context, r *pb.CreateDataSourceDefinitionRequest) (*pb.DataSourceDefinition, error) {
	n, err := admit(ctx, "parent", r.GetParent(), ofPlace, auth.Edit)
	if err != nil {
		return nil, err
	}
	d := proto.CloneOf(r.GetDataSourceDefinition())
	id := d.GetDataSource().GetDataSourceId()
	if err := a.checkDefinition(d); err != nil {
		return nil, err
	}
	_, err = a.definition(ctx, n.place, id)
	if _, ours := a.kind(id); ours || err == nil {
		return nil, syncline.Errorf(syncline.AlreadyExists, "there is a data source %q", id).Try("choose another data_source_id")
	}
	if syncline.CodeOf(err) != syncline.NotFound {
		return nil, err
	}
	return a.storeDefinition(ctx, definitionName(n.place, id), d)
}

func (a *API) storeDefinition(ctx context.Context, name string, d *pb.DataSourceDefinition) (*pb.DataSourceDefinition, error) {
	d.Name = ""
	raw, err := protojson.Marshal(d)
	if err != nil {
		return nil, err
	}
	_, err = a.o.Catalog.PutDoc(ctx, Name, definitions, name, json.RawMessage(raw))
	d.Name = name
	return d, err
}

// checkDefinition refuses what no config could be made of.
func (a *API) checkDefinition(d *pb.DataSourceDefinition) error {
	const in = "data_source_definition.data_source."
	s := d.GetDataSource()
	switch {
	case !sourceID.MatchString(s.GetDataSourceId()):
		return syncline.Invalid(in+"data_source_id", "%.80q is no id of a data source", s.GetDataSourceId()).Try("use small letters, digits, hyphens and underscores")
	case s.GetUpdateDeadlineSeconds() < 0:
		return syncline.Invalid(in+"update_deadline_seconds", "a deadline of %d seconds has passed already", s.GetUpdateDeadlineSeconds())
	case s.GetDataRefreshType() != pb.DataSource_DATA_REFRESH_TYPE_UNSPECIFIED:
		return syncline.Invalid(in+"data_refresh_type", "Syncline makes no runs for a sliding window of days").Try("let people start runs for the days that are to be read again")
	}
	seen := map[string]bool{}
	for i, p := range s.GetParameters() {
		field := fmt.Sprintf("%sparameters[%d].", in, i)
		if seen[p.GetParamId()] || p.GetParamId() == "" {
			return syncline.Invalid(field+"param_id", "parameter %q is there twice, or has no id", p.GetParamId())
		}
		seen[p.GetParamId()] = true
		if _, err := regexp.Compile(p.GetValidationRegex()); err != nil {
			return syncline.Invalid(field+"validation_regex", "%q is no regular expression: %s", p.GetValidationRegex(), err.Error())
		}
	}
	if text := s.GetDefaultSchedule(); text != "" {
		if _, err := (timing{text: text, least: leastOf(s)}).schedules(a.o.Now()); err != nil {
			return under(in+"default_schedule", err)
		}
	}
	return nil
}

// GetDataSourceDefinition answers one.
func (a *API) GetDataSourceDefinition(ctx context.Context, r *pb.GetDataSourceDefinitionRequest) (*pb.DataSourceDefinition, error) {
	n, err := admit(ctx, "name", r.GetName(), ofDefinition, auth.Read)
	if err != nil {
		return nil, err
	}
	return a.definition(ctx, n.place, n.Get("source"))
}

// ListDataSourceDefinitions lists those of a place.
func (a *API) ListDataSourceDefinitions(ctx context.Context, r *pb.ListDataSourceDefinitionsRequest) (*pb.ListDataSourceDefinitionsResponse, error) {
	n, err := admit(ctx, "parent", r.GetParent(), ofPlace, auth.Read)
	if err != nil {
		return nil, err
	}
	size, err := gapi.PageSize(r.GetPageSize(), most, most)
	if err != nil {
		return nil, err
	}
	var last string
	if err := a.open(r, r.GetPageToken(), &last); err != nil {
		return nil, err
	}
	all, err := a.definitionsOf(ctx, n.place, last)
	if err != nil {
		return nil, err
	}
	out := &pb.ListDataSourceDefinitionsResponse{DataSourceDefinitions: all}
	if len(all) > size {
		out.DataSourceDefinitions = all[:size]
		out.NextPageToken = a.onward(r, all[size-1].GetName())
	}
	return out, nil
}

// definitionsOf are those of a place behind a name, in the order of their names.
func (a *API) definitionsOf(ctx context.Context, p place, after string) (all []*pb.DataSourceDefinition, err error) {
	prefix := definitionName(p, "")
	after = max(after, prefix)
	for {
		docs, err := a.o.Catalog.Docs(ctx, Name, definitions, after, most)
		if err != nil {
			return nil, err
		}
		for i := range docs {
			if after = docs[i].ID; !strings.HasPrefix(after, prefix) {
				return all, nil
			}
			d, err := readDefinition(&docs[i])
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
		if len(docs) < most {
			return all, nil
		}
	}
}

// UpdateDataSourceDefinition changes what the mask names.
func (a *API) UpdateDataSourceDefinition(ctx context.Context, r *pb.UpdateDataSourceDefinitionRequest) (*pb.DataSourceDefinition, error) {
	given := r.GetDataSourceDefinition()
	n, err := admit(ctx, "data_source_definition.name", given.GetName(), ofDefinition, auth.Edit)
	if err != nil {
		return nil, err
	}
	paths, err := changes(r.GetUpdateMask())
	if err != nil {
		return nil, err
	}
	d, err := a.definition(ctx, n.place, n.Get("source"))
	if err != nil {
		return nil, err
	}
	id := d.GetDataSource().GetDataSourceId()
	for _, path := range paths {
		if path == "name" || path == "*" {
			return nil, syncline.Invalid("update_mask", "%q cannot be changed", path).Try("name the members that are to be changed")
		}
		copyPath(d.ProtoReflect(), given.ProtoReflect(), strings.Split(path, "."))
	}
	if d.GetDataSource().GetDataSourceId() != id {
		return nil, syncline.Invalid("data_source_definition.data_source.data_source_id", "the id of a data source cannot be changed")
	}
	if err := a.checkDefinition(d); err != nil {
		return nil, err
	}
	return a.storeDefinition(ctx, definitionName(n.place, id), d)
}

// DeleteDataSourceDefinition removes one that no config refers to.
func (a *API) DeleteDataSourceDefinition(ctx context.Context, r *pb.DeleteDataSourceDefinitionRequest) (*emptypb.Empty, error) {
	n, err := admit(ctx, "name", r.GetName(), ofDefinition, auth.Edit)
	if err != nil {
		return nil, err
	}
	d, err := a.definition(ctx, n.place, n.Get("source"))
	if err != nil {
		return nil, err
	}
	used, err := a.configs(ctx, n.place, []string{d.GetDataSource().GetDataSourceId()})
	if err != nil {
		return nil, err
	}
	if len(used) > 0 {
		return nil, syncline.Errorf(syncline.FailedPrecondition, "transfer config %s is of this data source", used[0].name()).Try("delete it first")
	}
	return &emptypb.Empty{}, a.o.Catalog.DeleteDoc(ctx, Name, definitions, d.GetName())
}
