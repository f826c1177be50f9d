package gapi

import (
	"slices"
	"testing"
)

func TestTemplates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		template, path string
		want           []string // nil: it does not match
	}{
		{"/v1/{name=projects/*/things/*}", "/v1/projects/p/things/t", []string{"projects/p/things/t"}},
		{"/v1/{name=projects/*/things/*}", "/v1/projects/p/things/t:u", []string{"projects/p/things/t:u"}},
		{"/v1/{name=projects/*}:poke", "/v1/projects/p:poke", []string{"projects/p"}},
		{"/v1/{name=projects/*}:poke", "/v1/projects/a:b%3apoke", []string{"projects/a:b"}},
		{"/v1/{name=projects/*}:poke", "/v1/projects/:poke", nil},
		{"/v1/{name=projects/*}:poke", "/v1/projects/p:poked", nil},
		{"/v1/{a}/x/{b.c=*}", "/v1/1%2B/x/2+", []string{"1+", "2+"}},
		{"/v1/{a=**}", "/v1", []string{""}},
		{"/v1/{a=x/**}:go", "/v1/x/1/2:go", []string{"x/1/2"}},
		{"/v1/{a=x/**}", "/v1/x//2", nil},
		{"/v1/*/y", "/v1/x/y", []string{}},
		{"/v1/*/y", "/v1/x%2Fz/y", nil},
		{"/v1/*/y", "/v1/x/y/", nil},
		{"/v1/*/y", "v1/x/y", nil},
	} {
		tmpl, err := parseTemplate(c.template)
		if err != nil {
			t.Fatal(err)
		}
		p, split := splitPath(c.path)
		got, ok := tmpl.match(p)
		if ok = ok && split; ok != (c.want != nil) || ok && !slices.Equal(got, c.want) {
			t.Errorf("%s of %s: %q, %v", c.template, c.path, got, ok)
		}
	}
	for _, bad := range []string{"v1/x", "/v1/{a", "/v1//x", "/v1/{a=}", "/v1/{=x}", "/v1/{a}b", "/v1/x*", "/v1/**/x", "/v1/{a=x/**}/y", "/v1/x/", "/v1/a{b}"} {
		if tmpl, err := parseTemplate(bad); err == nil {
			t.Errorf("%s: %+v", bad, tmpl)
		}
	}
}
