package schedule_test

import (
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/schedule"
)

// FuzzEvery: the next slot is later, at most one interval away, and a whole number of
// intervals from the anchor.
func FuzzEvery(f *testing.F) {
	f.Add(int64(time.Minute), int64(1_700_000_000), int64(1_700_000_001))
	f.Add(int64(time.Hour), int64(2_000_000_000), int64(1_000_000_000))
	f.Add(int64(time.Second), int64(0), int64(4_000_000_000))
	f.Fuzz(func(t *testing.T, every, anchor, after int64) {
		s := syncline.Schedule{Every: time.Duration(every), Anchor: time.Unix(anchor%4e9, 0).UTC()}
		if schedule.Check(s) != nil {
			return
		}
		now := time.Unix(after%4e9, 0).UTC()
		at, err := schedule.Next(s, now)
		if err != nil {
			t.Fatalf("every %s from %s after %s: %v", s.Every, s.Anchor, now, err)
		}
		if at.IsZero() {
			return
		}
		period := s.Every.Truncate(time.Microsecond) // as the store keeps times
		off := at.Sub(s.Anchor) % period
		if !at.After(now) || now.After(s.Anchor) && at.Sub(now) > period || off != 0 {
			t.Fatalf("every %s from %s after %s: %s, %s off", s.Every, s.Anchor, now, at, off)
		}
	})
}
