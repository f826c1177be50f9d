package schedule

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// quartz is a pattern of six or seven fields as Quartz, and Elasticsearch after it, write
// them: https://www.elastic.co/docs/explore-analyze/alerting/watcher/schedule-types#schedule-cron
type quartz struct {
	second, minute, hour, month uint64
	days                        days
	years                       map[int]bool // nil: every year
	// The hour repeats: it has a * or a step.
	repeats bool
}

func (q *quartz) Next(after time.Time, zone *time.Location) time.Time {
	if q.repeats {
		return elapsing(after, zone, q.next)
	}
	return once(after, zone, q.next)
}

func (q *quartz) Shortest() time.Duration { return closest(timesOfDay(q.hour, q.minute, q.second)) }

// next is the first clock time after the given one that the pattern names.
func (q *quartz) next(shown time.Time) time.Time {
	t := shown.Truncate(time.Second).Add(time.Second)
	for last := q.end(t); t.Before(last); {
		y, m, d := t.Date()
		switch {
		case q.years != nil && !q.years[y]:
			t = time.Date(y+1, 1, 1, 0, 0, 0, 0, time.UTC)
		case !has(q.month, int(m)):
			t = time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
		case !q.days.on(t):
			t = time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)
		default:
			if at, ok := q.within(t); ok {
				return at
			}
			t = time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)
		}
	}
	return time.Time{}
}

// end is when looking any further is of no use.
func (q *quartz) end(t time.Time) time.Time {
	if q.years != nil {
		return time.Date(lastYear+1, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return t.AddDate(calendarCycle, 0, 0)
}

// within is the first time of t's day, from t on, that the pattern names.
func (q *quartz) within(t time.Time) (time.Time, bool) {
	y, mo, d := t.Date()
	h, mi, s := t.Clock()
	if s, ok := from(q.second, s); ok && has(q.hour, h) && has(q.minute, mi) {
		return time.Date(y, mo, d, h, mi, s, 0, time.UTC), true
	}
	if mi, ok := from(q.minute, mi+1); ok && has(q.hour, h) {
		return time.Date(y, mo, d, h, mi, lowest(q.second), 0, time.UTC), true
	}
	h, ok := from(q.hour, h+1)
	return time.Date(y, mo, d, h, lowest(q.minute), lowest(q.second), 0, time.UTC), ok
}

// from is the first member of a set that is n or more.
func from(set uint64, n int) (int, bool) {
	rest := set >> n << n
	return lowest(rest), rest != 0
}

func lowest(set uint64) int { return bits.TrailingZeros64(set) }

// The years a pattern may name. Quartz knows no others.
const (
	firstYear = 1970
	lastYear  = 2199
)

// quartzField is a field whose ranges may go past its end: 22-2 in the hours.
type quartzField struct{ field }

var (
	months   = strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")
	weekdays = strings.Fields("sun mon tue wed thu fri sat")

	quartzFields = []quartzField{
		{field{name: "second", min: 0, max: 59}},
		{field{name: "minute", min: 0, max: 59}},
		{field{name: "hour", min: 0, max: 23}},
		{field{name: "day of month", min: 1, max: 31}},
		{field{name: "month", min: 1, max: 12, names: months}},
		{field{name: "day of week", min: 1, max: 7, names: weekdays}},
		{field{name: "year", min: firstYear, max: lastYear}},
	}
)

func parseQuartz(text string) (Pattern, error) {
	words := split(text)
	if err := checkQuartzShape(words); err != nil {
		return nil, err
	}
	q := &quartz{repeats: strings.ContainsAny(words[2].text, "*/")}
	var err error
	for i, set := range []*uint64{&q.second, &q.minute, &q.hour, nil, &q.month} {
		if set == nil {
			continue // the day fields are read together
		}
		if *set, err = quartzFields[i].set(words[i]); err != nil {
			return nil, err
		}
	}
	if q.days, err = parseDays(words[3], words[5]); err == nil && len(words) == 7 {
		q.years, err = parseYears(words[6])
	}
	if err != nil {
		return nil, err
	}
	return q, nil
}

func checkQuartzShape(words []word) error {
	const six = "second, minute, hour, day of month, month, day of week, and a year if need be"
	switch {
	case len(words) == 0:
		return &Fault{Message: "it is empty"}
	case words[0].text[0] == '@':
		return &Fault{Column: words[0].column, Message: fmt.Sprintf("there are no shorthands such as %q here", words[0].text)}
	case len(words) < 6:
		return &Fault{Message: fmt.Sprintf("it has %d of 6 fields, the %s is missing: %s",
			len(words), quartzFields[len(words)].name, six)}
	case len(words) > 7:
		return &Fault{Column: words[7].column, Message: fmt.Sprintf("it has %d fields, not 6 or 7: %s", len(words), six)}
	}
	return nil
}

func parseYears(w word) (map[int]bool, error) {
	if w.text == "*" {
		return nil, nil
	}
	values, err := quartzFields[6].parse(w)
	if err != nil {
		return nil, err
	}
	years := map[int]bool{}
	for _, y := range values {
		years[y] = true
	}
	return years, nil
}

// set is for fields of fewer than 64 values.
func (f quartzField) set(w word) (set uint64, err error) {
	values, err := f.parse(w)
	for _, n := range values {
		set |= 1 << n
	}
	return set, err
}

// parse lists the values that a field names.
func (f quartzField) parse(w word) (values []int, err error) {
	for item := range strings.SplitSeq(w.text, ",") {
		some, err := f.item(word{item, w.column})
		if err != nil {
			return nil, err
		}
		values = append(values, some...)
		w.column += len(item) + 1
	}
	return values, nil
}

// item reads "*", "5", "22-2", each with an optional "/2"; "5/2" is "5-max/2", and "/2" is
// "*/2".
func (f quartzField) item(w word) ([]int, error) {
	values, every, stepped := strings.Cut(w.text, "/")
	if stepped && values == "" {
		values = "*"
	}
	first, last, err := f.bounds(word{values, w.column}, stepped)
	if err != nil {
		return nil, err
	}
	step := 1
	if stepped {
		if step, err = f.step(word{every, w.column + strings.Index(w.text, "/") + 1}); err != nil {
			return nil, err
		}
	}
	var all []int
	for n := first; n <= last; n += step {
		all = append(all, f.wrap(n))
	}
	return all, nil
}

// bounds gives a range that goes past the end of the field a last value behind it.
func (f quartzField) bounds(w word, stepped bool) (first, last int, err error) {
	if w.text == "*" {
		return f.min, f.max, nil
	}
	low, high, isRange := strings.Cut(w.text, "-")
	if first, err = f.value(word{low, w.column}); err != nil {
		return 0, 0, err
	}
	switch {
	case !isRange && stepped:
		return first, f.max, nil
	case !isRange:
		return first, first, nil
	}
	last, err = f.value(word{high, w.column + len(low) + 1})
	switch {
	case err != nil || first <= last:
		return first, last, err
	case f.max == lastYear:
		return 0, 0, f.fault(w.column, "%s runs backwards", w.text).instead("years do not begin again: write the earlier one first")
	}
	return first, last + f.size(), nil
}

func (f quartzField) size() int { return f.max - f.min + 1 }

func (f quartzField) wrap(n int) int {
	if n > f.max {
		return n - f.size()
	}
	return n
}

// step may be as large as the field, for that is what 0/60 says; one that is larger would
// not do what it says, for every field begins anew.
func (f quartzField) step(w word) (int, error) {
	n, err := digits(w.text)
	switch {
	case err != nil || n == 0:
		return 0, f.fault(w.column, "the step %q is not a number from 1", w.text)
	case n > f.size():
		return 0, f.fault(w.column, "the step %d is larger than the field, which has %d values", n, f.size()).
			instead("a step begins anew with every field: name the values, or step in the field to the right")
	}
	return n, nil
}

func (f quartzField) value(w word) (int, error) {
	if strings.Contains(w.text, "?") {
		return 0, f.fault(w.column, `"?" is no value`).instead(`"?" stands alone, in one of the two day fields`)
	}
	return f.number(w)
}
