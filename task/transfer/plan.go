package transfer

import (
	"cmp"
	"context"
	"encoding/json"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/source"
)

// plan makes one task of every entity that the pipeline's patterns match.
func (o Options) plan(ctx context.Context, d syncline.Definition, mode syncline.Mode) ([]syncline.Task, error) {
	src, err := o.openSource(ctx, d.Source)
	if err != nil {
		return nil, err
	}
	defer func() { _ = src.Close() }()
	dst, err := o.openDestination(ctx, d.Destination)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dst.Close() }()
	return expand(ctx, src, dst, d.Entities, mode)
}

func expand(ctx context.Context, src source.Source, dst destination.Destination, specs []syncline.EntitySpec, mode syncline.Mode) ([]syncline.Task, error) {
	if len(specs) == 0 {
		specs = []syncline.EntitySpec{{}} // no name: everything
	}
	x := expansion{dst: dst, mode: mode, seen: map[string]bool{}, lands: map[string]string{}}
	for _, s := range specs {
		found, err := src.Entities(ctx, patterns(s.Name))
		if err != nil {
			return nil, err
		}
		if len(found) > 1 && s.Table != "" {
			return nil, syncline.Errorf(syncline.InvalidArgument, "%q matches %d entities, which cannot all land in %q", s.Name, len(found), s.Table).
				Of(syncline.ClassConfig).Try("give table only to an entity that is named in full")
		}
		for _, e := range found {
			if err := x.add(s, e.Name); err != nil {
				return nil, err
			}
		}
	}
	if len(x.tasks) == 0 {
		return nil, syncline.Errorf(syncline.NotFound, "the source has nothing to read").Of(syncline.ClassConfig).
			Try("see what it holds and what its user may read: syncline check URL")
	}
	return x.tasks, nil
}

func patterns(name string) []string {
	if name == "" {
		return nil
	}
	return []string{name}
}

type expansion struct {
	dst   destination.Destination
	mode  syncline.Mode
	seen  map[string]bool
	lands map[string]string // place → entity
	tasks []syncline.Task
}

// add makes the task of one entity; when several patterns match it, the first one counts.
func (x *expansion) add(s syncline.EntitySpec, entity string) error {
	if x.seen[entity] {
		return nil
	}
	x.seen[entity] = true
	place := cmp.Or(s.Table, x.dst.Lands(entity))
	if other, taken := x.lands[place]; taken {
		return syncline.Errorf(syncline.InvalidArgument, "%q and %q would both land in %q", other, entity, place).
			Of(syncline.ClassConfig).Try("give one of them another place in the pipeline: {name: %s, table: …}", entity)
	}
	x.lands[place] = entity
	s.Name, s.Mode = entity, cmp.Or(x.mode, s.Mode, syncline.ModeFull)
	settings, err := json.Marshal(s)
	x.tasks = append(x.tasks, syncline.Task{Name: entity, Kind: Name, Ordinal: len(x.tasks), Settings: settings, Where: place})
	return err
}
