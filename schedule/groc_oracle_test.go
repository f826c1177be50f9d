package schedule_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/schedule"
)

// grocPattern is a text and, beside it, which minutes it means.
type grocPattern struct {
	text        string
	every       time.Duration // of an interval
	windowed    bool
	first, last time.Duration            // the window, or first the time of day
	on          func(day time.Time) bool // the days, when it names days
}

// names reports whether a minute is due. It asks of windows what their definition says: how
// long ago was the last start, is that a multiple of the interval, and not past the end?
func (p grocPattern) names(at, anchor time.Time) bool {
	since := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
	switch {
	case p.on != nil:
		return since == p.first && p.on(at)
	case !p.windowed:
		elapsed := at.Sub(anchor.Add(-time.Duration(anchor.Second())*time.Second - time.Duration(anchor.Nanosecond())))
		return elapsed > 0 && elapsed%p.every == 0
	}
	length := p.last - p.first
	if length < 0 {
		length += 24 * time.Hour
	}
	if since -= p.first; since < 0 {
		since += 24 * time.Hour // it started yesterday
	}
	return since <= length && since%p.every == 0
}

// TestGrocOracle looks at every minute, of days for intervals and of months for days.
func TestGrocOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawGroc(t)
		anchor := time.Unix(0, rapid.Int64Range(1577836800e9, 4102444800e9).Draw(t, "anchor")).UTC()
		span := 72 * time.Hour
		if p.on != nil {
			span = 45 * 24 * time.Hour
		}
		s := syncline.Schedule{Cron: p.text, Grammar: "appengine", Anchor: anchor}
		var want []time.Time
		for at := anchor.Truncate(time.Hour); at.Before(anchor.Add(span)); at = at.Add(time.Minute) {
			if at.After(anchor) && p.names(at, anchor) {
				want = append(want, at)
			}
		}
		got, err := schedule.Slots(s, anchor.Add(1), anchor.Add(span-1), 10_000)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q after %s: %v, %v\nthe oracle has %v", p.text, anchor, got, err, want)
		}
	})
}

// TestGrocDaysOracle looks at every day of years, for what is rarely due.
func TestGrocDaysOracle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawDays(t)
		from := time.Unix(rapid.Int64Range(1577836800, 4102444800).Draw(t, "from"), 0).UTC()
		s := groc(p.text)
		var want time.Time
		midnight := from.Truncate(24 * time.Hour)
		for i := 0; i < 41*366 && want.IsZero(); i++ {
			if at := midnight.AddDate(0, 0, i).Add(p.first); at.After(from) && p.on(at) {
				want = at
			}
		}
		got, err := schedule.Next(s, from)
		if err != nil || !got.Equal(want) {
			t.Fatalf("%q after %s: %s, %v; the oracle says %s", p.text, from, got, err, want)
		}
	})
}

// TestGrocClockChanges holds windows and days to the oracle of every grammar.
func TestGrocClockChanges(t *testing.T) {
	t.Parallel()
	for _, name := range zones {
		zone := load(t, name)
		all := changesOf(zone)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				p := rapid.OneOf(rapid.Custom(drawWindow), rapid.Custom(drawDays)).Draw(t, "pattern")
				change := all[rapid.IntRange(0, len(all)-1).Draw(t, "change")]
				from, to := change.Add(-50*time.Hour), change.Add(50*time.Hour)
				want := walk(func(shown time.Time) bool { return p.names(shown, shown) }, p.repeats(), zone, from, to)
				s := groc(p.text)
				s.Zone = name
				got, err := schedule.Slots(s, from, to, 10_000)
				if err != nil || !slices.Equal(got, want) {
					t.Fatalf("%q in %s around %s: %v, %v\nthe oracle has %v", p.text, name, change, got, err, want)
				}
			})
		})
	}
}

// repeats reports whether it is due more than once a day.
func (p grocPattern) repeats() bool {
	return p.windowed && p.names(time.Time{}.Add((p.first+p.every)%(24*time.Hour)), time.Time{}) && p.every < 24*time.Hour
}

func drawGroc(t *rapid.T) grocPattern {
	return rapid.OneOf(rapid.Custom(drawInterval), rapid.Custom(drawWindow), rapid.Custom(drawDays)).Draw(t, "pattern")
}

// spaced joins words with whatever blanks there may be between them, or none.
func spaced(t *rapid.T, words ...string) string {
	blanks := rapid.SampledFrom([]string{" ", " ", " ", "", "\t", "  ", "\r\n"})
	var text strings.Builder
	for _, w := range words {
		text.WriteString(blanks.Draw(t, "blank") + w)
	}
	return text.String() + blanks.Draw(t, "blank")
}

func drawInterval(t *rapid.T) grocPattern {
	count, unit := rapid.OneOf(rapid.IntRange(1, 300), rapid.IntRange(1, 99999)).Draw(t, "count"), time.Minute
	word := rapid.SampledFrom([]string{"minutes", "mins", "hours"}).Draw(t, "unit")
	if word == "hours" {
		unit = time.Hour
	}
	digits := fmt.Sprintf("%0*d", rapid.IntRange(1, 5).Draw(t, "digits"), count)
	return grocPattern{text: spaced(t, "every", digits, word), every: time.Duration(count) * unit}
}

func drawWindow(t *rapid.T) grocPattern {
	p := drawInterval(t)
	p.windowed = true
	if 24*time.Hour%p.every == 0 && rapid.Bool().Draw(t, "synchronized") {
		p.last = 24*time.Hour - time.Minute
		p.text = spaced(t, p.text, "synchronized")
		return p
	}
	var from, to string
	from, p.first = drawTime(t)
	to, p.last = drawTime(t)
	p.text = spaced(t, p.text, "from", from, "to", to)
	return p
}

func drawTime(t *rapid.T) (string, time.Duration) {
	h, m := rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute")
	format := rapid.SampledFrom([]string{"%02d:%02d", "%d:%02d"}).Draw(t, "format")
	return fmt.Sprintf(format, h, m), time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
}

// drawDays makes a pattern of days that are in some year at least.
func drawDays(t *rapid.T) grocPattern {
	days, on := drawGrocDays(t)
	months, in := drawMonths(t)
	if months == "" && days[0] >= '0' && days[0] <= '9' && !strings.ContainsAny(days, "snrt") {
		months = "of month"
	}
	text, at := drawTime(t)
	p := grocPattern{text: spaced(t, days, months, text), first: at}
	p.on = func(day time.Time) bool { return on(day) && in[day.Month()] }
	for day := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2040; day = day.AddDate(0, 0, 1) {
		if p.on(day) {
			return p
		}
	}
	t.Skip("never due")
	return p
}

var ordinalWords = [][]string{{"1st", "first"}, {"2nd", "second"}, {"3rd", "third"}, {"4th", "fourth"}, {"5th", "fifth"}}

func drawGrocDays(t *rapid.T) (string, func(time.Time) bool) {
	switch rapid.SampledFrom([]string{"month days", "every day", "every", "nth day", "nth"}).Draw(t, "days") {
	case "month days":
		numbers := rapid.SliceOfN(rapid.IntRange(1, 31), 1, 4).Draw(t, "numbers")
		var words []string
		for _, n := range numbers {
			words = append(words, fmt.Sprint(n))
		}
		return listed(t, words), func(day time.Time) bool { return slices.Contains(numbers, day.Day()) }
	case "every day":
		return spaced(t, "every", "day"), func(time.Time) bool { return true }
	case "every":
		words, weekdays := drawWeekdays(t)
		return spaced(t, "every", words), func(day time.Time) bool { return slices.Contains(weekdays, day.Weekday()) }
	case "nth day":
		words, nth := drawOrdinals(t, 5)
		return spaced(t, words, "day"), func(day time.Time) bool { return slices.Contains(nth, day.Day()) }
	}
	words, nth := drawOrdinals(t, 5)
	names, weekdays := drawWeekdays(t)
	return spaced(t, words, names), func(day time.Time) bool {
		k := 0 // how many of this weekday the month has had
		for d := day; d.Month() == day.Month(); d = d.AddDate(0, 0, -7) {
			k++
		}
		return slices.Contains(weekdays, day.Weekday()) && slices.Contains(nth, k)
	}
}

func listed(t *rapid.T, words []string) string {
	var parts []string
	for i, w := range words {
		if i > 0 {
			parts = append(parts, ",")
		}
		parts = append(parts, w)
	}
	return strings.TrimLeft(spaced(t, parts...), " \t\r\n")
}

func drawOrdinals(t *rapid.T, most int) (string, []int) {
	nth := rapid.SliceOfN(rapid.IntRange(1, most), 1, 3).Draw(t, "nth")
	var words []string
	for _, n := range nth {
		words = append(words, rapid.SampledFrom(ordinalWords[n-1]).Draw(t, "ordinal"))
	}
	return listed(t, words), nth
}

func drawWeekdays(t *rapid.T) (string, []time.Weekday) {
	var words []string
	var all []time.Weekday
	for range rapid.IntRange(1, 3).Draw(t, "weekdays") {
		day := time.Weekday(rapid.IntRange(0, 6).Draw(t, "weekday"))
		all, words = append(all, day), append(words, shortened(t, day.String()))
	}
	return listed(t, words), all
}

func shortened(t *rapid.T, name string) string {
	if rapid.Bool().Draw(t, "short") {
		name = name[:3]
	}
	return strings.ToLower(name)
}

func drawMonths(t *rapid.T) (string, map[time.Month]bool) {
	in := map[time.Month]bool{}
	quarters := func(nth ...int) {
		for m := time.January; m <= time.December; m++ {
			in[m] = slices.Contains(nth, int(m-1)%3+1)
		}
	}
	form := rapid.SampledFrom([]string{"", "of month", "of quarter", "nth", "names"}).Draw(t, "months")
	switch form {
	case "", "of month":
		quarters(1, 2, 3)
		return form, in
	case "of quarter":
		quarters(1)
		return spaced(t, "of", "quarter"), in
	case "nth":
		words, nth := drawOrdinals(t, 3)
		quarters(nth...)
		return spaced(t, "of", words, "month", "of", "quarter"), in
	}
	var words []string
	for range rapid.IntRange(1, 4).Draw(t, "named") {
		m := time.Month(rapid.IntRange(1, 12).Draw(t, "month"))
		in[m], words = true, append(words, shortened(t, m.String()))
	}
	return spaced(t, "of", listed(t, words)), in
}
