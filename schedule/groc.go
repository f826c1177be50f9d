package schedule

import (
	"errors"
	"strings"
	"time"
)

// groc is a pattern of App Engine's cron files, as BigQuery's data transfers are written in,
// that names times of a day: "1st,3rd monday of month 15:30", "every 30 minutes from 09:00
// to 17:00". See https://cloud.google.com/appengine/docs/standard/scheduling-jobs-with-cron-yaml#formatting_the_schedule
type groc struct {
	days   days
	months uint64
	times  []time.Duration // since midnight, ascending
}

func (g *groc) Next(after time.Time, zone *time.Location) time.Time {
	if len(g.times) > 1 {
		return elapsing(after, zone, g.next)
	}
	return once(after, zone, g.next)
}

// next is the first clock time after the given one that the pattern names.
func (g *groc) next(shown time.Time) time.Time {
	day := shown.Truncate(wholeDay)
	for last := day.AddDate(calendarCycle, 0, 0); !day.After(last); {
		y, m, d := day.Date()
		if !has(g.months, int(m)) {
			day = time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
			continue
		}
		if at, ok := g.within(day, shown); ok {
			return at
		}
		day = time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)
	}
	return time.Time{}
}

// within is the first time of a day that is later than shown.
func (g *groc) within(day, shown time.Time) (time.Time, bool) {
	if !g.days.on(day) {
		return time.Time{}, false
	}
	for _, t := range g.times {
		if at := day.Add(t); at.After(shown) {
			return at, true
		}
	}
	return time.Time{}, false
}

func (g *groc) Shortest() time.Duration { return closest(g.times) }

func parseGroc(text string) (Pattern, error) {
	r := &grocReader{text: text}
	if r.found() == "" {
		return nil, &Fault{Message: "it is empty"}
	}
	p, err := r.schedule()
	if err == nil {
		err = r.end()
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return nil, lowered(f, text)
	}
	return p, nil
}

// lowered says so when what is wrong is the case of a word.
func lowered(f *Fault, text string) *Fault {
	word := (&grocReader{text: text, at: f.Column - 1}).found()
	if word != strings.ToLower(word) {
		return f.instead("words are written in lower case")
	}
	return f
}

func (r *grocReader) schedule() (Pattern, error) {
	switch {
	case r.is("every"):
		return r.every()
	case r.sees(ordinals):
		weeks, err := r.list(ordinals)
		if err != nil {
			return nil, err
		}
		return r.weekly(weeks, monthDays(weeks)) // "2nd day" is the second of the month
	case r.digit():
		return r.monthly()
	}
	return nil, r.unexpected("", `"every" or a day`).
		instead(`"every monday 09:00" is every Monday, "1st monday of month 09:00" the first of a month, "1,15 of month 09:00" two days of it`)
}

func (r *grocReader) every() (Pattern, error) {
	switch {
	case r.sees(ordinals):
		return nil, r.unexpected("weekday", "a weekday").instead(`an ordinal stands without "every": "1st monday of month 09:00"`)
	case r.digit():
		return r.interval()
	}
	return r.weekly(everyWeek, everyMonthDay)
}

// weekly reads what follows "every" or ordinals: weekdays in those weeks, or those days of
// the month.
func (r *grocReader) weekly(weeks uint64, monthly monthDays) (Pattern, error) {
	on, err := r.weekdays(weeks, monthly)
	if err != nil {
		return nil, err
	}
	months := everyMonth
	if r.is("of") {
		if months, err = r.months(); err != nil {
			return nil, err
		}
	}
	return r.daily(on, months)
}

// monthly reads "1,15 of month 04:00".
func (r *grocReader) monthly() (Pattern, error) {
	from := r.here()
	on, err := r.monthDays()
	if err != nil {
		return nil, err
	}
	if !r.is("of") {
		return nil, r.unexpected("", `"of"`).instead(`days of the month are followed by months: "1,15 of month 09:00", "31 of mar,jun 09:00"`)
	}
	months, err := r.months()
	if err != nil {
		return nil, err
	}
	if !ever(on, months) {
		return nil, from.fault("day of month", "no month that is named has such a day")
	}
	return r.daily(on, months)
}

// daily reads the time of day that ends a schedule of days.
func (r *grocReader) daily(on days, months uint64) (Pattern, error) {
	at, err := r.time()
	if err != nil {
		return nil, err
	}
	return &groc{days: on, months: months, times: []time.Duration{at}}, nil
}
