package gapi

import "testing"

// Where several rules fit, the one that says most about the path is meant.
func TestMostSpecificFirst(t *testing.T) {
	t.Parallel()
	var all []*binding
	for _, text := range []string{"/v1/**", "/v1/{a=x/**}", "/v1/*/y", "/v1/{a=*/*}", "/v1/x/y", "/v1/x/*", "/v1/{a=x/*}:go", "/v1/{a=**}:go"} {
		one, err := parseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &binding{verb: "GET", template: one})
	}
	if err := sortBindings(all); err != nil {
		t.Fatal(err)
	}
	m := &Mux{bindings: all}
	for path, want := range map[string]string{
		"/v1/x/y": "v1/x/y:", "/v1/x/z": "v1/x/*:", "/v1/z/y": "v1/*/y:", "/v1/z/z": "v1/*/*:", "/v1/x/z/z": "v1/x/**:",
		"/v1/z": "v1/**:", "/v1/x/y:go": "v1/x/*:go", "/v1/z:go": "v1/**:go", "/v1/x/y:stop": "v1/x/*:",
	} {
		b, _ := m.route("GET", path)
		if b == nil || b.template.shape() != want {
			t.Errorf("%s: %+v", path, b)
		}
	}
	if b, _ := m.route("GET", "/v2/x"); b != nil {
		t.Errorf("%+v", b.template)
	}
}
