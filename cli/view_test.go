package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

func moving(name string, read, expected int64) client.Task {
	return client.Task{Name: name, State: syncline.TaskRunning, Phase: "read", Counts: syncline.Counts{Read: read, Bytes: read * 10}, Expected: expected, BoundBy: "source"}
}

func TestABarFitsItsRoom(t *testing.T) {
	now := time.Now()
	var b bar
	b.update(moving("public.\x1borders", 100, 1000), now)
	b.update(moving("public.\x1borders", 500, 1000), now.Add(time.Second))
	for room := range 200 {
		line := b.line(now.Add(time.Second), 20, room)
		if width := len([]rune(line)); width > max(room, 20+2+barWidth+5) {
			t.Fatalf("%d columns in a room of %d: %s", width, room, line)
		}
		if strings.Contains(line, "\x1b") {
			t.Fatalf("a control character: %q", line)
		}
	}
	line := b.line(now.Add(time.Second), 20, 200)
	for _, want := range []string{" 50%", "500 of 1,000 rows", "400 rows/s", "ETA 1.2 s", "5 kB", "bound by source", "━━━━━━━━━━╌"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %q in %q", want, line)
		}
	}
}

func TestAPhaseTellsItsTime(t *testing.T) {
	now := time.Now()
	var g gauge
	task := moving("a", 10, 10)
	g.update(task, now)
	task.Phase = "build key"
	g.update(task, now.Add(time.Second))
	if got := g.doing(now.Add(4200 * time.Millisecond)); got != "build key 3.2 s" {
		t.Error(got)
	}
	if got := g.eta(now.Add(2 * time.Second)); got != "" {
		t.Errorf("nothing is left to read, but %s", got)
	}
}

func TestLinesTellThePlanFirstAndTheEndOnce(t *testing.T) {
	var out bytes.Buffer
	l := newLines(&out)
	r := client.Run{State: syncline.StateRunning, Attempts: []syncline.Attempt{{N: 1}}, Tasks: []client.Task{moving("a", 0, 10)}}
	l.show(r)
	r.Tasks = []client.Task{{Name: "a", State: syncline.TaskSucceeded, Where: "table a", Counts: syncline.Counts{Read: 10}}}
	l.show(r) // the log comes later than the counts
	r.Messages = []syncline.Message{
		{Seq: 1, Attempt: 1, Task: "a", Severity: syncline.Info, Text: "a → a: full, replace; key id"},
		{Seq: 2, Attempt: 1, Task: "a", Severity: syncline.Info, Text: "published in table a: 10 read"},
	}
	l.show(r)
	r.State = syncline.StateSucceeded
	l.show(r)
	got := out.String()
	plan, end := strings.Index(got, "a → a: full"), strings.Index(got, "✓ a: 10 rows")
	if plan < 0 || end < plan || strings.Count(got, "✓") != 1 || strings.Contains(got, "published") {
		t.Errorf("got\n%s", got)
	}
}

func TestVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		run  client.Run
		want error
	}{
		"succeeded":     {client.Run{State: syncline.StateSucceeded}, nil},
		"rejects":       {client.Run{State: syncline.StateSucceeded, Facts: syncline.Facts{Rejects: 1}}, ended(3)},
		"failed entity": {client.Run{State: syncline.StateSucceeded, Facts: syncline.Facts{FailedTasks: 1}}, ended(3)},
		"failed":        {client.Run{State: syncline.StateFailed, Facts: syncline.Facts{Rejects: 1}}, ended(1)},
		"canceled":      {client.Run{State: syncline.StateCanceled}, ended(1)},
		"waits":         {client.Run{State: syncline.StateSuspended, Wait: syncline.WaitMassDelete}, ended(4)},
	} {
		if got := verdict(c.run); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// A failure shows no totals that could be taken for a success's.
func TestAFailureShowsNoTotals(t *testing.T) {
	var out bytes.Buffer
	c := &command{IO: IO{Out: &out, Err: &out}}
	c.summary(client.Run{
		ID: "01a21085-28db-7367-a47a-1682ac2aac7b", State: syncline.StateFailed, Totals: syncline.Counts{Read: 4711},
		Error: syncline.Errorf(syncline.Unavailable, "the server\x1b went away").Try("start it"),
		Tasks: []client.Task{{Name: "a", State: syncline.TaskFailed, Counts: syncline.Counts{Read: 4711}}},
	})
	got := out.String()
	if strings.Contains(got, "4,711") || strings.Contains(got, "4711") || strings.Contains(got, "succeeded") || strings.Contains(got, "\x1b") {
		t.Error(got)
	}
	for _, want := range []string{"error: run ac2aac7b failed: the server\\x1b went away", "next: start it", "goes on"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// The holder of a run is waited for only while nothing says that it lives.
func TestAwait(t *testing.T) {
	var out bytes.Buffer
	c := &command{IO: IO{Out: &out, Err: &out}}
	refusal := syncline.Errorf(syncline.FailedPrecondition, "busy").Because("busy").Try("watch it")
	now := time.Now()
	silent := client.Run{ID: "run", Lease: &client.Lease{Worker: "far/1", Session: "elsewhere/1/1", SeenAt: now, ExpiresAt: now.Add(15 * time.Second)}}
	first, err := c.await(silent, nil, refusal)
	if err != nil || first == nil || !strings.Contains(out.String(), "held by worker far/1") {
		t.Fatalf("%v, %v: %s", first, err, out.String())
	}
	said := out.Len()
	if _, err := c.await(silent, first, refusal); err != nil || out.Len() != said {
		t.Errorf("said twice, or %v", err)
	}
	alive := silent
	alive.Lease = &client.Lease{Worker: "far/1", Session: "elsewhere/1/1", SeenAt: now.Add(5 * time.Second)}
	_, err = c.await(alive, first, refusal)
	var e *syncline.Error
	if !errors.As(err, &e) || e.Code != syncline.FailedPrecondition || e.Reason != "busy" || e.Hint != "watch it" || !strings.Contains(e.Message, "far/1") {
		t.Errorf("%+v", err)
	}
}

// TestAnOutsideWorkersRunIsTold: who would have to move, and for how long nothing has.
func TestAnOutsideWorkersRunIsTold(t *testing.T) {
	now := time.Now()
	held := func(silent time.Duration) *client.Lease {
		seen := now.Add(-silent)
		return &client.Lease{Worker: "shop-7", SeenAt: seen, StaleAt: seen.Add(time.Minute), ExpiresAt: seen.Add(5 * time.Minute)}
	}
	tests := map[string]struct {
		run  client.Run
		word string
		want []string
		not  string
	}{
		"nobody has claimed it": {client.Run{State: syncline.StatePending}, "pending", []string{"stands    waits for an outside worker"}, "held by"},
		"heard of":              {client.Run{State: syncline.StateRunning, Lease: held(9 * time.Second)}, "running", []string{"held by   shop-7, last seen 9.0 s ago, an outside worker"}, "the run ends in"},
		"silent":                {client.Run{State: syncline.StateRunning, Lease: held(90 * time.Second)}, "running (stale)", []string{"last seen 1m30s ago", "without another sign of life the run ends in 3m30s"}, ""},
		"laid down":             {client.Run{State: syncline.StateSuspended, Wait: syncline.WaitExternal}, "suspended (external)", []string{"its outside worker laid it down"}, "held by"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			c := &command{IO: IO{Out: &out}}
			test.run.Owner = syncline.OwnerExternal
			c.facts(test.run, now)
			if got := word(test.run); got != test.word {
				t.Errorf("it is %q, not %q", got, test.word)
			}
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, out.String())
				}
			}
			if test.not != "" && strings.Contains(out.String(), test.not) {
				t.Errorf("%q in\n%s", test.not, out.String())
			}
		})
	}
}
