package schedule

import (
	"fmt"
	"time"

	"github.com/synclinehq/syncline"
)

// Grammar is a language in which due times are written.
type Grammar struct {
	Name    string // what syncline.Schedule.Grammar says; "" is Unix cron
	Example string // a pattern and what it means, for errors
	// Parse reads a pattern; its error is a *Fault.
	Parse func(text string) (Pattern, error)
}

// grammars is every language this build knows.
var grammars = []Grammar{
	{Name: "", Example: `"30 3 * * 1-5" is half past three on working days`, Parse: parseUnix},
	{Name: "quartz", Example: `"0 30 3 ? * MON-FRI" is half past three on working days`, Parse: parseQuartz},
	{Name: "appengine", Example: `"every mon,tue,wed,thu,fri 03:30" is half past three on working days, "every 15 minutes" an interval`, Parse: parseGroc},
}

// Pattern is a set of due times.
type Pattern interface {
	// Next is the first due time after the given one, on the clocks of zone; zero when
	// there is none.
	Next(after time.Time, zone *time.Location) time.Time
	// Shortest is what Shortest says of a schedule with this pattern.
	Shortest() time.Duration
}

// unanchored is a pattern that says how far apart slots are, but not where they begin: that
// stands in its schedule.
type unanchored interface {
	Pattern
	// anchored is the pattern with what it counts from.
	anchored(s syncline.Schedule) interval
}

// Fault says what is wrong with a pattern, and where.
type Fault struct {
	Where   string // the part of the pattern: "hour"; "" the whole
	Column  int    // of the text, counted in bytes from 1; 0 the whole
	Message string
	Hint    string // "" stands for the grammar's example
}

func (f *Fault) Error() string {
	switch {
	case f.Column == 0:
		return f.Message
	case f.Where == "":
		return fmt.Sprintf("column %d: %s", f.Column, f.Message)
	}
	return fmt.Sprintf("%s, column %d: %s", f.Where, f.Column, f.Message)
}

func (f *Fault) hint(g Grammar) string {
	if f.Hint != "" {
		return f.Hint
	}
	return "for example " + g.Example
}

func find(name string) (Grammar, bool) {
	for _, g := range grammars {
		if g.Name == name {
			return g, true
		}
	}
	return Grammar{}, false
}
