package app

import (
	"github.com/synclinehq/syncline/builtin"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/spec"
	"github.com/synclinehq/syncline/task/transfer"
)

// Kind is one kind of source or destination and its settings.
type Kind struct {
	Kind     string     `json:"kind"`
	Side     string     `json:"side"` // "source" or "destination"
	Summary  string     `json:"summary"`
	Schemes  []string   `json:"schemes"`
	Settings []spec.Row `json:"settings"`
}

// Kinds lists what this build reads and writes.
func Kinds() []Kind {
	kinds := builtin.Registry(transfer.Options{})
	var out []Kind
	for _, side := range []registry.Side{registry.Source, registry.Destination} {
		for _, s := range kinds.Specs(side) {
			out = append(out, Kind{s.Kind, string(side), s.Summary, s.Schemes, s.Table()})
		}
	}
	return out
}
