package schedule_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/schedule"
)

func groc(text string) syncline.Schedule { return syncline.Schedule{Cron: text, Grammar: "appengine"} }

// TestGrocNext: what is expected is what App Engine's published library says, and of what is
// years away the calendar.
func TestGrocNext(t *testing.T) {
	t.Parallel()
	const now = "2026-03-04T10:17:42Z" // a Wednesday
	for _, c := range []struct{ cron, now, want string }{
		{"every 24 hours", now, "2026-03-05T10:17 2026-03-06T10:17 2026-03-07T10:17"},
		{"every 15 minutes", now, "2026-03-04T10:32 2026-03-04T10:47 2026-03-04T11:02"},
		{"every 15 mins", now, "2026-03-04T10:32 2026-03-04T10:47 2026-03-04T11:02"},
		{"every 1 hours", now, "2026-03-04T11:17 2026-03-04T12:17 2026-03-04T13:17"},
		{"every 99999 minutes", now, "2026-05-12T20:56 2026-07-21T07:35"},
		{"every day 09:00", now, "2026-03-05T09:00 2026-03-06T09:00"},
		{"every day 9:00", now, "2026-03-05T09:00 2026-03-06T09:00"},
		{"every monday 09:00", now, "2026-03-09T09:00 2026-03-16T09:00 2026-03-23T09:00"},
		{"every mon,wed,fri 00:00", now, "2026-03-06T00:00 2026-03-09T00:00 2026-03-11T00:00"},
		{"1st,3rd monday of month 15:30", now, "2026-03-16T15:30 2026-04-06T15:30 2026-04-20T15:30"},
		{"every wed,fri of jan,jun 13:15", now, "2026-06-03T13:15 2026-06-05T13:15 2026-06-10T13:15"},
		{"first sunday of quarter 00:00", now, "2026-04-05T00:00 2026-07-05T00:00 2026-10-04T00:00"},
		{"1st monday of first month of quarter 09:00", now, "2026-04-06T09:00 2026-07-06T09:00 2026-10-05T09:00"},
		{"1 of second month of quarter 00:00", now, "2026-05-01T00:00 2026-08-01T00:00 2026-11-01T00:00"},
		{"1 of 2nd,third month of quarter 00:00", now, "2026-05-01T00:00 2026-06-01T00:00 2026-08-01T00:00"},
		{"1,15 of month 04:00", now, "2026-03-15T04:00 2026-04-01T04:00 2026-04-15T04:00"},
		{"31 of month 00:00", now, "2026-03-31T00:00 2026-05-31T00:00 2026-07-31T00:00 2026-08-31T00:00"},
		{"29 of february 00:00", now, "2028-02-29T00:00 2032-02-29T00:00"},
		{"29 of february 00:00", "2096-03-01T00:00:00Z", "2104-02-29T00:00"}, // 2100 is no leap year
		{"31 of feb,mar 00:00", now, "2026-03-31T00:00 2027-03-31T00:00"},
		{"5th monday of month 10:00", now, "2026-03-30T10:00 2026-06-29T10:00 2026-08-31T10:00 2026-11-30T10:00"},
		{"fifth mon of feb 10:00", now, "2044-02-29T10:00 2072-02-29T10:00"},
		{"1st day of month 00:00", now, "2026-04-01T00:00 2026-05-01T00:00 2026-06-01T00:00"},
		{"1st day 00:00", now, "2026-04-01T00:00 2026-05-01T00:00 2026-06-01T00:00"},
		{"2nd,4th day of month 06:00", now, "2026-04-02T06:00 2026-04-04T06:00 2026-05-02T06:00"},
		{"1st,2nd,3rd,4th,5th day 06:00", now, "2026-03-05T06:00 2026-04-01T06:00"}, // not every day
		{"every day of quarter 00:00", now, "2026-04-01T00:00 2026-04-02T00:00 2026-04-03T00:00"},
		{"third sun,mon of feb 03:00", now, "2027-02-15T03:00 2027-02-21T03:00 2028-02-20T03:00"},
		{"every monday of quarter 09:00", now, "2026-04-06T09:00 2026-04-13T09:00 2026-04-20T09:00"},
		{"every 2 hours synchronized", now, "2026-03-04T12:00 2026-03-04T14:00 2026-03-04T16:00"},
		{"every 90 minutes synchronized", now, "2026-03-04T10:30 2026-03-04T12:00 2026-03-04T13:30"},
		{"every 24 hours synchronized", now, "2026-03-05T00:00 2026-03-06T00:00"},
		{"every 30 minutes from 09:00 to 17:00", now, "2026-03-04T10:30 2026-03-04T11:00 2026-03-04T11:30"},
		{"every 10 minutes from 09:00 to 17:00", "2026-03-04T16:55:00Z", "2026-03-04T17:00 2026-03-05T09:00"},
		{"every 10 minutes from 09:00 to 17:05", "2026-03-04T16:55:00Z", "2026-03-04T17:00 2026-03-05T09:00 2026-03-05T09:10"},
		{"every 7 minutes from 09:00 to 10:00", "2026-03-04T09:56:30Z", "2026-03-05T09:00 2026-03-05T09:07 2026-03-05T09:14"},
		{"every 45 minutes from 22:00 to 02:00", "2026-03-04T23:50:00Z", "2026-03-05T00:15 2026-03-05T01:00 2026-03-05T01:45 2026-03-05T22:00"},
		{"every 12 hours from 09:00 to 17:00", now, "2026-03-05T09:00 2026-03-06T09:00"},
		{"every 10 minutes from 09:00 to 09:00", now, "2026-03-05T09:00 2026-03-06T09:00"},
		{"every mon 10:17", "2026-03-02T10:17:00Z", "2026-03-09T10:17"},
		{"every00024hours", now, "2026-03-05T10:17"},
		{"\t1st ,\r\nthirdmonof\tmonth15:30 ", now, "2026-03-16T15:30 2026-04-06T15:30"},
	} {
		s := groc(c.cron)
		s.Anchor = moment(t, c.now)
		after := s.Anchor
		for _, want := range strings.Fields(c.want) {
			got, err := schedule.Next(s, after)
			if err != nil || got.Format("2006-01-02T15:04") != want || got.Nanosecond() != 0 || got.Second() != 0 {
				t.Errorf("%q after %s: got %s, %v; want %s", c.cron, after, got, err, want)
				break
			}
			after = got
		}
	}
}

func TestGrocRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cron, message, hint string }{
		{" \n", "it is empty", "every 15 minutes"},
		{"every 1 hour", `unit, column 9: "hour" stands where hours, minutes or mins should`, `"every 1 hours"`},
		{"every hour", `weekday, column 7: "hour" stands where a weekday or "day" should`, ""},
		{"every 2 days", `unit, column 9: "days" stands`, "24 hours"},
		{"every 30 seconds", `unit, column 10: "seconds" stands`, ""},
		{"every weekday 09:00", `weekday, column 7: "weekday" stands`, "every mon,tue"},
		{"every tues 09:00", `time, column 10: "s" stands where a time of day should`, ""},
		{"every thur 09:00", `time, column 10: "r" stands`, ""},
		{"every thurs 09:00", `time, column 10: "rs" stands`, ""},
		{"1 of sept 09:00", `time, column 9: "t" stands`, ""},
		{"every day", "time, column 10: it ends where a time of day should follow", "every day 09:00"},
		{"every monday", "time, column 13: it ends where", ""},
		{"1 of month", "time, column 11: it ends where", ""},
		{"every day 24:00", `time, column 11: "24:00" is no time of day`, "23:59"},
		{"every day 9:60", `time, column 11: "9:60" is no time`, ""},
		{"every day 09:5", `time, column 11: "09:5" is no time`, "two digits"},
		{"every day 009:05", `time, column 11: "009:05" is no time`, ""},
		{"every day 9:00:00", `time, column 11: "9:00:00" is no time`, ""},
		{"every day 9", `time, column 11: "9" is no time`, ""},
		{"every 24 hours 09:00", `column 16: "09:00" stands where the end should`, "every day 09:00"},
		{"every day 09:00 please", `column 17: "please" stands where the end`, ""},
		{"monday 09:00", `column 1: "monday" stands where "every" or a day should`, "every monday 09:00"},
		{"every 5th monday 09:00", `weekday, column 7: "5th" stands where a weekday should`, "without"},
		{"every first day 09:00", `weekday, column 7: "first" stands`, ""},
		{"every", `weekday, column 6: it ends where a weekday or "day" should follow`, ""},
		{"1st of month 00:00", `weekday, column 5: "of" stands`, "1 of month"},
		{"1st 2nd monday 00:00", `weekday, column 5: "2nd" stands`, ""},
		{"last day of month 00:00", `column 1: "last" stands`, ""},
		{"6th monday of month 00:00", `ordinal, column 1: "6th" is no ordinal`, "5th"},
		{"1st,6th monday of month 00:00", `ordinal, column 5: "6th" stands where an ordinal should`, "5th"},
		{"Every 24 hours", `column 1: "Every" stands`, "lower case"},
		{"every Monday 09:00", `weekday, column 7: "Monday" stands`, "lower case"},
		{"1 OF month 09:00", `column 3: "OF" stands where "of" should`, "lower case"},
		{"0 of month 00:00", "day of month, column 1: 0 is not between 1 and 31", ""},
		{"32 of month 00:00", "day of month, column 1: 32 is not between", ""},
		{"1,032 of month 00:00", "day of month, column 3: the number has 3 digits, the most is 2", ""},
		{"1,, 2 of month 00:00", `day of month, column 3: "," stands where a number should`, ""},
		{"1,mon of month 00:00", `day of month, column 3: "mon" stands where a number should`, ""},
		{"15 00:00", `column 4: "00:00" stands where "of" should`, "1,15 of month 09:00"},
		{"1 5 of month 00:00", `column 3: "5" stands where "of" should`, ""},
		{"1 of mon 00:00", `month, column 6: "mon" stands where a month`, "quarter"},
		{"1 of jan, 00:00", `month, column 11: "00:00" stands where a month should`, "january"},
		{"1 of month,jan 00:00", `time, column 11: "," stands`, ""},
		{"1 of 4th month of quarter 00:00", "month, column 6: a quarter has three months", ""},
		{"1 of 2nd month 00:00", `month, column 16: "00:00" stands where "month of quarter" should`, "of 2nd month of quarter"},
		{"30 of february 00:00", "day of month, column 1: no month that is named has such a day", ""},
		{" 31 of apr,feb 00:00", "day of month, column 2: no month", ""},
		{"every 0 hours", "count, column 7: 0 is no interval", ""},
		{"every 123456 minutes", "count, column 7: the number has 6 digits, the most is 5", ""},
		{"every -5 minutes", `weekday, column 7: "-5" stands`, ""},
		{"every 5 minutes from 09:00", `window, column 27: it ends where "to" should follow`, "from 09:00 to 17:00"},
		{"every 5 minutes from 9 to 17", `time, column 22: "9" is no time`, ""},
		{"every 5 minutes to 17:00", `column 17: "to" stands where the end should`, ""},
		{"every 2 hours from 09:00 to 17:00 synchronized", `column 35: "synchronized" stands where the end should`, ""},
		{"every 2 hours synchronized from 09:00 to 17:00", `column 28: "from" stands`, ""},
		{"every 7 hours synchronized", "count, column 7: 7 hours do not divide a day evenly", "90 minutes or 6 hours"},
		{"every 25 hours synchronized", "count, column 7: 25 hours do not", ""},
		{"every 100 minutes synchronized", "count, column 7: 100 minutes do not", ""},
		{"every 5 minutes\u00a0", "column 16: \"\\u00a0\" stands", ""},
		{"every day 09:00\x00", `column 16: "\x00" stands`, ""},
	} {
		e, ok := errors.AsType[*syncline.Error](schedule.Check(groc(c.cron)))
		if !ok {
			t.Errorf("%q: accepted, or no *syncline.Error", c.cron)
			continue
		}
		if e.Code != syncline.InvalidArgument || e.Field != "cron" || !strings.Contains(e.Message, c.message) || !strings.Contains(e.Hint, c.hint) || e.Hint == "" {
			t.Errorf("%q: %s: %s (%s)", c.cron, e.Field, e.Message, e.Hint)
		}
	}
}

// TestGrocStart: an interval begins at the start of its schedule, less the seconds, and
// keeps that phase when it is long past; days and windows come as they always do.
func TestGrocStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cron, start, after, want string }{
		{"every 15 minutes", "2026-03-05T08:01:59.5Z", "2026-03-04T10:17:42Z", "2026-03-05T08:01:00Z"},
		{"every 15 minutes", "2026-03-05T08:01:59.5Z", "2026-03-05T08:01:00Z", "2026-03-05T08:16:00Z"},
		{"every 15 minutes", "2026-03-05T08:01:59.5Z", "2026-03-05T08:00:59.9Z", "2026-03-05T08:01:00Z"},
		{"every 24 hours", "2020-01-01T03:30:10Z", "2026-03-04T10:17:42Z", "2026-03-05T03:30:00Z"},
		{"every 15 minutes", "2026-03-04T10:17:42Z", "2026-03-04T10:17:42Z", "2026-03-04T10:32:00Z"},
		{"every day 09:00", "2026-03-06T09:00:00Z", "2026-03-04T10:17:42Z", "2026-03-06T09:00:00Z"},
		{"every day 09:00", "2026-03-06T09:00:01Z", "2026-03-04T10:17:42Z", "2026-03-07T09:00:00Z"},
		{"every 30 minutes from 09:00 to 17:00", "2026-03-06T09:10:00Z", "2026-03-04T10:17:42Z", "2026-03-06T09:30:00Z"},
		{"every 30 minutes from 09:00 to 17:00", "2020-01-01T00:00:00Z", "2026-03-04T10:17:42Z", "2026-03-04T10:30:00Z"},
	} {
		s := groc(c.cron)
		s.Start, s.Anchor = moment(t, c.start), moment(t, "2026-03-04T11:11:11Z")
		got, err := schedule.Next(s, moment(t, c.after))
		if err != nil || !got.Equal(moment(t, c.want)) {
			t.Errorf("%q from %s after %s: got %s, %v; want %s", c.cron, c.start, c.after, got, err, c.want)
		}
	}
}

// TestGrocAnchor: without a start the first slot is one interval after the anchor, even for
// one who asks earlier; the end ends it.
func TestGrocAnchor(t *testing.T) {
	t.Parallel()
	s := groc("every 2 hours")
	s.Anchor, s.End = moment(t, "2026-03-04T10:17:42Z"), moment(t, "2026-03-04T14:17:00Z")
	got, err := schedule.Slots(s, moment(t, "2020-01-01T00:00:00Z"), moment(t, "2030-01-01T00:00:00Z"), 10)
	want := []time.Time{moment(t, "2026-03-04T12:17:00Z"), moment(t, "2026-03-04T14:17:00Z")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	s.End = s.End.Add(-time.Nanosecond)
	if at, err := schedule.Next(s, want[0]); err != nil || !at.IsZero() {
		t.Errorf("past its end: %s, %v", at, err)
	}
	if at, err := schedule.Next(groc("every 7 hours"), time.Unix(0, 0)); err != nil || !at.Equal(time.Unix(7*3600, 0)) {
		t.Errorf("without an anchor: %s, %v", at, err)
	}
}

// TestGrocZone: a window follows elapsed time when clocks change, a time of day comes once.
func TestGrocZone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cron, after, want string }{
		{"every day 02:30", "2026-03-08T00:00:00Z", "2026-03-08T07:00:00Z"}, // skipped
		{"every day 01:30", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"}, // once, though it comes twice
		{"every 30 minutes from 01:00 to 03:00", "2026-03-08T06:30:00Z", "2026-03-08T07:00:00Z"},
		{"every 30 minutes from 01:00 to 03:00", "2026-11-01T05:30:00Z", "2026-11-01T06:00:00Z"},
		{"every 24 hours", "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"},
	} {
		s := groc(c.cron)
		s.Zone = "America/New_York"
		got, err := schedule.Next(s, moment(t, c.after))
		if err != nil || !got.Equal(moment(t, c.want)) {
			t.Errorf("%q after %s: got %s, %v; want %s", c.cron, c.after, got, err, c.want)
		}
	}
}
