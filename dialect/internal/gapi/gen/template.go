package main

import (
	"fmt"
	"regexp"
	"strings"
)

// template is the path of an http rule with one variable:
// /v1/{transfer_config.name=projects/*/transferConfigs/*}, or /v1/{parent=projects/*}/runs,
// or /v1/{name=projects/*}:verb.
type template struct {
	field    string // the member that the variable fills
	wild     string // what it looks like
	trailing string // a collection behind it
	verb     string // a custom verb
}

var templates = regexp.MustCompile(`^/v1/\{([a-z_.]+)=([^}]+)\}(?:/(\w+))?(?::(\w+))?$`)

func parse(path string) (template, error) {
	m := templates.FindStringSubmatch(path)
	if m == nil {
		return template{}, fmt.Errorf("path %q is of no known form", path)
	}
	return template{field: m[1], wild: m[2], trailing: m[3], verb: m[4]}, nil
}

// parameter is the variable's name for REST: transfer_config.name is name.
func (t template) parameter() string { return t.field[strings.LastIndex(t.field, ".")+1:] }

func (t template) pattern() string {
	return "^" + strings.ReplaceAll(t.wild, "*", "[^/]+") + "$"
}

func (t template) path() string { return "v1/{+" + t.parameter() + "}" + t.rest() }

// flat names every id after its collection.
func (t template) flat() string {
	parts := strings.Split(t.wild, "/")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = "{" + parts[i-1] + "Id}"
	}
	return "v1/" + strings.Join(parts, "/") + t.rest()
}

func (t template) rest() string {
	s := ""
	if t.trailing != "" {
		s = "/" + t.trailing
	}
	if t.verb != "" {
		s += ":" + t.verb
	}
	return s
}

// collections are the resources on the way to the method.
func (t template) collections() []string {
	var names []string
	for i, p := range strings.Split(t.wild, "/") {
		if i%2 == 0 {
			names = append(names, p)
		}
	}
	if t.trailing != "" {
		names = append(names, t.trailing)
	}
	return names
}

func (t template) method(verb string) string {
	switch {
	case t.verb != "":
		return t.verb
	case verb == "GET" && t.trailing != "":
		return "list"
	case verb == "POST":
		return "create"
	}
	return strings.ToLower(verb)
}
