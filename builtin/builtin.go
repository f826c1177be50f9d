// Package builtin lists what this build can read, write and do: one line per plugin.
package builtin

import (
	"github.com/synclinehq/syncline/destination"
	toelasticsearch "github.com/synclinehq/syncline/destination/elasticsearch"
	tofiles "github.com/synclinehq/syncline/destination/files"
	topostgres "github.com/synclinehq/syncline/destination/postgres"
	tosqlite "github.com/synclinehq/syncline/destination/sqlite"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/source/files"
	"github.com/synclinehq/syncline/source/postgres"
	"github.com/synclinehq/syncline/source/sqlite"
	"github.com/synclinehq/syncline/task"
	"github.com/synclinehq/syncline/task/transfer"
)

// Sources are the places to read from.
var Sources = []source.Kind{
	postgres.Kind,
	sqlite.Kind,
	files.Kind,
}

// Destinations are the places to write to.
var Destinations = []destination.Kind{
	topostgres.Kind,
	tosqlite.Kind,
	tofiles.Kind,
	toelasticsearch.Kind,
}

// Registry makes the registry of this build. o says what all transfers of the process
// share; its Sources and Destinations are filled in.
func Registry(o transfer.Options) *registry.Registry {
	ends := registry.New(Sources, Destinations, nil)
	o.Sources, o.Destinations = ends.Source, ends.Destination
	return registry.New(Sources, Destinations, []task.Kind{transfer.New(o)})
}
