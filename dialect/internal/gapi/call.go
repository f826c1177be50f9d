package gapi

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// invoke calls a method with the request that fill makes. A panic of the method stays in
// here: it must not end other calls.
func (m *Mux) invoke(ctx context.Context, one *method, fill func(protoreflect.Message) error) (out proto.Message, err error) {
	defer func() {
		if what := recover(); what != nil {
			m.o.Log.Error("panic", "method", one.desc.FullName(), "what", fmt.Sprint(what), "stack", string(debug.Stack()))
			out, err = nil, errPanic
		}
	}()
	answer, err := one.call(one.impl, ctx, func(in any) error {
		request := in.(proto.Message).ProtoReflect()
		if err := fill(request); err != nil {
			return err
		}
		return one.settleMasks(request)
	}, nil)
	if err != nil {
		return nil, err
	}
	return answer.(proto.Message), nil
}

// errPanic stands for a panic, which the log already has.
var errPanic = errors.New("panic")
