package schedule_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/schedule"
)

func quartz(text, zone string) syncline.Schedule {
	return syncline.Schedule{Cron: text, Grammar: "quartz", Zone: zone}
}

// TestQuartzNext: what is expected here was counted in calendars, not computed.
func TestQuartzNext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cron, zone, after, want string }{
		{"0 0 0 * * ?", "", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"}, // the default of a connector
		{"0/15 * * * * ?", "", "2026-03-01T03:29:59.5Z", "2026-03-01T03:30:00Z"},
		{"0/15 * * * * ?", "", "2026-03-01T03:30:00Z", "2026-03-01T03:30:15Z"},
		{"*/20 /30 * ? * *", "", "2026-03-01T03:30:41Z", "2026-03-01T04:00:00Z"},
		{"0 0/60 * * * ?", "", "2026-03-01T03:30:00Z", "2026-03-01T04:00:00Z"}, // as Elasticsearch, hourly
		{"59 59 23 31 DEC ? 2026", "", "2026-03-01T00:00:00Z", "2026-12-31T23:59:59Z"},
		{"30 10 1 ? * *", "", "2026-03-01T01:10:30Z", "2026-03-02T01:10:30Z"},
		{"50-10/5 0 0 ? * *", "", "2026-03-01T00:00:50Z", "2026-03-01T00:00:55Z"}, // 50, 55, 0, 5, 10
		{"50-10/5 0 0 ? * *", "", "2026-03-01T00:00:10Z", "2026-03-01T00:00:50Z"},
		{"0 0 22-2 * * ?", "", "2026-03-01T02:00:00Z", "2026-03-01T22:00:00Z"},
		{"0 0 22-2 * * ?", "", "2026-03-01T22:59:00Z", "2026-03-01T23:00:00Z"},
		{"0 0 0 1 nov-FEB ?", "", "2026-02-02T00:00:00Z", "2026-11-01T00:00:00Z"},
		{"0 0 0 28-2 * ?", "", "2026-04-02T00:00:00Z", "2026-04-28T00:00:00Z"},
		{"0 0 0 28-2 * ?", "", "2026-04-30T00:00:00Z", "2026-05-01T00:00:00Z"},
		{"0 0 0 ? * FRI-MON", "", "2026-03-02T00:00:00Z", "2026-03-06T00:00:00Z"}, // Mon → Fri
		{"0 0 0 ? * 1", "", "2026-03-01T00:00:00Z", "2026-03-08T00:00:00Z"},       // 1 is Sunday
		{"0 0 0 ? * 7", "", "2026-03-01T00:00:00Z", "2026-03-07T00:00:00Z"},
		{"0 0 0 ? * 2/2", "", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"}, // Mon, Wed, Fri
		{"0 0 0 ? * 2/2", "", "2026-03-06T00:00:00Z", "2026-03-09T00:00:00Z"},
		{"0 0 0 ? * sat,Mon", "", "2026-03-02T00:00:00Z", "2026-03-07T00:00:00Z"},
		{"0 0 0 ? JAN/3 MON-FRI/2 *", "", "2026-01-31T00:00:00Z", "2026-04-01T00:00:00Z"}, // a Wednesday
		{"0 0 0 31 * ?", "", "2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"},
		{"0 0 0 29 2 ?", "", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		{"0 0 0 L * ?", "", "2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z"},
		{"0 0 0 l * ?", "", "2028-02-01T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"0 0 0 L-3 * ?", "", "2026-02-26T00:00:00Z", "2026-03-28T00:00:00Z"},
		{"0 0 0 L-30 * ?", "", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"}, // only months of 31 days
		{"0 0 0 L-30 * ?", "", "2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z"},
		{"0 0 0 LW * ?", "", "2026-02-01T00:00:00Z", "2026-02-27T00:00:00Z"},   // the 28th is a Saturday
		{"0 0 0 LW * ?", "", "2026-05-01T00:00:00Z", "2026-05-29T00:00:00Z"},   // the 31st is a Sunday
		{"0 0 0 L-2W * ?", "", "2026-08-01T00:00:00Z", "2026-08-28T00:00:00Z"}, // the 29th is a Saturday
		{"0 0 0 15W * ?", "", "2026-08-01T00:00:00Z", "2026-08-14T00:00:00Z"},  // a Saturday: the day before
		{"0 0 0 15w * ?", "", "2026-03-01T00:00:00Z", "2026-03-16T00:00:00Z"},  // a Sunday: the day after
		{"0 0 0 1W * ?", "", "2026-08-01T00:00:00Z", "2026-08-03T00:00:00Z"},   // not back into July
		{"0 0 0 30W 4 ?", "", "2028-01-01T00:00:00Z", "2028-04-28T00:00:00Z"},  // not on into May
		{"0 0 0 31W * ?", "", "2026-04-01T00:00:00Z", "2026-05-29T00:00:00Z"},  // April has none
		{"0 0 0 ? * 6#3", "", "2026-03-01T00:00:00Z", "2026-03-20T00:00:00Z"},
		{"0 0 0 ? * Fri#1", "", "2026-03-01T00:00:00Z", "2026-03-06T00:00:00Z"},
		{"0 0 0 ? * 2#5", "", "2026-04-01T00:00:00Z", "2026-06-29T00:00:00Z"}, // April and May have four Mondays
		{"0 0 0 ? * 6L", "", "2026-03-01T00:00:00Z", "2026-03-27T00:00:00Z"},
		{"0 0 0 ? * friL", "", "2026-03-28T00:00:00Z", "2026-04-24T00:00:00Z"},
		{"0 0 0 ? * L", "", "2026-03-01T00:00:00Z", "2026-03-07T00:00:00Z"}, // the last day of the week
		{"0 0 12 ? * * 2030", "", "2026-03-01T00:00:00Z", "2030-01-01T12:00:00Z"},
		{"0 0 12 1 1 ? 2027/3", "", "2027-01-01T12:00:00Z", "2030-01-01T12:00:00Z"},
		{"0 0 12 1 1 ? 2020-2022,2199", "", "2026-01-01T12:00:00Z", "2199-01-01T12:00:00Z"},
		// New York 2026: 02:00 to 03:00 are skipped on March 8, 01:00 to 02:00 come twice on November 1.
		{"30 30 2 * * ?", "America/New_York", "2026-03-08T00:00:00Z", "2026-03-08T07:00:00Z"},
		{"30 30 2 * * ?", "America/New_York", "2026-03-08T07:00:00Z", "2026-03-09T06:30:30Z"},
		{"* * 2 ? * *", "America/New_York", "2026-03-08T06:59:59Z", "2026-03-08T07:00:00Z"}, // once for the hour
		{"* * 2 ? * *", "America/New_York", "2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"},
		{"0 0 0/2 * * ?", "America/New_York", "2026-03-08T05:00:00Z", "2026-03-08T08:00:00Z"},
		{"30 30 1 * * ?", "America/New_York", "2026-11-01T05:30:30Z", "2026-11-02T06:30:30Z"},
		{"30 30 * * * ?", "America/New_York", "2026-11-01T05:30:30Z", "2026-11-01T06:30:30Z"},
	} {
		got, err := schedule.Next(quartz(c.cron, c.zone), moment(t, c.after))
		if err != nil || !got.Equal(moment(t, c.want)) {
			t.Errorf("%q in %q after %s: got %s, %v; want %s", c.cron, c.zone, c.after, got, err, c.want)
		}
	}
}

func TestQuartzNever(t *testing.T) {
	t.Parallel()
	after := moment(t, "2026-01-01T00:00:00Z")
	for cron, wrong := range map[string]bool{
		"0 0 0 30 2 ?":      true,
		"0 0 0 L-30 APR ?":  true,
		"0 0 0 31W 2,4 ?":   true,
		"0 0 0 29 2 ? 2027": true,
		"0 0 0 1 1 ? 1970":  false, // how some say never: a year that is over is not wrong
		"0 0 0 1 1 ? 2025":  false,
	} {
		at, err := schedule.Next(quartz(cron, "Europe/Berlin"), after)
		if err != nil || !at.IsZero() {
			t.Errorf("%q: %s, %v", cron, at, err)
		}
		if err := schedule.Check(quartz(cron, "Europe/Berlin")); (err != nil) != wrong {
			t.Errorf("%q: %v", cron, err)
		}
	}
}

func TestQuartzRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cron, message, hint string }{
		{" ", "it is empty", "0 30 3 ? * MON-FRI"},
		{"0 0 0 * *", "it has 5 of 6 fields, the day of week is missing", ""},
		{"0 0 0 * * ? 2030 0", "column 18: it has 8 fields, not 6 or 7", ""},
		{"@daily", `column 1: there are no shorthands such as "@daily"`, ""},
		{"61 0 0 * * ?", "second, column 1: 61 is not between 0 and 59", ""},
		{"0 60 0 * * ?", "minute, column 3: 60 is not between 0 and 59", ""},
		{"0  0 24 * * ?", "hour, column 6: 24 is not between 0 and 23", ""},
		{"0 0 0 32 * ?", "day of month, column 7: 32 is not between 1 and 31", ""},
		{"0 0 0 0 * ?", "day of month, column 7: 0 is not between 1 and 31", ""},
		{"0 0 0 1 13 ?", "month, column 9: 13 is not between 1 and 12", ""},
		{"0 0 0 1 JUX ?", `month, column 9: "JUX" is neither a number nor one of jan feb`, ""},
		{"0 0 0 ? * 0", "day of week, column 11: 0 is not between 1 and 7", ""},
		{"0 0 0 ? * 2,8", "day of week, column 13: 8 is not between 1 and 7", ""},
		{"0 0 0 ? * MON-FRO", `day of week, column 15: "FRO" is neither`, ""},
		{"0 0 0 1 1 ? 1969", "year, column 13: 1969 is not between 1970 and 2199", ""},
		{"0 0 0 1 1 ? 2200", "year, column 13: 2200 is not", ""},
		{"0 0 0 1 1 ? 2030-2020", "year, column 13: 2030-2020 runs backwards", "the earlier one first"},
		{"0 0 0 * * *", `day of week, column 11: one of the two day fields must be "?"`, "0 0 0 1 * ?"},
		{"0 0 0 1 * MON", `day of week, column 11: one of the two`, ""},
		{"0 0 0 ? * ?", `day of week, column 11: "?" is in both`, "0 0 0 * * ?"},
		{"? 0 0 * * ?", `second, column 1: "?" is no value`, "stands alone"},
		{"0 0 0 ?,5 * ?", `day of month, column 7: "?" is no value`, ""},
		{"0 0 0 ? ? 2", `month, column 9: "?" is no value`, ""},
		{"*/0 * * * * ?", `second, column 3: the step "0" is not`, ""},
		{"/ * * * * ?", `second, column 2: the step "" is not`, ""},
		{"0/61 * * * * ?", "second, column 3: the step 61 is larger than the field", "field to the right"},
		{"0 0 */25 * * ?", "hour, column 7: the step 25 is larger", ""},
		{"1,,2 * * * * ?", "second, column 3: a value is missing", ""},
		{"*5 * * * * ?", `second, column 1: "*5" is not a number`, ""},
		{"+5 * * * * ?", `second, column 1: "+5" is not a number`, ""},
		{"L 0 0 * * ?", `second, column 1: "L" is not a number`, ""},
		{"0 0 0 5L * ?", `day of month, column 7: "5L" is not known`, "L-3"},
		{"0 0 0 L5 * ?", `day of month, column 8: L is followed by "5"`, "LW"},
		{"0 0 0 L- * ?", `day of month, column 8: L is followed by "-"`, ""},
		{"0 0 0 L-31 * ?", `L is followed by "-31"`, ""},
		{"0 0 0 L--1 * ?", `L is followed by "--1"`, ""},
		{"0 0 0 LWW * ?", `L is followed by "WW"`, ""},
		{"0 0 0 L,15 * ?", "day of month, column 8: a day with one of LW stands alone", "second schedule"},
		{"0 0 0 15W,20 * ?", "day of month, column 10: a day with one of LW stands alone", ""},
		{"0 0 0 W * ?", "day of month, column 7: a value is missing", ""},
		{"0 0 0 32W * ?", "day of month, column 7: 32 is not between", ""},
		{"0 0 0 1-5W * ?", `day of month, column 7: "1-5" is not a number`, ""},
		{"0 0 0 ? * 15W", "day of week", ""},
		{"0 0 0 ? * 6#6", `day of week, column 13: "6" is not between 1 and 5`, "third Friday"},
		{"0 0 0 ? * 6#0", `"0" is not between 1 and 5`, ""},
		{"0 0 0 ? * 6#", `"" is not between 1 and 5`, ""},
		{"0 0 0 ? * #3", "day of week, column 11: a value is missing", ""},
		{"0 0 0 ? * 8#3", "day of week, column 11: 8 is not between", ""},
		{"0 0 0 ? * 3#1,6#3", "day of week, column 14: a day with one of L# stands alone", ""},
		{"0 0 0 ? * 6L,2", "day of week, column 13: a day with one of L# stands alone", ""},
		{"0 0 0 ? * 2-6L", `day of week, column 11: "2-6" is neither a number`, ""},
		{"0 0 0 6#3 * ?", `day of month, column 7: "6#3" is not a number`, ""},
	} {
		e, ok := errors.AsType[*syncline.Error](schedule.Check(quartz(c.cron, "")))
		if !ok {
			t.Errorf("%q: accepted, or no *syncline.Error", c.cron)
			continue
		}
		if e.Code != syncline.InvalidArgument || e.Field != "cron" || e.Hint == "" || !strings.Contains(e.Message, c.message) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%q: %s: %s (%s)", c.cron, e.Field, e.Message, e.Hint)
		}
	}
}

// quartzPattern is a text and, beside it, what it means: sets and calendars, not the parser.
type quartzPattern struct {
	text                      string
	second, minute, hour, mon map[int]bool
	year                      map[int]bool // nil: all
	day                       func(t time.Time) bool
	repeats                   bool
}

func (p quartzPattern) names(t time.Time) bool {
	return p.second[t.Second()] && p.minute[t.Minute()] && p.hour[t.Hour()] && p.mon[int(t.Month())] &&
		(p.year == nil || p.year[t.Year()]) && p.day(t)
}

// TestQuartzSeconds holds Next to an oracle that looks at every second of eight hours.
func TestQuartzSeconds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawQuartz(t)
		from := time.Unix(rapid.Int64Range(0, 7_000_000_000).Draw(t, "from"), 0).UTC()
		to := from.Add(8 * time.Hour)
		var want []time.Time
		for at := from; !at.After(to); at = at.Add(time.Second) {
			if p.names(at) {
				want = append(want, at)
			}
		}
		sameSlots(t, quartz(p.text, ""), from, to, want)
	})
}

// TestQuartzDays holds the days to an oracle that looks at every one of eight years.
func TestQuartzDays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawQuartz(t)
		for _, set := range []map[int]bool{p.second, p.minute, p.hour} {
			clear(set)
			set[0] = true
		}
		p.text = "0 0 0 " + strings.Join(strings.Fields(p.text)[3:], " ")
		from := time.Date(rapid.IntRange(1970, 2190).Draw(t, "from"), 1, 1, 0, 0, 0, 0, time.UTC)
		to := from.AddDate(8, 0, 0)
		var want []time.Time
		for at := from; !at.After(to); at = at.AddDate(0, 0, 1) {
			if p.names(at) {
				want = append(want, at)
			}
		}
		sameSlots(t, quartz(p.text, ""), from, to, want)
	})
}

// TestQuartzClockChanges: the same clocks as for Unix cron, around one change.
func TestQuartzClockChanges(t *testing.T) {
	t.Parallel()
	for _, name := range zones {
		zone := load(t, name)
		changes := changesOf(zone)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				p := drawQuartz(t)
				clear(p.second)
				p.second[0] = true
				p.text = "0 " + strings.Join(strings.Fields(p.text)[1:], " ")
				change := rapid.SampledFrom(changes).Draw(t, "change")
				from, to := change.Add(-30*time.Hour), change.Add(30*time.Hour)
				sameSlots(t, quartz(p.text, name), from, to, walk(p.names, p.repeats, zone, from, to))
			})
		})
	}
}

func sameSlots(t *rapid.T, s syncline.Schedule, from, to time.Time, want []time.Time) {
	got, err := schedule.Slots(s, from, to, 200_000)
	if err != nil {
		t.Fatalf("%q: %v", s.Cron, err)
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || !got[i].Equal(want[i]) {
			t.Fatalf("%q in %q from %s: slot %d of %d is not that of the oracle's %d\n%v\n%v",
				s.Cron, s.Zone, from, i, len(got), len(want), got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
		}
	}
}

func drawQuartz(t *rapid.T) quartzPattern {
	var p quartzPattern
	var texts [6]string
	texts[0], p.second = drawQuartzField(t, "second", 0, 59, nil)
	texts[1], p.minute = drawQuartzField(t, "minute", 0, 59, nil)
	texts[2], p.hour = drawQuartzField(t, "hour", 0, 23, nil)
	texts[4], p.mon = drawQuartzField(t, "month", 1, 12, monthNames)
	texts[3], texts[5] = "?", "?"
	if rapid.Bool().Draw(t, "by weekday") {
		texts[5], p.day = drawWeekday(t)
	} else {
		texts[3], p.day = drawMonthDay(t)
	}
	p.text, p.repeats = strings.Join(texts[:], " "), strings.ContainsAny(texts[2], "*/")
	if rapid.IntRange(0, 3).Draw(t, "with a year") == 0 {
		first := rapid.IntRange(1970, 2199).Draw(t, "first year")
		last := rapid.IntRange(first, 2199).Draw(t, "last year")
		p.year = map[int]bool{}
		for y := first; y <= last; y++ {
			p.year[y] = true
		}
		p.text += fmt.Sprintf(" %d-%d", first, last)
	}
	return p
}

var (
	monthNames = strings.Fields("JAN feb Mar apr may jun jul aug sep oct nov dec")
	dayNames   = strings.Fields("sun Mon TUE wed thu fri sat")
)

// drawQuartzField adds to drawField the ranges that begin again at their end.
func drawQuartzField(t *rapid.T, label string, lo, hi int, names []string) (string, map[int]bool) {
	if rapid.IntRange(0, 3).Draw(t, label+" wraps") > 0 {
		return drawField(t, label, lo, hi, names)
	}
	last := rapid.IntRange(lo, hi-1).Draw(t, label+" until")
	first := rapid.IntRange(last+1, hi).Draw(t, label+" from")
	step := rapid.IntRange(1, hi-lo+1).Draw(t, label+" by")
	set := map[int]bool{}
	for n, left := first, 0; ; n++ {
		if n > hi {
			n = lo
		}
		if left%step == 0 {
			set[n] = true
		}
		if left++; n == last {
			return fmt.Sprintf("%d-%d/%d", first, last, step), set
		}
	}
}

// daysOf lists the days of a month as a wall calendar shows them.
func daysOf(t time.Time) (all []time.Time) {
	for d := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC); d.Month() == t.Month(); d = d.AddDate(0, 0, 1) {
		all = append(all, d)
	}
	return all
}

// nearestWorking looks at the days of the month that are at most two away, the nearer ones
// first, and for a Saturday or Sunday in its middle at the one beside it that is none.
func nearestWorking(days []time.Time, day int) int {
	for _, away := range []int{0, -1, 1, -2, 2} {
		at := day + away
		if at < 1 || at > len(days) {
			continue
		}
		if w := days[at-1].Weekday(); w != time.Saturday && w != time.Sunday {
			return at
		}
	}
	return 0
}

func drawMonthDay(t *rapid.T) (string, func(time.Time) bool) {
	n := rapid.IntRange(1, 31).Draw(t, "day of month")
	back := rapid.IntRange(0, 30).Draw(t, "days from the last")
	working := func(day func(last int) int) func(time.Time) bool {
		return func(t time.Time) bool {
			days := daysOf(t)
			at := day(len(days))
			return at >= 1 && at <= len(days) && t.Day() == nearestWorking(days, at)
		}
	}
	switch rapid.SampledFrom([]string{"set", "L", "L-n", "LW", "L-nW", "nW"}).Draw(t, "form of days") {
	case "L":
		return "L", func(t time.Time) bool { return t.AddDate(0, 0, 1).Day() == 1 }
	case "L-n":
		return fmt.Sprintf("l-%d", back), func(t time.Time) bool { return t.Day() == len(daysOf(t))-back }
	case "LW":
		return "LW", working(func(last int) int { return last })
	case "L-nW":
		return fmt.Sprintf("L-%dW", back), working(func(last int) int { return last - back })
	case "nW":
		return fmt.Sprintf("%dw", n), working(func(int) int { return n })
	}
	text, set := drawQuartzField(t, "day of month", 1, 31, nil)
	return text, func(t time.Time) bool { return set[t.Day()] }
}

func drawWeekday(t *rapid.T) (string, func(time.Time) bool) {
	day := rapid.IntRange(1, 7).Draw(t, "weekday")
	name := rapid.SampledFrom([]string{fmt.Sprint(day), dayNames[day-1]}).Draw(t, "weekday as")
	same := func(t time.Time) (all []int) {
		for _, d := range daysOf(t) {
			if int(d.Weekday())+1 == day {
				all = append(all, d.Day())
			}
		}
		return all
	}
	switch rapid.SampledFrom([]string{"set", "L", "nL", "n#k"}).Draw(t, "form of weekdays") {
	case "L":
		return "L", func(t time.Time) bool { return t.Weekday() == time.Saturday }
	case "nL":
		return name + "L", func(t time.Time) bool { all := same(t); return t.Day() == all[len(all)-1] }
	case "n#k":
		k := rapid.IntRange(1, 5).Draw(t, "which")
		return fmt.Sprintf("%s#%d", name, k), func(t time.Time) bool { all := same(t); return k <= len(all) && t.Day() == all[k-1] }
	}
	text, set := drawQuartzField(t, "day of week", 1, 7, dayNames)
	return text, func(t time.Time) bool { return set[int(t.Weekday())+1] }
}
