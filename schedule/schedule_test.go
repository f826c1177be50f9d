package schedule_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/schedule"
)

func TestNext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cron, zone, after, want string }{
		{"30 3 * * *", "", "2026-03-01T03:29:59Z", "2026-03-01T03:30:00Z"},
		{"30 3 * * *", "", "2026-03-01T03:30:00Z", "2026-03-02T03:30:00Z"},
		{"@hourly", "", "2026-03-01T03:30:00Z", "2026-03-01T04:00:00Z"},
		{"@daily", "Europe/Berlin", "2026-03-01T03:30:00Z", "2026-03-01T23:00:00Z"},
		{"@midnight", "", "2026-03-01T03:30:00Z", "2026-03-02T00:00:00Z"},
		{"@weekly", "", "2026-03-01T03:30:00Z", "2026-03-08T00:00:00Z"},
		{"@monthly", "", "2026-03-01T03:30:00Z", "2026-04-01T00:00:00Z"},
		{"@Yearly", "", "2026-03-01T03:30:00Z", "2027-01-01T00:00:00Z"},
		{"@annually", "", "2026-03-01T03:30:00Z", "2027-01-01T00:00:00Z"},
		{"0 0 13 * fri", "", "2026-03-01T00:00:00Z", "2026-03-06T00:00:00Z"},  // either is enough
		{"0 0 */2 * fri", "", "2026-03-01T00:00:00Z", "2026-03-13T00:00:00Z"}, // both, as Vixie cron
		{"0 0 29 2 *", "", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},    // 2100 is no leap year
		{"0 0 * * 7", "", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z"},
		{"0 0 * * sat-sun", "", "2026-03-01T00:00:00Z", "2026-03-07T00:00:00Z"},
		{"5/15 * * * *", "", "2026-03-01T00:06:00Z", "2026-03-01T00:20:00Z"},
		// New York 2026: 02:00 to 03:00 are skipped on March 8, 01:00 to 02:00 come twice on November 1.
		{"30 2 * * *", "America/New_York", "2026-03-08T00:00:00Z", "2026-03-08T07:00:00Z"},
		{"30 2 * * *", "America/New_York", "2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"},
		{"0 */2 * * *", "America/New_York", "2026-03-08T05:00:00Z", "2026-03-08T08:00:00Z"},
		{"30 1 * * *", "America/New_York", "2026-11-01T00:00:00Z", "2026-11-01T05:30:00Z"},
		{"30 1 * * *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"},
		{"30 * * * *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"},
		// Chile skips midnight itself.
		{"0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", "2026-09-06T04:00:00Z"},
		// The last day of a leap year, when the zone's table has ended and its rule goes on.
		{"30 22 * * *", "Europe/Berlin", "2040-12-31T12:00:00Z", "2040-12-31T21:30:00Z"},
		{"0 */3 * * *", "Europe/Berlin", "2040-12-31T12:00:00Z", "2040-12-31T14:00:00Z"},
		{"0 */3 * * *", "America/New_York", "2040-12-31T23:30:00Z", "2041-01-01T02:00:00Z"},
	} {
		got, err := schedule.Next(syncline.Schedule{Cron: c.cron, Zone: c.zone}, moment(t, c.after))
		if err != nil || !got.Equal(moment(t, c.want)) {
			t.Errorf("%q in %q after %s: got %s, %v; want %s", c.cron, c.zone, c.after, got, err, c.want)
		}
	}
}

func moment(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestEveryCountsFromItsAnchor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		every := time.Duration(rapid.Int64Range(1, 1e6).Draw(t, "seconds")) * time.Second
		anchor := time.UnixMicro(rapid.Int64Range(-1e15, 4e15).Draw(t, "anchor"))
		after := time.Unix(0, rapid.Int64Range(-1e18, 4e18).Draw(t, "after"))
		s := syncline.Schedule{Every: every, Anchor: anchor, Zone: "America/New_York"}
		got, err := schedule.Next(s, after)
		if err != nil {
			t.Fatal(err)
		}
		if !got.After(after) || got.Before(anchor) || got.UnixMicro() != got.UnixNano()/1000 {
			t.Fatalf("after %s: %s", after, got)
		}
		if (got.UnixMicro()-anchor.UnixMicro())%every.Microseconds() != 0 {
			t.Fatalf("%s is not a whole number of %s after %s", got, every, anchor)
		}
		if before := got.Add(-every); before.After(after) && !before.Before(anchor) {
			t.Fatalf("passed over %s", before)
		}
	})
}

func TestNextIsLater(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := syncline.Schedule{Cron: drawPattern(t).text, Zone: rapid.SampledFrom(zones).Draw(t, "zone")}
		after := time.Unix(0, rapid.Int64Range(1577836800e9, 2240524800e9).Draw(t, "after"))
		got, err := schedule.Next(s, after)
		if err != nil {
			t.Fatal(err)
		}
		if !got.IsZero() && (!got.After(after) || got.Location() != time.UTC) {
			t.Fatalf("%q after %s: %s", s.Cron, after, got)
		}
		if again, _ := schedule.Next(s, got.Add(-time.Nanosecond)); !got.IsZero() && !again.Equal(got) {
			t.Fatalf("%q: %s, just before it %s", s.Cron, got, again)
		}
	})
}

func TestStartAndEnd(t *testing.T) {
	t.Parallel()
	s := syncline.Schedule{Cron: "0 3 * * *", Start: moment(t, "2026-05-01T03:00:00Z"), End: moment(t, "2026-05-03T03:00:00Z")}
	got, err := schedule.Slots(s, moment(t, "2020-01-01T00:00:00Z"), moment(t, "2030-01-01T00:00:00Z"), 10)
	if err != nil || len(got) != 3 || !got[0].Equal(s.Start) || !got[2].Equal(s.End) {
		t.Errorf("got %v, %v", got, err)
	}
	if at, err := schedule.Next(s, s.End); err != nil || !at.IsZero() {
		t.Errorf("after the end: %s, %v", at, err)
	}
}

func TestSlotsIncludesBothEnds(t *testing.T) {
	t.Parallel()
	from := moment(t, "2026-05-01T03:00:00Z")
	for _, s := range []syncline.Schedule{{Cron: "0 * * * *"}, {Every: time.Hour, Anchor: from.Add(-24 * time.Hour)}} {
		got, err := schedule.Slots(s, from, from.Add(2*time.Hour), 10)
		if err != nil || len(got) != 3 || !got[0].Equal(from) {
			t.Errorf("got %v, %v", got, err)
		}
		if got, _ := schedule.Slots(s, from, from.Add(2*time.Hour), 2); len(got) != 2 {
			t.Errorf("the limit does not hold: %v", got)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	early, late := moment(t, "2026-01-01T00:00:00Z"), moment(t, "2027-01-01T00:00:00Z")
	for _, c := range []struct {
		s                    syncline.Schedule
		field, message, hint string
	}{
		{syncline.Schedule{}, "every", "needs every or cron", "every: 15m"},
		{syncline.Schedule{Every: time.Hour, Cron: "@daily"}, "every", "not both", ""},
		{syncline.Schedule{Every: time.Millisecond}, "every", "too short", ""},
		{syncline.Schedule{Every: -time.Hour}, "every", "too short", ""},
		{syncline.Schedule{Cron: "@daily", Zone: "Europe/Berlim"}, "zone", `unknown time zone "Europe/Berlim"`, "Europe/Berlin"},
		{syncline.Schedule{Cron: "@daily", Zone: "Local"}, "zone", "unknown time zone", "IANA"},
		{syncline.Schedule{Cron: "@daily", Zone: "../../etc/passwd"}, "zone", "unknown time zone", ""},
		{syncline.Schedule{Cron: "@daily", Start: late, End: early}, "end", "ends before it starts", ""},
		{syncline.Schedule{Cron: "@daily", Grammar: "klingon"}, "grammar", `grammar "klingon"`, ""},
		{syncline.Schedule{Cron: "0 0 31 2 *"}, "cron", "never falls due", ""},
		{syncline.Schedule{Cron: " "}, "cron", "empty", "30 3 * * 1-5"},
		{syncline.Schedule{Cron: "61 * * * *"}, "cron", "minute, column 1: 61 is not between 0 and 59", "30 3 * * 1-5"},
		{syncline.Schedule{Cron: "0  3,24 * * *"}, "cron", "hour, column 6: 24 is not between 0 and 23", ""},
		{syncline.Schedule{Cron: "0 3 0 * *"}, "cron", "day of month, column 5: 0 is not between 1 and 31", ""},
		{syncline.Schedule{Cron: "0 3 * foo *"}, "cron", `month, column 7: "foo" is neither a number nor one of jan feb`, ""},
		{syncline.Schedule{Cron: "0 3 * * 1-8"}, "cron", "day of week, column 11: 8 is not between", ""},
		{syncline.Schedule{Cron: "0 3 * * ?"}, "cron", `day of week, column 9: "?"`, ""},
		{syncline.Schedule{Cron: "-5 * * * *"}, "cron", "minute, column 1: a value is missing", ""},
		{syncline.Schedule{Cron: "1- * * * *"}, "cron", "minute, column 3: a value is missing", ""},
		{syncline.Schedule{Cron: "+5 * * * *"}, "cron", `minute, column 1: "+5" is not a number`, ""},
		{syncline.Schedule{Cron: "1,,2 * * * *"}, "cron", "minute, column 3: a value is missing", ""},
		{syncline.Schedule{Cron: "1-2-3 * * * *"}, "cron", `minute, column 3: "2-3" is not a number`, ""},
		{syncline.Schedule{Cron: "0 22-2 * * *"}, "cron", "hour, column 3: 22-2 runs backwards: write it as two, such as 22-23,0-2", ""},
		{syncline.Schedule{Cron: "*/90 * * * *"}, "cron", "minute, column 3: the step 90 leaves one of 60 values", "every:"},
		{syncline.Schedule{Cron: "*/0 * * * *"}, "cron", `minute, column 3: the step "0" is not`, ""},
		{syncline.Schedule{Cron: "*/ * * * *"}, "cron", `minute, column 3: the step "" is not`, ""},
		{syncline.Schedule{Cron: "*/2/3 * * * *"}, "cron", `the step "2/3" is not`, ""},
		{syncline.Schedule{Cron: "0 3 * *"}, "cron", "it has 4 of 5 fields, the day of week is missing", ""},
		{syncline.Schedule{Cron: "0 0 3 * * *"}, "cron", "column 11: it has 6 fields, not 5", ""},
		{syncline.Schedule{Cron: "@every 5m"}, "cron", "column 1: @every is not cron", "every: 15m"},
		{syncline.Schedule{Cron: "@reboot"}, "cron", `unknown shorthand "@reboot"`, "@hourly"},
	} {
		e, ok := errors.AsType[*syncline.Error](schedule.Check(c.s))
		if !ok {
			t.Errorf("%+v: accepted, or no *syncline.Error", c.s)
			continue
		}
		if e.Code != syncline.InvalidArgument || e.Field != c.field || !strings.Contains(e.Message, c.message) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%+v: %s: %s (%s)", c.s, e.Field, e.Message, e.Hint)
		}
		if _, err := schedule.Next(c.s, early); err == nil && c.s.Cron != "0 0 31 2 *" {
			t.Errorf("%+v: Next accepts it", c.s)
		}
	}
}

func TestNeverIsZero(t *testing.T) {
	t.Parallel()
	for _, cron := range []string{"0 0 31 2 *", "0 */2 30 2 *"} {
		at, err := schedule.Next(syncline.Schedule{Cron: cron, Zone: "Europe/Berlin"}, moment(t, "2026-01-01T00:00:00Z"))
		if err != nil || !at.IsZero() {
			t.Errorf("%q: %s, %v", cron, at, err)
		}
	}
}

func TestZonesAreEmbedded(t *testing.T) {
	t.Parallel()
	for _, zone := range append(zones, "", "UTC", "Asia/Kathmandu") {
		if err := schedule.Check(syncline.Schedule{Cron: "@daily", Zone: zone}); err != nil {
			t.Errorf("%q: %v", zone, err)
		}
	}
}

// FuzzCron: no text makes the parser panic or hang, and what it accepts goes forward.
func FuzzCron(f *testing.F) {
	for _, seed := range []string{"30 3 * * 1-5", "@daily", "*/5 0-23/2 1,15 jan-mar sat-sun", "0 0 31 2 *", "* * * * * *", "@every 5m", "1/1 1-/ ,, - *"} {
		f.Add(seed, int64(1_700_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		after := time.Unix(unix%4e9, 0)
		for _, zone := range []string{"UTC", "America/Santiago"} {
			s := syncline.Schedule{Cron: text, Zone: zone}
			at, err := schedule.Next(s, after)
			if err != nil {
				if e, ok := errors.AsType[*syncline.Error](err); !ok || e.Hint == "" {
					t.Fatalf("%q: %v has no next step", text, err)
				}
				continue
			}
			if !at.IsZero() && !at.After(after) {
				t.Fatalf("%q after %s: %s", text, after, at)
			}
		}
	})
}
