package gapi

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/synclinehq/syncline"
)

const maxFields = 8 << 10 // bytes of an expression

// selection is the part of a message that a caller wants to see; nil, or one that is
// whole, is all of it.
type selection struct {
	whole  bool
	fields map[protoreflect.FieldNumber]*selection
	keys   map[string]*selection // of a map or a Struct
	every  *selection            // of all its keys
}

// parseFields reads what a caller wants to see of a message: paths after commas, "/" or
// "." down into it, "a(b,c)" for several below one, "*" for everything
// (https://google.aip.dev/157). Lists are transparent.
func parseFields(text string, of protoreflect.MessageDescriptor) (*selection, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	if len(text) > maxFields {
		return nil, badFields("is longer than %d bytes", maxFields)
	}
	p := &fieldsParser{rest: text}
	s := &selection{}
	if !p.list(s, place{message: of}, 0) {
		return nil, p.err
	}
	if p.rest != "" {
		p.syntax()
		return nil, p.err
	}
	return s, nil
}

// place is where a path has led to.
type place struct {
	message protoreflect.MessageDescriptor // nil: to no message
	values  protoreflect.FieldDescriptor   // of a map
	end     bool                           // nothing is below
}

func placeOf(f protoreflect.FieldDescriptor) place {
	switch d := f.Message(); {
	case f.IsMap():
		return place{values: f.MapValue()}
	case d == nil || textual(d) || d.FullName() == "google.protobuf.Any":
		return place{end: true}
	default:
		return place{message: d}
	}
}

// free reports whether any name may stand here: of a Struct, or of what is in one.
func (p place) free() bool {
	if p.message == nil {
		return false
	}
	switch p.message.FullName() {
	case "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue":
		return true
	}
	return false
}

// down takes one step, and says where in the selection that leads.
func (p place) down(s *selection, name string) (*selection, place, bool) {
	switch {
	case p.end:
		return nil, p, false
	case name == everything:
		return p.all(s)
	case p.values != nil:
		return s.key(name), placeOf(p.values), true
	case p.free():
		return s.key(name), p, true
	}
	f := fieldOf(p.message, name)
	if f == nil {
		return nil, p, false
	}
	return s.field(f.Number()), placeOf(f), true
}

// all is the step of a star. Below that of a message, whose fields differ, nothing can be
// asked for.
func (p place) all(s *selection) (*selection, place, bool) {
	if p.values == nil && !p.free() {
		return s, place{end: true}, true
	}
	if s.every == nil {
		s.every = &selection{}
	}
	if p.values != nil {
		p = placeOf(p.values)
	}
	return s.every, p, true
}

func (s *selection) field(n protoreflect.FieldNumber) *selection {
	if s.fields == nil {
		s.fields = map[protoreflect.FieldNumber]*selection{}
	}
	if s.fields[n] == nil {
		s.fields[n] = &selection{}
	}
	return s.fields[n]
}

func (s *selection) key(name string) *selection {
	if s.keys == nil {
		s.keys = map[string]*selection{}
	}
	if s.keys[name] == nil {
		s.keys[name] = &selection{}
	}
	return s.keys[name]
}

type fieldsParser struct {
	rest string
	err  error
}

func (p *fieldsParser) list(s *selection, from place, depth int) bool {
	if depth > maxDepth {
		p.syntax()
		return false
	}
	for {
		if !p.path(s, from, depth) {
			return false
		}
		if !p.skip(",") {
			return true
		}
	}
}

// path reads one path, and what is in parentheses behind it.
func (p *fieldsParser) path(s *selection, at place, depth int) bool {
	for steps := 0; ; steps++ {
		name := p.name()
		if name == "" || steps > maxDepth {
			p.syntax()
			return false
		}
		var ok bool
		if s, at, ok = at.down(s, name); !ok {
			p.err = badFields("leads to no field of the answer at %q", clip(name))
			return false
		}
		if !p.skip("/") && !p.skip(".") {
			break
		}
	}
	if !p.skip("(") {
		s.whole = true
		return true
	}
	if !p.list(s, at, depth+1) {
		return false
	}
	if !p.skip(")") {
		p.syntax()
		return false
	}
	return true
}

func (p *fieldsParser) name() string {
	end := strings.IndexAny(p.rest, ",/.()")
	if end < 0 {
		end = len(p.rest)
	}
	name := strings.TrimSpace(p.rest[:end])
	p.rest = p.rest[end:]
	return name
}

func (p *fieldsParser) skip(mark string) bool {
	rest := strings.TrimLeft(p.rest, " ")
	if !strings.HasPrefix(rest, mark) {
		return false
	}
	p.rest = rest[1:]
	return true
}

func (p *fieldsParser) syntax() {
	p.err = badFields("is not understood at %q", clip(p.rest)).
		Try("it takes paths such as a/b,c(d,e)")
}

func badFields(format string, args ...any) *syncline.Error {
	return syncline.Invalid("fields", "the parameter fields "+format, args...)
}
