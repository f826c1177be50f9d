package schedule

import (
	"time"

	"github.com/synclinehq/syncline"
)

// interval counts elapsed time from its anchor: it has a slot at the anchor and after every
// further period, whatever clocks and calendars do.
type interval struct {
	every  int64 // microseconds, as the store keeps times
	anchor int64 // microseconds since 1970
}

func newInterval(every time.Duration, anchor time.Time) (interval, error) {
	if every < time.Second {
		return interval{}, syncline.Invalid("every", "every %s is too short: the least is 1s", every)
	}
	return counting(anchor, every), nil
}

// counting is the interval with a slot at the anchor; without one it counts from 1970.
func counting(anchor time.Time, every time.Duration) interval {
	if anchor.IsZero() {
		anchor = time.Unix(0, 0)
	}
	return interval{every.Microseconds(), anchor.UnixMicro()}
}

func (i interval) Next(after time.Time, _ *time.Location) time.Time {
	since := after.UnixMicro() - i.anchor
	if since < 0 {
		return time.UnixMicro(i.anchor)
	}
	return time.UnixMicro(i.anchor + (since/i.every+1)*i.every)
}

func (i interval) Shortest() time.Duration { return time.Duration(i.every) * time.Microsecond }
