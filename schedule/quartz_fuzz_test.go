package schedule

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzQuartz: no text makes the parser panic or hang, a fault says where, and what is
// accepted goes forward and is read the same when it is written in full.
func FuzzQuartz(f *testing.F) {
	for _, seed := range []string{
		"0 0 0 * * ?", "*/5 0-30/7,59 22-2 LW JAN-mar ? 2020-2030/2", "0 0 0 L-3W * ?", "0 0 0 15W 2 ?", "0 0 0 ? * fri#5", "0 0 0 ? NOV-FEB 6L *",
		"0 0 0 ? * SAT-MON/2,3", "/ 1,, - * ?", "0 0 0 30 2 ? 1999", "@daily", "0 0 0 L,W#L * ?", "* * * ? * * 2199",
	} {
		f.Add(seed, int64(1_700_000_000))
	}
	santiago, err := time.LoadLocation("America/Santiago")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		p, err := parseQuartz(text)
		if err != nil {
			fault, ok := errors.AsType[*Fault](err)
			if !ok || p != nil || fault.Column > len(text)+1 || strings.TrimSpace(text) != "" && fault.Column == 0 && fault.Where == "" && len(split(text)) > 5 {
				t.Fatalf("%q: %v, %v", text, p, err)
			}
			return
		}
		again, err := parseQuartz(written(p.(*quartz)))
		if err != nil || !reflect.DeepEqual(bare(p), bare(again)) {
			t.Fatalf("%q is %+v; written as %q it is %+v, %v", text, p, written(p.(*quartz)), again, err)
		}
		after := time.Unix(unix%4e9, unix%1e9).UTC()
		for _, zone := range []*time.Location{time.UTC, santiago} {
			if at := p.Next(after, zone); !at.IsZero() && !at.After(after) {
				t.Fatalf("%q after %s: %s", text, after, at)
			}
		}
	})
}

// bare leaves out how the hour was written.
func bare(p Pattern) quartz {
	q := *p.(*quartz)
	q.repeats = false
	return q
}

// written is a pattern in full: every value named.
func written(q *quartz) string {
	month, week := daysWritten(q.days)
	words := []string{listed(q.second), listed(q.minute), listed(q.hour), month, listed(q.month), week}
	if q.years != nil {
		var years []string
		for _, y := range slices.Sorted(maps.Keys(q.years)) {
			years = append(years, fmt.Sprint(y))
		}
		words = append(words, strings.Join(years, ","))
	}
	return strings.Join(words, " ")
}

func listed(set uint64) string {
	var all []string
	for n := range 64 {
		if has(set, n) {
			all = append(all, fmt.Sprint(n))
		}
	}
	return strings.Join(all, ",")
}

func daysWritten(d days) (month, week string) {
	switch d := d.(type) {
	case monthDays:
		return listed(uint64(d)), "?"
	case weekDays:
		return "?", listed(uint64(d))
	case fromLast:
		return fmt.Sprintf("L-%d%s", d.back, map[bool]string{true: "W"}[d.working]), "?"
	case nearestTo:
		return fmt.Sprintf("%dW", d), "?"
	case nthWeekDay:
		return "?", fmt.Sprintf("%d#%d", d.day, d.nth)
	case lastWeekDay:
		return "?", fmt.Sprintf("%dL", d.day+1)
	}
	return "", ""
}
