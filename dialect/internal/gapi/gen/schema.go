package main

import (
	"fmt"
	"slices"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ref refers to the schema of m, which is added with all that it refers to.
func (d *document) ref(m protoreflect.MessageDescriptor) (*schema, error) { return d.message(m, "") }

// message is ref for a message one of whose members, the parameter, stands in the path.
func (d *document) message(m protoreflect.MessageDescriptor, parameter string) (*schema, error) {
	name := string(m.Name())
	ref := &schema{Ref: name}
	if d.Schemas[name] != nil {
		return ref, d.same(m)
	}
	s := &schema{ID: name, Type: "object", Description: comment(m), Properties: map[string]*schema{}}
	d.Schemas[name] = s
	d.from[name] = m.FullName()
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		if f.JSONName() == parameter {
			continue
		}
		p, err := d.property(f)
		if err != nil {
			return nil, err
		}
		s.Properties[f.JSONName()] = p
	}
	return ref, nil
}

// same refuses a second message of the same short name, which would be drawn as the first.
func (d *document) same(m protoreflect.MessageDescriptor) error {
	if was := d.from[string(m.Name())]; was != m.FullName() {
		return fmt.Errorf("%s has the short name of %s", m.FullName(), was)
	}
	return nil
}

func (d *document) property(f protoreflect.FieldDescriptor) (*schema, error) {
	of := f
	if f.IsMap() {
		of = f.MapValue()
	}
	s, err := d.value(of)
	if err != nil {
		return nil, err
	}
	switch {
	case f.IsMap():
		s = &schema{Type: "object", AdditionalProperties: s}
	case f.IsList():
		s = &schema{Type: "array", Items: s}
	}
	s.ReadOnly, s.Deprecated = slices.Contains(behaviour(f), annotations.FieldBehavior_OUTPUT_ONLY), deprecated(f.Options())
	return s, nil
}

// value is the schema of one value of f.
func (d *document) value(f protoreflect.FieldDescriptor) (*schema, error) {
	if s := plain(f); s != nil {
		return s, nil
	}
	if f.Message() == nil {
		return nil, fmt.Errorf("%s: no schema for %s", f.FullName(), f.Kind())
	}
	return d.ref(f.Message())
}

// queried is the schema of a member that stands in the query.
func queried(f protoreflect.FieldDescriptor) (*schema, error) {
	s := plain(f)
	if s == nil || f.IsMap() {
		return nil, fmt.Errorf("%s cannot stand in a query", f.FullName())
	}
	s.Location, s.Repeated, s.Deprecated = "query", f.IsList(), deprecated(f.Options())
	return s, nil
}

var kinds = map[protoreflect.Kind]schema{
	protoreflect.StringKind: {Type: "string"},
	protoreflect.BytesKind:  {Type: "string", Format: "byte"},
	protoreflect.BoolKind:   {Type: "boolean"},
	protoreflect.Int32Kind:  {Type: "integer", Format: "int32"},
	protoreflect.Int64Kind:  {Type: "string", Format: "int64"},
	protoreflect.DoubleKind: {Type: "number", Format: "double"},
}

// wellKnown are the messages that JSON has a word for.
var wellKnown = map[protoreflect.FullName]schema{
	timestamp:                     {Type: "string", Format: "google-datetime"},
	"google.protobuf.Duration":    {Type: "string", Format: "google-duration"},
	fieldMask:                     {Type: "string", Format: "google-fieldmask"},
	stringValue:                   {Type: "string"},
	boolValue:                     {Type: "boolean"},
	"google.protobuf.Int64Value":  {Type: "string", Format: "int64"},
	"google.protobuf.DoubleValue": {Type: "number", Format: "double"},
	"google.protobuf.Struct":      {Type: "object", AdditionalProperties: &schema{Type: "any"}},
	"google.protobuf.Any":         {Type: "object", AdditionalProperties: &schema{Type: "any"}},
}

// plain is the schema of a value that refers to no other, else nil.
func plain(f protoreflect.FieldDescriptor) *schema {
	if e := f.Enum(); e != nil {
		return &schema{Type: "string", Enum: words(e)}
	}
	s, known := kinds[f.Kind()]
	if m := f.Message(); m != nil {
		s, known = wellKnown[m.FullName()]
	}
	if !known {
		return nil
	}
	return &s
}

func words(e protoreflect.EnumDescriptor) []string {
	var names []string
	for i := range e.Values().Len() {
		names = append(names, string(e.Values().Get(i).Name()))
	}
	return names
}

func behaviour(f protoreflect.FieldDescriptor) []annotations.FieldBehavior {
	b, _ := proto.GetExtension(f.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return b
}
