package datatransfer

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
	"github.com/synclinehq/syncline/spec"
)

// parameterTypes are what parameters may be. A whole number travels as a text, since the
// numbers of JSON lose digits.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.dataSources#Type
var parameterTypes = map[spec.Type]pb.DataSourceParameter_Type{
	spec.String: pb.DataSourceParameter_STRING, spec.Password: pb.DataSourceParameter_STRING, spec.Duration: pb.DataSourceParameter_STRING,
	spec.Int: pb.DataSourceParameter_INTEGER, spec.Bool: pb.DataSourceParameter_BOOLEAN,
	spec.List: pb.DataSourceParameter_LIST, spec.Map: pb.DataSourceParameter_LIST,
}

// draw draws a kind of source as a data source.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.dataSources#DataSource
func (k kind) drawSource(p place) *pb.DataSource {
	doc := &pb.DataSource{
		Name: sourceName(p, k.Kind), DataSourceId: k.Kind, DisplayName: k.Kind, Description: k.Summary,
		TransferType: pb.TransferType_BATCH, SupportsCustomSchedule: true, SupportsMultipleTransfers: true, //nolint:staticcheck // clients still read it
		DefaultSchedule: defaultSchedule, MinimumScheduleInterval: durationpb.New(shortest),
	}
	for _, f := range k.parameters() {
		doc.Parameters = append(doc.Parameters, &pb.DataSourceParameter{
			ParamId: f.Name, DisplayName: f.Label, Description: f.Help, Type: parameterTypes[f.Type],
			Required: f.Required, AllowedValues: f.Options, ValidationRegex: patternOf(f),
		})
	}
	return doc
}

// patternOf holds the items of a map, which travels as a list, to their form.
func patternOf(f spec.Field) string {
	if f.Type == spec.Map {
		return "[^=]+=.*"
	}
	return ""
}

// GetDataSource answers one.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.dataSources/get
func (a *API) GetDataSource(ctx context.Context, r *pb.GetDataSourceRequest) (*pb.DataSource, error) {
	s, err := a.dataSource(ctx, r.GetName())
	return s.DataSource, err
}

func (a *API) dataSource(ctx context.Context, text string) (s dataSource, err error) {
	n, err := admit(ctx, "name", text, ofSource, auth.Read)
	if err != nil {
		return s, err
	}
	if n.location == anywhere {
		n.location = defaultLocation
	}
	return a.source(ctx, n.place, n.Get("source"))
}

// ListDataSources lists the sources of this build.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.dataSources/list
func (a *API) ListDataSources(ctx context.Context, r *pb.ListDataSourcesRequest) (*pb.ListDataSourcesResponse, error) {
	n, err := admit(ctx, "parent", r.GetParent(), ofPlace, auth.Read)
	if err != nil {
		return nil, err
	}
	size, err := gapi.PageSize(r.GetPageSize(), most, most)
	if err != nil {
		return nil, err
	}
	from := 0
	if err := a.open(r, r.GetPageToken(), &from); err != nil {
		return nil, err
	}
	all, err := a.sources(ctx, n.place)
	if err != nil {
		return nil, err
	}
	from = min(max(from, 0), len(all))
	out := &pb.ListDataSourcesResponse{DataSources: all[from:]}
	if len(out.DataSources) > size {
		out.DataSources = out.DataSources[:size]
		out.NextPageToken = a.onward(r, from+size)
	}
	return out, nil
}

// sources are those in the lists of a place: ours, and those of partners.
func (a *API) sources(ctx context.Context, p place) (all []*pb.DataSource, err error) {
	left, err := a.unenrolled(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, k := range a.kinds() {
		all = append(all, k.drawSource(p))
	}
	partners, err := a.definitionsOf(ctx, p, "")
	if err != nil {
		return nil, err
	}
	for _, d := range partners {
		if s := d.GetDataSource(); !d.GetDisabled() {
			s.Name = sourceName(p, s.GetDataSourceId())
			all = append(all, s)
		}
	}
	return slices.DeleteFunc(all, func(s *pb.DataSource) bool { return slices.Contains(left, s.GetDataSourceId()) }), nil
}

// CheckValidCreds is always satisfied: sources take their secrets as parameters.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.dataSources/checkValidCreds
func (a *API) CheckValidCreds(ctx context.Context, r *pb.CheckValidCredsRequest) (*pb.CheckValidCredsResponse, error) {
	_, err := a.dataSource(ctx, r.GetName())
	return &pb.CheckValidCredsResponse{HasValidCreds: true}, err
}

// draw draws what a definition reads as parameters, without its secrets.
func (k kind) draw(d syncline.Definition) *structpb.Struct {
	settings := map[string]any{}
	if err := json.Unmarshal(d.Source.Settings, &settings); err != nil {
		settings = nil // then nothing of it can be shown
	}
	out := map[string]any{}
	for _, f := range k.parameters() {
		if v := settings[f.Name]; v != nil && f.Type != spec.Map {
			out[f.Name] = shown(f, v)
		}
	}
	var tables []any
	for _, e := range d.Entities {
		tables = append(tables, e.Name)
	}
	if !k.Cursorless && tables != nil {
		out[paramTables.Name] = tables
	}
	s, err := structpb.NewStruct(out)
	if err != nil {
		return nil
	}
	return s
}

func shown(f spec.Field, v any) any {
	switch f.Type {
	case spec.Password:
		return hidden
	case spec.Int:
		if n, ok := v.(float64); ok {
			return fmt.Sprintf("%.0f", n)
		}
	}
	return v
}

func (k kind) secret(id string) bool {
	f, _ := k.parameter(id)
	return f.Type == spec.Password
}
