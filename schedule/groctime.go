package schedule

import (
	"regexp"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
)

// interval reads what follows "every" when it is a number.
func (r *grocReader) interval() (Pattern, error) {
	from := r.here()
	n, err := r.number("count", 5)
	if err != nil {
		return nil, err
	}
	unit, ok := r.word(grocUnits.words)
	every := time.Duration(n) * time.Duration(unit) * time.Minute
	switch {
	case n == 0:
		return nil, from.fault("count", "0 is no interval")
	case !ok:
		return nil, r.missing(grocUnits)
	case r.is("from"):
		return r.window(every)
	case !r.is("synchronized"):
		return grocInterval{counting(time.Time{}, every)}, nil
	case wholeDay%every != 0:
		return nil, from.fault("count", "%d %s do not divide a day evenly", n, unitNames[unit]).
			instead(`"synchronized" takes what fits a day a whole number of times, such as 90 minutes or 6 hours`)
	}
	return windowed(every, 0, wholeDay-time.Minute), nil
}

// grocInterval is an interval without a window. It is due on whole minutes: at the start of
// its schedule, or first when it has passed once since the schedule was made.
type grocInterval struct{ interval }

func (i grocInterval) anchored(s syncline.Schedule) interval {
	switch {
	case !s.Start.IsZero():
		return counting(s.Start.Truncate(time.Minute), i.Shortest())
	case s.Anchor.IsZero():
		return i.interval
	}
	return counting(s.Anchor.Truncate(time.Minute).Add(i.Shortest()), i.Shortest())
}

var unitNames = map[int]string{1: "minutes", 60: "hours"}

// window reads what follows "from".
func (r *grocReader) window(every time.Duration) (Pattern, error) {
	first, err := r.time()
	if err != nil {
		return nil, err
	}
	if !r.is("to") {
		return nil, r.unexpected("window", `"to"`).instead(`a window has both ends: "every 30 minutes from 09:00 to 17:00"`)
	}
	last, err := r.time()
	if err != nil {
		return nil, err
	}
	return windowed(every, first, last), nil
}

// windowed counts every day from the start of the window to its end, which may be past
// midnight and belongs to it.
func windowed(every, first, last time.Duration) *groc {
	g := &groc{days: everyMonthDay, months: everyMonth}
	length := (last - first + wholeDay) % wholeDay
	var late []time.Duration // those of the day on which the window starts
	for since := time.Duration(0); since <= length; since += every {
		if at := first + since; at < wholeDay {
			late = append(late, at)
		} else {
			g.times = append(g.times, at-wholeDay)
		}
	}
	g.times = append(g.times, late...)
	return g
}

var grocTime = regexp.MustCompile(`^(?:[01]?[0-9]|2[0-3]):[0-5][0-9]$`)

// time reads a time of day, hours of one digit or two, as the time since midnight.
func (r *grocReader) time() (time.Duration, error) {
	from := r.here()
	text := r.run("0123456789:")
	switch {
	case text == "":
		return 0, r.unexpected("time", "a time of day").instead(`a schedule of days ends with a time: "every day 09:00"`)
	case !grocTime.MatchString(text):
		return 0, from.fault("time", "%q is no time of day", text).instead("times go from 0:00 to 23:59, minutes have two digits")
	}
	return time.ParseDuration(strings.Replace(text, ":", "h", 1) + "m")
}
