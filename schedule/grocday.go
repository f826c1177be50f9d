package schedule

import "time"

// weeksAndDays are the weekdays of some weeks of a month: its first and third Monday.
type weeksAndDays struct {
	weeks uint64 // a set of 1 to 5
	days  weekDays
}

func (d weeksAndDays) on(t time.Time) bool { return has(d.weeks, (t.Day()-1)/7+1) && d.days.on(t) }

const (
	everyWeek     uint64    = 1<<6 - 1<<1
	everyMonth    uint64    = 1<<13 - 1<<1
	everyMonthDay monthDays = 1<<32 - 1<<1
)

// ever reports whether one of the days is in one of the months, in a leap year.
func ever(on monthDays, months uint64) bool {
	for m := time.January; m <= time.December; m++ {
		first := time.Date(2028, m, 1, 0, 0, 0, 0, time.UTC)
		if has(months, int(m)) && lowest(uint64(on)) <= lastOf(first) {
			return true
		}
	}
	return false
}

// weekdays reads "mon,wed", of those weeks, or "day", of those days of the month.
func (r *grocReader) weekdays(weeks uint64, monthly monthDays) (days, error) {
	if r.is("day") {
		return monthly, nil
	}
	if !r.sees(grocWeekdays) {
		return nil, r.unexpected("weekday", `a weekday or "day"`).
			instead(`"every mon,tue 09:00" is every Monday and Tuesday, "1st day of month 09:00" or "1 of month 09:00" the first of a month`)
	}
	set, err := r.list(grocWeekdays)
	return weeksAndDays{weeks, weekDays(set)}, err
}

// monthDays reads "1,15".
func (r *grocReader) monthDays() (set monthDays, err error) {
	for {
		from := r.here()
		n, err := r.number("day of month", 2)
		switch {
		case err != nil:
			return 0, err
		case n < 1 || n > 31:
			return 0, from.fault("day of month", "%d is not between 1 and 31", n)
		}
		if _, ok := r.word(ordinalEnds); ok {
			return 0, from.fault("ordinal", "%q is no ordinal", from.found()).instead(ordinals.hint)
		}
		set |= 1 << n
		if !r.is(",") {
			return set, nil
		}
	}
}

// months reads what follows "of".
func (r *grocReader) months() (uint64, error) {
	switch {
	case r.is("month"):
		return everyMonth, nil
	case r.is("quarter"):
		return ofQuarters(1 << 1), nil
	case r.sees(ordinals):
		return r.monthsOfQuarter()
	}
	return r.list(grocMonths)
}

// monthsOfQuarter reads "1st,3rd month of quarter".
func (r *grocReader) monthsOfQuarter() (uint64, error) {
	from := r.here()
	set, err := r.list(ordinals)
	switch {
	case err != nil:
		return 0, err
	case set >= 1<<4:
		return 0, from.fault("month", "a quarter has three months")
	case !r.is("month") || !r.is("of") || !r.is("quarter"):
		return 0, r.unexpected("month", `"month of quarter"`).instead(`for example "1 of 2nd month of quarter 09:00"`)
	}
	return ofQuarters(set), nil
}

// ofQuarters are the months of the year that are these of a quarter.
func ofQuarters(set uint64) uint64 { return set | set<<3 | set<<6 | set<<9 }
