package gapi

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// prune is what a selection leaves of a message. It shares the rest with the message,
// which is not changed.
func (s *selection) prune(m proto.Message) proto.Message {
	if s == nil {
		return m
	}
	return s.message(m.ProtoReflect()).Interface()
}

func (s *selection) message(m protoreflect.Message) protoreflect.Message {
	if s.whole {
		return m
	}
	switch m.Descriptor().FullName() {
	case "google.protobuf.Value", "google.protobuf.ListValue":
		return s.loose(m)
	case "google.protobuf.Struct":
		return s.structure(m)
	}
	out := m.New()
	for number, below := range s.fields {
		f := m.Descriptor().Fields().ByNumber(number)
		if m.Has(f) {
			below.copy(out, m, f)
		}
	}
	return out
}

func (s *selection) copy(out, m protoreflect.Message, f protoreflect.FieldDescriptor) {
	switch {
	case f.IsMap():
		s.entries(out.Mutable(f).Map(), m.Get(f).Map(), f.MapValue())
	case f.IsList() && f.Message() != nil:
		from, to := m.Get(f).List(), out.Mutable(f).List()
		for i := range from.Len() {
			if item := from.Get(i).Message(); s.reaches(item) {
				to.Append(protoreflect.ValueOfMessage(s.message(item)))
			}
		}
	case f.Message() != nil:
		out.Set(f, protoreflect.ValueOfMessage(s.message(m.Get(f).Message())))
	default:
		out.Set(f, m.Get(f))
	}
}

func (s *selection) entries(to, from protoreflect.Map, value protoreflect.FieldDescriptor) {
	from.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		below := s.of(k.String())
		switch {
		case below == nil && !s.whole:
		case below == nil || value.Message() == nil:
			to.Set(k, v)
		case below.reaches(v.Message()):
			to.Set(k, protoreflect.ValueOfMessage(below.message(v.Message())))
		}
		return true
	})
}

// of is what is wanted of a key: by its name or because all are; nil: nothing.
func (s *selection) of(key string) *selection {
	return s.keys[key].and(s.every)
}

// and is what either of two selections of the same type selects.
func (s *selection) and(o *selection) *selection {
	switch {
	case s == nil || o != nil && o.whole:
		return o
	case o == nil || s.whole:
		return s
	}
	out := &selection{every: s.every.and(o.every)}
	for _, from := range []*selection{s, o} {
		for n, below := range from.fields {
			*out.field(n) = *out.field(n).and(below)
		}
		for k, below := range from.keys {
			*out.key(k) = *out.key(k).and(below)
		}
	}
	return out
}

// reaches reports whether anything can be left of a message: of a scalar in a Struct there
// is nothing below it.
func (s *selection) reaches(m protoreflect.Message) bool {
	if s.whole || m.Descriptor().FullName() != "google.protobuf.Value" {
		return true
	}
	kind := m.WhichOneof(m.Descriptor().Oneofs().ByName("kind"))
	return kind != nil && kind.Message() != nil
}

// structure takes the keys of a Struct.
func (s *selection) structure(m protoreflect.Message) protoreflect.Message {
	out, f := m.New(), m.Descriptor().Fields().ByName("fields")
	from, to := m.Get(f).Map(), out.Mutable(f).Map()
	s.entries(to, from, f.MapValue())
	return out
}

// loose goes on into what a Value holds, and into every item of a list. A scalar has
// nothing below it.
func (s *selection) loose(m protoreflect.Message) protoreflect.Message {
	out := m.New()
	m.Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if f.Message() != nil {
			s.copy(out, m, f)
		}
		return true
	})
	return out
}
