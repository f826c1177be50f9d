package spec

import (
	"fmt"
	"strings"
)

// Error says what is wrong with one setting. It never holds a setting's value, since a
// secret may have been written into the wrong field. Callers wrap it with the pipeline
// or the URL at fault.
type Error struct {
	Field   string // the setting's name; "" when it is about the document as a whole
	Message string
	Hint    string // the next step, "" if there is none
}

func (e *Error) Error() string { return e.Message }

// Nearest returns the known word that was probably meant, "" when none is close.
func Nearest(word string, known []string) string {
	best, least := "", max(2, len(word)/3)+1
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// Unknown is the error for a name that is not among the known ones: what it is, its
// name, and of what.
func Unknown(what, name, of string, known []string) *Error {
	e := &Error{Field: name, Message: fmt.Sprintf("unknown %s %q of %s", what, name, of)}
	if near := Nearest(name, known); near != "" {
		e.Hint = fmt.Sprintf("did you mean %q?", near)
	} else {
		e.Hint = "known are: " + strings.Join(known, ", ")
	}
	return e
}

// distance is how many letters must be changed, added, removed or swapped with their
// neighbour to make b of a.
func distance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			row[j+1] = min(row[j], last[j+1]) + 1
			if a[i] == b[j] {
				row[j+1] = min(row[j+1], last[j])
			} else {
				row[j+1] = min(row[j+1], last[j]+1)
			}
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
