package schedule_test

import (
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/schedule"
)

func TestOver(t *testing.T) {
	t.Parallel()
	from, to := moment(t, "2026-03-04T10:17:42.0000005Z"), moment(t, "2026-03-06T10:17:42.0000005Z")
	midnight := moment(t, "2026-03-05T00:00:00Z")
	long := moment(t, "2030-01-01T00:00:00Z")
	for _, c := range []struct {
		s           syncline.Schedule
		from, to    time.Time
		n           int
		first, last string
	}{
		// The range is where an interval begins, whatever its schedule counts from.
		{groc("every 24 hours"), from, to, 2, "2026-03-04T10:17:42Z", "2026-03-05T10:17:42Z"},
		{groc("every 24 hours"), from, to.Add(time.Minute), 3, "2026-03-04T10:17:42Z", "2026-03-06T10:17:42Z"},
		{syncline.Schedule{Every: 36 * time.Hour}, from, to, 2, "2026-03-04T10:17:42Z", "2026-03-05T22:17:42Z"},
		{groc("every 24 hours synchronized"), from, to, 2, "2026-03-05T00:00:00Z", "2026-03-06T00:00:00Z"},
		{groc("every day 00:00"), midnight, midnight.Add(24 * time.Hour), 1, "2026-03-05T00:00:00Z", "2026-03-05T00:00:00Z"}, // not the end
		{groc("every day 00:00"), midnight.Add(1), midnight.Add(24 * time.Hour), 0, "", ""},
		{syncline.Schedule{Cron: "0 6 * * *", Zone: "Europe/Berlin"}, from, to, 2, "2026-03-05T05:00:00Z", "2026-03-06T05:00:00Z"},
		{groc("every 1 minutes"), to, from, 0, "", ""},
		{groc("every 1 minutes"), from, from, 0, "", ""},
		{groc("every 1 minutes"), from, long, 10, "2026-03-04T10:17:42Z", "2026-03-04T10:26:42Z"},
	} {
		c.s.Anchor, c.s.Start, c.s.End = moment(t, "2026-03-01T11:11:11Z"), to, to // which limit nothing here
		got, err := schedule.Over(c.s, c.from, c.to, 10)
		if err != nil || len(got) != c.n {
			t.Errorf("%q: %v, %v; want %d", c.s.Cron, got, err, c.n)
			continue
		}
		if c.n > 0 && (got[0].Format(time.RFC3339) != c.first || got[c.n-1].Format(time.RFC3339) != c.last) {
			t.Errorf("%q: %v; want %s to %s", c.s.Cron, got, c.first, c.last)
		}
	}
	if _, err := schedule.Over(groc("every hour"), from, to, 10); err == nil {
		t.Error("slots of what cannot be read")
	}
}

func TestCounted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s    syncline.Schedule
		want bool
	}{
		{syncline.Schedule{Every: time.Hour}, true},
		{groc("every 24 hours"), true},
		{groc("every 24 hours synchronized"), false},
		{groc("every 1 hours from 09:00 to 17:00"), false},
		{groc("every day 00:00"), false},
		{groc("every hour"), false},
		{syncline.Schedule{Cron: "@daily"}, false},
		{quartz("0 0 * * * ?", ""), false},
	} {
		if got := schedule.Counted(c.s); got != c.want {
			t.Errorf("%+v: %v", c.s, got)
		}
	}
}
