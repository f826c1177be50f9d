package main

import (
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// The words in which what the public files lack is written down: one call is one line of
// a .proto file.

type (
	file    = descriptorpb.FileDescriptorProto
	message = descriptorpb.DescriptorProto
	field   = descriptorpb.FieldDescriptorProto
	enum    = descriptorpb.EnumDescriptorProto
	method  = descriptorpb.MethodDescriptorProto
)

var (
	typeString = descriptorpb.FieldDescriptorProto_TYPE_STRING
	typeBytes  = descriptorpb.FieldDescriptorProto_TYPE_BYTES
	typeBool   = descriptorpb.FieldDescriptorProto_TYPE_BOOL
	typeInt32  = descriptorpb.FieldDescriptorProto_TYPE_INT32
	typeInt64  = descriptorpb.FieldDescriptorProto_TYPE_INT64
	typeDouble = descriptorpb.FieldDescriptorProto_TYPE_DOUBLE
)

func messageOf(name string, fields ...*field) *message {
	return &message{Name: &name, Field: fields}
}

func scalar(name string, number int32, t descriptorpb.FieldDescriptorProto_Type) *field {
	return &field{
		Name: &name, Number: &number, Type: &t, JsonName: proto.String(camel(name)),
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
}

func text(name string, number int32) *field { return scalar(name, number, typeString) }

// child is a field that holds another message.
func child(name string, number int32, of string) *field {
	f := scalar(name, number, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE)
	f.TypeName = proto.String(qualified(of))
	return f
}

func choice(name string, number int32, of string) *field {
	f := child(name, number, of)
	f.Type = descriptorpb.FieldDescriptorProto_TYPE_ENUM.Enum()
	return f
}

func repeated(f *field) *field {
	f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	return f
}

func behaves(f *field, b annotations.FieldBehavior) *field {
	f.Options = &descriptorpb.FieldOptions{}
	proto.SetExtension(f.Options, annotations.E_FieldBehavior, []annotations.FieldBehavior{b})
	return f
}

func output(f *field) *field    { return behaves(f, annotations.FieldBehavior_OUTPUT_ONLY) }
func required(f *field) *field  { return behaves(f, annotations.FieldBehavior_REQUIRED) }
func inputOnly(f *field) *field { return behaves(f, annotations.FieldBehavior_INPUT_ONLY) }

// oneOf puts fields that m has already under one roof.
func oneOf(m *message, name string) *message {
	for _, f := range m.Field {
		f.OneofIndex = proto.Int32(int32(len(m.OneofDecl)))
	}
	m.OneofDecl = append(m.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: &name})
	return m
}

// labels gives m a map of texts; of is the full name of m.
func labels(m *message, name string, number int32, of string) {
	entry := messageOf(title(camel(name))+"Entry", text("key", 1), text("value", 2))
	entry.Options = &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)}
	m.NestedType = append(m.NestedType, entry)
	m.Field = append(m.Field, repeated(child(name, number, of+"."+entry.GetName())))
}

// resource says what names of m look like.
func resource(m *message, kind string, patterns ...string) *message {
	m.Options = &descriptorpb.MessageOptions{}
	proto.SetExtension(m.Options, annotations.E_Resource, &annotations.ResourceDescriptor{Type: host + "/" + kind, Pattern: patterns})
	return m
}

// values numbers an enum's values from 0.
func values(name string, names ...string) *enum {
	e := &enum{Name: &name}
	for i, n := range names {
		e.Value = append(e.Value, value(n, int32(i)))
	}
	return e
}

func value(name string, number int32) *descriptorpb.EnumValueDescriptorProto {
	return &descriptorpb.EnumValueDescriptorProto{Name: &name, Number: &number}
}

func services(s ...*descriptorpb.ServiceDescriptorProto) []*descriptorpb.ServiceDescriptorProto {
	return s
}

func serviceOf(name string, methods ...*method) *descriptorpb.ServiceDescriptorProto {
	s := &descriptorpb.ServiceDescriptorProto{Name: &name, Method: methods, Options: &descriptorpb.ServiceOptions{}}
	proto.SetExtension(s.Options, annotations.E_DefaultHost, host)
	return s
}

func rpc(name, in, out string, rules ...*annotations.HttpRule) *method {
	o := &descriptorpb.MethodOptions{}
	rules[0].AdditionalBindings = rules[1:]
	proto.SetExtension(o, annotations.E_Http, rules[0])
	return &method{Name: &name, InputType: proto.String(qualified(in)), OutputType: proto.String(qualified(out)), Options: o}
}
