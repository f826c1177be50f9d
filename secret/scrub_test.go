package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline/secret"
)

func TestScrub(t *testing.T) {
	t.Parallel()
	var s secret.Scrubber
	if got := s.Scrub("text"); got != "text" {
		t.Errorf("got %q", got)
	}
	s.Add("abc", "hunter2", "hunter22", "p@ss/w\"ö\n", "hunter2")
	for text, want := range map[string]string{
		"":                                      "",
		"abc":                                   "abc", // too short to look for
		"hunter2":                               "[redacted]",
		"hunter22":                              "[redacted]",
		"hunter222":                             "[redacted]2",
		"xhunter2hunter2y":                      "x[redacted][redacted]y",
		"hunter":                                "hunter",
		"postgres://u:p%40ss%2Fw%22%C3%B6%0A@h": "postgres://u:[redacted]@h",
		`{"a":"p@ss/w\"ö\n"}`:                   `{"a":"[redacted]"}`,
	} {
		if got := s.Scrub(text); got != want {
			t.Errorf("Scrub(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestScrubFindsEveryForm(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := "canary" + rapid.String().Draw(t, "value")
		var s secret.Scrubber
		s.Add(value)
		doc, _ := json.Marshal(value)
		for _, text := range []string{
			value, fmt.Sprintf("%q", value), string(doc), "x" + value + "y",
			(&url.URL{Scheme: "x", User: url.UserPassword("u", value), Host: "h"}).String(),
			"a=" + url.QueryEscape(value), url.PathEscape(value),
		} {
			if got := s.Scrub(text); strings.Contains(got, "canary") || !strings.Contains(got, "[redacted]") {
				t.Fatalf("%q: %q", text, got)
			}
		}
	})
}

func TestWriterFindsWhatIsCut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 4, 8, -1)
		var s secret.Scrubber
		s.Add(rapid.SliceOfN(letters, 1, 3).Draw(t, "secrets")...)
		text := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 60, -1).Draw(t, "text")
		var out bytes.Buffer
		w := s.Writer(&out)
		for rest := text; rest != ""; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			if wrote, err := w.Write([]byte(rest[:n])); err != nil || wrote != n {
				t.Fatal(wrote, err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if out.String() != s.Scrub(text) {
			t.Fatalf("%q: %q, at once %q", text, out.String(), s.Scrub(text))
		}
	})
}

func TestWriterDoesNotHoldWhatIsHarmless(t *testing.T) {
	t.Parallel()
	var s secret.Scrubber
	s.Add("hunter2")
	var out bytes.Buffer
	w := s.Writer(&out)
	for _, line := range []string{"a line\n", "no newline, held: hunt", "er2\n"} {
		if _, err := w.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if want := "a line\nno newline, held: [redacted]\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	var s secret.Scrubber
	var out bytes.Buffer
	log := slog.New(s.Handler(slog.NewJSONHandler(&out, nil)))
	s.Add("canary")
	log = log.With("with", "canary").WithGroup("g").With(slog.Group("in", "deep", "a canary"))
	log.Info("says canary", "err", errors.New("password canary refused"), "n", 5,
		"list", []string{"canary"}, "map", map[string]string{"k": "canary"}, "plain", []string{"kept"},
		slog.Group("h", slog.Any("v", valuer("canary"))))
	got := out.String()
	if strings.Contains(got, "canary") || strings.Count(got, "[redacted]") != 7 {
		t.Error(got)
	}
	if !strings.Contains(got, `"n":5`) || !strings.Contains(got, `"plain":["kept"]`) {
		t.Error("a harmless value lost its type: ", got)
	}
	if log.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("the level does not hold")
	}
}

type valuer string

func (v valuer) LogValue() slog.Value { return slog.StringValue(string(v)) }

func TestScrubberFromManyGoroutines(t *testing.T) {
	t.Parallel()
	var s secret.Scrubber
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 50 {
				value := fmt.Sprintf("secret-%d-%d.", i, j)
				s.Add(value)
				if got := s.Scrub(value); got != "[redacted]" {
					t.Errorf("%q: %q", value, got)
				}
			}
		})
	}
	all.Wait()
	if got := s.Scrub("secret-0-0. secret-7-49."); got != "[redacted] [redacted]" {
		t.Error(got)
	}
}
