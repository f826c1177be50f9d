// Package datatransferpb holds the messages and gRPC services of the BigQuery Data Transfer
// API, as https://cloud.google.com/bigquery/docs/reference/datatransfer/rest and
// https://cloud.google.com/bigquery/docs/reference/datatransfer/rpc describe them: the public
// ones, the partner's half (DataSourceService), and what only REST has. It is generated, and
// apart from the public package of that name because both register the same proto names: one
// program cannot link the two.
package datatransferpb

//go:generate go -C ../../internal/gapi/gen run . -go ../../../datatransfer/datatransferpb -discovery ../../../datatransfer
