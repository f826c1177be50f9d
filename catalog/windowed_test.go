package catalog_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
)

func TestWindowed(t *testing.T) {
	with, without := syncline.EntitySpec{Name: "orders", Cursor: "at"}, syncline.EntitySpec{Name: "lines"}
	tests := map[string]struct {
		d           syncline.Definition
		field, says string // "": it can have one
	}{
		"a cursor":      {syncline.Definition{Entities: []syncline.EntitySpec{with}}, "", ""},
		"no cursor":     {syncline.Definition{Entities: []syncline.EntitySpec{with, without}}, "cursor", `"lines"`},
		"everything":    {syncline.Definition{}, "cursor", "everything"},
		"not by us":     {syncline.Definition{Owner: syncline.OwnerExternal, Entities: []syncline.EntitySpec{with}}, "window", "outside worker"},
		"engine's word": {syncline.Definition{Owner: syncline.OwnerEngine, Entities: []syncline.EntitySpec{with}}, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := catalog.Windowed(test.d)
			if test.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e, ok := errors.AsType[*syncline.Error](err)
			if !ok || e.Code != syncline.InvalidArgument || e.Field != test.field || !strings.Contains(e.Message, test.says) || e.Hint == "" {
				t.Errorf("got %+v", err)
			}
		})
	}
}
