package schedule

import (
	"time"

	"github.com/synclinehq/syncline"
)

// Over lists the slots that a backfill of [from, to) has, oldest first, at most limit: what
// counts intervals counts them from from, any other schedule has its own times. Neither
// Start nor End limits them.
func Over(s syncline.Schedule, from, to time.Time, limit int) ([]time.Time, error) {
	c, err := compile(s)
	if err != nil {
		return nil, err
	}
	if i, ok := c.pattern.(interval); ok {
		from, to = from.Truncate(time.Microsecond), to.Truncate(time.Microsecond) // as the store keeps times
		c.pattern = counting(from, i.Shortest())
	}
	next := func(after time.Time) time.Time { return c.pattern.Next(after, c.zone).UTC() }
	return collect(next, from, to.Add(-time.Nanosecond), limit), nil
}

// Counted reports whether s counts its slots from an anchor, because it says only how far
// apart they are.
func Counted(s syncline.Schedule) bool {
	c, err := compile(s)
	if err != nil {
		return false
	}
	_, ok := c.pattern.(interval)
	return ok
}
