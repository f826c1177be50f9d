package schedule

import (
	"fmt"
	"strings"
	"time"
)

// unixCron is a pattern of five fields, each a set of bits.
type unixCron struct {
	minute, hour, dom, month, dow uint64
	// A day field that begins with * does not limit the other: both must match. Otherwise
	// one of the two is enough. So does Vixie cron, */2 included.
	anyDOM, anyDOW bool
	// The hour repeats: it has a * or a step.
	repeats bool
}

func (c *unixCron) Next(after time.Time, zone *time.Location) time.Time {
	if c.repeats {
		return elapsing(after, zone, c.next)
	}
	return once(after, zone, c.next)
}

func (c *unixCron) Shortest() time.Duration { return closest(timesOfDay(c.hour, c.minute, 1)) }

// calendarCycle is after how many years dates fall on the same weekdays again; what is not
// due within one never is.
const calendarCycle = 400

// next is the first clock time after the given one that the pattern names.
func (c *unixCron) next(shown time.Time) time.Time {
	t := shown.Truncate(time.Minute).Add(time.Minute)
	for last := t.AddDate(calendarCycle, 0, 0); t.Before(last); {
		y, m, d := t.Date()
		switch {
		case !has(c.month, int(m)):
			t = time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
		case !c.onDay(t):
			t = time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)
		case !has(c.hour, t.Hour()):
			t = time.Date(y, m, d, t.Hour()+1, 0, 0, 0, time.UTC)
		case !has(c.minute, t.Minute()):
			t = t.Add(time.Minute)
		default:
			return t
		}
	}
	return time.Time{}
}

func (c *unixCron) onDay(t time.Time) bool {
	dom, dow := has(c.dom, t.Day()), has(c.dow, int(t.Weekday()))
	if c.anyDOM || c.anyDOW {
		return dom && dow
	}
	return dom || dow
}

func has(set uint64, n int) bool { return set&(1<<n) != 0 }

// unixField is a field in which 7 may be another name of the first value.
type unixField struct{ field }

var unixFields = []unixField{
	{field{name: "minute", min: 0, max: 59}},
	{field{name: "hour", min: 0, max: 23}},
	{field{name: "day of month", min: 1, max: 31}},
	{field{name: "month", min: 1, max: 12, names: months}},
	{field{name: "day of week", min: 0, max: 7, names: weekdays}},
}

var shorthands = map[string]string{
	"@hourly":   "0 * * * *",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@weekly":   "0 0 * * 0",
	"@monthly":  "0 0 1 * *",
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
}

func parseUnix(text string) (Pattern, error) {
	if long, ok := shorthands[strings.ToLower(strings.TrimSpace(text))]; ok {
		return parseUnix(long)
	}
	words := split(text)
	if err := checkShape(words); err != nil {
		return nil, err
	}
	c := &unixCron{}
	for i, set := range []*uint64{&c.minute, &c.hour, &c.dom, &c.month, &c.dow} {
		var err error
		if *set, err = unixFields[i].parse(words[i]); err != nil {
			return nil, err
		}
	}
	c.dow |= c.dow >> 7 & 1 // 7 is Sunday too
	c.anyDOM, c.anyDOW = strings.HasPrefix(words[2].text, "*"), strings.HasPrefix(words[4].text, "*")
	c.repeats = strings.ContainsAny(words[1].text, "*/")
	return c, nil
}

func checkShape(words []word) error {
	const five = "minute, hour, day of month, month, day of week"
	switch {
	case len(words) == 0:
		return &Fault{Message: "it is empty"}
	case words[0].text == "@every":
		return &Fault{Column: words[0].column, Message: "@every is not cron", Hint: "write every: 15m instead of cron"}
	case words[0].text[0] == '@':
		return &Fault{
			Column: words[0].column, Message: fmt.Sprintf("unknown shorthand %q", words[0].text),
			Hint: "known are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually",
		}
	case len(words) < 5:
		return &Fault{Message: fmt.Sprintf("it has %d of 5 fields, the %s is missing: %s",
			len(words), unixFields[len(words)].name, five)}
	case len(words) > 5:
		return &Fault{Column: words[5].column, Message: fmt.Sprintf("it has %d fields, not 5: %s; there are no seconds and no years",
			len(words), five)}
	}
	return nil
}

func (f unixField) parse(w word) (uint64, error) {
	var set uint64
	for item := range strings.SplitSeq(w.text, ",") {
		bits, err := f.item(word{item, w.column})
		if err != nil {
			return 0, err
		}
		set |= bits
		w.column += len(item) + 1
	}
	return set, nil
}

// item reads "*", "5", "1-5", each with an optional "/2"; "5/2" is "5-max/2".
func (f unixField) item(w word) (uint64, error) {
	values, every, stepped := strings.Cut(w.text, "/")
	first, last, err := f.bounds(word{values, w.column}, stepped)
	if err != nil {
		return 0, err
	}
	step := 1
	if stepped {
		if step, err = f.step(word{every, w.column + len(values) + 1}, last-first+1); err != nil {
			return 0, err
		}
	}
	var set uint64
	for n := first; n <= last; n += step {
		set |= 1 << n
	}
	return set, nil
}

func (f unixField) bounds(w word, stepped bool) (first, last int, err error) {
	if w.text == "*" {
		return f.min, f.top(), nil
	}
	from, to, isRange := strings.Cut(w.text, "-")
	if first, err = f.number(word{from, w.column}); err != nil {
		return 0, 0, err
	}
	switch {
	case !isRange && stepped:
		return first, max(first, f.top()), nil
	case !isRange:
		return first, first, nil
	}
	last, err = f.number(word{to, w.column + len(from) + 1})
	if f.max == 7 && last == 0 && first > 0 {
		last = 7 // sat-sun
	}
	if err == nil && last < first {
		err = f.fault(w.column, "%s runs backwards: write it as two, such as %s-%d,%d-%s", w.text, from, f.top(), f.min, to)
	}
	return first, last, err
}

// top is the highest value, each named once.
func (f unixField) top() int { return f.min + f.size() - 1 }

func (f unixField) size() int {
	if f.names != nil {
		return len(f.names)
	}
	return f.max - f.min + 1
}

func (f unixField) step(w word, size int) (int, error) {
	n, err := digits(w.text)
	switch {
	case err != nil || n == 0:
		return 0, f.fault(w.column, "the step %q is not a number from 1", w.text)
	case n >= size && n > 1:
		return 0, f.fault(w.column, "the step %d leaves one of %d values", n, size).
			instead("a step begins anew with every field; for a longer interval write every: instead of cron")
	}
	return n, nil
}
