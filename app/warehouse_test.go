package app

import (
	"path/filepath"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/catalog"
)

// A pipeline that is defined over the network may write a dataset, whichever the warehouse
// is, and nothing else in the data directory.
func TestDatasetsAreForTheNetwork(t *testing.T) {
	t.Parallel()
	a := listening(t, Options{Data: t.TempDir()})
	ctx := auth.With(t.Context(), auth.Principal{Key: "k", Role: auth.Editor})
	files, err := a.o.Settings.DataTransfer.Warehouse(a.dir)
	if err != nil {
		t.Fatal(err)
	}
	schemas, err := DataTransfer{Destination: "postgres://u:p@warehouse.example/dw"}.Warehouse(a.dir)
	if err != nil {
		t.Fatal(err)
	}
	from := syncline.Endpoint{Kind: "postgres", Settings: []byte(`{"host":"source.example","user":"u","database":"d"}`)}
	put := func(name string, to syncline.Endpoint) error {
		d := syncline.Definition{Owner: syncline.OwnerEngine, Source: from, Destination: to, Entities: []syncline.EntitySpec{{Name: "public.a"}}}
		_, _, err := a.seat.catalog.Put(ctx, name, d, catalog.PutOptions{})
		return err
	}
	for name, w := range map[string]interface {
		Dataset(id string) (syncline.Endpoint, error)
	}{"files": files, "schemas": schemas} {
		to, err := w.Dataset("sales")
		if err != nil {
			t.Fatal(err)
		}
		if err := put(name, to); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"ledger.db", "datasets.db", "datasets/../ledger.db"} {
		to := syncline.Endpoint{Kind: "sqlite", Settings: []byte(`{"path":"` + a.dir + `/` + name + `"}`)}
		if err := put("other", to); syncline.CodeOf(err) != syncline.InvalidArgument {
			t.Errorf("%s: %v", filepath.Base(name), err)
		}
	}
}
