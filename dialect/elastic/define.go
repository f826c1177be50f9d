package elastic

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
)

// define makes of a connector's document, whose secrets are open, the definition that the
// ledger runs it by. What Syncline does itself, and could start now, is the engine's;
// everything else has no runs but those that outside workers do.
func (a *API) define(p *syncline.Pipeline, doc map[string]any) error {
	if d, ours, lack := a.native(doc); ours && lack == nil {
		d.Labels, d.Parallel, d.KeepRuns, d.KeepDays = p.Definition.Labels, p.Definition.Parallel, p.Definition.KeepRuns, p.Definition.KeepDays
		p.Definition = d
		return nil
	}
	service, _ := doc["service_type"].(string)
	index, _ := doc["index_name"].(string)
	p.Definition = syncline.Definition{
		Owner: syncline.OwnerExternal, Overlap: syncline.OverlapQueue, Confined: true,
		Source: syncline.Endpoint{Shown: service}, Destination: syncline.Endpoint{Shown: index},
		Labels: p.Definition.Labels, Parallel: p.Definition.Parallel, KeepRuns: p.Definition.KeepRuns, KeepDays: p.Definition.KeepDays,
	}
	return nil
}

// lack is why a connector that Syncline runs itself cannot be run yet.
type lack struct {
	status string // what the connector's status is while it is so; "": as it was
	text   string
}

const (
	needsConfiguration = "needs_configuration"
	configured         = "configured"
	inError            = "error"
)

// native is the definition of a connector that a source of ours does the work of, and what
// it lacks; ours is false of all others.
func (a *API) native(doc map[string]any) (d syncline.Definition, ours bool, _ *lack) {
	s, ours := a.service(doc)
	if !ours {
		return d, false, nil
	}
	index, _ := doc["index_name"].(string)
	switch {
	case doc["deleted"] == true:
		return d, true, &lack{text: "it was deleted"}
	case index == "":
		return d, true, &lack{text: "no index is attached to it"}
	case a.o.Upstream == nil:
		return d, true, &lack{inError, "this server has no search cluster to write to: its setting elastic.upstream names one"}
	case ruled(doc):
		return d, true, &lack{inError, "it has sync rules, which Syncline does not apply: activate filtering without any, and leave rows out in a view of the source"}
	}
	d, err := a.compose(s, doc)
	if err != nil {
		return d, true, &lack{needsConfiguration, said(err)}
	}
	if problems := a.o.Catalog.Check(d); len(problems) > 0 {
		return d, true, &lack{needsConfiguration, said(problems[0])}
	}
	return d, true, nil
}

// compose puts a definition together from the values of a connector's configuration.
func (a *API) compose(s service, doc map[string]any) (d syncline.Definition, err error) {
	given := values(doc)
	d = syncline.Definition{Owner: syncline.OwnerEngine, Overlap: syncline.OverlapQueue, Confined: true, Schedules: schedules(doc)}
	d.Source.Kind = s.Kind
	if d.Source.Settings, err = s.settings(given); err != nil {
		return d, err
	}
	e, err := s.entity(given)
	if err != nil {
		return d, err
	}
	if e.Cursor == "" && !s.Cursorless && slices.ContainsFunc(d.Schedules, incremental) {
		return d, syncline.Errorf(syncline.InvalidArgument, "incremental syncs are scheduled, and the configuration field [cursor] has no value").
			Try("name the column that moves with every change, or turn that schedule off")
	}
	d.Entities = []syncline.EntitySpec{e}
	index, _ := doc["index_name"].(string)
	pipeline, _ := doc["pipeline"].(map[string]any)
	name, _ := pipeline["name"].(string)
	d.Destination, err = a.o.Upstream.endpoint(index, name)
	return d, err
}

func incremental(s syncline.Schedule) bool { return s.Mode == syncline.ModeIncremental }

// said is an error as a connector's error shows it.
func said(err error) string {
	e, ok := err.(*syncline.Error)
	if !ok {
		return err.Error()
	}
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + ": " + e.Hint
}

// values are those of the configuration's fields, or their defaults. An empty text is
// none.
func values(doc map[string]any) map[string]any {
	given := map[string]any{}
	fields, _ := doc["configuration"].(map[string]any)
	for name, field := range fields {
		f, _ := field.(map[string]any)
		for _, v := range []any{f["value"], f["default_value"]} {
			if v != nil && v != "" {
				given[name] = v
				break
			}
		}
	}
	return given
}

// jobTypesScheduled are the schedules of a connector, in the order in which they are
// shown.
var jobTypesScheduled = []syncline.Mode{syncline.ModeFull, syncline.ModeIncremental, syncline.ModeAccessControl}

// schedules are those that are on. One that is off has no slots to remember.
func schedules(doc map[string]any) (on []syncline.Schedule) {
	all, _ := doc["scheduling"].(map[string]any)
	for _, mode := range jobTypesScheduled {
		s, _ := all[string(mode)].(map[string]any)
		cron, _ := s["interval"].(string)
		if s["enabled"] == true && cron != "" {
			on = append(on, syncline.Schedule{ID: string(mode), Mode: mode, Cron: cron, Grammar: "quartz"})
		}
	}
	return on
}

// ruled reports whether the active filtering leaves anything out.
func ruled(doc map[string]any) bool {
	list, _ := doc["filtering"].([]any)
	for _, entry := range list {
		e, _ := entry.(map[string]any)
		active, _ := e["active"].(map[string]any)
		if filters(active) {
			return true
		}
	}
	return false
}

func filters(active map[string]any) bool {
	snippet, _ := active["advanced_snippet"].(map[string]any)
	switch v := snippet["value"].(type) {
	case map[string]any:
		if len(v) > 0 {
			return true
		}
	case []any:
		if len(v) > 0 {
			return true
		}
	}
	rules, _ := active["rules"].([]any)
	for _, rule := range rules {
		r, _ := rule.(map[string]any)
		if r["id"] != "DEFAULT" || r["policy"] == "exclude" {
			return true
		}
	}
	return false
}

// unready begins the error of a connector that Syncline cannot run yet, so that it goes
// when the reason does.
const unready = "Not ready to sync: "

// complete gives a changed connector that Syncline runs itself the form of its
// configuration, and keeps its status and error true to what it lacks.
func (a *API) complete(k *connector) error {
	s, ours := a.service(k.doc)
	if !ours {
		return nil
	}
	if s.fill(k.doc) {
		k.doc["status"] = needsConfiguration
		return nil
	}
	open, err := a.opened(k)
	if err != nil {
		return err
	}
	_, _, lack := a.native(open)
	lack.show(k.doc)
	return nil
}

// show puts into a connector's document what it lacks, or takes out what it lacked before.
func (l *lack) show(doc map[string]any) {
	if l != nil && l.status != "" {
		doc["status"], doc["error"] = l.status, unready+l.text
		return
	}
	if text, _ := doc["error"].(string); strings.HasPrefix(text, unready) {
		delete(doc, "error") // some clients read null as a text
		doc["status"] = configured
	}
	if l == nil && doc["status"] == needsConfiguration {
		doc["status"] = configured
	}
}

// startable says why a job of a connector that Syncline runs itself cannot be started; nil
// when it can, or is for others to do.
func (a *API) startable(k *connector) error {
	if _, ours := a.service(k.doc); !ours {
		return nil
	}
	open, err := a.opened(k)
	if err != nil {
		return err
	}
	if _, _, lack := a.native(open); lack != nil {
		return rule("Cannot start a sync for connector [%s]: %s.", k.id, lack.text)
	}
	return nil
}

// endpoint is an index of the cluster as a destination.
func (u *Upstream) endpoint(index, pipeline string) (e syncline.Endpoint, err error) {
	at, err := url.Parse(u.URL)
	if err != nil || strings.Trim(at.Path, "/") != "" {
		return e, syncline.Errorf(syncline.InvalidArgument, "this server's search cluster is not at the root of its host, and that is where runs write to").
			Try("have elastic.upstream.url end with the port")
	}
	set := map[string]any{"host": at.Hostname(), "port": at.Port(), "tls": at.Scheme == "https", "index": index}
	if at.Port() == "" {
		set["port"] = map[bool]int{false: 80, true: 443}[at.Scheme == "https"]
	}
	for name, v := range map[string]string{"ca": u.CA, "user": u.User, "password": u.Password, "api_key": u.APIKey, "pipeline": pipeline} {
		if v != "" {
			set[name] = v
		}
	}
	e.Kind = "elasticsearch"
	e.Settings, err = json.Marshal(set)
	return e, err
}
