package datatransfer

import (
	"context"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

// place is where a config lives.
type place struct{ project, location string }

// parent is the beginning of the names of what lives there.
func (p place) parent() string { return "projects/" + p.project + "/locations/" + p.location }

// within reports whether a place is meant by a parent's.
func (p place) within(parent place) bool {
	return p.project == parent.project && (parent.location == anywhere || p.location == parent.location)
}

const (
	// defaultLocation is what a name without a location means.
	// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.transferConfigs
	defaultLocation = "us"
	// anywhere stands for every location where a list is asked for.
	anywhere = "-"
)

// What names go on with behind their place.
const (
	ofPlace      = ""
	ofSource     = "/dataSources/{source}"
	ofConfig     = "/transferConfigs/{config}"
	ofDefinition = "/dataSourceDefinitions/{source}"
	ofRun        = ofConfig + "/runs/{run}"
)

// name is a resource's name taken apart.
type name struct {
	place
	gapi.Name
}

// parse reads a name of one kind, in both forms that each has. field is where it stands in
// the request.
func parse(field, text, kind string) (n name, err error) {
	const short, long = "projects/{project}", "projects/{project}/locations/{location}"
	n.Name, err = gapi.ParseName(field, text, gapi.Pattern(long+kind), gapi.Pattern(short+kind))
	n.project, n.location = n.Get("project"), strings.ToLower(n.Get("location"))
	if n.location == "" {
		n.location = defaultLocation
	}
	return n, err
}

// admit is parse for who may do this there: to what belongs to no config.
func admit(ctx context.Context, field, text, kind string, do auth.Action) (name, error) {
	n, err := parse(field, text, kind)
	switch {
	case err != nil:
		return n, err
	case do == auth.Read:
		return n, auth.From(ctx).Can(do)
	}
	return n, auth.From(ctx).May(do, "")
}

// sourceName is the full name of a data source.
func sourceName(p place, id string) string { return p.parent() + "/dataSources/" + id }

// configName is the full name of a config.
func configName(p place, id string) string { return p.parent() + "/transferConfigs/" + id }

// runName is the full name of a run.
func runName(config string, r *syncline.Run) string { return config + "/runs/" + r.ID }
