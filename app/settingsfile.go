package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/spec"
)

// settingsFile is a YAML file with what is wrong in it. Only our own words and the parser's
// are shown, never an excerpt: it could hold a password.
type settingsFile struct {
	name     string
	text     []byte
	tree     *ast.File
	problems []string
}

func readSettingsFile(name string) (*settingsFile, error) {
	in, err := os.Open(name)
	if err != nil {
		return nil, unread(name, err)
	}
	defer func() { _ = in.Close() }()
	text, err := io.ReadAll(io.LimitReader(in, maxConfig))
	if err != nil {
		return nil, unread(name, err)
	}
	f := &settingsFile{name: name, text: text}
	if f.tree, err = parser.ParseBytes(text, 0); err != nil {
		f.broken(err)
		return nil, f.err()
	}
	return f, nil
}

func unread(name string, err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		err = p.Err
	}
	return syncline.Errorf(syncline.InvalidArgument, "cannot read %s: %w", name, err).Of(syncline.ClassConfig).Try("check the path given with --config")
}

// broken takes over what the parser or the decoder found.
func (f *settingsFile) broken(err error) {
	e, ok := errors.AsType[yaml.Error](err)
	if !ok || e.GetToken() == nil {
		f.problems = append(f.problems, f.name+":1:1: this is not YAML")
		return
	}
	message := "this is not YAML: " + e.GetMessage()
	if wrong, ok := errors.AsType[*yaml.TypeError](err); ok {
		message = "this must be " + wanted(wrong.DstType)
	}
	if wrong, ok := errors.AsType[*yaml.UnexpectedNodeTypeError](err); ok {
		message = "this must be " + map[ast.NodeType]string{ast.SequenceType: "a list", ast.MappingType: "an object"}[wrong.Expected]
	}
	at := e.GetToken().Position
	f.say(at.Line, at.Column, message)
}

func (f *settingsFile) say(line, column int, message string) {
	f.problems = append(f.problems, fmt.Sprintf("%s:%d:%d: %s", f.name, line, column, message))
}

// bad is about the setting at a path such as "roots[0]".
func (f *settingsFile) bad(path, format string, args ...any) {
	line, column := 1, 1
	if p, err := yaml.PathString("$." + path); err == nil {
		if n, err := p.FilterFile(f.tree); err == nil && n != nil {
			at := first(n).GetToken().Position
			line, column = at.Line, at.Column
		}
	}
	f.say(line, column, fmt.Sprintf(format, args...))
}

// first is where a mapping begins: its own token is the colon of its first member.
func first(n ast.Node) ast.Node {
	switch x := n.(type) {
	case *ast.MappingNode:
		if len(x.Values) > 0 && !x.IsFlowStyle {
			return x.Values[0].Key
		}
	case *ast.MappingValueNode:
		return x.Key
	}
	return n
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return wanted(t.Elem())
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	case reflect.Struct:
		return "an object with the keys " + strings.Join(keysOf(t), ", ")
	}
	return "text"
}

// decode fills in what the file says. Keys that no setting has are looked for first: the
// decoder would not say which one was meant.
func (f *settingsFile) decode(into *Settings) {
	for _, d := range f.tree.Docs {
		f.unknown(d.Body, reflect.TypeFor[Settings](), "the file")
	}
	if len(f.problems) > 0 {
		return
	}
	err := yaml.NewDecoder(bytes.NewReader(f.text), yaml.Strict()).Decode(into)
	if err != nil && !errors.Is(err, io.EOF) { // an empty file says nothing
		f.broken(err)
	}
}

func (f *settingsFile) unknown(n ast.Node, t reflect.Type, of string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for _, v := range members(n) {
		key := v.Key.GetToken().Value
		i := slices.Index(keysOf(t), key)
		if i >= 0 {
			f.unknown(v.Value, t.Field(i).Type, key)
			continue
		}
		e := spec.Unknown("key", key, of, keysOf(t))
		at := v.Key.GetToken().Position
		f.say(at.Line, at.Column, e.Message+": "+e.Hint)
	}
}

// members are those of a mapping; the parser has another node for one with a single member.
func members(n ast.Node) []*ast.MappingValueNode {
	switch x := n.(type) {
	case *ast.MappingNode:
		return x.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{x}
	}
	return nil
}

// keysOf are the keys of a struct's fields, in their order.
func keysOf(t reflect.Type) (keys []string) {
	for i := range t.NumField() {
		keys = append(keys, t.Field(i).Tag.Get("yaml"))
	}
	return keys
}

// err is one error of all that is wrong, a line each.
func (f *settingsFile) err() error {
	if len(f.problems) == 0 {
		return nil
	}
	return syncline.Errorf(syncline.InvalidArgument, "%s", strings.Join(f.problems, "\n")).Of(syncline.ClassConfig).
		Try("correct the file; docs/server.md lists its settings")
}
