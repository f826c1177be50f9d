package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/task/tasktest"
)

func productRows() int {
	if testing.Short() {
		return 3_000
	}
	return 30_000
}

func TestEverySourceIntoEveryDestination(t *testing.T) {
	for _, from := range places {
		for _, to := range places {
			t.Run(from.name+" to "+to.name, func(t *testing.T) {
				n := productRows()
				src, dst := from.open(t), to.open(t)
				src.fill(t, 0, n)
				rec := begin(t, src, dst)
				began := time.Now()
				if err := rec.Do(t.Context(), realKind(t)); err != nil {
					t.Fatal(err)
				}
				s := rec.Stats()
				t.Logf("%d rows in %s, bound by %s, %s; %v", s.Counts.Read, time.Since(began).Round(time.Millisecond), s.BoundBy, s.Path, rec.Notes())
				equal(t, dst.read(t), expected(0, n))
				if c := s.Counts; c.Read != int64(n) || c.Inserted != int64(n) {
					t.Errorf("%+v", c)
				}
			})
		}
	}
}

// TestCrashesBetweenPlugins ends attempts at random writes until one comes through.
func TestCrashesBetweenPlugins(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, from := range places {
		for _, to := range places {
			at := 2 + random.IntN(6)
			t.Run(fmt.Sprintf("%s to %s at %d", from.name, to.name, at), func(t *testing.T) {
				n := productRows()
				src, dst := from.open(t), to.open(t)
				src.fill(t, 0, n)
				rec := begin(t, src, dst)
				attempts := interrupted(t, rec, at, n)
				t.Logf("%d attempts: %v", attempts, rec.Notes())
				equal(t, dst.read(t), expected(0, n))
				if c := rec.Stats().Counts; c.Read != int64(n) || c.Inserted != int64(n) {
					t.Errorf("%+v", c)
				}
			})
		}
	}
}

// interrupted ends every attempt when it asks for its lease for the at-th time, and says
// how many it took.
func interrupted(t *testing.T, rec *tasktest.Recorder, at, n int) int {
	kind := realKind(t)
	for attempt := 1; ; attempt++ {
		ctx, stop := context.WithCancel(t.Context())
		asked := rec.Asked()
		rec.Held = func() error {
			if rec.Asked()-asked == at && attempt < 20 {
				stop()
			}
			return nil
		}
		durable := rec.Stats().Counts.Read
		err := rec.Do(ctx, kind)
		stop()
		if limit := int64(n) - durable + 2*twoBatches(n); rec.Stats().Attempted > limit {
			t.Errorf("attempt %d read %d rows, %d were left", attempt, rec.Stats().Attempted, int64(n)-durable)
		}
		if err == nil {
			return attempt
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("attempt %d: %v", attempt, err)
		}
		at++ // or an attempt might never come further than the last
	}
}

// twoBatches is about how many rows two batches of 8 MiB hold, in each of two lanes.
func twoBatches(n int) int64 { return int64(2 * 2 * (8 << 20) / (len(pad) + 60)) }

func begin(t *testing.T, src, dst opened) *tasktest.Recorder {
	t.Helper()
	d := ends(t, src.url, asTarget(dst.url))
	tasks, err := realKind(t).Plan(t.Context(), d, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) != 1 || tasks[0].Name != src.entity {
		t.Fatalf("planned: %+v", tasks)
	}
	run := syncline.Run{ID: "run-1", Load: "run-1", PipelineID: "pipeline-1"}
	return tasktest.NewRecorder(t, run, d, tasks[0])
}

func equal(t testing.TB, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if len(got) != len(want) {
		t.Errorf("%d rows are there, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("row %d:\n got %.200s\nwant %.200s", i, got[i], want[i])
		}
	}
}

// TestTransferIsATask holds the kind to the contract of package task, with real plugins.
func TestTransferIsATask(t *testing.T) {
	const n = 200
	for _, pair := range [][2]place{{places[2], places[1]}, {places[0], places[0]}} {
		t.Run(pair[0].name+" to "+pair[1].name, func(t *testing.T) {
			tasktest.Run(t, tasktest.Fixture{Kind: realKind(t), New: func(t testing.TB) tasktest.Work {
				src, dst := pair[0].open(t), pair[1].open(t)
				src.fill(t, 0, n)
				return tasktest.Work{
					Definition: ends(t, src.url, asTarget(dst.url)),
					Check: func(t testing.TB) {
						equal(t, dst.read(t), expected(0, n))
					},
				}
			}})
		})
	}
}
