package secret

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// redacted stands where a secret was.
const redacted = "[redacted]"

// shortest is the length from which a value is looked for. Shorter ones would turn up in
// every other word of a log.
const shortest = 4

// Scrubber replaces the secrets it knows in texts by "[redacted]", also where they are
// written as in a URL, in JSON or in Go quotes. It is the second line of defence: nothing
// may rely on it. The zero Scrubber knows none; it may be used from any goroutine.
type Scrubber struct {
	known atomic.Pointer[words]
}

// words are the known secrets by their first byte, longest first.
type words [256][]string

// Add makes values known for the rest of the process's life.
func (s *Scrubber) Add(values ...string) {
	for {
		old := s.known.Load()
		next := old.with(values)
		if next == old || s.known.CompareAndSwap(old, next) {
			return
		}
	}
}

// Scrub returns text without the secrets.
func (s *Scrubber) Scrub(text string) string {
	clean, _ := s.known.Load().scrub(text, true)
	return clean
}

// with returns w and values, w itself when it has them all.
func (w *words) with(values []string) *words {
	var next *words
	for _, v := range values {
		for _, form := range forms(v) {
			if w.has(form) || next.has(form) {
				continue
			}
			if next == nil {
				next = &words{}
				if w != nil {
					*next = *w
				}
			}
			next.insert(form)
		}
	}
	if next == nil {
		return w
	}
	return next
}

func (w *words) has(word string) bool {
	return w != nil && slices.Contains(w[word[0]], word)
}

// insert copies the list it changes: others may be reading it.
func (w *words) insert(word string) {
	list := append(slices.Clone(w[word[0]]), word)
	slices.SortStableFunc(list, func(a, b string) int { return len(b) - len(a) })
	w[word[0]] = list
}

// forms are the ways in which a value may be written.
func forms(value string) []string {
	if len(value) < shortest {
		return nil
	}
	quoted := strconv.Quote(value)
	encoded, _ := json.Marshal(value) // a string always encodes
	user := url.UserPassword("", value).String()
	return []string{
		value, quoted[1 : len(quoted)-1], string(encoded[1 : len(encoded)-1]),
		url.QueryEscape(value), url.PathEscape(value), strings.TrimPrefix(user, ":"),
	}
}

// scrub replaces the known words in text. What could still become one with more text
// behind it is left in rest, unless this is the end.
func (w *words) scrub(text string, end bool) (clean, rest string) {
	if w == nil {
		return text, ""
	}
	var b strings.Builder
	from := 0
	for i := 0; i < len(text); {
		n, more := w.at(text[i:])
		switch {
		case more && !end:
			b.WriteString(text[from:i])
			return b.String(), text[i:]
		case n == 0:
			i++
		default:
			b.WriteString(text[from:i])
			b.WriteString(redacted)
			i += n
			from = i
		}
	}
	if from == 0 {
		return text, ""
	}
	b.WriteString(text[from:])
	return b.String(), ""
}

// at is the length of the longest word that text begins with, and whether text may be the
// beginning of a longer one.
func (w *words) at(text string) (n int, more bool) {
	for _, word := range w[text[0]] {
		switch {
		case len(word) > len(text):
			more = more || strings.HasPrefix(word, text)
		case strings.HasPrefix(text, word):
			return len(word), more
		}
	}
	return 0, more
}
