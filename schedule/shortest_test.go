package schedule_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/schedule"
)

func TestShortest(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, c := range []struct {
		s    syncline.Schedule
		want time.Duration
	}{
		{syncline.Schedule{Every: 90 * time.Second}, 90 * time.Second},
		{groc("every 15 minutes"), 15 * time.Minute},
		{groc("every 99999 hours"), 99999 * time.Hour},
		{groc("every day 09:00"), day},
		{groc("29 of feb 00:00"), day},
		{groc("every 90 minutes synchronized"), 90 * time.Minute},
		{groc("every 24 hours synchronized"), day},
		{groc("every 30 minutes from 09:00 to 17:00"), 30 * time.Minute},
		{groc("every 7 minutes from 00:00 to 23:59"), 5 * time.Minute},   // 23:55 and midnight
		{groc("every 50 minutes from 12:00 to 11:55"), 40 * time.Minute}, // 11:20 and noon
		{groc("every 10 minutes from 12:00 to 12:00"), day},
		{groc("every 99999 hours from 12:00 to 18:00"), day},
		{syncline.Schedule{Cron: "*/20,45 * * * *"}, 5 * time.Minute},
		{syncline.Schedule{Cron: "30 0,23 * * *"}, time.Hour},
		{quartz("0/7 0 0 * * ?", ""), 7 * time.Second},
		{quartz("50-10/5 0 0 * * ?", ""), 5 * time.Second},
	} {
		if got, err := schedule.Shortest(c.s); err != nil || got != c.want {
			t.Errorf("%+v: %s, %v; want %s", c.s, got, err, c.want)
		}
	}
	if _, err := schedule.Shortest(groc("every hour")); err == nil {
		t.Error("an interval of what cannot be read")
	}
}

// TestShortestIsAGap: no two slots are closer, and of a window two are that close.
func TestShortestIsAGap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := drawGroc(t)
		shortest, err := schedule.Shortest(groc(p.text))
		if err != nil {
			t.Fatal(err)
		}
		slots, err := schedule.Slots(groc(p.text), time.Unix(1.7e9, 0), time.Unix(1.7e9+4*86400, 0), 10_000)
		if err != nil {
			t.Fatal(err)
		}
		met := len(slots) < 2 || p.on != nil || p.every > 3*24*time.Hour
		for i := 1; i < len(slots); i++ {
			gap := slots[i].Sub(slots[i-1])
			if met = met || gap == shortest; gap < shortest {
				t.Fatalf("%q: %s to %s, but the shortest is %s", p.text, slots[i-1], slots[i], shortest)
			}
		}
		if !met {
			t.Fatalf("%q: no gap of %s", p.text, shortest)
		}
	})
}
