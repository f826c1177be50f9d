package schedule

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
)

// FuzzAppEngine: no text makes the parser panic or hang, a fault says where and what to do,
// and what is accepted goes forward, is the same without blanks, and is the same written in
// full.
func FuzzAppEngine(f *testing.F) {
	for _, seed := range []string{
		"every 24 hours", "every 00090 minutes synchronized", "every45minsfrom22:00to2:00", "1st,third\tmonday of month 15:30", "every day of quarter 00:00",
		"31 of feb,mar 00:00", "1,15 of 2nd,3rd month of quarter 04:00", "second day 23:59", "5th mon of feb 10:00", "every 1 hour", "Every day 24:00", "1st of , 6th",
	} {
		f.Add(seed, int64(1_700_000_000), int64(1_600_000_000))
	}
	santiago, err := time.LoadLocation("America/Santiago")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, now, anchor int64) {
		p, err := parseGroc(text)
		if err != nil {
			fault, ok := errors.AsType[*Fault](err)
			if !ok || p != nil || fault.Column > len(text)+1 || strings.Trim(text, grocBlanks) != "" && fault.Column == 0 {
				t.Fatalf("%q: %v, %v", text, p, err)
			}
			return
		}
		dense := strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "").Replace(text)
		for _, other := range []string{dense, inFull(p, text)} {
			if again, err := parseGroc(other); err != nil || !reflect.DeepEqual(p, again) {
				t.Fatalf("%q is %+v; written as %q it is %+v, %v", text, p, other, again, err)
			}
		}
		after := time.Unix(now%4e9, now%1e9).UTC()
		s := syncline.Schedule{Cron: text, Grammar: "appengine", Anchor: time.Unix(anchor%4e9, anchor%1e9)}
		for _, s.Zone = range []string{"UTC", santiago.String()} {
			at, err := Next(s, after)
			if err != nil || !at.After(after) || at.Second() != 0 || at.Nanosecond() != 0 {
				t.Fatalf("%q after %s: %s, %v", text, after, at, err)
			}
		}
	})
}

// inFull is a pattern with every value named; a window is left as it is.
func inFull(p Pattern, text string) string {
	g, ok := p.(*groc)
	switch {
	case !ok && p.Shortest()%time.Hour == 0:
		return fmt.Sprintf("every %d hours", p.Shortest()/time.Hour)
	case !ok:
		return fmt.Sprintf("every %d minutes", p.Shortest()/time.Minute)
	case len(g.times) > 1:
		return text
	}
	var days string
	switch d := g.days.(type) {
	case monthDays:
		days = listed(uint64(d))
	case weeksAndDays:
		days = worded(ordinals.words, d.weeks) + " " + worded(grocWeekdays.words, uint64(d.days))
	}
	at := time.Time{}.Add(g.times[0])
	return days + " of " + worded(grocMonths.words, g.months) + at.Format(" 15:04")
}

// worded names the members of a set, each in one of its words.
func worded(words map[string]int, set uint64) string {
	var all []string
	for n := range 64 {
		for w, m := range words {
			if has(set, n) && m == n {
				all = append(all, w)
				break
			}
		}
	}
	slices.Reverse(all)
	return strings.Join(all, ",")
}
