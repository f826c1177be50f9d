package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/builtin"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/spec"
	"github.com/synclinehq/syncline/task/transfer"
	"github.com/synclinehq/syncline/warehouse"
)

// datasets is the folder, in the data directory, of the datasets that are files.
const datasets = "datasets"

// roots are the folders that a definition made over the network may touch: a dataset is
// named by such a one.
func (a *App) roots() []string {
	return append(slices.Clone(a.o.Settings.Roots), filepath.Join(a.dir, datasets))
}

// Warehouse is where the datasets are of a server with the data directory data.
func (d DataTransfer) Warehouse(data string) (*warehouse.Warehouse, error) {
	if d.Destination == "" {
		return warehouse.Files(filepath.Join(data, datasets))
	}
	e, err := d.database()
	if err != nil {
		return nil, err
	}
	return warehouse.Schemas(e), nil
}

// database is the destination that datasets are schemas of, its references resolved: they
// are the server's own, and those that define transfers may name none. Its errors do not
// repeat the URL.
func (d DataTransfer) database() (e syncline.Endpoint, err error) {
	kinds := builtin.Registry(transfer.Options{})
	c := catalog.New(catalog.Options{Registry: kinds})
	if e, err = c.Endpoint(registry.Destination, d.Destination, string(filepath.Separator)); err != nil {
		return e, err
	}
	s, _ := kinds.Spec(registry.Destination, e.Kind)
	if err := unfit(s, e.Settings); err != nil {
		return e, err
	}
	e.Settings, err = s.MapTexts(e.Settings, func(_, text string) (string, error) {
		plain, err := c.Resolve(text)
		if err == nil && strings.Contains(plain, "${") {
			err = errors.New("has a value with the characters ${ in it, which would be taken for a reference")
		}
		return plain, err
	})
	if err != nil {
		return e, fmt.Errorf("the destination %w", err)
	}
	return e, s.Check(e.Settings)
}

// unfit says why a destination cannot hold datasets.
func unfit(s spec.Spec, settings json.RawMessage) error {
	var given struct{ Schema *string }
	_ = json.Unmarshal(settings, &given) // of another type than text it is given as well
	_, has := s.Field("schema")
	switch {
	case !has:
		return fmt.Errorf("a destination %s has no schemas, which datasets would be: name a PostgreSQL database, or none for a SQLite file per dataset", s.Kind)
	case given.Schema != nil:
		return errors.New("the destination names a schema: every dataset is one of its own")
	case s.Local != nil && s.Local(settings):
		return errors.New("the destination is a socket of this machine, which transfers made over the network may not use: name a host")
	}
	return nil
}
