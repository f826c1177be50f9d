package schedule

import (
	"fmt"
	"strconv"
	"strings"
)

// grocReader reads App Engine's schedules from left to right. Nothing need stand between
// two words, so it asks for the longest word that is there: "every24hours" is three.
type grocReader struct {
	text string
	at   int
}

const grocBlanks = " \t\r\n"

// vocabulary is the words of one kind, and what they mean.
type vocabulary struct {
	kind, one string
	words     map[string]int
	hint      string
}

var (
	ordinals = vocabulary{"ordinal", "an ordinal", map[string]int{
		"1st": 1, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5, "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5,
	}, "the ordinals are 1st, 2nd, 3rd, 4th and 5th"}
	ordinalEnds = map[string]int{"st": 0, "nd": 0, "rd": 0, "th": 0}

	grocUnits = vocabulary{
		"unit", "hours, minutes or mins",
		map[string]int{"minutes": 1, "mins": 1, "hours": 60},
		`units end in s, even one of them: "every 1 hours"; a day is "every 24 hours"`,
	}
	grocWeekdays = vocabulary{
		"weekday", "a weekday", named("sunday monday tuesday wednesday thursday friday saturday"),
		`weekdays are "mon,tue" or "monday", and stand without "day"`,
	}
	grocMonths = vocabulary{
		"month", "a month", named("january february march april may june july august september october november december"),
		`months are "jan,jul" or "january"; all of them are "month", the first of each quarter is "quarter"`,
	}
)

// named numbers names from 1, each known by its first three letters too.
func named(names string) map[string]int {
	words := map[string]int{}
	for i, name := range strings.Fields(names) {
		words[name], words[name[:3]] = i+1, i+1
	}
	return words
}

// here is the place of the next word.
func (r *grocReader) here() *grocReader {
	r.at = len(r.text) - len(strings.TrimLeft(r.text[r.at:], grocBlanks))
	place := *r
	return &place
}

// is takes the given word, if it is the next one.
func (r *grocReader) is(word string) bool {
	if strings.HasPrefix(r.text[r.here().at:], word) {
		r.at += len(word)
		return true
	}
	return false
}

func (r *grocReader) digit() bool { return r.here().run("0123456789") != "" }

// sees reports whether a word of v is next.
func (r *grocReader) sees(v vocabulary) bool {
	_, ok := r.here().word(v.words)
	return ok
}

// word takes the next word, if it is one of these.
func (r *grocReader) word(words map[string]int) (meaning int, ok bool) {
	rest, longest := r.text[r.here().at:], 0
	for w, m := range words {
		if len(w) > longest && strings.HasPrefix(rest, w) {
			meaning, longest = m, len(w)
		}
	}
	r.at += longest
	return meaning, longest > 0
}

// list takes words of v with commas between them.
func (r *grocReader) list(v vocabulary) (set uint64, err error) {
	for {
		n, ok := r.word(v.words)
		if !ok {
			return 0, r.missing(v)
		}
		set |= 1 << n
		if !r.is(",") {
			return set, nil
		}
	}
}

// run takes all that is next and consists of the given characters.
func (r *grocReader) run(of string) string {
	rest := r.text[r.here().at:]
	taken := rest[:len(rest)-len(strings.TrimLeft(rest, of))]
	r.at += len(taken)
	return taken
}

func (r *grocReader) number(where string, most int) (int, error) {
	from := r.here()
	text := r.run("0123456789")
	switch {
	case text == "":
		return 0, r.unexpected(where, "a number")
	case len(text) > most:
		return 0, from.fault(where, "the number has %d digits, the most is %d", len(text), most)
	}
	return strconv.Atoi(text)
}

func (r *grocReader) end() error {
	if r.here().at == len(r.text) {
		return nil
	}
	return r.unexpected("", "the end").instead(`a time of day follows days ("every day 09:00"), a window an interval ("every 2 hours from 09:00 to 17:00"); nothing follows those`)
}

// found is the word that is next, for people.
func (r *grocReader) found() string {
	rest := r.text[r.here().at:]
	if n := strings.IndexAny(rest, grocBlanks+","); n >= 0 {
		rest = rest[:max(n, 1)] // a comma is a word of its own
	}
	return rest
}

func (r *grocReader) unexpected(where, wanted string) *Fault {
	found := r.found()
	if found == "" {
		return r.fault(where, "it ends where %s should follow", wanted)
	}
	return r.fault(where, "%q stands where %s should", found, wanted)
}

// missing is about what stands where a word of v should.
func (r *grocReader) missing(v vocabulary) *Fault { return r.unexpected(v.kind, v.one).instead(v.hint) }

// fault is about the next word.
func (r *grocReader) fault(where, format string, args ...any) *Fault {
	return &Fault{Where: where, Column: r.here().at + 1, Message: fmt.Sprintf(format, args...)}
}
