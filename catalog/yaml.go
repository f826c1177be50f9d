package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/spec"
)

// position is where in the files something stands, both counted from 1.
type position struct {
	file         string
	line, column int
}

func (p position) String() string { return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.column) }

// problem is something a person got wrong in a file.
type problem struct {
	at            position
	message, hint string
}

// reader walks one YAML file and collects what is wrong with it. It goes by the tree
// rather than decoding into structs, because every later error, also one about two fields
// together, must be able to name the line.
type reader struct {
	file     File
	anchors  map[string]ast.Node
	problems []problem
	at       map[string]position // of the fields of the pipeline being read
	values   int                 // read by json so far
}

// parse reads the documents of a file. Only the parser's own words are shown: with its
// excerpts it would repeat passwords.
func (r *reader) parse() []*ast.DocumentNode {
	tree, err := parser.ParseBytes(r.file.Text, 0)
	if e, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		at := position{r.file.Name, e.Token.Position.Line, e.Token.Position.Column}
		r.problems = append(r.problems, problem{at, "this is not YAML: " + e.Message, r.yamlHint(at.line)})
		return nil
	}
	if err != nil {
		r.problems = append(r.problems, problem{position{r.file.Name, 1, 1}, "this is not YAML", ""})
		return nil
	}
	r.anchors = map[string]ast.Node{}
	for _, d := range tree.Docs {
		ast.Walk(anchorFinder(r.anchors), d)
	}
	return tree.Docs
}

// yamlHint knows the two values of this format that YAML takes for something else.
func (r *reader) yamlHint(line int) string {
	lines := strings.Split(string(r.file.Text), "\n")
	if line < 1 || line > len(lines) {
		return ""
	}
	switch text := lines[line-1]; {
	case strings.Contains(text, "cron:"):
		return `write the pattern in quotes: cron: "*/15 * * * *"`
	case strings.Contains(text, "${"):
		return `write values with ${…} in quotes when they stand inside { } or [ ]`
	}
	return ""
}

type anchorFinder map[string]ast.Node

func (a anchorFinder) Visit(n ast.Node) ast.Visitor {
	if anchor, ok := n.(*ast.AnchorNode); ok {
		a[anchor.Name.GetToken().Value] = anchor.Value
	}
	return a
}

// maxAliases bounds aliases of aliases, which may go in a circle.
const maxAliases = 16

// follow goes through anchors, aliases and tags to the value itself.
func (r *reader) follow(n ast.Node) ast.Node {
	for range maxAliases {
		switch x := n.(type) {
		case *ast.AnchorNode:
			n = x.Value
		case *ast.AliasNode:
			n = r.anchors[x.Value.GetToken().Value]
		case *ast.TagNode:
			n = x.Value
		default:
			return n
		}
	}
	return nil
}

func (r *reader) where(n ast.Node) position {
	if n == nil || n.GetToken() == nil {
		return position{r.file.Name, 1, 1}
	}
	// The token of a mapping is the colon of its first member.
	switch x := n.(type) {
	case *ast.MappingNode:
		if len(x.Values) > 0 && !x.IsFlowStyle {
			return r.where(x.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return r.where(x.Key)
	}
	at := n.GetToken().Position
	return position{r.file.Name, at.Line, at.Column}
}

func (r *reader) bad(n ast.Node, format string, args ...any) *problem {
	r.problems = append(r.problems, problem{at: r.where(n), message: fmt.Sprintf(format, args...)})
	return &r.problems[len(r.problems)-1]
}

// members hands the members of a mapping to the readers of their keys. A key without one
// is refused.
func (r *reader) members(n ast.Node, what string, known []string, read func(key string, value ast.Node)) {
	if !isObject(r.follow(n)) {
		r.bad(n, "%s must be an object with the keys %s", what, strings.Join(known, ", "))
	}
	for _, v := range pairs(r.follow(n)) {
		key, ok := r.text(v.Key, "a key")
		if !ok {
			continue
		}
		if !slices.Contains(known, key) {
			e := spec.Unknown("key", key, what, known)
			r.bad(v.Key, "%s", e.Message).hint = e.Hint
			continue
		}
		read(key, v.Value)
	}
}

// isObject reports whether n is a mapping; the parser has another node for one with a
// single member.
func isObject(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// pairs are the members of a mapping, none of anything else.
func pairs(n ast.Node) []*ast.MappingValueNode {
	switch x := n.(type) {
	case *ast.MappingNode:
		return x.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{x}
	}
	return nil
}

// items are those of a list.
func (r *reader) items(n ast.Node, what string) []ast.Node {
	if list, ok := r.follow(n).(*ast.SequenceNode); ok {
		return list.Values
	}
	r.bad(n, "%s must be a list", what)
	return nil
}

func (r *reader) text(n ast.Node, what string) (string, bool) {
	switch x := r.follow(n).(type) {
	case *ast.StringNode:
		return x.Value, true
	case *ast.LiteralNode:
		return x.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		r.bad(n, "%s must be text", what).hint = "write it in quotes"
	default:
		r.bad(n, "%s must be text", what)
	}
	return "", false
}

// number reads a whole number.
func (r *reader) number(n ast.Node, what string) int {
	if x, ok := r.follow(n).(*ast.IntegerNode); ok {
		switch v := x.Value.(type) {
		case int64:
			return int(v)
		case uint64:
			if v <= math.MaxInt {
				return int(v)
			}
		}
	}
	r.bad(n, "%s must be a whole number", what)
	return 0
}

func (r *reader) truth(n ast.Node, what string) bool {
	x, ok := r.follow(n).(*ast.BoolNode)
	if !ok {
		r.bad(n, "%s must be true or false", what)
		return false
	}
	return x.Value
}

// maxValues bounds the settings in a file: an alias may stand inside what it means, and a
// few aliases of aliases can mean more than memory holds.
const maxValues = 10_000

// json turns a value of a plugin's settings into JSON; the spec checks what it is.
func (r *reader) json(n ast.Node) any {
	if r.values++; r.values > maxValues {
		if r.values == maxValues+1 {
			r.bad(n, "the file holds more than %d settings, or an alias that holds itself", maxValues)
		}
		return nil
	}
	switch x := r.follow(n).(type) {
	case *ast.StringNode:
		return x.Value
	case *ast.LiteralNode:
		return x.Value.Value
	case *ast.IntegerNode:
		return x.Value
	case *ast.FloatNode:
		return json.Number(x.Token.Value)
	case *ast.BoolNode:
		return x.Value
	case *ast.NullNode:
		return nil
	case *ast.SequenceNode:
		list := []any{}
		for _, v := range x.Values {
			list = append(list, r.json(v))
		}
		return list
	case *ast.MappingNode, *ast.MappingValueNode:
		return r.object(x)
	}
	r.bad(n, "this value cannot be a setting")
	return nil
}

func (r *reader) object(n ast.Node) map[string]any {
	out := map[string]any{}
	for _, v := range pairs(n) {
		if key, ok := r.text(v.Key, "a key"); ok {
			out[key] = r.json(v.Value)
		}
	}
	return out
}

// maxShown is how many problems one error lists.
const maxShown = 20

// joined makes one error of problems, a line for each.
func joined(problems []problem) error {
	if len(problems) == 0 {
		return nil
	}
	if len(problems) == 1 {
		e := syncline.Invalid("", "%s: %s", problems[0].at, problems[0].message)
		e.Hint = problems[0].hint
		return e
	}
	var lines []string
	for _, p := range problems[:min(len(problems), maxShown)] {
		line := fmt.Sprintf("%s: %s", p.at, p.message)
		if p.hint != "" {
			line += " (" + p.hint + ")"
		}
		lines = append(lines, line)
	}
	if n := len(problems) - maxShown; n > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", n))
	}
	return syncline.Invalid("", "%s", strings.Join(lines, "\n")).Try("correct the %d places and apply again", len(problems))
}
