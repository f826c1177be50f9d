// Package datatransfer is BigQuery's Data Transfer API over the ledger: a transfer config is
// a pipeline, a transfer run is a run, a data source is a kind of source or a partner's.
//
// Wire facts are those of https://cloud.google.com/bigquery/docs/reference/datatransfer/rest
package datatransfer

import (
	"cmp"
	_ "embed"
	"log/slog"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
	"github.com/synclinehq/syncline/ledger"
)

// Name is the dialect's word: of names, documents, and the drawers of pipelines and runs.
const Name = "datatransfer"

// Options of the API. Ledger, Catalog, Dataset, Box and Log are required.
type Options struct {
	Ledger  *ledger.Ledger
	Catalog *catalog.Catalog
	Log     *slog.Logger
	// Dataset is where the tables of a dataset are written. An id that can be none is an
	// error that says so.
	Dataset func(id string) (syncline.Endpoint, error)
	// Box seals where lists go on.
	Box gapi.Box
	// Project and Location are those of pipelines that were made elsewhere; default:
	// syncline and us.
	Project, Location string
	// Now is the clock of what clients are told; default time.Now.
	Now func() time.Time
}

// The documents that clients read what the API has from. That of BigQuery itself has the one
// call that bq makes of it.
var (
	//go:embed discovery.json
	discovery []byte
	//go:embed discovery_v2.json
	bigquery []byte
)

// API serves the calls, over REST and gRPC alike.
type API struct {
	pb.UnimplementedDataTransferServiceServer
	pb.UnimplementedDataSourceServiceServer
	pb.UnimplementedTransferResourceServiceServer
	pb.UnimplementedLocationsServer
	o      Options
	tokens *gapi.Tokens
}

// New makes the dialect.
func New(o Options) (*gapi.Mux, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Project, o.Location = cmp.Or(o.Project, "syncline"), cmp.Or(strings.ToLower(o.Location), defaultLocation)
	a := &API{o: o, tokens: gapi.NewTokens(o.Box)}
	return gapi.New(gapi.Options{
		Name: Name, Prefix: "/" + Name, Log: o.Log, Discovery: map[string][]byte{"v1": discovery, "v2": bigquery},
		Services: []gapi.Service{
			{Desc: &pb.DataTransferService_ServiceDesc, Impl: a},
			{Desc: &pb.DataSourceService_ServiceDesc, Impl: a},
			{Desc: &pb.TransferResourceService_ServiceDesc, Impl: a},
			{Desc: &pb.Locations_ServiceDesc, Impl: a},
		},
	})
}

// notFound is the one text for all that is not there.
func notFound() *syncline.Error {
	return syncline.Errorf(syncline.NotFound, "Requested entity was not found.")
}
