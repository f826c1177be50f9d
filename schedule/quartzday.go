package schedule

import (
	"strings"
	"time"
)

// days is the days that a pattern names. Of the two day fields that Quartz has for them one
// is always "?".
type days interface {
	// on reports whether t's day is one of them.
	on(t time.Time) bool
}

type (
	monthDays uint64 // a set of 1 to 31
	weekDays  uint64 // a set of 1 to 7, 1 is Sunday

	// fromLast is so many days before the last of the month, or the working day nearest it.
	fromLast struct {
		back    int
		working bool
	}
	nearestTo   int                        // the working day of the month nearest this day of it
	nthWeekDay  struct{ day, nth int }     // the nth Friday of the month
	lastWeekDay struct{ day time.Weekday } // the last Friday of the month
)

func (d monthDays) on(t time.Time) bool { return has(uint64(d), t.Day()) }

func (d weekDays) on(t time.Time) bool { return has(uint64(d), numbered(t)) }

func (d fromLast) on(t time.Time) bool {
	day := lastOf(t) - d.back
	if d.working {
		day = nearest(t, day)
	}
	return t.Day() == day
}

func (d nearestTo) on(t time.Time) bool { return t.Day() == nearest(t, int(d)) }

func (d nthWeekDay) on(t time.Time) bool {
	return numbered(t) == d.day && (t.Day()-1)/7+1 == d.nth
}

func (d lastWeekDay) on(t time.Time) bool {
	return t.Weekday() == d.day && t.Day()+7 > lastOf(t)
}

// numbered is a weekday as Quartz counts them: 1 is Sunday.
func numbered(t time.Time) int { return int(t.Weekday()) + 1 }

// lastOf is the last day of t's month.
func lastOf(t time.Time) int {
	return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// nearest is the working day nearest the given day of t's month, in that month; 0 when the
// month has no such day.
func nearest(t time.Time, day int) int {
	last := lastOf(t)
	if day < 1 || day > last {
		return 0
	}
	switch time.Date(t.Year(), t.Month(), day, 0, 0, 0, 0, time.UTC).Weekday() {
	case time.Saturday:
		if day == 1 {
			return 3
		}
		return day - 1
	case time.Sunday:
		if day == last {
			return day - 2
		}
		return day + 1
	}
	return day
}

var monthField, weekField = quartzFields[3], quartzFields[5]

func parseDays(month, week word) (days, error) {
	switch {
	case month.text == "?" && week.text == "?":
		return nil, weekField.fault(week.column, `"?" is in both day fields`).instead("write * in one of them: 0 0 0 * * ? is every day")
	case week.text == "?":
		return parseMonthDays(month)
	case month.text == "?":
		return parseWeekDays(week)
	}
	return nil, weekField.fault(week.column, `one of the two day fields must be "?"`).
		instead("0 0 0 1 * ? is the first of the month, 0 0 0 ? * MON is every Monday")
}

func parseMonthDays(w word) (days, error) {
	upper := strings.ToUpper(w.text)
	if !strings.ContainsAny(upper, "LW") {
		set, err := monthField.set(w)
		return monthDays(set), err
	}
	if err := alone(monthField, w, "LW"); err != nil {
		return nil, err
	}
	if back, ok := strings.CutPrefix(upper, "L"); ok {
		return parseFromLast(word{back, w.column + 1})
	}
	number, ok := strings.CutSuffix(upper, "W")
	if !ok {
		return nil, monthField.fault(w.column, "%q is not known", w.text).instead("the last day is L, three days before it L-3, the last working day LW")
	}
	day, err := monthField.value(word{number, w.column})
	return nearestTo(day), err
}

// parseFromLast reads what follows an L: "", "-3", "W", "-3W".
func parseFromLast(w word) (days, error) {
	rest, working := strings.CutSuffix(w.text, "W")
	if rest == "" {
		return fromLast{working: working}, nil
	}
	back, err := digits(strings.TrimPrefix(rest, "-"))
	if rest[0] != '-' || err != nil || back > monthField.size()-1 {
		return nil, monthField.fault(w.column, "L is followed by %q", w.text).instead("the last day is L, three days before it L-3, the last working day LW")
	}
	return fromLast{back, working}, nil
}

func parseWeekDays(w word) (days, error) {
	upper := strings.ToUpper(w.text)
	if !strings.ContainsAny(upper, "L#") {
		set, err := weekField.set(w)
		return weekDays(set), err
	}
	if err := alone(weekField, w, "L#"); err != nil {
		return nil, err
	}
	if upper == "L" {
		return weekDays(1 << 7), nil // the last day of the week
	}
	if name, ok := strings.CutSuffix(upper, "L"); ok {
		day, err := weekField.value(word{name, w.column})
		return lastWeekDay{time.Weekday(day - 1)}, err
	}
	return parseNth(w)
}

// parseNth reads "6#3", the third Friday.
func parseNth(w word) (days, error) {
	name, count, _ := strings.Cut(w.text, "#")
	day, err := weekField.value(word{name, w.column})
	if err != nil {
		return nil, err
	}
	nth, err := digits(count)
	if err != nil || nth < 1 || nth > 5 {
		return nil, weekField.fault(w.column+len(name)+1, "%q is not between 1 and 5", count).instead("6#3 is the third Friday of the month, 6L the last")
	}
	return nthWeekDay{day, nth}, nil
}

// alone refuses what Quartz never gave a meaning, and Elasticsearch refuses or misreads:
// such a day beside others.
func alone(f quartzField, w word, signs string) error {
	if at := strings.IndexByte(w.text, ','); at >= 0 {
		return f.fault(w.column+at, "a day with one of %s stands alone", signs).instead("a second schedule can name the other days")
	}
	return nil
}
