package gapi

import (
	"strings"

	"github.com/synclinehq/syncline"
)

const maxName = 2 << 10 // bytes of a resource name

// Pattern is the shape of a resource name (https://google.aip.dev/122), as in
// "projects/{project}/locations/{location}".
type Pattern string

// Name is a resource name, taken apart: values by the names that the pattern has for them.
type Name struct {
	Pattern Pattern // the one it is of
	values  map[string]string
}

// Get is one of the name's values; "" when the pattern has none of that name.
func (n Name) Get(variable string) string { return n.values[variable] }

// ParseName takes a name apart by the first pattern that it is of. The error is
// InvalidArgument, and says which field holds the name and how names look.
func ParseName(field, name string, patterns ...Pattern) (Name, error) {
	if len(name) <= maxName {
		for _, p := range patterns {
			if n, ok := p.parse(name); ok {
				return n, nil
			}
		}
	}
	shapes := make([]string, len(patterns))
	for i, p := range patterns {
		shapes[i] = string(p)
	}
	return Name{}, syncline.Invalid(field, "%s is %q, which is no name of this kind", field, clip(name)).
		Try("write it as %s", strings.Join(shapes, " or "))
}

func (p Pattern) parse(name string) (Name, bool) {
	want, got := strings.Split(string(p), "/"), strings.Split(name, "/")
	n := Name{Pattern: p, values: map[string]string{}}
	if len(want) != len(got) {
		return n, false
	}
	for i, w := range want {
		switch variable, is := variableOf(w); {
		case is && plausible(got[i]):
			n.values[variable] = got[i]
		case is || w != got[i]:
			return n, false
		}
	}
	return n, true
}

// Fill makes a name of the pattern's variables, in their order.
func (p Pattern) Fill(values ...string) string {
	segments := strings.Split(string(p), "/")
	for i, s := range segments {
		if _, is := variableOf(s); is && len(values) > 0 {
			segments[i], values = values[0], values[1:]
		}
	}
	return strings.Join(segments, "/")
}

func variableOf(segment string) (string, bool) {
	if !strings.HasPrefix(segment, "{") || !strings.HasSuffix(segment, "}") {
		return "", false
	}
	return segment[1 : len(segment)-1], true
}

// plausible keeps out what no id has: nothing, and what cannot be seen.
func plausible(id string) bool {
	return id != "" && strings.IndexFunc(id, func(c rune) bool { return c <= ' ' || c == 0x7F || c == 0xFFFD }) < 0
}
