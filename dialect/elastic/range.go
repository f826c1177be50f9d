package elastic

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// interval matches a document that has a number or an instant within all bounds.
type interval struct {
	field  string
	bounds []bound
}

func (q interval) match(doc map[string]any) bool {
	for _, v := range valuesAt(doc, q.field) {
		if q.holds(v) {
			return true
		}
	}
	return false
}

func (q interval) holds(v any) bool {
	for _, b := range q.bounds {
		if !b.holds(v) {
			return false
		}
	}
	return true
}

func (interval) only(string) ([]string, bool) { return nil, false }

// bound is one end of a range. A number is an instant too: its milliseconds.
type bound struct {
	op      string
	number  float64
	isCount bool
	at      time.Time
}

func bounded(op, text string, now time.Time) (b bound, ok bool) {
	b.op = op
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		b.number, b.isCount, b.at = n, true, time.UnixMilli(int64(n))
		return b, true
	}
	b.at, ok = dateMath(text, now, op == "gt" || op == "lte" || op == "to")
	return b, ok
}

func (b bound) holds(v any) bool {
	sign, ok := b.compare(v)
	if !ok {
		return false
	}
	switch b.op {
	case "gt":
		return sign > 0
	case "gte", "from":
		return sign >= 0
	case "lt":
		return sign < 0
	}
	return sign <= 0
}

func (b bound) compare(v any) (sign int, ok bool) {
	text := scalar(v)
	if _, isText := v.(string); isText {
		at, ok := moment(text)
		return at.Compare(b.at), ok
	}
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || !b.isCount:
		return 0, false
	case n < b.number:
		return -1, true
	case n > b.number:
		return 1, true
	}
	return 0, true
}

// partial are the forms of what is less than an instant: in UTC, and perhaps a whole day,
// month or year.
var partial = []struct {
	form                string
	years, months, days int
}{
	{form: "2006-01-02T15:04:05"},
	{form: "2006-01-02T15:04"},
	{form: "2006-01-02", days: 1},
	{form: "2006-01", months: 1},
	{form: "2006", years: 1},
}

// moment reads a point in time.
func moment(text string) (time.Time, bool) {
	at, _, ok := span(text)
	return at, ok
}

// span is a point in time and the end of what its text means: a date is a day.
func span(text string) (from, to time.Time, ok bool) {
	if at, err := parseInstant(text); err == nil {
		return at, at, true
	}
	for _, l := range partial {
		at, err := time.Parse(l.form, text)
		if err != nil {
			continue
		}
		if to = at.AddDate(l.years, l.months, l.days); to.After(at) {
			to = to.Add(-time.Nanosecond)
		}
		return at, to, true
	}
	return time.Time{}, time.Time{}, false
}

// mathStep is one step of date arithmetic: an amount of a unit, or the rounding to one.
var mathStep = regexp.MustCompile(`^(?:([+-])([0-9]{0,9})|/)([yMwdhHms])`)

// dateMath reads "now-300s", "2026-03-01||+1M/d" or a plain instant. up chooses the end of
// what is rounded, not its beginning.
// https://www.elastic.co/docs/reference/elasticsearch/rest-apis/common-options#date-math
func dateMath(text string, now time.Time, up bool) (at time.Time, ok bool) {
	steps, isNow := strings.CutPrefix(text, "now")
	at = now.UTC()
	if !isNow {
		base, rest, anchored := strings.Cut(text, "||")
		from, to, ok := span(base)
		if !ok {
			return at, false
		}
		if at, steps = from, rest; up && !anchored {
			at = to
		}
	}
	for steps != "" {
		m := mathStep.FindStringSubmatch(steps)
		if m == nil {
			return at, false
		}
		steps = steps[len(m[0]):]
		if m[1] == "" {
			at = rounded(at, m[3], up)
			continue
		}
		n := 1
		if m[2] != "" {
			n, _ = strconv.Atoi(m[2]) // nine digits at most
		}
		if m[1] == "-" {
			n = -n
		}
		at = added(at, n, m[3])
	}
	return at, true
}

func added(at time.Time, n int, unit string) time.Time {
	switch unit {
	case "y":
		return at.AddDate(n, 0, 0)
	case "M":
		return at.AddDate(0, n, 0)
	case "w":
		return at.AddDate(0, 0, 7*n)
	case "d":
		return at.AddDate(0, 0, n)
	}
	seconds := map[string]int64{"h": 3600, "H": 3600, "m": 60, "s": 1}[unit]
	return time.Unix(at.Unix()+int64(n)*seconds, int64(at.Nanosecond())).UTC()
}

func rounded(at time.Time, unit string, up bool) time.Time {
	down := at
	switch day := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC); unit {
	case "y":
		down = time.Date(at.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	case "M":
		down = time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	case "w":
		down = day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	case "d":
		down = day
	case "h", "H":
		down = at.Truncate(time.Hour)
	case "m":
		down = at.Truncate(time.Minute)
	case "s":
		down = at.Truncate(time.Second)
	}
	if up {
		return added(down, 1, unit).Add(-time.Nanosecond)
	}
	return down
}
