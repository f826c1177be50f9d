package gapi

import (
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/synclinehq/syncline"
)

func (m *Mux) serveREST(w http.ResponseWriter, r *http.Request) {
	raw, err := m.rest(w, r)
	if err != nil {
		writeFailure(w, m.failure(r, err), !plainWanted(r))
		return
	}
	writeJSON(w, http.StatusOK, raw)
}

// rest takes a request through the checks in the order that callers may rely on: is there
// such a method, who calls, what does it say.
func (m *Mux) rest(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	verb, err := verbOf(r)
	if err != nil {
		return nil, err
	}
	b, values := m.route(verb, m.path(r))
	if b == nil {
		return nil, syncline.Errorf(syncline.NotFound, "The requested URL %s %s was not found on this server.", clip(verb), clip(r.URL.Path))
	}
	if err := known(r); err != nil {
		return nil, err
	}
	in, err := read(w, r, verb)
	if err != nil {
		return nil, err
	}
	wish, err := in.wish(r, b.desc.Output())
	if err != nil {
		return nil, err
	}
	out, err := m.invoke(r.Context(), b.method, func(req protoreflect.Message) error { return b.fill(req, in, values) })
	if err != nil {
		return nil, err
	}
	return wish.render(out)
}

// fill sets a request from body, query and path. What the path says wins.
func (b *binding) fill(req protoreflect.Message, in *incoming, values []string) error {
	found := &findings{}
	switch {
	case b.whole:
		found.body(req, in.body, "")
	case b.body != nil:
		found.body(req.Mutable(b.body).Message(), in.body, string(b.body.Name()))
	}
	found.query(req, in.parameters, b.queried)
	for i, v := range b.template.variables {
		setString(req, v.field, values[i])
	}
	return found.err()
}

// queried reports whether query parameters may set a field of the request.
func (b *binding) queried(f protoreflect.FieldDescriptor) bool {
	return !b.whole && f != b.body
}

func setString(m protoreflect.Message, dotted, value string) {
	for name := range strings.SplitSeq(dotted, ".") {
		f := m.Descriptor().Fields().ByName(protoreflect.Name(name))
		if f.Message() == nil {
			m.Set(f, protoreflect.ValueOfString(value))
			return
		}
		m = m.Mutable(f).Message()
	}
}

// render draws an answer as it was wished for.
func (w wish) render(out proto.Message) ([]byte, error) {
	return marshal(w.fields.prune(out), w.plain, w.numbers)
}
