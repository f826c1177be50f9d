package pgcopy

import (
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/synclinehq/syncline/rows"
)

// maxNumber is the longest number, and the largest exponent, that is passed on to jsonb:
// safely within what numeric takes, which is what jsonb makes of it.
const maxNumber = 16_000

// jsonbFault says why jsonb would refuse a valid JSON text that json takes: it has no
// \u0000, no half of a surrogate pair, and only numbers that are a numeric.
func jsonbFault(text string) error {
	for len(text) > 0 {
		var err error
		switch c := text[0]; {
		case c == '"':
			text, err = cutString(text[1:])
		case c == '-' || '0' <= c && c <= '9':
			text, err = cutJSONNumber(text)
		default:
			text = text[1:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cutString goes past the end of the string that text begins in.
func cutString(text string) (string, error) {
	for {
		at := strings.IndexAny(text, `"\`)
		if at < 0 {
			return "", nil
		}
		if text[at] == '"' {
			return text[at+1:], nil
		}
		n, err := escape(text[at:])
		if err != nil {
			return "", err
		}
		text = text[at+n:]
	}
}

// escape is the length of the escape sequence at the start of text.
func escape(text string) (int, error) {
	r, ok := unicodeEscape(text)
	switch {
	case !ok:
		return 2, nil
	case r == 0:
		return 0, faultf(rows.CodeEncoding, `\u0000, which jsonb cannot hold`)
	case !utf16.IsSurrogate(r):
		return 6, nil
	}
	if low, ok := unicodeEscape(text[6:]); ok && utf16.DecodeRune(r, low) != '\uFFFD' {
		return 12, nil
	}
	return 0, faultf(rows.CodeEncoding, `half of a surrogate pair, which jsonb cannot hold`)
}

func unicodeEscape(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(n), err == nil
}

func cutJSONNumber(text string) (string, error) {
	end := strings.IndexFunc(text, func(r rune) bool {
		return (r < '0' || '9' < r) && r != '-' && r != '+' && r != '.' && r != 'e' && r != 'E'
	})
	if end < 0 {
		end = len(text)
	}
	number := text[:end]
	exponent := 0
	if at := strings.IndexAny(number, "eE"); at >= 0 {
		n, err := strconv.Atoi(number[at+1:])
		if err != nil {
			n = maxNumber + 1
		}
		exponent = max(n, -n)
	}
	if exponent > maxNumber || len(number) > maxNumber {
		return "", faultf(rows.CodeOutOfRange, "a number that jsonb cannot hold: %.40s", number)
	}
	return text[end:], nil
}
