package gapi

import (
	"cmp"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// restrict makes the check of one term. Of a field that has no value only != holds, which
// is the opposite of = wherever that is. why says what is wrong with the term.
func restrict(path []protoreflect.FieldDescriptor, op string, want operand) (holds check, why string) {
	leaf := path[len(path)-1]
	switch {
	case op == ":" && want.star():
		return func(m protoreflect.Message) bool {
			m = inside(m, path)
			return m != nil && m.Has(leaf)
		}, ""
	case leaf.IsList() && op != ":":
		return nil, "of a list only : can be asked, for what it has"
	case op == "!=":
		holds, why = restrict(path, "=", want)
		return opposite(holds), why
	}
	fits, why := fitting(leaf, op, want)
	return func(m protoreflect.Message) bool {
		m = inside(m, path)
		switch {
		case m == nil || leaf.HasPresence() && !m.Has(leaf):
			return false
		case leaf.IsList():
			return some(m.Get(leaf).List(), fits)
		}
		return fits(m.Get(leaf))
	}, why
}

// inside is the message that has the last field of a path; nil when there is none.
func inside(m protoreflect.Message, path []protoreflect.FieldDescriptor) protoreflect.Message {
	for _, f := range path[:len(path)-1] {
		if !m.Has(f) {
			return nil
		}
		m = m.Get(f).Message()
	}
	return m
}

func some(list protoreflect.List, fits fit) bool {
	for i := range list.Len() {
		if fits(list.Get(i)) {
			return true
		}
	}
	return false
}

// fit reports whether a value is what a term asks for.
type fit func(protoreflect.Value) bool

func fitting(field protoreflect.FieldDescriptor, op string, want operand) (fit, string) {
	switch kind := field.Kind(); {
	case kind == protoreflect.StringKind:
		return ofString(op, want)
	case kind == protoreflect.BoolKind:
		return ofBool(op, want.text())
	case kind == protoreflect.EnumKind:
		return ofEnum(field.Enum(), op, want.text())
	case kind == protoreflect.MessageKind && field.Message().FullName() == "google.protobuf.Timestamp":
		return ofTime(op, want.text())
	case kind == protoreflect.MessageKind || kind == protoreflect.BytesKind:
		return nil, "of this field only :* can be asked, whether it is set"
	}
	return ofNumber(field.Kind(), op, want.text())
}

// ordered reports whether op compares by order.
func ordered(op string) bool { return strings.ContainsAny(op, "<>") }

// stands reports whether an operator holds of two values that compare as c.
func stands(op string, c int) bool {
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	}
	return c == 0
}

func ofString(op string, want operand) (fit, string) {
	switch {
	case ordered(op) && want.wild():
		return nil, "a star stands for any text only behind =, != and :"
	case ordered(op):
		return func(v protoreflect.Value) bool { return stands(op, cmp.Compare(v.String(), want.text())) }, ""
	case op == ":" && !want.wild():
		return func(v protoreflect.Value) bool { return strings.Contains(v.String(), want.text()) }, ""
	}
	return func(v protoreflect.Value) bool { return want.matches(v.String()) }, ""
}

func ofBool(op, text string) (fit, string) {
	if ordered(op) {
		return nil, "true and false have no order"
	}
	if text != "true" && text != "false" {
		return nil, "the value has to be true or false"
	}
	return func(v protoreflect.Value) bool { return v.Bool() == (text == "true") }, ""
}

func ofEnum(d protoreflect.EnumDescriptor, op, text string) (fit, string) {
	if ordered(op) {
		return nil, "the values of this field have no order"
	}
	value := d.Values().ByName(protoreflect.Name(text))
	if value == nil {
		return nil, quote(text) + " is no value of this field"
	}
	return func(v protoreflect.Value) bool { return v.Enum() == value.Number() }, ""
}

func ofTime(op, text string) (fit, string) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil, "the value has to be a time such as \"2026-03-04T10:00:00Z\""
	}
	return func(v protoreflect.Value) bool {
		return stands(op, instant(v.Message()).Compare(at))
	}, ""
}

func instant(m protoreflect.Message) time.Time {
	f := m.Descriptor().Fields()
	return time.Unix(m.Get(f.ByName("seconds")).Int(), m.Get(f.ByName("nanos")).Int())
}

// ofNumber compares integers exactly, and others as their type has them.
func ofNumber(kind protoreflect.Kind, op, text string) (fit, string) {
	const why = "the value has to be a number"
	bits := 64
	if kind == protoreflect.FloatKind {
		bits = 32
	}
	x, err := strconv.ParseFloat(text, bits)
	if err != nil || !isNumber(text) {
		return nil, why
	}
	want := big.NewFloat(x)
	if kind != protoreflect.FloatKind && kind != protoreflect.DoubleKind {
		want, _, err = big.ParseFloat(text, 10, 64, big.ToNearestEven)
		if err != nil {
			return nil, why
		}
	}
	return func(v protoreflect.Value) bool {
		have := figure(v)
		return have != nil && stands(op, have.Cmp(want))
	}, ""
}

// figure is a value as a number; nil when it is none.
func figure(v protoreflect.Value) *big.Float {
	switch n := v.Interface().(type) {
	case int32:
		return new(big.Float).SetInt64(int64(n))
	case int64:
		return new(big.Float).SetInt64(n)
	case uint32:
		return new(big.Float).SetUint64(uint64(n))
	case uint64:
		return new(big.Float).SetUint64(n)
	}
	if x := v.Float(); !math.IsNaN(x) {
		return big.NewFloat(x)
	}
	return nil
}
