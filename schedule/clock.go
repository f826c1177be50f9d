package schedule

import "time"

// A clock time is what the clocks of a zone show, written as a time.Time in UTC, so that
// it can be computed with without asking whether it exists. To make instants of clock
// times is what this file is for: in a gap (clocks go forward) a clock time has none, in an
// overlap (clocks go back) it has two.

// widest is more than any zone has ever been away from UTC.
const widest = 26 * time.Hour

// clock is what the clocks of zone show at an instant.
func clock(at time.Time, zone *time.Location) time.Time {
	_, seconds := at.In(zone).Zone()
	return at.UTC().Add(time.Duration(seconds) * time.Second)
}

// instant is when clocks first show the given time; for a time they skip, the moment at
// which they skip it. It never goes back when shown goes forward.
func instant(shown time.Time, zone *time.Location) time.Time {
	t := shown.Add(-widest)
	for {
		end, offset := stretch(t, zone)
		at := shown.Add(-offset)
		switch {
		case !end.IsZero() && !at.Before(end):
			t = end
		case at.Before(t):
			return t
		default:
			return at
		}
	}
}

// once finds the next due time of a pattern that names fixed clock times. Each is due
// once: in a gap at the first instant after it, in an overlap at the first of the two.
func once(after time.Time, zone *time.Location, next func(time.Time) time.Time) time.Time {
	for shown := next(clock(after, zone)); !shown.IsZero(); shown = next(shown) {
		if at := instant(shown, zone); at.After(after) {
			return at
		}
	}
	return time.Time{}
}

// elapsing finds the next due time of a pattern that repeats over the hours: due whenever
// the clocks show a time of it, so an hour that happens twice counts twice, and one that
// is skipped not at all.
func elapsing(after time.Time, zone *time.Location, next func(time.Time) time.Time) time.Time {
	end, offset := stretch(after, zone)
	from := after.UTC().Add(offset)
	shown := next(from)
	for !shown.IsZero() {
		at := shown.Add(-offset)
		if end.IsZero() || at.Before(end) {
			return at
		}
		start := end
		end, offset = stretch(start, zone)
		before := start.Add(offset - time.Nanosecond) // so that the very start can be due
		// Looking again costs up to 400 years of days: only when clocks went back, or past it.
		if before.Before(from) || !shown.After(before) {
			shown = next(before)
		}
		from = before
	}
	return time.Time{}
}

// stretch says which offset to UTC clocks keep at t, and until before when at least; zero
// for ever. The end need not be a change.
func stretch(t time.Time, zone *time.Location) (end time.Time, offset time.Duration) {
	local := t.In(zone)
	_, end = local.ZoneBounds()
	// On the last day of a leap year, where a zone goes by its rule and not by its table,
	// ZoneBounds ends the stretch before t: it takes every year for 365 days.
	if !end.IsZero() && !end.After(t) {
		end = t.Add(time.Minute)
	}
	_, seconds := local.Zone()
	return end.UTC(), time.Duration(seconds) * time.Second
}
