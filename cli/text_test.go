package cli

import (
	"testing"
	"time"
)

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"public.orders":          "public.orders",
		"naïve 日本 👍":             "naïve 日本 👍",
		"\x1b]0;owned\x07":       `\x1b]0;owned\a`,
		"a\tb\nc":                `a\tb\nc`,
		"bad \xff utf8":          `bad \xff utf8`,
		"right\u202eto left":     `right\u202eto left`,
		"it's \"quoted\" \\ now": "it's \"quoted\" \\ now",
		"\u00a0no-break":         `\u00a0no-break`,
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
	if got := plainLines("a\x1b[2J\nb"); got != "a\\x1b[2J\nb" {
		t.Errorf("%q", got)
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %s, want %s", n, got, want)
		}
	}
	for f, want := range map[float64]string{0: "0", 9999: "9,999", 12345: "12.3k", 1234567: "1.23M", 5e9: "5.00G"} {
		if got := short(f); got != want {
			t.Errorf("short(%g) = %s, want %s", f, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1500: "1.5 kB", 12_300_000: "12.3 MB", 5e12: "5.00 TB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0.0 s", 1234 * time.Millisecond: "1.2 s", 245 * time.Second: "4m05s", 2*time.Hour + 3*time.Minute: "2h03m", -1: ""} {
		if got := took(d); got != want {
			t.Errorf("took(%s) = %s, want %s", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 rows", 1: "1 row", 2000: "2,000 rows"} {
		if got := plural(n, "row"); got != want {
			t.Errorf("plural(%d) = %s, want %s", n, got, want)
		}
	}
	if got := plural(2, "entity"); got != "2 entities" {
		t.Error(got)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{"": "''", "a.db": "a.db", "/x/y z": "'/x/y z'", "it's": `'it'\''s'`, "*.csv": "'*.csv'", "$HOME": "'$HOME'"} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestMoment(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.Local)
	for in, want := range map[string]time.Time{
		"":                     {},
		"03:00":                time.Date(2026, 11, 25, 3, 0, 0, 0, time.Local),
		"03:00:30":             time.Date(2026, 11, 25, 3, 0, 30, 0, time.Local),
		"2026-11-24 03:00":     time.Date(2026, 11, 24, 3, 0, 0, 0, time.Local),
		"2026-11-24T03:00:05Z": time.Date(2026, 11, 24, 3, 0, 5, 0, time.UTC),
		"2026-11-24":           time.Date(2026, 11, 24, 0, 0, 0, 0, time.Local),
	} {
		if got, err := moment(in, now); err != nil || !got.Equal(want) {
			t.Errorf("moment(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	if _, err := moment("yesterday", now); err == nil {
		t.Error("yesterday is a time?")
	}
}

func TestMeterMeasuresTheLastSeconds(t *testing.T) {
	var m meter
	now := time.Now()
	if m.rate(now) != 0 {
		t.Error("a rate of nothing")
	}
	for i := range 20 {
		m.add(now.Add(time.Duration(i)*time.Second), int64(i*100))
	}
	if got := m.rate(now.Add(19 * time.Second)); got < 95 || got > 105 {
		t.Errorf("100 rows a second are measured as %g", got)
	}
	// Nothing more becomes durable: the rate sinks.
	if got := m.rate(now.Add(60 * time.Second)); got > 20 {
		t.Errorf("a standstill is measured as %g", got)
	}
}
