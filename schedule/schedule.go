// Package schedule says when a pipeline is due next: intervals, cron patterns, time zones
// and their clock changes. It knows no store and no clock: the same question always has
// the same answer.
package schedule

import (
	"errors"
	"time"
	_ "time/tzdata" // so that every zone is known on machines without a zone database

	"github.com/synclinehq/syncline"
)

// Next is the first slot of s after the given time, in UTC; zero when there is none any
// more. A schedule that is Off still has slots: whether they count is its owner's to decide.
func Next(s syncline.Schedule, after time.Time) (time.Time, error) {
	c, err := compile(s)
	if err != nil {
		return time.Time{}, err
	}
	return c.next(after), nil
}

// Slots lists the slots of s with from ≤ slot ≤ to, oldest first, at most limit.
func Slots(s syncline.Schedule, from, to time.Time, limit int) ([]time.Time, error) {
	c, err := compile(s)
	if err != nil {
		return nil, err
	}
	return collect(c.next, from, to, limit), nil
}

func collect(next func(time.Time) time.Time, from, to time.Time, limit int) (slots []time.Time) {
	for at := next(from.Add(-time.Nanosecond)); len(slots) < limit && !at.IsZero() && !at.After(to); at = next(at) {
		slots = append(slots, at)
	}
	return slots
}

// Check says what is wrong with s: an *syncline.Error with the field, and for a pattern the
// position of the fault and an example.
func Check(s syncline.Schedule) error {
	c, err := compile(s)
	if err != nil {
		return err
	}
	if s.Cron != "" && c.pattern.Next(anyTime, c.zone).IsZero() {
		return syncline.Invalid("cron", "cron %q never falls due: there is no such day", s.Cron)
	}
	return nil
}

// anyTime is where the search for a pattern that never falls due begins: before every year
// that a pattern can name, for one that is over is not wrong.
var anyTime = time.Date(firstYear-1, 1, 1, 0, 0, 0, 0, time.UTC)

// compiled is a schedule whose texts have been read.
type compiled struct {
	syncline.Schedule
	pattern Pattern
	zone    *time.Location
}

func compile(s syncline.Schedule) (*compiled, error) {
	zone, err := location(s.Zone)
	if err != nil {
		return nil, err
	}
	if !s.Start.IsZero() && !s.End.IsZero() && s.End.Before(s.Start) {
		return nil, syncline.Invalid("end", "the schedule ends before it starts")
	}
	c := &compiled{Schedule: s, zone: zone}
	switch {
	case s.Every != 0 && s.Cron != "":
		return nil, syncline.Invalid("every", "a schedule has either every or cron, not both")
	case s.Cron != "":
		c.pattern, err = parse(s.Grammar, s.Cron)
		c.anchor()
	case s.Every == 0:
		return nil, syncline.Invalid("every", "a schedule needs every or cron").Try("for example every: 15m")
	default:
		c.pattern, err = newInterval(s.Every, s.Anchor)
	}
	return c, err
}

// anchor tells a pattern what it counts from. That may be less than a minute before Start.
func (c *compiled) anchor() {
	if p, ok := c.pattern.(unanchored); ok {
		i := p.anchored(c.Schedule)
		c.pattern, c.Start = i, time.UnixMicro(i.anchor)
	}
}

func (c *compiled) next(after time.Time) time.Time {
	if after.Before(c.Start) {
		after = c.Start.Add(-time.Nanosecond)
	}
	at := c.pattern.Next(after, c.zone).UTC()
	if at.IsZero() || at.Year() > 9999 || !c.End.IsZero() && at.After(c.End) {
		return time.Time{}
	}
	return at
}

func location(zone string) (*time.Location, error) {
	z, err := time.LoadLocation(zone)
	// Local is whatever the server happens to be set to, and would differ between servers.
	if err != nil || zone == "Local" {
		return nil, syncline.Invalid("zone", "unknown time zone %q", zone).Try(`use an IANA name such as "Europe/Berlin" or "UTC"`)
	}
	return z, nil
}

// parse wraps what a grammar has found wrong with its position and an example.
func parse(grammar, text string) (Pattern, error) {
	g, ok := find(grammar)
	if !ok {
		return nil, syncline.Invalid("grammar", "unknown schedule grammar %q", grammar)
	}
	p, err := g.Parse(text)
	if f, ok := errors.AsType[*Fault](err); ok {
		e := syncline.Invalid("cron", "cron %q: %s", text, f)
		return nil, e.Try("%s", f.hint(g))
	}
	return p, err
}
