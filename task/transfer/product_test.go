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

// TestEverySourceIntoEveryDestination moves many rows between all pairs, without trouble
// and with attempts that end at random writes, until one comes through.
func TestEverySourceIntoEveryDestination(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	many, wide := 100_000, 6_000
	if testing.Short() {
		many, wide = 2_000, 4_500
	}
	for _, from := range places {
		easy, hard := from.open(t), from.open(t)
		easy.fill(t, many, false)
		hard.fill(t, wide, true)
		for _, to := range places {
			t.Run(from.name+" to "+to.name, func(t *testing.T) {
				dst := to.open(t)
				rec := begin(t, easy, dst)
				began := time.Now()
				if err := rec.Do(t.Context(), realKind(t)); err != nil {
					t.Fatal(err)
				}
				s := rec.Stats()
				t.Logf("%d rows in %s, bound by %s; %v", s.Counts.Read, time.Since(began).Round(time.Millisecond), s.BoundBy, rec.Notes())
				arrived(t, rec, dst, many, false)
			})
			at := 2 + random.IntN(3)
			t.Run(fmt.Sprintf("%s to %s, ended at write %d", from.name, to.name, at), func(t *testing.T) {
				dst := to.open(t)
				rec := begin(t, hard, dst)
				attempts := interrupted(t, rec, at, int64(wide))
				t.Logf("%d attempts: %v", attempts, rec.Notes())
				arrived(t, rec, dst, wide, true)
			})
		}
	}
}

func arrived(t *testing.T, rec *tasktest.Recorder, dst opened, n int, wide bool) {
	t.Helper()
	equal(t, dst.read(t), expected(n, wide))
	if c := rec.Stats().Counts; c.Read != int64(n) || c.Inserted != int64(n) {
		t.Errorf("%+v", c)
	}
}

// interrupted ends every attempt when it asks for its lease for the at-th time, and says
// how many it took.
func interrupted(t *testing.T, rec *tasktest.Recorder, at int, n int64) int {
	const batch = 8<<20/4096 + 100 // rows, at most
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
		lanes := int64(min(2, max(1, len(rec.Stats().Parts))))
		if read, left := rec.Stats().Attempted, n-durable; read > left+2*batch*lanes {
			t.Errorf("attempt %d read %d rows, %d were left", attempt, read, left)
		}
		if err == nil {
			return attempt
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("attempt %d: %v", attempt, err)
		}
		if rec.Stats().Counts.Read == durable {
			at++ // it would never come further
		}
	}
}

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
	pairs := [][2]place{{places[2], places[1]}, {places[0], places[0]}}
	if testing.Short() {
		pairs = pairs[:1]
	}
	for _, pair := range pairs {
		t.Run(pair[0].name+" to "+pair[1].name, func(t *testing.T) {
			tasktest.Run(t, tasktest.Fixture{Kind: realKind(t), New: func(t testing.TB) tasktest.Work {
				src, dst := pair[0].open(t), pair[1].open(t)
				src.fill(t, n, false)
				return tasktest.Work{
					Definition: ends(t, src.url, asTarget(dst.url)),
					Check: func(t testing.TB) {
						equal(t, dst.read(t), expected(n, false))
					},
				}
			}})
		})
	}
}
