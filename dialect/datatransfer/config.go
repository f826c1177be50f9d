package datatransfer

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/catalog"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/schedule"
)

// drawer is what a pipeline that was made here keeps of its config.
type drawer struct {
	ID       string `json:"id"`
	Project  string `json:"project"`
	Location string `json:"location"`
	// Config has the members that a client sets, in proto-JSON. Secret parameters are hidden
	// in it: they are in the definition, sealed.
	Config json.RawMessage `json:"config"`
	// Offset is between a slot and the moment that its run is for.
	Offset time.Duration `json:"offset,omitempty"`
}

// config is a pipeline as this API sees it.
type config struct {
	place
	id     string
	p      *syncline.Pipeline
	doc    *pb.TransferConfig // as the client has set it
	offset time.Duration      // between a slot and the moment that its run is for
}

func (c *config) name() string { return configName(c.place, c.id) }

// foreign reports whether a pipeline was made elsewhere.
func foreign(p *syncline.Pipeline) bool { return len(p.Ext[Name]) == 0 }

// configOf reads a pipeline as a config.
func (a *API) configOf(p *syncline.Pipeline) (*config, error) {
	c := &config{p: p, place: place{a.o.Project, a.o.Location}}
	if foreign(p) {
		c.id, c.doc = catalog.NameIn(p), a.drawForeign(p)
		return c, nil
	}
	var d drawer
	if err := json.Unmarshal(p.Ext[Name], &d); err != nil {
		return nil, fmt.Errorf("read the transfer config of pipeline %s: %w", p.ID, err)
	}
	c.id, c.place, c.offset, c.doc = d.ID, place{d.Project, d.Location}, d.Offset, &pb.TransferConfig{}
	if err := protojson.Unmarshal(d.Config, c.doc); err != nil {
		return nil, fmt.Errorf("read the transfer config of pipeline %s: %w", p.ID, err)
	}
	return c, nil
}

// config finds a config by its name, if the caller may do this to it. One out of the
// caller's sight is absent.
func (a *API) config(ctx context.Context, field, text, kind string, do auth.Action) (*config, name, error) {
	n, err := parse(field, text, kind)
	if err != nil {
		return nil, n, err
	}
	if err := auth.From(ctx).Can(do); err != nil {
		return nil, n, err
	}
	p, err := a.o.Catalog.Named(ctx, Name, n.Get("config"))
	if err != nil {
		return nil, n, absent(err)
	}
	c, err := a.configOf(p)
	if err != nil {
		return nil, n, err
	}
	if !auth.From(ctx).Sees(p.Name) || !c.within(n.place) {
		return nil, n, notFound()
	}
	return c, n, auth.From(ctx).May(do, p.Name)
}

// absent is the error of what is not there.
func absent(err error) error {
	if syncline.CodeOf(err) == syncline.NotFound {
		return notFound()
	}
	return err
}

// drawConfig draws a config as it is now.
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rest/v1/projects.locations.transferConfigs
func (a *API) drawConfig(ctx context.Context, c *config) (*pb.TransferConfig, error) {
	doc := proto.CloneOf(c.doc)
	doc.Name, doc.UpdateTime = c.name(), timestamppb.New(c.p.UpdatedAt)
	doc.DatasetRegion, doc.UserId = c.location, userID(c.p)
	doc.Disabled = !c.p.PausedAt.IsZero()
	bothSchedules(doc)
	next, err := a.next(ctx, c.p)
	if err != nil {
		return nil, err
	}
	if !next.IsZero() {
		doc.NextRunTime = timestamppb.New(next)
	}
	newest, err := a.o.Ledger.Runs(ctx, syncline.RunFilter{PipelineID: c.p.ID, Roots: true, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(newest) > 0 {
		doc.State = runStates[newest[0].Run.Aspect()]
	}
	return doc, nil
}

// next is the next slot of a pipeline; zero when there is none.
func (a *API) next(ctx context.Context, p *syncline.Pipeline) (next time.Time, err error) {
	if !p.PausedAt.IsZero() {
		return next, nil
	}
	for _, s := range p.Definition.Schedules {
		at, err := schedule.Next(s, a.o.Now())
		if err != nil {
			return next, err
		}
		if !s.Off && !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, nil
}

// userID stands for the owner: a number that stays the same for a pipeline.
func userID(p *syncline.Pipeline) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.ID))
	return int64(h.Sum64() >> 1)
}

// drawForeign draws what another dialect, or nobody's, has made: read only.
func (a *API) drawForeign(p *syncline.Pipeline) *pb.TransferConfig {
	d := p.Definition
	doc := &pb.TransferConfig{DisplayName: p.Name, DataSourceId: d.Source.Kind}
	if k, ok := a.kind(d.Source.Kind); ok {
		doc.Params = k.draw(d)
	}
	doc.Destination = &pb.TransferConfig_DestinationDatasetId{DestinationDatasetId: datasetOf(d.Destination)}
	for _, s := range d.Schedules {
		if !s.Off {
			doc.Schedule = scheduleText(s)
			break
		}
	}
	return doc
}

// datasetOf is the schema that an endpoint writes to, or what its place is called.
func datasetOf(e syncline.Endpoint) string {
	var s struct {
		Schema string `json:"schema"`
		Path   string `json:"path"`
	}
	if json.Unmarshal(e.Settings, &s) == nil && s.Schema != "" {
		return s.Schema
	}
	stem := e.Shown[strings.LastIndexByte(e.Shown, '/')+1:]
	stem, _, _ = strings.Cut(stem, ".")
	return stem
}

// scheduleText is a schedule in words; what this API has no words for stands as it was
// written.
func scheduleText(s syncline.Schedule) string {
	if s.Every > 0 {
		return fmt.Sprintf("every %d minutes", max(1, int(s.Every.Minutes())))
	}
	return s.Cron
}
