// Package catalog keeps what pipelines do: it checks definitions, seals their secrets,
// numbers their revisions, and opens them for a run. Runs are none of its business.
package catalog

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/secret"
	"github.com/synclinehq/syncline/source"
)

// Options is what a catalog works with. Store, Registry, Box and Host are required.
type Options struct {
	Store    syncline.Store
	Registry *registry.Registry
	Box      *secret.Box
	Scrubber *secret.Scrubber // learns the secrets of endpoints that are opened
	Host     string           // of this machine: what pipelines with local endpoints are pinned to
	// LookupEnv finds what ${env:X} means, ReadFile what ${file:path} means; default: those
	// of package os.
	LookupEnv func(name string) (string, bool)
	ReadFile  func(path string) ([]byte, error)
	Env       source.Env // for Check and Entities, which open endpoints
	// Roots are the folders in which confined definitions may name files; absolute paths.
	Roots []string
	// Local reports whether a call comes from the user of this machine. What others define is
	// confined. Default: every call does.
	Local func(ctx context.Context) bool
}

// Catalog may be used from any goroutine.
type Catalog struct{ o Options }

// New makes a catalog.
func New(o Options) *Catalog {
	if o.Scrubber == nil {
		o.Scrubber = &secret.Scrubber{}
	}
	if o.LookupEnv == nil {
		o.LookupEnv = os.LookupEnv
	}
	if o.ReadFile == nil {
		o.ReadFile = readBounded
	}
	if o.Local == nil {
		o.Local = func(context.Context) bool { return true }
	}
	if o.Env.Log == nil {
		o.Env.Log = slog.New(slog.DiscardHandler)
	}
	return &Catalog{o}
}

const (
	storeTimeout    = 10 * time.Second // one call of the store
	endpointTimeout = 30 * time.Second // opening an endpoint and looking around
)

func (c *Catalog) view(ctx context.Context, fn func(syncline.Tx) error) error {
	ctx, stop := context.WithTimeout(ctx, storeTimeout)
	defer stop()
	return c.o.Store.View(ctx, fn)
}

func (c *Catalog) update(ctx context.Context, fn func(syncline.Tx) error) error {
	ctx, stop := context.WithTimeout(ctx, storeTimeout)
	defer stop()
	return c.o.Store.Update(ctx, fn)
}

func missing(err error) bool { return syncline.CodeOf(err) == syncline.NotFound }

// shown turns the errors of secret into one that a person may see, under the setting.
func shown(setting string, err error) error {
	if e, ok := errors.AsType[*secret.Error](err); ok {
		out := syncline.Errorf(syncline.FailedPrecondition, "the stored %s cannot be opened: %s", setting, e.Message).
			Of(syncline.ClassConfig).Try("%s", e.Hint)
		out.Field, out.Err = setting, err
		return out
	}
	return err
}
