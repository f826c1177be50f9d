package main

import (
	"reflect"
	"testing"
)

func TestTemplate(t *testing.T) {
	for path, want := range map[string]struct {
		verb, path, flat, pattern, method string
		collections                       []string
	}{
		"/v1/{name=projects/*/locations/*}:unenrollDataSources": {
			"POST", "v1/{+name}:unenrollDataSources", "v1/projects/{projectsId}/locations/{locationsId}:unenrollDataSources",
			"^projects/[^/]+/locations/[^/]+$", "unenrollDataSources",
			[]string{"projects", "locations"},
		},
		"/v1/{transfer_config.name=projects/*/transferConfigs/*}": {
			"PATCH", "v1/{+name}", "v1/projects/{projectsId}/transferConfigs/{transferConfigsId}",
			"^projects/[^/]+/transferConfigs/[^/]+$", "patch",
			[]string{"projects", "transferConfigs"},
		},
		"/v1/{parent=projects/*}/transferConfigs": {
			"GET", "v1/{+parent}/transferConfigs", "v1/projects/{projectsId}/transferConfigs",
			"^projects/[^/]+$", "list",
			[]string{"projects", "transferConfigs"},
		},
	} {
		p, err := parse(path)
		if err != nil {
			t.Fatal(err)
		}
		if p.path() != want.path || p.flat() != want.flat || p.pattern() != want.pattern || p.method(want.verb) != want.method ||
			!reflect.DeepEqual(p.collections(), want.collections) {
			t.Errorf("%s: %s %s %s %s %q", path, p.path(), p.flat(), p.pattern(), p.method(want.verb), p.collections())
		}
	}
}

func TestTemplateOfNoKnownForm(t *testing.T) {
	for _, path := range []string{"/v1/{name=projects/*}/runs/{run}", "/v2/{name=projects/*}", "/v1/locations"} {
		if _, err := parse(path); err == nil {
			t.Errorf("%s was taken", path)
		}
	}
}
