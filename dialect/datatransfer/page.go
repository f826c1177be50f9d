package datatransfer

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// most is the size of a page, by default and at most.
const most = 1000

// scope is what a page token of a list is good for: the same method with the same
// parameters, those of the page aside.
func scope(list proto.Message) string {
	m := proto.Clone(list).ProtoReflect()
	for _, name := range []protoreflect.Name{"page_size", "page_token"} {
		m.Clear(m.Descriptor().Fields().ByName(name))
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.Interface())
	if err != nil {
		panic(fmt.Sprintf("scope of %s: %v", m.Descriptor().FullName(), err)) // it has come off the wire as one
	}
	return string(m.Descriptor().FullName()) + string(raw)
}

// open reads a page token; none leaves key as it is.
func (a *API) open(list proto.Message, token string, key any) error {
	if token == "" {
		return nil
	}
	return a.tokens.Open(scope(list), token, key)
}

// onward is the token of the page behind key.
func (a *API) onward(list proto.Message, key any) string { return a.tokens.Seal(scope(list), key) }
