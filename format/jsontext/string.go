package jsontext

import (
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrUTF8 says that text is not valid UTF-8.
var ErrUTF8 = errors.New("invalid UTF-8")

var errSurrogate = errors.New(`half a surrogate pair in a JSON string, such as \ud800, is no character`)

// plain marks the bytes that stand for themselves inside a JSON string.
var plain = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// String returns the end of the string that starts at s[i].
func String(s string, i int) (int, error) {
	if i >= len(s) {
		return i, errEnd
	}
	if s[i] != '"' {
		return i, unexpected(s, i)
	}
	for i++; i < len(s); {
		c := s[i]
		switch {
		case plain[c]:
			i++
		case c == '"':
			return i + 1, nil
		case c == '\\':
			n, err := escape(s, i)
			if err != nil {
				return i, err
			}
			i += n
		case c < 0x20:
			return i, fmt.Errorf("control character %q inside a JSON string at byte %d", c, i+1)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				return i, ErrUTF8
			}
			i += n
		}
	}
	return i, errEnd
}

// escape returns the length of the escape at s[i].
func escape(s string, i int) (int, error) {
	if i+1 >= len(s) {
		return 0, errEnd
	}
	switch s[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
		if i+6 > len(s) {
			return 0, errEnd
		}
		if _, ok := hex4(s[i+2 : i+6]); ok {
			return 6, nil
		}
	}
	return 0, fmt.Errorf("unknown escape in a JSON string at byte %d", i+1)
}

// AppendUnquoted appends what the string raw, as String delimits it, stands for.
func AppendUnquoted(dst []byte, raw string) ([]byte, error) {
	s := raw[1 : len(raw)-1]
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			end := i + 1
			for end < len(s) && s[end] != '\\' {
				end++
			}
			dst, i = append(dst, s[i:end]...), end
			continue
		}
		if s[i+1] != 'u' {
			dst, i = append(dst, unescaped[s[i+1]]), i+2
			continue
		}
		r, n := escapedRune(s[i:])
		if r < 0 {
			return dst, errSurrogate
		}
		dst, i = utf8.AppendRune(dst, r), i+n
	}
	return dst, nil
}

var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escapedRune decodes \uXXXX or a pair of them; -1 for half a pair.
func escapedRune(s string) (rune, int) {
	r, _ := hex4(s[2:6])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if low, ok := hex4(s[8:12]); ok {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return both, 12
			}
		}
	}
	return -1, 0
}

func hex4(s string) (rune, bool) {
	var r rune
	for i := range 4 {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// AppendQuoted appends s, valid UTF-8, as a JSON string.
func AppendQuoted[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if plain[c] || c >= utf8.RuneSelf {
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = appendEscape(dst, c)
		start = i + 1
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
