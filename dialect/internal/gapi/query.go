package gapi

import (
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/synclinehq/syncline"
)

// parameters are those of a query, in the order given.
type parameters []parameter

type parameter struct{ name, value string }

// parseQuery reads a query. Unlike url.ParseQuery it takes a semicolon for what it is
// here: part of a value, as in $alt=json;enum-encoding=int.
func parseQuery(raw string) (parameters, error) {
	var all parameters
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return nil, syncline.Errorf(syncline.InvalidArgument, "the query is not well encoded: %w", err)
		}
		all = append(all, parameter{n, strings.ToValidUTF8(value, "\uFFFD")})
	}
	return all, nil
}

// under adds those of a form that the URL does not have.
func (p parameters) under(form parameters) parameters {
	inURL := map[string]bool{}
	for _, one := range p {
		inURL[one.name] = true
	}
	for _, one := range form {
		if !inURL[one.name] {
			p = append(p, one)
		}
	}
	return p
}

// target is the field that a parameter sets.
type target struct {
	fields []protoreflect.FieldDescriptor // from the request down
	values []string
}

func (t *target) leaf() protoreflect.FieldDescriptor { return t.fields[len(t.fields)-1] }

// query binds parameters to fields of the request that free lets be set by them. A
// parameter without a value is as good as absent.
func (f *findings) query(req protoreflect.Message, all parameters, free func(protoreflect.FieldDescriptor) bool) {
	var order []string
	targets := map[string]*target{}
	for _, p := range all {
		fields := lookUp(req.Descriptor(), p.name)
		if fields == nil || !free(fields[0]) {
			f.add("", "Invalid JSON payload received. Unknown name %s: Cannot bind query parameter. Field '%s' could not be found in request message.", quote(p.name), clip(p.name))
			continue
		}
		if p.value == "" {
			continue
		}
		name := dotted(fields)
		if targets[name] == nil {
			targets[name] = &target{fields: fields}
			order = append(order, name)
		}
		targets[name].values = append(targets[name].values, p.value)
	}
	for _, name := range order {
		f.set(req, targets[name], name)
	}
}

func (f *findings) set(m protoreflect.Message, t *target, at string) {
	for i, field := range t.fields {
		if f.taken(m, field, dotted(t.fields[:i])) {
			return
		}
		if i < len(t.fields)-1 {
			m = m.Mutable(field).Message()
		}
	}
	field := t.leaf()
	if !field.IsList() && len(t.values) > 1 {
		f.add(at, "Invalid value at '%s': it is given %d times, and the field takes one value.", at, len(t.values))
		return
	}
	for _, text := range t.values {
		n := queryNode(field, text)
		if field.IsList() {
			f.item(m.Mutable(field).List(), field, n, at)
		} else {
			f.single(m, field, n, at)
		}
	}
}

// lookUp finds the field that a parameter names; nil when no parameter can set one of that
// name.
func lookUp(d protoreflect.MessageDescriptor, name string) []protoreflect.FieldDescriptor {
	var fields []protoreflect.FieldDescriptor
	for part := range strings.SplitSeq(name, ".") {
		if d == nil || textual(d) || len(fields) > 0 && fields[len(fields)-1].IsList() {
			return nil
		}
		field := fieldOf(d, part)
		if field == nil || field.IsMap() {
			return nil
		}
		fields = append(fields, field)
		d = field.Message()
	}
	if d != nil && !textual(d) {
		return nil
	}
	return fields
}

func dotted(fields []protoreflect.FieldDescriptor) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('.')
		}
		fmt.Fprint(&b, f.Name())
	}
	return b.String()
}

// queryNode is what JSON would say for a parameter's text.
func queryNode(field protoreflect.FieldDescriptor, text string) node {
	kind := field.Kind()
	if d := field.Message(); d != nil && wrapped(d) != nil {
		kind = wrapped(d).Kind()
	}
	switch {
	case kind == protoreflect.BoolKind && (text == "true" || text == "false"):
		return node{kind: boolean, text: text}
	case kind == protoreflect.EnumKind && isNumber(text):
		return node{kind: number, text: text}
	}
	return node{kind: str, text: text}
}
