package gapi

import (
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/synclinehq/syncline"
)

// filterParser reads a filter from left to right, up to the first fault.
type filterParser struct {
	text   string
	at     int // the byte that comes next
	depth  int
	of     protoreflect.MessageDescriptor
	fields []string
	err    error
}

// expression reads what all has to hold, up to a closing parenthesis or the end.
func (p *filterParser) expression() check {
	var all []check
	for p.err == nil {
		all = append(all, p.factor())
		if !p.keyword("AND") && p.done() {
			break
		}
	}
	return every(all)
}

// factor reads terms of which one has to hold.
func (p *filterParser) factor() check {
	terms := []check{p.term()}
	for p.err == nil && p.keyword("OR") {
		terms = append(terms, p.term())
	}
	return either(terms)
}

func (p *filterParser) term() check {
	if p.keyword("NOT") || p.mark("-") {
		return opposite(p.simple())
	}
	return p.simple()
}

func (p *filterParser) simple() check {
	if p.space(); !p.mark("(") {
		return p.restriction()
	}
	open := p.at - 1
	if p.depth++; p.depth > maxFilterDepth {
		p.fail(open, "parentheses are in each other more than %d deep", maxFilterDepth)
		return nil
	}
	holds := p.expression()
	if p.err == nil && !p.mark(")") {
		p.fail(open, "the parenthesis is never closed")
	}
	p.depth--
	return holds
}

// restriction reads a field, an operator and a value.
func (p *filterParser) restriction() check {
	path := p.path()
	op := p.operator()
	p.space()
	at := p.at
	want := p.operand()
	if p.err != nil {
		return nil
	}
	holds, why := restrict(path, op, want)
	if why != "" {
		p.fail(at, "%s", why)
	}
	return holds
}

// path reads the name of a field.
func (p *filterParser) path() []protoreflect.FieldDescriptor {
	end := strings.IndexFunc(p.rest(), func(c rune) bool {
		return c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	})
	if end < 0 {
		end = len(p.rest())
	}
	name, at := p.rest()[:end], p.at
	p.at += end
	if name == "" {
		p.fail(at, "the name of a field is missing")
		return nil
	}
	fields := lookUp(p.of, name)
	if fields == nil || !slices.Contains(p.fields, dotted(fields)) {
		p.fail(at, "%q is no field that the list is filtered by", clip(name))
		return nil
	}
	return fields
}

// operators has those first that begin with another.
var operators = []string{"!=", "<=", ">=", "=", "<", ">", ":"}

func (p *filterParser) operator() string {
	p.space()
	for _, op := range operators {
		if p.mark(op) {
			return op
		}
	}
	p.fail(p.at, "an operator is missing: one of %s", strings.Join(operators, " "))
	return ""
}

// done reports whether an expression ends here.
func (p *filterParser) done() bool {
	p.space()
	return p.rest() == "" || p.rest()[0] == ')'
}

// keyword takes a word that stands for itself: not the beginning of a longer one, nor a
// field of that name.
func (p *filterParser) keyword(word string) bool {
	p.space()
	rest, found := strings.CutPrefix(p.rest(), word)
	if !found || rest != "" && !strings.ContainsRune(" \t\r\n()-", rune(rest[0])) {
		return false
	}
	p.at += len(word)
	return true
}

func (p *filterParser) mark(text string) bool {
	found := strings.HasPrefix(p.rest(), text)
	if found {
		p.at += len(text)
	}
	return found
}

func (p *filterParser) space() {
	p.at = len(p.text) - len(strings.TrimLeft(p.rest(), " \t\r\n"))
}

func (p *filterParser) rest() string { return p.text[p.at:] }

// fail keeps the first fault, and where it is: as people count, in characters from 1.
func (p *filterParser) fail(at int, format string, args ...any) {
	if p.err != nil {
		return
	}
	column := utf8.RuneCountInString(p.text[:at]) + 1
	p.err = syncline.Invalid("filter", "the filter is not understood at column %d: "+format, append([]any{column}, args...)...).
		Try("write it as in: %s", p.example())
}

func (p *filterParser) example() string {
	if len(p.fields) == 0 {
		return `field = "value"`
	}
	return p.fields[0] + ` = "value"`
}
