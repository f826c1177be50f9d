package gapi

import (
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// forms are how JSON says the messages that have a form of their own there. Wrappers are
// not among them: wrapped knows those.
var forms = map[protoreflect.FullName]form{
	"google.protobuf.Timestamp": {reader: (*findings).text, textual: true},
	"google.protobuf.Duration":  {reader: (*findings).text, textual: true},
	"google.protobuf.FieldMask": {reader: (*findings).mask, textual: true},
	"google.protobuf.Struct":    {reader: (*findings).free},
	"google.protobuf.ListValue": {reader: (*findings).free},
	"google.protobuf.Value":     {reader: (*findings).free},
	"google.protobuf.Any":       {reader: (*findings).free},
}

type form struct {
	reader  func(f *findings, m protoreflect.Message, n node, path string)
	textual bool // JSON says it as a string
}

// wellKnown reads a value into a message that has a form of its own in JSON.
func (f *findings) wellKnown(m protoreflect.Message, n node, path string) bool {
	d := m.Descriptor()
	if form, ok := forms[d.FullName()]; ok {
		form.reader(f, m, n, path)
		return true
	}
	if value := wrapped(d); value != nil {
		f.wrapper(m, value, n, path)
		return true
	}
	return false
}

// textual reports whether JSON and queries say a message as one scalar.
func textual(d protoreflect.MessageDescriptor) bool {
	return forms[d.FullName()].textual || wrapped(d) != nil
}

// takesArray reports whether a field that is not repeated may be said as a list.
func takesArray(field protoreflect.FieldDescriptor) bool {
	d := field.Message()
	return d != nil && (d.FullName() == "google.protobuf.ListValue" || d.FullName() == "google.protobuf.Value")
}

// wrapped is the value of a wrapper (google/protobuf/wrappers.proto); nil for what is none.
func wrapped(d protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	if d.FullName().Parent() != "google.protobuf" || !strings.HasSuffix(string(d.Name()), "Value") {
		return nil
	}
	value := d.Fields().ByNumber(1)
	if d.Fields().Len() != 1 || value.Name() != "value" {
		return nil
	}
	return value
}

// wrapper reads the bare scalar; or {"value": …}, which some callers write.
func (f *findings) wrapper(m protoreflect.Message, value protoreflect.FieldDescriptor, n node, path string) {
	if n.kind == object && len(n.members) == 1 && n.members[0].name == "value" {
		n = n.members[0].value
		if n.kind == null {
			return
		}
	}
	if v, ok := f.scalar(value, n, path); ok {
		m.Set(value, v)
	}
}

// text leaves times and durations to protobuf's own reader.
func (f *findings) text(m protoreflect.Message, n node, path string) {
	if n.kind != str || protojson.Unmarshal(n.json(nil), m.Interface()) != nil {
		f.wrong(path, typeOf(m.Descriptor()), n)
	}
}

// free leaves values of any shape to protobuf's own reader.
func (f *findings) free(m protoreflect.Message, n node, path string) {
	typ := typeOf(m.Descriptor())
	if key, ok := n.twice(); ok {
		f.add(path, "Invalid value%s (%s), the key %s is given twice", at(path), typ, quote(key))
		return
	}
	if strings.HasSuffix(typ, ".Struct") && n.kind != object {
		f.wrong(path, typ, n)
		return
	}
	if protojson.Unmarshal(n.json(nil), m.Interface()) != nil {
		f.add(path, "Invalid value%s (%s), the JSON does not fit it", at(path), typ)
	}
}

// mask reads the paths as they are written; they are made sense of when the whole request
// is known.
func (f *findings) mask(m protoreflect.Message, n node, path string) {
	if n.kind != str {
		f.wrong(path, typeOf(m.Descriptor()), n)
		return
	}
	paths := m.Mutable(m.Descriptor().Fields().ByName("paths")).List()
	for one := range strings.SplitSeq(n.text, ",") {
		if one = strings.TrimSpace(one); one != "" {
			paths.Append(protoreflect.ValueOfString(one))
		}
	}
}
