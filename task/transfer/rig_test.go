package transfer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/task"
	"github.com/synclinehq/syncline/task/tasktest"
	"github.com/synclinehq/syncline/task/transfer"
)

// rig is two ends in memory and the task kind between them.
type rig struct {
	*testing.T
	from   *origin
	to     *shelf
	budget *rows.Budget
	kind   task.Kind
	entity syncline.EntitySpec
	loads  int
	lanes  int
}

const budget = 64 << 20

func setup(t *testing.T, n int, more ...func(*rig)) *rig {
	t.Helper()
	r := &rig{T: t, from: &origin{tables: map[string][]row{"db.orders": orders(0, n)}, batch: 10, parts: 1}, to: newShelf(), lanes: 3, budget: rows.NewBudget(budget)}
	r.entity = syncline.EntitySpec{Name: "db.orders"}
	for _, m := range more {
		m(r)
	}
	r.kind = transfer.New(transfer.Options{
		Sources:      func(string) (source.Kind, bool) { return r.from.kind(), true },
		Destinations: func(string) (destination.Kind, bool) { return r.to.kind(), true },
		Env:          env(), Memory: r.budget, Lanes: r.lanes,
	})
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		goleak.VerifyNone(t, leaks)
		r.tidy()
	})
	return r
}

func env() source.Env {
	return source.Env{Dial: new(net.Dialer).DialContext, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

// tidy checks that everything was given back.
func (r *rig) tidy() {
	if n, ok := r.budget.Try(budget); !ok {
		r.Error("bytes of the budget were not given back")
	} else {
		r.budget.Give(n)
	}
	if r.from.out != 0 {
		r.Errorf("%d batches were not released", r.from.out)
	}
	if r.from.opened != r.from.closed || r.to.opened != r.to.closed {
		r.Errorf("source opened %d times and closed %d; destination %d and %d", r.from.opened, r.from.closed, r.to.opened, r.to.closed)
	}
}

func orders(from, to int) (list []row) {
	for i := from; i < to; i++ {
		list = append(list, row{int64(i), fmt.Sprintf("order %d", i), int64(i) * 1e6})
	}
	return list
}

// begin starts a new load of the entity.
func (r *rig) begin() *tasktest.Recorder {
	r.Helper()
	settings, err := json.Marshal(r.entity)
	if err != nil {
		r.Fatal(err)
	}
	r.loads++
	id := fmt.Sprintf("run-%d", r.loads)
	run := syncline.Run{ID: id, Load: id, PipelineID: "pipeline-1", Token: int64(r.loads) * 1000}
	return tasktest.NewRecorder(r, run, syncline.Definition{}, syncline.Task{Name: r.entity.Name, Kind: transfer.Name, Settings: settings})
}

// do is one attempt; it never takes long.
func (r *rig) do(rec *tasktest.Recorder) error {
	r.Helper()
	return r.doWith(context.Background(), rec)
}

func (r *rig) doWith(ctx context.Context, rec *tasktest.Recorder) error {
	r.Helper()
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	err := rec.Do(ctx, r.kind)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		r.Fatal("an attempt hung")
	}
	return err
}

// load runs one load to its end.
func (r *rig) load() *tasktest.Recorder {
	r.Helper()
	rec := r.begin()
	if err := r.do(rec); err != nil {
		r.Fatal(err)
	}
	return rec
}

// shows compares what is in the target with rows, in any order.
func (r *rig) shows(want []row) {
	r.Helper()
	got := slices.SortedFunc(slices.Values(r.to.tables["db.orders"]), func(a, b row) int { return int(a.ID - b.ID) })
	if !slices.Equal(got, want) {
		r.Errorf("the target has %d rows, want %d; the first that differs: %s", len(got), len(want), differs(got, want))
	}
}

func differs(got, want []row) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%+v, want %+v", got[i], want[i])
		}
	}
	return "one has more"
}

func (r *rig) hasNote(rec *tasktest.Recorder, want string) {
	r.Helper()
	if !strings.Contains(strings.Join(rec.Notes(), "\n"), want) {
		r.Errorf("no note says %q:\n%s", want, strings.Join(rec.Notes(), "\n"))
	}
}

// coded checks an error that a person sees.
func (r *rig) coded(err error, code syncline.Code, reason, text string) *syncline.Error {
	r.Helper()
	var e *syncline.Error
	if !errors.As(err, &e) {
		r.Fatalf("got %v, want a *syncline.Error", err)
	}
	if e.Code != code || e.Reason != reason || !strings.Contains(e.Message, text) || e.Hint == "" {
		r.Errorf("got %s %q %q, hint %q; want %s %q %q with a hint", e.Code, e.Reason, e.Message, e.Hint, code, reason, text)
	}
	return e
}

type (
	sourceKind      = source.Kind
	destinationKind = destination.Kind
)

func none[T any](string) (kind T, ok bool) { return kind, false }
