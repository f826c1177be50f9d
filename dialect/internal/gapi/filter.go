package gapi

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/synclinehq/syncline"
)

const (
	maxFilter      = 4 << 10 // bytes of a filter
	maxFilterDepth = 32      // of parentheses in parentheses
)

// Filter is what the items of a list have to be like.
type Filter struct{ holds check }

// check reports whether something is true of a message.
type check func(protoreflect.Message) bool

// ParseFilter reads a filter (https://google.aip.dev/160): terms such as
//
//	state = FAILED AND (name:orders OR name:*users*) -update_time < "2026-03-04T10:00:00Z"
//
// of a field in either spelling, an operator and a value. OR binds tighter than AND, which
// may be left out. A star in a value of = and : stands for any text; : without one finds
// texts that contain the value, and ":*" fields that are set. fields are the only ones that
// may be asked for, in snake_case. The error is InvalidArgument and says where the fault is.
func ParseFilter(text string, of protoreflect.MessageDescriptor, fields ...string) (*Filter, error) {
	if len(text) > maxFilter {
		return nil, syncline.Invalid("filter", "the filter has %d bytes, and may have %d", len(text), maxFilter)
	}
	p := &filterParser{text: text, of: of, fields: fields}
	if p.space(); p.rest() == "" {
		return &Filter{every(nil)}, nil
	}
	holds := p.expression()
	if p.err == nil && p.rest() != "" {
		p.fail(p.at, "a parenthesis closes that none has opened") // nothing else ends an expression
	}
	if p.err != nil {
		return nil, p.err
	}
	return &Filter{holds}, nil
}

// Match reports whether a message is what the filter asks for. It has to be of the kind
// that the filter was read for.
func (f *Filter) Match(m proto.Message) bool { return f.holds(m.ProtoReflect()) }

func every(all []check) check {
	return func(m protoreflect.Message) bool {
		for _, holds := range all {
			if !holds(m) {
				return false
			}
		}
		return true
	}
}

func either(all []check) check {
	return func(m protoreflect.Message) bool {
		for _, holds := range all {
			if holds(m) {
				return true
			}
		}
		return false
	}
}

func opposite(holds check) check {
	return func(m protoreflect.Message) bool { return !holds(m) }
}
