package schedule

import (
	"time"

	"github.com/synclinehq/syncline"
)

const wholeDay = 24 * time.Hour

// Shortest is the least time between two slots of s: of an interval the interval, otherwise
// the least between two of its times of day, as if they came every day and no clock were
// changed.
func Shortest(s syncline.Schedule) (time.Duration, error) {
	c, err := compile(s)
	if err != nil {
		return 0, err
	}
	return c.pattern.Shortest(), nil
}

// closest is the least time between two of some times of day, which are ascending: the last
// and the first of the next day are two as well.
func closest(times []time.Duration) time.Duration {
	least := times[0] + wholeDay - times[len(times)-1]
	for i := 1; i < len(times); i++ {
		least = min(least, times[i]-times[i-1])
	}
	return least
}

// timesOfDay lists what sets of hours, minutes and seconds name.
func timesOfDay(hours, minutes, seconds uint64) (times []time.Duration) {
	for at := time.Duration(0); at < wholeDay; at += time.Second {
		if has(hours, int(at/time.Hour)) && has(minutes, int(at/time.Minute%60)) && has(seconds, int(at/time.Second%60)) {
			times = append(times, at)
		}
	}
	return times
}
