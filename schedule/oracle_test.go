package schedule_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/schedule"
)

var full = flag.Bool("full", false, "look at every clock change with many patterns")

// zones have gaps and overlaps of one hour, half an hour and two hours, at midnight and
// at other hours, several a year, and rules that ended or began between 2020 and 2040.
var zones = []string{
	"America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago",
	"Africa/Cairo", "Africa/Casablanca", "Antarctica/Troll", "Asia/Tehran",
}

// TestClockChanges holds Next to an oracle that looks at every minute around every clock
// change of 2020 to 2040.
func TestClockChanges(t *testing.T) {
	t.Parallel()
	patterns := 1
	if *full {
		patterns = 20
	}
	for _, name := range zones {
		zone := load(t, name)
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := changesOf(zone)
			rapid.Check(t, func(t *rapid.T) {
				changes := all
				if !*full {
					changes = all[rapid.IntRange(0, len(all)-1).Draw(t, "change"):][:1]
				}
				for _, change := range changes {
					for range patterns {
						p := drawPattern(t)
						compare(t, p, zone, name, change.Add(-50*time.Hour), change.Add(50*time.Hour))
					}
				}
			})
		})
	}
}

func load(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func changesOf(zone *time.Location) []time.Time {
	var changes []time.Time
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	_, before := at.In(zone).Zone()
	for ; at.Year() <= 2040; at = at.Add(30 * time.Minute) {
		if _, now := at.In(zone).Zone(); now != before {
			changes, before = append(changes, at), now
		}
	}
	return changes
}

func compare(t *rapid.T, p pattern, zone *time.Location, name string, from, to time.Time) {
	want := p.oracle(zone, from, to)
	s := syncline.Schedule{Cron: p.text, Zone: name}
	got, err := schedule.Slots(s, from, to, 100_000)
	if err != nil {
		t.Fatalf("%q: %v", p.text, err)
	}
	if len(got) != len(want) {
		t.Fatalf("%q in %s from %s: %d slots, the oracle has %d\n%v\n%v", p.text, name, from, len(got), len(want), got, want)
	}
	for i := range want {
		if !got[i].Equal(want[i]) {
			t.Fatalf("%q in %s: slot %d is %s, the oracle says %s", p.text, name, i, got[i].In(zone), want[i].In(zone))
		}
	}
}

// pattern is a cron text and, beside it, what it means: sets kept apart from the parser.
type pattern struct {
	text                          string
	minute, hour, dom, month, dow map[int]bool
	starDOM, starDOW, repeats     bool
}

// oracle is when the pattern is due.
func (p pattern) oracle(zone *time.Location, from, to time.Time) []time.Time {
	return walk(p.names, p.repeats, zone, from, to)
}

// walk goes from minute to minute. A pattern that repeats is due when clocks show its
// times; one that does not is due when they show them first, or jump over them.
func walk(names func(time.Time) bool, repeats bool, zone *time.Location, from, to time.Time) []time.Time {
	var due []time.Time
	seen := map[time.Time]bool{}
	at := from.Add(-6 * time.Hour).Truncate(time.Minute) // so that an overlap at the start is known
	before := showing(at.Add(-time.Minute), zone)
	for ; !at.After(to); at = at.Add(time.Minute) {
		now := showing(at, zone)
		fires := names(now) && (repeats || !seen[now])
		for skipped := before.Add(time.Minute); !repeats && skipped.Before(now); skipped = skipped.Add(time.Minute) {
			fires = fires || names(skipped) && !seen[skipped]
			seen[skipped] = true
		}
		seen[now] = true
		if fires && !at.Before(from) {
			due = append(due, at)
		}
		before = now
	}
	return due
}

// showing is what clocks show, as if it were UTC.
func showing(at time.Time, zone *time.Location) time.Time {
	y, m, d := at.In(zone).Date()
	h, mi, _ := at.In(zone).Clock()
	return time.Date(y, m, d, h, mi, 0, 0, time.UTC)
}

func (p pattern) names(shown time.Time) bool {
	if !p.minute[shown.Minute()] || !p.hour[shown.Hour()] || !p.month[int(shown.Month())] {
		return false
	}
	dom, dow := p.dom[shown.Day()], p.dow[int(shown.Weekday())]
	if p.starDOM || p.starDOW {
		return dom && dow
	}
	return dom || dow
}

func drawPattern(t *rapid.T) pattern {
	var p pattern
	var texts [5]string
	texts[0], p.minute = drawField(t, "minute", 0, 59, nil)
	texts[1], p.hour = drawField(t, "hour", 0, 23, nil)
	texts[2], p.dom = drawField(t, "dom", 1, 31, nil)
	texts[3], p.month = drawField(t, "month", 1, 12, monthNames)
	texts[4], p.dow = drawField(t, "dow", 0, 6, dayNames)
	p.text = strings.Join(texts[:], " ")
	p.starDOM, p.starDOW = strings.HasPrefix(texts[2], "*"), strings.HasPrefix(texts[4], "*")
	p.repeats = strings.ContainsAny(texts[1], "*/")
	return p
}

func drawField(t *rapid.T, label string, lo, hi int, names []string) (string, map[int]bool) {
	set := map[int]bool{}
	var items []string
	for range rapid.IntRange(1, 3).Draw(t, label+" items") {
		items = append(items, drawItem(t, label, lo, hi, names, set))
	}
	return strings.Join(items, ","), set
}

func drawItem(t *rapid.T, label string, lo, hi int, names []string, set map[int]bool) string {
	word := func(n int) string {
		if names != nil && rapid.Bool().Draw(t, label+" named") {
			return names[n-lo]
		}
		return fmt.Sprint(n)
	}
	first := rapid.IntRange(lo, hi).Draw(t, label+" first")
	last := rapid.IntRange(first, hi).Draw(t, label+" last")
	step, text := 1, ""
	switch rapid.SampledFrom([]string{"*", "*", "n", "n", "a-b", "a-b/s", "*/s", "n/s"}).Draw(t, label+" form") {
	case "*":
		first, last, text = lo, hi, "*"
	case "n":
		last, text = first, word(first)
	case "a-b":
		text = word(first) + "-" + word(last)
	case "a-b/s":
		step = rapid.IntRange(1, max(1, last-first)).Draw(t, label+" step")
		text = fmt.Sprintf("%s-%s/%d", word(first), word(last), step)
	case "*/s":
		first, last = lo, hi
		step = rapid.IntRange(1, hi-lo).Draw(t, label+" step")
		text = fmt.Sprintf("*/%d", step)
	case "n/s":
		last = hi
		step = rapid.IntRange(1, max(1, last-first)).Draw(t, label+" step")
		text = fmt.Sprintf("%s/%d", word(first), step)
	}
	for n := first; n <= last; n += step {
		set[n] = true
	}
	return text
}
