package gapi

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/synclinehq/syncline"
)

const everything = "*"

// Paths makes sense of a field mask (https://google.aip.dev/161) over a message: paths in
// snake_case, each once, in the order given. A path may be written in either spelling and
// with the message's own name before it, as in transferConfig.displayName. Keys of maps and
// Structs are kept as written. "*" stands for all fields. The error names a path that
// leads nowhere.
func Paths(mask *fieldmaskpb.FieldMask, of protoreflect.MessageDescriptor) ([]string, error) {
	var out []string
	for _, p := range mask.GetPaths() {
		clean, ok := cleanPath(p, of)
		if !ok {
			return nil, badPath("update_mask", p)
		}
		if !slices.Contains(out, clean) {
			out = append(out, clean)
		}
	}
	return out, nil
}

func badPath(field, p string) *syncline.Error {
	return syncline.Invalid(field, "the path %q of the field mask leads to no field", clip(p))
}

func cleanPath(p string, of protoreflect.MessageDescriptor) (string, bool) {
	if p == everything {
		return p, true
	}
	if clean, ok := walk(p, of); ok {
		return clean, true
	}
	name, rest, _ := strings.Cut(p, ".")
	if Snake(name) != Snake(string(of.Name())) {
		return "", false
	}
	return walk(rest, of)
}

// walk follows a path down from a message.
func walk(p string, d protoreflect.MessageDescriptor) (string, bool) {
	name, rest, more := strings.Cut(p, ".")
	field := fieldOf(d, name)
	if field == nil {
		return "", false
	}
	clean := string(field.Name())
	if !more {
		return clean, true
	}
	below := field.Message()
	switch {
	case below == nil || rest == "":
		return "", false
	case field.IsMap() || below.FullName() == "google.protobuf.Struct":
		return clean + "." + rest, true
	case wrapped(below) != nil && rest == "value":
		return clean, true
	case field.IsList() || textual(below):
		return "", false
	}
	inside, ok := walk(rest, below)
	return clean + "." + inside, ok
}

// Snake is a name in lower case with underscores: displayName and DisplayName are
// display_name.
func Snake(name string) string {
	var b strings.Builder
	for i, c := range []byte(name) {
		if 'A' <= c && c <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// settleMasks puts clean paths into the request's field masks, when it is known what
// they speak of. A path may also name a text that stands beside the mask in the request: by
// it some clients say that they mean that one, and it is left to the method.
func (m *method) settleMasks(req protoreflect.Message) error {
	if m.edited == nil {
		return nil
	}
	var err error
	req.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if field.Message() != nil && !field.IsList() && field.Message().FullName() == "google.protobuf.FieldMask" {
			err = settleMask(v.Message(), m.edited.Message(), req.Descriptor())
		}
		return err == nil
	})
	return err
}

func settleMask(mask protoreflect.Message, of, request protoreflect.MessageDescriptor) error {
	field := mask.Descriptor().Fields().ByName("paths")
	given := mask.Get(field).List()
	written := &fieldmaskpb.FieldMask{}
	var beside []string
	for i := range given.Len() {
		p := given.Get(i).String()
		if f := fieldOf(request, p); f != nil && f.Kind() == protoreflect.StringKind && fieldOf(of, p) == nil {
			beside = append(beside, string(f.Name()))
			continue
		}
		written.Paths = append(written.Paths, p)
	}
	clean, err := Paths(written, of)
	if err != nil {
		return err
	}
	if clean = append(clean, beside...); len(clean) == 0 {
		return nil
	}
	list := mask.Mutable(field).List()
	list.Truncate(0)
	for _, p := range clean {
		list.Append(protoreflect.ValueOfString(p))
	}
	return nil
}
