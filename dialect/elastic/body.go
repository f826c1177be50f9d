package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	maxBody  = 1 << 20
	maxDepth = 64
)

// value is a piece of a body that knows where it stood.
type value struct {
	token   string // START_OBJECT, VALUE_STRING, …, as errors say it
	at      int    // offset in the body
	text    string // of a string, number or boolean
	members []member
	items   []*value
}

type member struct {
	name string
	at   int
	value
}

// body reads the request's body; nil when there is none. What type it says it has is not
// looked at: clients send a type with every request, also with an empty one.
func (c *call) body() (*value, []byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, nil, fault(http.StatusRequestEntityTooLarge, "status_exception", "the body is larger than %d bytes", maxBody)
		}
		return nil, nil, illegal("the body could not be read")
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, raw, nil
	}
	d := &scanner{json.NewDecoder(bytes.NewReader(raw)), raw}
	d.UseNumber()
	v, err := d.value(0)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = d.broken("unexpected content after the first value")
		}
	}
	return v, raw, err
}

type scanner struct {
	*json.Decoder
	raw []byte
}

func (d *scanner) broken(why string) error {
	return parseFault(d.raw, int(d.InputOffset()), "%s", why)
}

// parseFault is an x_content_parse_exception at a place of the body.
func parseFault(raw []byte, at int, format string, args ...any) *failure {
	at = min(at, len(raw))
	line := 1 + bytes.Count(raw[:at], []byte("\n"))
	column := at - bytes.LastIndexByte(raw[:at], '\n')
	args = append([]any{line, column}, args...)
	return fault(http.StatusBadRequest, "x_content_parse_exception", "[%d:%d] "+format, args...)
}

func (d *scanner) value(depth int) (*value, error) {
	if depth > maxDepth {
		return nil, d.broken("more than " + strconv.Itoa(maxDepth) + " levels")
	}
	t, err := d.Token()
	if err != nil {
		return nil, d.broken("malformed JSON")
	}
	v := &value{at: int(d.InputOffset())}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return v, d.object(v, depth)
		}
		return v, d.array(v, depth)
	case string:
		v.token, v.text = "VALUE_STRING", t
	case json.Number:
		v.token, v.text = "VALUE_NUMBER", t.String()
	case bool:
		v.token, v.text = "VALUE_BOOLEAN", strconv.FormatBool(t)
	default:
		v.token = "VALUE_NULL"
	}
	return v, nil
}

func (d *scanner) object(v *value, depth int) error {
	v.token = "START_OBJECT"
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		name, isName := t.(string)
		if err != nil || !isName {
			return d.broken("malformed JSON")
		}
		if seen[name] {
			return d.broken("Duplicate field '" + name + "'")
		}
		seen[name] = true
		at := int(d.InputOffset())
		m, err := d.value(depth + 1)
		if err != nil {
			return err
		}
		v.members = append(v.members, member{name, at, *m})
	}
	return d.closed()
}

func (d *scanner) array(v *value, depth int) error {
	v.token = "START_ARRAY"
	for d.More() {
		item, err := d.value(depth + 1)
		if err != nil {
			return err
		}
		v.items = append(v.items, item)
	}
	return d.closed()
}

func (d *scanner) closed() error {
	if _, err := d.Token(); err != nil {
		return d.broken("malformed JSON")
	}
	return nil
}

// exactly decodes JSON whose numbers keep their digits: what clients keep here comes back
// as it was.
func exactly(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return d.Decode(into)
}

// get is an object's member, nil if it has none of that name.
func (v *value) get(name string) *value {
	for i := range v.members {
		if v.members[i].name == name {
			return &v.members[i].value
		}
	}
	return nil
}

// any is the value as it is stored: numbers keep their digits.
func (v *value) any() any {
	switch v.token {
	case "START_OBJECT":
		out := make(map[string]any, len(v.members))
		for i := range v.members {
			out[v.members[i].name] = v.members[i].any()
		}
		return out
	case "START_ARRAY":
		out := make([]any, len(v.items))
		for i, item := range v.items {
			out[i] = item.any()
		}
		return out
	case "VALUE_NUMBER":
		return json.Number(v.text)
	case "VALUE_BOOLEAN":
		return v.text == "true"
	case "VALUE_STRING":
		return v.text
	}
	return nil
}

func (v *value) isNull() bool { return v.token == "VALUE_NULL" }

// kind is what a field may hold.
type kind int

const (
	text          kind = iota // a number or boolean becomes its text
	textOrNull                //
	boolean                   //
	long                      // a whole number of 64 bits, also written as text
	object                    //
	objectOrNull              //
	array                     //
	arrayOrNull               //
	scalarKind                // a text, number or boolean, kept as what it is
	scalarOrNull              //
	objectOrArray             //
	integer                   // a whole number of 32 bits, also written as text
	anything                  //
)

// field is one that a body may have.
type field struct {
	name     string
	kind     kind
	required bool
	// read makes of a value that fits the kind what is stored; nil: as it came. What it
	// refuses is the cause of the field's error.
	read reader
}

// reader makes of a value in a body what is stored. Its errors are *failure.
type reader func(raw []byte, v *value) (any, error)

// parser reads one kind of body: it is strict about names and types. Of an object inside a
// body, the members it does not know are dropped.
type parser struct {
	name   string
	fields []field
}

// read takes a body's members apart. A body that is not there is refused when needed says so.
func (p parser) read(c *call, needed bool) (map[string]*value, error) {
	given, _, err := p.placed(c, needed)
	return given, err
}

// placed is read for who needs the body itself too, for errors that name a place in it.
func (p parser) placed(c *call, needed bool) (given map[string]*value, raw []byte, err error) {
	v, raw, err := c.bodyOr(needed)
	if err != nil {
		return nil, nil, err
	}
	given, err = p.object(raw, v)
	return given, raw, err
}

// given reads a body as what of it is stored, by name.
func (p parser) given(c *call, needed bool) (map[string]any, error) {
	v, raw, err := c.bodyOr(needed)
	if err != nil {
		return nil, err
	}
	return p.build(raw, v, false)
}

// bodyOr is the body, an empty object when there is none and none is needed.
func (c *call) bodyOr(needed bool) (*value, []byte, error) {
	v, raw, err := c.body()
	if err != nil || v != nil {
		return v, raw, err
	}
	if needed {
		return nil, nil, fault(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	return &value{token: "START_OBJECT"}, raw, nil
}

// build is members, each value as it is stored.
func (p parser) build(raw []byte, v *value, inside bool) (map[string]any, error) {
	members, err := p.members(raw, v, inside)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(members))
	for _, f := range p.fields {
		m := members[f.name]
		if m == nil {
			continue
		}
		if f.read == nil || m.isNull() {
			out[f.name] = m.as(f.kind)
			continue
		}
		if out[f.name], err = f.read(raw, m); err != nil {
			return nil, p.failed(raw, m, f.name, err)
		}
	}
	return out, nil
}

// failed is the error of a field whose value is refused further down.
func (p parser) failed(raw []byte, v *value, field string, cause error) error {
	e := parseFault(raw, v.at, "[%s] failed to parse field [%s]", p.name, field)
	e.cause, _ = cause.(*failure)
	return e
}

// objectOf reads an object.
func objectOf(p parser) reader {
	return func(raw []byte, v *value) (any, error) { return p.build(raw, v, true) }
}

// listOf reads an array.
func listOf(item reader) reader {
	return func(raw []byte, v *value) (any, error) {
		out := make([]any, len(v.items))
		for i, one := range v.items {
			var err error
			if out[i], err = item(raw, one); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
}

// mapOf reads an object whose members are all of one kind.
func mapOf(name string, item reader) reader {
	return func(raw []byte, v *value) (any, error) {
		out := make(map[string]any, len(v.members))
		for i := range v.members {
			m := &v.members[i]
			var err error
			if out[m.name], err = item(raw, &m.value); err != nil {
				return nil, parser{name: name}.failed(raw, &m.value, m.name, err)
			}
		}
		return out, nil
	}
}

// enumOf reads a word, in any case when folded, and keeps it in lower case.
func enumOf(what string, folded bool, words ...string) reader {
	return func(_ []byte, v *value) (any, error) {
		word := v.text
		if folded {
			word = strings.ToLower(word)
		}
		if v.isNull() || !slices.Contains(words, word) {
			return nil, illegal("Unknown %s [%s].", what, v.text)
		}
		return word, nil
	}
}

// ofKind reads what fits a kind, as an item of a list called name.
func ofKind(name string, k kind) reader {
	p := parser{name: name}
	return func(raw []byte, v *value) (any, error) {
		if err := p.fits(raw, field{name: name, kind: k}, v); err != nil {
			return nil, err
		}
		return v.as(k), nil
	}
}

func (p parser) object(raw []byte, v *value) (map[string]*value, error) {
	return p.members(raw, v, false)
}

func (p parser) members(raw []byte, v *value, inside bool) (map[string]*value, error) {
	if v.token != "START_OBJECT" {
		return nil, parseFault(raw, v.at, "[%s] Expected START_OBJECT but was: %s", p.name, v.token)
	}
	out := map[string]*value{}
	for i := range v.members {
		m := &v.members[i]
		f, known := p.field(m.name)
		if !known && inside {
			continue
		}
		if !known {
			return nil, parseFault(raw, m.at, "[%s] unknown field [%s]", p.name, m.name)
		}
		if err := p.fits(raw, f, &m.value); err != nil {
			return nil, err
		}
		out[m.name] = &m.value
	}
	return out, p.complete(out)
}

func (p parser) field(name string) (field, bool) {
	for _, f := range p.fields {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

// complete names the fields that are missing.
func (p parser) complete(have map[string]*value) error {
	var missing []string
	for _, f := range p.fields {
		if f.required && have[f.name] == nil {
			missing = append(missing, f.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return illegal("Required [%s]", strings.Join(missing, ", "))
}

// accepted are the tokens a kind may come as.
var accepted = map[kind]string{
	text:         "VALUE_STRING VALUE_NUMBER VALUE_BOOLEAN",
	textOrNull:   "VALUE_STRING VALUE_NUMBER VALUE_BOOLEAN VALUE_NULL",
	boolean:      "VALUE_BOOLEAN VALUE_STRING",
	long:         "VALUE_NUMBER VALUE_STRING",
	object:       "START_OBJECT",
	objectOrNull: "START_OBJECT VALUE_NULL",
	array:        "START_ARRAY",
	arrayOrNull:  "START_ARRAY VALUE_NULL",
	scalarKind:   "VALUE_STRING VALUE_NUMBER VALUE_BOOLEAN",
	scalarOrNull: "VALUE_STRING VALUE_NUMBER VALUE_BOOLEAN VALUE_NULL",
	integer:      "VALUE_NUMBER VALUE_STRING",

	objectOrArray: "START_OBJECT START_ARRAY",
}

func (p parser) fits(raw []byte, f field, v *value) error {
	if f.kind != anything && !strings.Contains(" "+accepted[f.kind]+" ", " "+v.token+" ") {
		return parseFault(raw, v.at, "[%s] %s doesn't support values of type: %s", p.name, f.name, v.token)
	}
	var bad bool
	switch f.kind {
	case boolean:
		bad = v.text != "true" && v.text != "false"
	case long:
		_, err := v.long()
		bad = err != nil
	case integer:
		n, err := v.long()
		bad = err != nil || n != int64(int32(n))
	}
	if bad {
		return p.failed(raw, v, f.name, illegal("For input string: \"%s\"", v.text))
	}
	return nil
}

// as is a value that fits a kind, as it is stored: a number where a text belongs becomes
// its text.
func (v *value) as(k kind) any {
	switch {
	case v.isNull():
		return nil
	case k == text || k == textOrNull:
		return v.text
	case k == boolean:
		return v.text == "true"
	case k == long || k == integer:
		n, _ := v.long() // it fits
		return n
	}
	return v.any()
}

// long is a whole number: 12, 12.0 and "12" alike, never 12.5.
func (v *value) long() (int64, error) {
	whole, zeros, _ := strings.Cut(v.text, ".")
	if strings.Trim(zeros, "0") != "" {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(whole, 10, 64)
}
