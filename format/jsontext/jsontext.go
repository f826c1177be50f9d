// Package jsontext walks over JSON text without building values, so that what was written
// is what is kept: digits, order and escapes of a value pass through untouched.
package jsontext

import (
	"errors"
	"fmt"
)

// MaxDepth bounds nesting, so that hostile text cannot exhaust the stack.
const MaxDepth = 1_000

var (
	errEnd   = errors.New("the text ends inside a JSON value")
	errDepth = fmt.Errorf("nested more than %d deep", MaxDepth)
)

// Valid says what is wrong with s as one JSON value, nil when it is one. It is as strict
// as RFC 8259, and refuses invalid UTF-8.
func Valid(s string) error {
	end, err := Value(s, Space(s, 0))
	if err != nil {
		return err
	}
	if end = Space(s, end); end != len(s) {
		return unexpected(s, end)
	}
	return nil
}

// Value returns the end of the value that starts at s[i].
func Value(s string, i int) (int, error) { return value(s, i, 0) }

// Space returns the first place from i on that is no white space.
func Space(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

func value(s string, i, depth int) (int, error) {
	if i >= len(s) {
		return i, errEnd
	}
	switch s[i] {
	case '"':
		return String(s, i)
	case '{':
		return object(s, i, depth+1)
	case '[':
		return array(s, i, depth+1)
	case 't':
		return word(s, i, "true")
	case 'f':
		return word(s, i, "false")
	case 'n':
		return word(s, i, "null")
	}
	return number(s, i)
}

func word(s string, i int, w string) (int, error) {
	if len(s)-i < len(w) || s[i:i+len(w)] != w {
		return i, unexpected(s, i)
	}
	return i + len(w), nil
}

func array(s string, i, depth int) (int, error) {
	if depth > MaxDepth {
		return i, errDepth
	}
	i = Space(s, i+1)
	if i < len(s) && s[i] == ']' {
		return i + 1, nil
	}
	for {
		end, err := value(s, i, depth)
		if err != nil {
			return end, err
		}
		var more bool
		if i, more, err = next(s, end, ']'); err != nil || !more {
			return i, err
		}
	}
}

func object(s string, i, depth int) (int, error) {
	if depth > MaxDepth {
		return i, errDepth
	}
	i = Space(s, i+1)
	if i < len(s) && s[i] == '}' {
		return i + 1, nil
	}
	for {
		_, at, err := Name(s, i)
		if err != nil {
			return at, err
		}
		end, err := value(s, at, depth)
		if err != nil {
			return end, err
		}
		var more bool
		if i, more, err = next(s, end, '}'); err != nil || !more {
			return i, err
		}
	}
}

// Name reads the member name at s[i] and its colon: its raw text with the quotes, and
// where the value starts.
func Name(s string, i int) (raw string, at int, err error) {
	end, err := String(s, i)
	if err != nil {
		return "", end, err
	}
	at = Space(s, end)
	if at >= len(s) {
		return "", at, errEnd
	}
	if s[at] != ':' {
		return "", at, unexpected(s, at)
	}
	return s[i:end], Space(s, at+1), nil
}

// Next steps over what follows a member or element that ended at s[i]: a comma, then it
// returns the start of the next one and true, or the closing bracket, then the place
// behind it and false.
func Next(s string, i int, closing byte) (int, bool, error) { return next(s, i, closing) }

func next(s string, i int, closing byte) (int, bool, error) {
	i = Space(s, i)
	if i >= len(s) {
		return i, false, errEnd
	}
	switch s[i] {
	case closing:
		return i + 1, false, nil
	case ',':
		return Space(s, i+1), true, nil
	}
	return i, false, unexpected(s, i)
}

func number(s string, i int) (int, error) {
	start := i
	if i < len(s) && s[i] == '-' {
		i++
	}
	switch {
	case i < len(s) && s[i] == '0':
		i++
	case i < len(s) && s[i] >= '1' && s[i] <= '9':
		i = digits(s, i)
	default:
		return i, unexpected(s, start)
	}
	if i < len(s) && s[i] == '.' {
		end := digits(s, i+1)
		if end == i+1 {
			return end, unexpected(s, end)
		}
		i = end
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		end := digits(s, i)
		if end == i {
			return end, unexpected(s, end)
		}
		i = end
	}
	return i, nil
}

func digits(s string, i int) int {
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i
}

func unexpected(s string, i int) error {
	if i >= len(s) {
		return errEnd
	}
	return fmt.Errorf("unexpected %q at byte %d of the JSON text", s[i:min(i+1, len(s))], i+1)
}
