package datatransferpb_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
)

type document struct {
	Schemas   map[string]struct{ Properties map[string]any }
	Resources map[string]resource
}

type resource struct {
	Methods   map[string]call
	Resources map[string]resource
}

type call struct{ HTTPMethod, Path, FlatPath string }

// The document that the dialect serves must promise what it answers, no more and no less:
// it is generated with the messages, and this finds one that was not.
func TestDiscoveryHasEveryForm(t *testing.T) {
	d := read(t)
	got := calls(d.Resources)
	slices.Sort(got)
	var want []string
	eachMethod(func(m protoreflect.MethodDescriptor) {
		for _, f := range forms(m) {
			want = append(want, discovered(f))
		}
	})
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the document has\n%s\nthe services have\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDiscoveryHasEveryMember(t *testing.T) {
	d := read(t)
	for _, f := range files {
		eachMessage(f.Messages(), func(m protoreflect.MessageDescriptor) {
			s, is := d.Schemas[string(m.Name())]
			if !is {
				if !isRequest(m) { // which may stand in path and query alone
					t.Errorf("no schema of %s", m.Name())
				}
				return
			}
			var want []string
			for i := range m.Fields().Len() {
				if n := m.Fields().Get(i).JSONName(); !inPath(m, n) {
					want = append(want, n)
				}
			}
			slices.Sort(want)
			if got := slices.Sorted(maps.Keys(s.Properties)); !slices.Equal(got, want) {
				t.Errorf("%s:\n got %q\nwant %q", m.Name(), got, want)
			}
		})
	}
}

func inPath(m protoreflect.MessageDescriptor, member string) bool {
	return isRequest(m) && (member == "name" || member == "parent")
}

func isRequest(m protoreflect.MessageDescriptor) bool {
	return strings.HasSuffix(string(m.Name()), "Request")
}

func read(t *testing.T) document {
	t.Helper()
	raw, err := os.ReadFile("../discovery.json")
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// calls lists every method as its verb and the path that its ids stand in.
func calls(rs map[string]resource) []string {
	var out []string
	for _, r := range rs {
		for _, c := range r.Methods {
			out = append(out, c.HTTPMethod+" "+c.FlatPath)
		}
		out = append(out, calls(r.Resources)...)
	}
	return out
}

// discovered is a form as discovery documents write it: every * is {collectionId}.
func discovered(form string) string {
	verb, rest, _ := strings.Cut(form, " ")
	path, _, _ := strings.Cut(rest, " ")
	before, variable, _ := strings.Cut(path, "{")
	variable, after, _ := strings.Cut(variable, "}")
	_, wild, _ := strings.Cut(variable, "=")
	parts := strings.Split(wild, "/")
	for i, p := range parts {
		if p == "*" {
			parts[i] = "{" + parts[i-1] + "Id}"
		}
	}
	return verb + " " + strings.TrimPrefix(before, "/") + strings.Join(parts, "/") + after
}
