package gapi

import (
	"fmt"
	"net/url"
	"strings"
)

// template is the path of a http rule, such as /v1/{name=projects/*/things/*}:poke.
type template struct {
	segments  []string // "*" is any one segment, "**" at the end any number of them
	verb      string   // after the colon
	variables []variable
}

// variable is the part of a path that a field is set to.
type variable struct {
	field    string // dotted
	from, to int    // segments; to is -1 for all that follow
}

func parseTemplate(text string) (template, error) {
	t := template{}
	rest, ok := strings.CutPrefix(text, "/")
	if !ok {
		return t, fmt.Errorf("template %q does not begin with a slash", text)
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexAny(rest, "/}") {
		rest, t.verb = rest[:i], rest[i+1:]
	}
	for rest != "" {
		if rest, ok = t.take(rest); !ok {
			return t, fmt.Errorf("template %q is not understood", text)
		}
	}
	return t, t.check(text)
}

// take reads one segment, or one variable, and the slash behind it.
func (t *template) take(rest string) (left string, ok bool) {
	if !strings.HasPrefix(rest, "{") {
		segment, left, more := strings.Cut(rest, "/")
		t.segments = append(t.segments, segment)
		return left, segment != "" && (!more || left != "")
	}
	inside, left, ok := strings.Cut(rest[1:], "}")
	if !ok || left != "" && !strings.HasPrefix(left, "/") {
		return "", false
	}
	field, pattern, given := strings.Cut(inside, "=")
	if !given {
		pattern = "*"
	}
	from := len(t.segments)
	t.segments = append(t.segments, strings.Split(pattern, "/")...)
	t.variables = append(t.variables, variable{field, from, len(t.segments)})
	return strings.TrimPrefix(left, "/"), field != ""
}

func (t *template) check(text string) error {
	for i, s := range t.segments {
		last := i == len(t.segments)-1
		if s == "" || strings.ContainsAny(s, "{}") || strings.Contains(s, "*") && s != "*" && (s != "**" || !last) {
			return fmt.Errorf("template %q: segment %q is not understood", text, s)
		}
	}
	for i := range t.variables {
		if v := &t.variables[i]; t.segments[v.to-1] == "**" {
			v.to = -1
		}
	}
	return nil
}

// shape tells whether two templates match the same paths.
func (t *template) shape() string { return strings.Join(t.segments, "/") + ":" + t.verb }

// literals is how much of the path is given: the more, the more specific.
func (t *template) literals() int {
	n := 0
	for _, s := range t.segments {
		if !strings.HasPrefix(s, "*") {
			n++
		}
	}
	return n
}

// open is 1 when the path may go on for ever, which is less specific than any path that ends.
func (t *template) open() int {
	if n := len(t.segments); n > 0 && t.segments[n-1] == "**" {
		return 1
	}
	return 0
}

// path is a request's path, taken apart.
type path struct {
	segments []string // decoded; "" for one that no "*" matches
	last     string   // the last segment before its colon
	verb     string   // what follows that colon; "" when there is none
}

// splitPath decodes every segment by itself, once.
func splitPath(encoded string) (path, bool) {
	var p path
	rest, ok := strings.CutPrefix(encoded, "/")
	if !ok {
		return p, false
	}
	for s := range strings.SplitSeq(rest, "/") {
		decoded, err := url.PathUnescape(s)
		if err != nil {
			return p, false
		}
		if strings.Contains(decoded, "/") { // %2F: one segment must not become two
			decoded = ""
		}
		p.segments = append(p.segments, decoded)
	}
	p.last = p.segments[len(p.segments)-1]
	if i := strings.LastIndexByte(p.last, ':'); i >= 0 {
		p.last, p.verb = p.last[:i], p.last[i+1:]
	}
	return p, true
}

// match gives the variables' values. A path whose last segment has a colon matches a
// template without a verb as a whole: an id may have a colon.
func (t *template) match(p path) (values []string, ok bool) {
	segments := p.segments
	if t.verb != "" {
		if t.verb != p.verb {
			return nil, false
		}
		segments = append(segments[:len(segments)-1:len(segments)-1], p.last)
	}
	if !t.fits(segments) {
		return nil, false
	}
	for _, v := range t.variables {
		to := v.to
		if to < 0 {
			to = len(segments)
		}
		values = append(values, strings.Join(segments[v.from:to], "/"))
	}
	return values, true
}

func (t *template) fits(segments []string) bool {
	n := len(t.segments) - t.open()
	if t.open() > 0 {
		if len(segments) < n {
			return false
		}
		for _, s := range segments[n:] {
			if s == "" {
				return false
			}
		}
	} else if len(segments) != n {
		return false
	}
	for i, want := range t.segments[:n] {
		if got := segments[i]; got == "" || want != "*" && want != got {
			return false
		}
	}
	return true
}
