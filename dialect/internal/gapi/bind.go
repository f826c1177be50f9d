package gapi

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// body reads JSON into a message. at is where the message stands in the request.
func (f *findings) body(m protoreflect.Message, raw []byte, at string) {
	n, err := parse(raw)
	switch {
	case err != nil:
		f.add(at, "Invalid JSON payload received. The body is not JSON that can be read: %v.", err)
	case n.kind != object:
		f.add(at, "Invalid JSON payload received. Root element must be a message.")
	default:
		f.message(m, n, at)
	}
}

// message reads a JSON value into a message. Of the same field given twice, under whatever
// names, none is better than the other.
func (f *findings) message(m protoreflect.Message, n node, path string) {
	if known := f.wellKnown(m, n, path); known {
		return
	}
	if n.kind != object {
		f.wrong(path, typeOf(m.Descriptor()), n)
		return
	}
	seen := map[protoreflect.FieldNumber]bool{}
	for _, one := range n.members {
		field := fieldOf(m.Descriptor(), one.name)
		switch {
		case field == nil:
			f.add(path, "Invalid JSON payload received. Unknown name %s%s: Cannot find field.", quote(one.name), at(path))
		case seen[field.Number()]:
			f.add(join(path, string(field.Name())), "Invalid JSON payload received. Repeated name %s%s: Field '%s' is given twice.", quote(one.name), at(path), field.Name())
		default:
			seen[field.Number()] = true
			f.field(m, field, one, path)
		}
	}
}

func (f *findings) field(m protoreflect.Message, field protoreflect.FieldDescriptor, one member, path string) {
	if one.value.kind == null {
		return
	}
	here := join(path, string(field.Name()))
	if f.taken(m, field, path) {
		return
	}
	switch {
	case field.IsMap():
		f.mapped(m.Mutable(field).Map(), field, one.value, here)
	case field.IsList():
		f.list(m.Mutable(field).List(), field, one.value, here)
	case one.value.kind == array && !takesArray(field):
		f.add(path, "Invalid JSON payload received. Unknown name %s%s: Proto field is not repeating, cannot start list.", quote(one.name), at(path))
	default:
		f.single(m, field, one.value, here)
	}
}

// taken reports, and says, that another field of the same oneof is set.
func (f *findings) taken(m protoreflect.Message, field protoreflect.FieldDescriptor, path string) bool {
	o := field.ContainingOneof()
	if o == nil || m.WhichOneof(o) == nil || m.WhichOneof(o) == field {
		return false
	}
	f.add(join(path, string(field.Name())), "Invalid value%s (oneof), oneof field '%s' is already set. Cannot set '%s'", at(path), o.Name(), field.JSONName())
	return true
}

// single reads a value into a field that takes one.
func (f *findings) single(m protoreflect.Message, field protoreflect.FieldDescriptor, n node, path string) {
	if field.Message() != nil {
		f.message(m.Mutable(field).Message(), n, path)
		return
	}
	if v, ok := f.scalar(field, n, path); ok {
		m.Set(field, v)
	}
}

func (f *findings) list(l protoreflect.List, field protoreflect.FieldDescriptor, n node, path string) {
	if n.kind != array {
		f.wrong(path, typeName(field), n)
		return
	}
	for i, item := range n.items {
		f.item(l, field, item, fmt.Sprintf("%s[%d]", path, i))
	}
}

// item adds a value to a list.
func (f *findings) item(l protoreflect.List, field protoreflect.FieldDescriptor, n node, path string) {
	if field.Message() != nil {
		f.message(l.AppendMutable().Message(), n, path)
		return
	}
	if v, ok := f.scalar(field, n, path); ok {
		l.Append(v)
	}
}

func (f *findings) mapped(to protoreflect.Map, field protoreflect.FieldDescriptor, n node, path string) {
	if n.kind != object {
		f.wrong(path, typeName(field), n)
		return
	}
	for _, one := range n.members {
		if one.value.kind != null {
			f.entry(to, field, one, fmt.Sprintf("%s[%s]", path, quote(one.name)))
		}
	}
}

func (f *findings) entry(to protoreflect.Map, field protoreflect.FieldDescriptor, one member, path string) {
	key, ok := f.scalar(field.MapKey(), keyNode(field.MapKey(), one.name), path)
	if !ok {
		return
	}
	if to.Has(key.MapKey()) {
		f.add(path, "Invalid value at '%s': the key is given twice.", clip(path))
		return
	}
	value := field.MapValue()
	if value.Message() != nil {
		f.message(to.Mutable(key.MapKey()).Message(), one.value, path)
	} else if v, ok := f.scalar(value, one.value, path); ok {
		to.Set(key.MapKey(), v)
	}
}

// keyNode is a map's key as a value of its type: all keys of JSON are strings.
func keyNode(key protoreflect.FieldDescriptor, name string) node {
	if key.Kind() == protoreflect.BoolKind && (name == "true" || name == "false") {
		return node{kind: boolean, text: name}
	}
	return node{kind: str, text: name}
}

// fieldOf finds a field by either of its names.
func fieldOf(d protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if field := d.Fields().ByJSONName(name); field != nil {
		return field
	}
	return d.Fields().ByName(protoreflect.Name(name))
}

// wrong says that a value is not of its field's type.
func (f *findings) wrong(path, typ string, n node) {
	f.add(path, "Invalid value%s (%s), %s", at(path), typ, n.echo(typ))
}

// echo shows a value to whoever sent it. What should have been a Struct may hold a secret
// under any name: of that nothing is shown.
func (n node) echo(typ string) string {
	switch {
	case n.kind == object:
		return "Starting an object on a scalar field"
	case n.kind == array:
		return "Starting a list on a scalar field"
	case strings.HasSuffix(typ, ".Struct"):
		return "not an object"
	case n.kind == str:
		return quote(n.text)
	}
	return clip(string(n.json(nil)))
}

func typeName(field protoreflect.FieldDescriptor) string {
	if field.Message() != nil {
		return typeOf(field.Message())
	}
	if field.Enum() != nil {
		return typeOf(field.Enum())
	}
	return "TYPE_" + strings.ToUpper(field.Kind().String())
}

func typeOf(d protoreflect.Descriptor) string { return "type.googleapis.com/" + string(d.FullName()) }
