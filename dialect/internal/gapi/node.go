package gapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

const (
	maxDepth  = 100     // of JSON, as protobuf's own bound of messages in messages
	maxValues = 100_000 // of a body: it is what a small body of "[0,0,…" could grow to
)

// kind of a JSON value.
type kind byte

const (
	null kind = iota
	boolean
	number
	str
	object
	array
)

// node is a JSON value. Unlike a map it keeps what was said twice.
type node struct {
	kind    kind
	text    string // of a scalar; a string's without quotes
	members []member
	items   []node
}

type member struct {
	name  string
	value node
}

// parse reads a body; nothing but white space is an empty object.
func parse(body []byte) (node, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return node{kind: object}, nil
	}
	if !utf8.Valid(body) {
		return node{}, errors.New("the text is not UTF-8")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		if at, ok := errors.AsType[*json.SyntaxError](err); ok {
			return node{}, fmt.Errorf("%w at byte %d", err, at.Offset)
		}
		return node{}, err
	}
	p := &parser{from: json.NewDecoder(bytes.NewReader(body))}
	p.from.UseNumber()
	n := p.value(0)
	return n, p.err
}

// parser builds nodes from text that is known to be JSON.
type parser struct {
	from   *json.Decoder
	values int
	err    error
}

func (p *parser) next() json.Token {
	t, err := p.from.Token()
	if err != nil && p.err == nil {
		p.err = err
	}
	return t
}

func (p *parser) value(depth int) node {
	if p.values++; p.values > maxValues && p.err == nil {
		p.err = fmt.Errorf("there are more than %d values", maxValues)
	}
	switch t := p.next().(type) {
	case json.Delim:
		return p.composite(t, depth+1)
	case string:
		return node{kind: str, text: t}
	case json.Number:
		return node{kind: number, text: t.String()}
	case bool:
		return node{kind: boolean, text: fmt.Sprint(t)}
	}
	return node{}
}

func (p *parser) composite(open json.Delim, depth int) node {
	if depth > maxDepth && p.err == nil {
		p.err = fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	n := node{kind: array}
	if open == '{' {
		n.kind = object
	}
	for p.err == nil && p.from.More() {
		if n.kind == array {
			n.items = append(n.items, p.value(depth))
			continue
		}
		name, _ := p.next().(string)
		n.members = append(n.members, member{name, p.value(depth)})
	}
	if p.err == nil {
		p.next() // what closes it
	}
	return n
}

// json is the value's text again, for protobuf's own reader.
func (n node) json(to []byte) []byte {
	switch n.kind {
	case object:
		to = append(to, '{')
		for i, m := range n.members {
			to = append(separate(to, i), quoted(m.name)...)
			to = m.value.json(append(to, ':'))
		}
		return append(to, '}')
	case array:
		to = append(to, '[')
		for i, item := range n.items {
			to = item.json(separate(to, i))
		}
		return append(to, ']')
	case str:
		return append(to, quoted(n.text)...)
	case null:
		return append(to, "null"...)
	}
	return append(to, n.text...)
}

// twice finds a member that an object has two of.
func (n node) twice() (name string, found bool) {
	seen := map[string]bool{}
	for _, m := range n.members {
		if seen[m.name] {
			return m.name, true
		}
		seen[m.name] = true
		if name, found = m.value.twice(); found {
			return name, true
		}
	}
	for _, item := range n.items {
		if name, found = item.twice(); found {
			return name, true
		}
	}
	return "", false
}

func separate(to []byte, i int) []byte {
	if i > 0 {
		return append(to, ',')
	}
	return to
}

// quoted is a string as JSON writes it.
func quoted(text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string can be encoded, and a buffer takes it
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
