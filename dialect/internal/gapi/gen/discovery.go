package main

import (
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// discover draws the discovery document of the services in files.
func discover(files []protoreflect.FileDescriptor) (*document, error) {
	d := newDocument("bigquerydatatransfer", "v1", "")
	d.CanonicalName, d.Title = "BigQuery Data Transfer", "BigQuery Data Transfer API of Syncline"
	d.Description = "Schedules transfers, shows their runs and logs, and takes the data of partners."
	d.DocumentationLink = "https://cloud.google.com/bigquery/docs/reference/datatransfer/rest"
	for _, f := range files {
		for i := range f.Services().Len() {
			if err := d.addService(f.Services().Get(i)); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

func (d *document) addService(s protoreflect.ServiceDescriptor) error {
	for i := range s.Methods().Len() {
		m := s.Methods().Get(i)
		rule := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
		for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
			if err := d.addCall(m, r); err != nil {
				return fmt.Errorf("%s: %w", m.FullName(), err)
			}
		}
	}
	return nil
}

func (d *document) addCall(m protoreflect.MethodDescriptor, r *annotations.HttpRule) error {
	verb, path := split(r)
	t, err := parse(path)
	if err != nil {
		return err
	}
	c := &call{
		HTTPMethod: verb, Path: t.path(), FlatPath: t.flat(), ParameterOrder: []string{t.parameter()},
		Description: comment(m), Deprecated: deprecated(m.Options()), Scopes: scopes(verb, t),
	}
	if c.Response, err = d.ref(m.Output()); err != nil {
		return err
	}
	if err := d.bind(c, m.Input(), r.GetBody(), t); err != nil {
		return err
	}
	n := d.node(t.collections())
	name := t.method(verb)
	if n.Methods[name] != nil {
		return fmt.Errorf("a second method %s of %v", name, t.collections())
	}
	c.ID = strings.Join(append([]string{d.Name}, append(t.collections(), name)...), ".")
	n.Methods[name] = c
	return nil
}

// bind says which members of the request stand in the path, which in the body and which in
// the query.
func (d *document) bind(c *call, in protoreflect.MessageDescriptor, body string, t template) error {
	c.Parameters = map[string]*schema{t.parameter(): {Type: "string", Location: "path", Required: true, Pattern: t.pattern()}}
	if body == "*" {
		s, err := d.message(in, t.parameter())
		c.Request = s
		return err
	}
	for i := range in.Fields().Len() {
		f := in.Fields().Get(i)
		switch {
		case string(f.Name()) == body:
			s, err := d.ref(f.Message())
			if err != nil {
				return err
			}
			c.Request = s
		case f.JSONName() != t.parameter():
			s, err := queried(f)
			if err != nil {
				return err
			}
			c.Parameters[f.JSONName()] = s
		}
	}
	return nil
}

// node is the resource at the end of a way through collections.
func (d *document) node(way []string) *node {
	at := d.Resources
	var n *node
	for _, name := range way {
		if n = at[name]; n == nil {
			n = &node{Methods: map[string]*call{}, Resources: map[string]*node{}}
			at[name] = n
		}
		at = n.Resources
	}
	return n
}

func split(r *annotations.HttpRule) (verb, path string) {
	switch p := r.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "GET", p.Get
	case *annotations.HttpRule_Post:
		return "POST", p.Post
	case *annotations.HttpRule_Patch:
		return "PATCH", p.Patch
	case *annotations.HttpRule_Delete:
		return "DELETE", p.Delete
	}
	return "", ""
}

// scopes are those that clients ask for: a config is made and changed with the wide one
// only.
func scopes(verb string, t template) []string {
	way := t.collections()
	switch method := t.method(verb); {
	case verb == "GET":
		return []string{scopeBigQuery, scopeCloud, scopeReadOnly}
	case way[len(way)-1] == "transferConfigs" && (method == "create" || method == "patch"):
		return []string{scopeCloud}
	}
	return []string{scopeBigQuery, scopeCloud}
}

func deprecated(o proto.Message) bool {
	d, is := o.(interface{ GetDeprecated() bool })
	return is && d.GetDeprecated()
}

func comment(d protoreflect.Descriptor) string {
	return strings.TrimSpace(d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments)
}
