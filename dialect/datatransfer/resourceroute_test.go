package datatransfer

import (
	"net/http"
	"testing"
)

// Every table of a config is a transfer resource, over REST too.
func TestResourcesOverREST(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.source()
	name := "/v1/" + d.ok(http.MethodPost, parent+"/transferConfigs", d.orders(nil))["name"].(string)
	all := d.ok(http.MethodGet, name+"/transferResources", nil)["transferResources"].([]any)
	if len(all) != 1 {
		t.Fatalf("resources: %v", all)
	}
	one := all[0].(doc)
	same(t, "alone", d.ok(http.MethodGet, "/v1/"+one["name"].(string), nil), one)
	if none := d.ok(http.MethodGet, name+"/transferResources?filter=name%3Dnone", nil); len(none) != 0 {
		t.Errorf("filtered: %v", none)
	}
	d.refused(http.MethodGet, name+"/transferResources?filter=colour%3Dred", nil, http.StatusBadRequest, "INVALID_ARGUMENT")
}
