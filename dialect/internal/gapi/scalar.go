package gapi

import (
	"encoding/base64"
	"math"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// scalar reads a value that is no message.
func (f *findings) scalar(field protoreflect.FieldDescriptor, n node, path string) (protoreflect.Value, bool) {
	v, ok := convert(field, n)
	if !ok {
		f.wrong(path, typeName(field), n)
	}
	return v, ok
}

func convert(field protoreflect.FieldDescriptor, n node) (v protoreflect.Value, ok bool) {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n.text == "true"), n.kind == boolean
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(n.text), n.kind == str
	case protoreflect.BytesKind:
		raw, err := base64.StdEncoding.DecodeString(standard(n.text))
		return protoreflect.ValueOfBytes(raw), n.kind == str && err == nil
	case protoreflect.EnumKind:
		return enum(field.Enum(), n)
	case protoreflect.FloatKind:
		x, ok := float(n, 32)
		return protoreflect.ValueOfFloat32(float32(x)), ok
	case protoreflect.DoubleKind:
		x, ok := float(n, 64)
		return protoreflect.ValueOfFloat64(x), ok
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		i, ok := integer(n, 32)
		return protoreflect.ValueOfInt32(int32(i)), ok
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		i, ok := integer(n, 64)
		return protoreflect.ValueOfInt64(i), ok
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		u, ok := unsigned(n, 32)
		return protoreflect.ValueOfUint32(uint32(u)), ok
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		u, ok := unsigned(n, 64)
		return protoreflect.ValueOfUint64(u), ok
	}
	return v, false
}

// enum reads a value by name or number. A number that the enum does not have is kept: it is
// for the method to refuse what it has to act on.
func enum(d protoreflect.EnumDescriptor, n node) (v protoreflect.Value, ok bool) {
	if n.kind == str {
		if value := d.Values().ByName(protoreflect.Name(n.text)); value != nil {
			return protoreflect.ValueOfEnum(value.Number()), true
		}
		return v, false
	}
	i, ok := integer(n, 32)
	return protoreflect.ValueOfEnum(protoreflect.EnumNumber(i)), ok && n.kind == number
}

var (
	numeral = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	exact   = float64(1 << 53) // up to here a float64 has every integer
)

func isNumber(text string) bool { return numeral.MatchString(text) }

// integer reads a number, or a string with one in it; 5.0 and 5e0 are integers.
func integer(n node, bits int) (int64, bool) {
	if !n.numeric() {
		return 0, false
	}
	if i, err := strconv.ParseInt(n.text, 10, bits); err == nil {
		return i, true
	}
	x, ok := integral(n.text)
	i := int64(x)
	return i, ok && (bits == 64 || i == int64(int32(i)))
}

func unsigned(n node, bits int) (uint64, bool) {
	if !n.numeric() {
		return 0, false
	}
	if u, err := strconv.ParseUint(n.text, 10, bits); err == nil {
		return u, true
	}
	x, ok := integral(n.text)
	u := uint64(math.Abs(x))
	return u, ok && x >= 0 && (bits == 64 || u <= math.MaxUint32)
}

// integral reads an integer that is written as a fraction or with an exponent.
func integral(text string) (float64, bool) {
	if !strings.ContainsAny(text, ".eE") {
		return 0, false // out of range
	}
	x, err := strconv.ParseFloat(text, 64)
	return x, err == nil && x == math.Trunc(x) && math.Abs(x) <= exact
}

func float(n node, bits int) (float64, bool) {
	if n.kind == str {
		switch n.text {
		case "NaN":
			return math.NaN(), true
		case "Infinity":
			return math.Inf(1), true
		case "-Infinity":
			return math.Inf(-1), true
		}
	}
	x, err := strconv.ParseFloat(n.text, bits)
	return x, n.numeric() && err == nil
}

func (n node) numeric() bool { return (n.kind == number || n.kind == str) && isNumber(n.text) }

// standard is base64 as the standard alphabet has it, padded, of either alphabet.
func standard(text string) string {
	text = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(text), "=")
	return text + strings.Repeat("=", (4-len(text)%4)%4)
}
