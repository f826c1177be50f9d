// Package storetest holds every store to the promises of syncline.Store: a store is done
// when Run is green.
package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/synclinehq/syncline"
)

// Run runs the suite. open makes an empty store, which the suite closes.
func Run(t *testing.T, open func(t *testing.T) syncline.Store) {
	for _, part := range [][]check{
		pipelineChecks, runChecks, laneChecks, taskChecks, leaseChecks, partChecks, scheduleChecks, journalChecks, docChecks, txChecks, raceChecks, lifeChecks,
	} {
		for _, c := range part {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				s := open(t)
				t.Cleanup(func() {
					if err := s.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				})
				c.do(&T{T: t, Store: s})
			})
		}
	}
}

type check struct {
	name string
	do   func(*T)
}

// T is a test and its store.
type T struct {
	*testing.T
	syncline.Store
}

// day is when the suite's rows happen.
var day = time.Date(2026, 3, 29, 1, 59, 59, 123456000, time.UTC)

func at(n int) time.Time { return day.Add(time.Duration(n) * time.Minute) }

// update runs fn and fails the test with what it returns.
func (t *T) update(fn func(tx syncline.Tx) error) {
	t.Helper()
	if err := t.Update(t.Context(), fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func (t *T) view(fn func(tx syncline.Tx) error) {
	t.Helper()
	if err := t.View(t.Context(), fn); err != nil {
		t.Fatalf("view: %v", err)
	}
}

// answers makes calls in one transaction, each of which is answered for by itself. A
// store may make them twice and only then know, so nobody looks before it is done.
func (t *T) answers(calls ...func(tx syncline.Tx) error) (got []error) {
	t.Helper()
	t.update(func(tx syncline.Tx) error {
		got = nil
		for _, c := range calls {
			got = append(got, c(tx))
		}
		return nil
	})
	return got
}

// get reads one thing in a View.
func get[V any](t *T, read func(tx syncline.Tx) (V, error)) V {
	t.Helper()
	var v V
	t.view(func(tx syncline.Tx) (err error) {
		v, err = read(tx)
		return err
	})
	return v
}

// refused asserts the code and that the message names the thing.
func refused(t *testing.T, err error, code syncline.Code, names string) {
	t.Helper()
	if got := syncline.CodeOf(err); got != code {
		t.Fatalf("error is %q (%v), want %q", got, err, code)
	}
	if !strings.Contains(err.Error(), names) {
		t.Fatalf("error %q does not name %q", err, names)
	}
}

func equal[V any](t *testing.T, what string, got, want V) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

// ids are those of runs, in their order.
func ids(runs []*syncline.Run) []string {
	all := []string{}
	for _, r := range runs {
		all = append(all, r.ID)
	}
	return all
}

// run is a pending one at the head of a lane of its own.
func run(id string, change ...func(*syncline.Run)) *syncline.Run {
	r := &syncline.Run{
		ID: id, PipelineID: "p", Lane: "lane-" + id, Owner: syncline.OwnerEngine, Kind: "sync",
		State: syncline.StatePending, Head: true, CreatedAt: day, NotBefore: day,
	}
	for _, c := range change {
		c(r)
	}
	return r
}

// insert stores runs in one transaction.
func (t *T) insert(runs ...*syncline.Run) {
	t.Helper()
	t.update(func(tx syncline.Tx) error {
		for _, r := range runs {
			if err := tx.InsertRun(r); err != nil {
				return err
			}
		}
		return nil
	})
}

func name(prefix string, n int) string { return fmt.Sprintf("%s%04d", prefix, n) }

// within is a context that a stuck store does not outlive.
func within(t *T, d time.Duration) context.Context {
	ctx, stop := context.WithTimeout(t.Context(), d)
	t.Cleanup(stop)
	return ctx
}
