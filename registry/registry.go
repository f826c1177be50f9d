// Package registry holds the kinds of sources, destinations and tasks of this build, in
// the order in which they were listed, and finds the kind that a URL means. It opens
// nothing.
package registry

import (
	"fmt"
	"slices"

	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/spec"
	"github.com/synclinehq/syncline/task"
)

// Side is one end of a pipeline.
type Side string

// The two ends of a pipeline.
const (
	Source      Side = "source"
	Destination Side = "destination"
)

// Registry is fixed once made and may be used from any goroutine.
type Registry struct {
	sources      []source.Kind
	destinations []destination.Kind
	tasks        []task.Kind
}

// New makes a registry. It panics when two kinds of one list claim the same name or
// scheme: which of them a pipeline meant would depend on their order.
func New(sources []source.Kind, destinations []destination.Kind, tasks []task.Kind) *Registry {
	r := &Registry{slices.Clone(sources), slices.Clone(destinations), slices.Clone(tasks)}
	for _, side := range []Side{Source, Destination} {
		var kinds, schemes []string
		for _, s := range r.Specs(side) {
			kinds = append(kinds, s.Kind)
			schemes = append(schemes, s.Schemes...)
		}
		unique(string(side)+" kind", kinds)
		unique(string(side)+" scheme", schemes)
	}
	var names []string
	for _, k := range tasks {
		names = append(names, k.Name)
	}
	unique("task kind", names)
	return r
}

// Source finds a kind of source.
func (r *Registry) Source(kind string) (source.Kind, bool) {
	return find(r.sources, func(k source.Kind) bool { return k.Spec.Kind == kind })
}

// Destination finds a kind of destination.
func (r *Registry) Destination(kind string) (destination.Kind, bool) {
	return find(r.destinations, func(k destination.Kind) bool { return k.Spec.Kind == kind })
}

// Task finds a kind of task.
func (r *Registry) Task(name string) (task.Kind, bool) {
	return find(r.tasks, func(k task.Kind) bool { return k.Name == name })
}

// Sources lists the kinds of sources.
func (r *Registry) Sources() []source.Kind { return slices.Clone(r.sources) }

// Destinations lists the kinds of destinations.
func (r *Registry) Destinations() []destination.Kind { return slices.Clone(r.destinations) }

// Tasks lists the kinds of tasks.
func (r *Registry) Tasks() []task.Kind { return slices.Clone(r.tasks) }

// Specs lists how the kinds of one side are set up.
func (r *Registry) Specs(side Side) []spec.Spec {
	var specs []spec.Spec
	if side == Source {
		for _, k := range r.sources {
			specs = append(specs, k.Spec)
		}
		return specs
	}
	for _, k := range r.destinations {
		specs = append(specs, k.Spec)
	}
	return specs
}

// Spec finds how one kind of a side is set up.
func (r *Registry) Spec(side Side, kind string) (spec.Spec, bool) {
	return find(r.Specs(side), func(s spec.Spec) bool { return s.Kind == kind })
}

func find[T any](list []T, is func(T) bool) (T, bool) {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i], true
	}
	var none T
	return none, false
}

func unique(what string, names []string) {
	slices.Sort(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			panic(fmt.Sprintf("registry: %s %q is listed twice", what, names[i]))
		}
	}
}
