package gapi

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// method is one of the services' methods.
type method struct {
	desc protoreflect.MethodDescriptor
	call grpc.MethodHandler
	impl any
	// edited is the field of the request that its field masks speak of: the resource that
	// the method's rule takes from the body; nil when there is none.
	edited protoreflect.FieldDescriptor
}

// binding is one http rule: a verb and a path that mean a method.
type binding struct {
	*method
	verb     string
	template template
	body     protoreflect.FieldDescriptor // what the body is; nil: see whole
	whole    bool                         // the body is the request itself
}

// add reads the rules of a service.
func (m *Mux) add(s Service) error {
	if len(s.Desc.Streams) > 0 {
		return fmt.Errorf("%s is a stream; only unary methods are served", s.Desc.Streams[0].StreamName)
	}
	if want := reflect.TypeOf(s.Desc.HandlerType).Elem(); s.Impl == nil || !reflect.TypeOf(s.Impl).Implements(want) {
		return fmt.Errorf("%T does not implement %s", s.Impl, want)
	}
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(s.Desc.ServiceName))
	if err != nil {
		return err
	}
	service, ok := d.(protoreflect.ServiceDescriptor)
	if !ok {
		return errors.New("that is no service")
	}
	for _, md := range s.Desc.Methods {
		desc := service.Methods().ByName(protoreflect.Name(md.MethodName))
		if desc == nil {
			return fmt.Errorf("method %s is not in the descriptor", md.MethodName)
		}
		if err := m.addMethod(&method{desc: desc, call: md.Handler, impl: s.Impl}); err != nil {
			return fmt.Errorf("method %s: %w", md.MethodName, err)
		}
	}
	return nil
}

func (m *Mux) addMethod(one *method) error {
	m.methods[fmt.Sprintf("/%s/%s", one.desc.Parent().FullName(), one.desc.Name())] = one
	rule, _ := proto.GetExtension(one.desc.Options(), annotations.E_Http).(*annotations.HttpRule)
	if rule == nil {
		return nil // gRPC only
	}
	for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		b, err := bind(one, r)
		if err != nil {
			return err
		}
		m.bindings = append(m.bindings, b)
	}
	return nil
}

func bind(one *method, r *annotations.HttpRule) (*binding, error) {
	b := &binding{method: one, whole: r.GetBody() == "*"}
	if r.GetResponseBody() != "" {
		return nil, errors.New("response_body is not served")
	}
	if name := r.GetBody(); name != "" && !b.whole {
		b.body = one.desc.Input().Fields().ByName(protoreflect.Name(name))
		if b.body == nil || b.body.Message() == nil || b.body.IsList() || b.body.IsMap() {
			return nil, fmt.Errorf("the body %q is not a message of the request", name)
		}
		one.edited = b.body
	}
	var text string
	b.verb, text = pattern(r)
	var err error
	if b.template, err = parseTemplate(text); err != nil {
		return nil, err
	}
	for _, v := range b.template.variables {
		if !isString(one.desc.Input(), v.field) {
			return nil, fmt.Errorf("template %q: %q is not a string of the request", text, v.field)
		}
	}
	return b, nil
}

func pattern(r *annotations.HttpRule) (verb, text string) {
	switch p := r.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "GET", p.Get
	case *annotations.HttpRule_Put:
		return "PUT", p.Put
	case *annotations.HttpRule_Post:
		return "POST", p.Post
	case *annotations.HttpRule_Delete:
		return "DELETE", p.Delete
	case *annotations.HttpRule_Patch:
		return "PATCH", p.Patch
	case *annotations.HttpRule_Custom:
		return p.Custom.GetKind(), p.Custom.GetPath()
	}
	return "", ""
}

// isString reports whether a dotted path leads to a string.
func isString(d protoreflect.MessageDescriptor, dotted string) bool {
	for name := range strings.SplitSeq(dotted, ".") {
		if d == nil {
			return false
		}
		f := d.Fields().ByName(protoreflect.Name(name))
		if f == nil || f.IsList() || f.IsMap() {
			return false
		}
		if d = f.Message(); d == nil && f.Kind() != protoreflect.StringKind {
			return false
		}
	}
	return d == nil
}

// sortBindings puts the most specific first, and finds rules that can never be reached.
func sortBindings(all []*binding) error {
	slices.SortStableFunc(all, func(a, b *binding) int {
		return cmp.Or(
			-cmp.Compare(min(len(a.template.verb), 1), min(len(b.template.verb), 1)),
			-cmp.Compare(a.template.literals(), b.template.literals()),
			cmp.Compare(a.template.open(), b.template.open()),
			-cmp.Compare(len(a.template.segments), len(b.template.segments)),
		)
	})
	seen := map[string]*binding{}
	for _, b := range all {
		key := b.verb + " " + b.template.shape()
		if other := seen[key]; other != nil {
			return fmt.Errorf("%s and %s both answer %s", other.desc.FullName(), b.desc.FullName(), key)
		}
		seen[key] = b
	}
	return nil
}

// route finds the rule for a request.
func (m *Mux) route(verb, encoded string) (*binding, []string) {
	p, ok := splitPath(encoded)
	if !ok {
		return nil, nil
	}
	for _, b := range m.bindings {
		if b.verb != verb {
			continue
		}
		if values, ok := b.template.match(p); ok {
			return b, values
		}
	}
	return nil, nil
}
