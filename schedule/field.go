package schedule

import (
	"fmt"
	"strconv"
	"strings"
)

// word is a piece of the pattern and the column where it begins.
type word struct {
	text   string
	column int
}

func split(text string) []word {
	var words []word
	for i := 0; i < len(text); {
		n := strings.IndexAny(text[i:], " \t")
		if n < 0 {
			n = len(text) - i
		}
		if n > 0 {
			words = append(words, word{text[i : i+n], i + 1})
		}
		i += n + 1
	}
	return words
}

// field is what one field of a pattern may say.
type field struct {
	name     string
	min, max int
	names    []string // of min, min+1, …
}

func (f field) number(w word) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(w.text, name) {
			return f.min + i, nil
		}
	}
	n, err := digits(w.text)
	switch {
	case w.text == "":
		return 0, f.fault(w.column, "a value is missing")
	case err != nil && f.names != nil:
		return 0, f.fault(w.column, "%q is neither a number nor one of %s", w.text, strings.Join(f.names, " "))
	case err != nil:
		return 0, f.fault(w.column, "%q is not a number", w.text)
	case n < f.min || n > f.max:
		return 0, f.fault(w.column, "%d is not between %d and %d", n, f.min, f.max)
	}
	return n, nil
}

// digits is Atoi without a sign.
func digits(s string) (int, error) {
	if strings.ContainsAny(s, "+-") {
		return 0, strconv.ErrSyntax
	}
	return strconv.Atoi(s)
}

func (f field) fault(column int, format string, args ...any) *Fault {
	return &Fault{Where: f.name, Column: column, Message: fmt.Sprintf(format, args...)}
}

func (f *Fault) instead(hint string) *Fault { f.Hint = hint; return f }
