package transfer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/task"
)

func (r *rig) suspended(err error, wait syncline.Wait) *syncline.Error {
	r.Helper()
	var s *task.Suspend
	if !errors.As(err, &s) {
		r.Fatalf("got %v, want the run to wait", err)
	}
	if s.Wait != wait || s.Err.Message == "" || s.Err.Hint == "" || s.Err.Reason != string(wait) {
		r.Errorf("waits for %s: %+v", s.Wait, s.Err)
	}
	return s.Err
}

func TestMassDeleteWaitsForAPerson(t *testing.T) {
	for name, left := range map[string]int{"most are gone": 400, "all are gone": 0} {
		t.Run(name, func(t *testing.T) {
			r := setup(t, 3000)
			r.load()
			r.from.tables["db.orders"] = orders(0, left)
			rec := r.begin()
			for range 2 { // it waits until it is confirmed, however often it is claimed
				e := r.suspended(r.do(rec), syncline.WaitMassDelete)
				if !strings.Contains(e.Hint, "syncline runs resume run-2 --confirm mass_delete") {
					t.Errorf("hint %q", e.Hint)
				}
				r.shows(orders(0, 3000))
			}
			rec.Run.Facts.Confirmed = []syncline.Wait{syncline.WaitMassDelete}
			before := r.from.read
			if err := r.do(rec); err != nil {
				t.Fatal(err)
			}
			r.shows(orders(0, left))
			if r.from.read != before {
				t.Errorf("%d rows were read again to publish what was staged", r.from.read-before)
			}
			if swept := rec.Stats().Counts.Swept; swept != int64(3000-left) {
				t.Errorf("%d swept", swept)
			}
		})
	}
}

// TestConfirmedLoadsOfSourcesThatCannotResume: all was read, so nothing need be resumed.
func TestConfirmedLoadsOfSourcesThatCannotResume(t *testing.T) {
	r := setup(t, 3000, func(r *rig) { r.from.resume = "restart" })
	r.load()
	r.from.tables["db.orders"] = orders(0, 10)
	rec := r.begin()
	r.suspended(r.do(rec), syncline.WaitMassDelete)
	rec.Run.Facts.Confirmed = []syncline.Wait{syncline.WaitMassDelete}
	before := r.from.read
	if err := r.do(rec); err != nil {
		t.Fatal(err)
	}
	if r.from.read != before {
		t.Error("read again")
	}
	r.shows(orders(0, 10))
}

func TestSchemaChangeWaitsForAPerson(t *testing.T) {
	tests := map[string]struct {
		change destination.SchemaChange
		says   string
		ways   []string
	}{
		"narrower": {
			destination.SchemaChange{Table: "db.orders", Column: "total", Source: "numeric(20,2)", Target: "integer"},
			`column "total" of db.orders is integer, and the source has numeric(20,2)`,
			[]string{"change the column of db.orders to numeric(20,2)", "types: {total: text}", "another table"},
		},
		"frozen": {
			destination.SchemaChange{Table: "db.orders", Column: "more", Source: "text", Policy: syncline.ColumnsFreeze},
			`no column "more", which the source has as text`,
			[]string{"add the column", "columns: add", "columns: ignore"},
		},
		"gone": {
			destination.SchemaChange{Table: "db.orders", Column: "old", Target: "text not null"},
			`the source has no column "old", which db.orders has as text not null`,
			[]string{"default", "drop it", "another table"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := setup(t, 10)
			r.to.change = &test.change
			e := r.suspended(r.do(r.begin()), syncline.WaitSchemaChange)
			if !strings.Contains(e.Message, test.says) {
				t.Errorf("message %q", e.Message)
			}
			for _, way := range append(test.ways, "syncline runs resume run-1") {
				if !strings.Contains(e.Hint, way) {
					t.Errorf("hint %q does not say %q", e.Hint, way)
				}
			}
		})
	}
}

func TestUnbalancedStageIsNotPublished(t *testing.T) {
	r := setup(t, 100)
	r.load()
	r.from.tables["db.orders"] = orders(0, 200)
	r.to.lost = 1
	e := r.coded(r.do(r.begin()), syncline.DataLoss, "unbalanced", "the stage of db.orders holds 199 rows, 200 were counted")
	if e.Retryable {
		t.Error("to be tried again")
	}
	r.shows(orders(0, 100))
}

// TestBooksOfAPart: the destination forgets a row and its own books balance all the same.
func TestBooksOfAPart(t *testing.T) {
	r := setup(t, 100)
	r.to.drop = 1
	e := r.coded(r.do(r.begin()), syncline.DataLoss, "unbalanced", "part 0 of db.orders: the source read 100 rows, the destination accounts for 99")
	if e.Retryable || r.to.tables["db.orders"] != nil {
		t.Error("it was published, or is to be tried again")
	}
}

func TestPublishedButNotReported(t *testing.T) {
	r := setup(t, 3000)
	r.load()
	r.from.tables["db.orders"] = orders(100, 3000)
	r.to.fault = func(s string) error {
		if s == "published" {
			return errCrash
		}
		return nil
	}
	rec := r.begin()
	if err := r.do(rec); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	r.to.fault = nil
	if err := r.do(rec); err != nil {
		t.Fatal(err)
	}
	s := rec.Stats()
	if c := s.Counts; c.Read != 2900 || c.Inserted != 2900 || c.Swept != 100 || s.Attempted != 0 || s.Phase != "done" {
		t.Errorf("%+v", s)
	}
	for _, p := range s.Parts {
		if !p.Done || p.State != syncline.TaskSucceeded {
			t.Errorf("%+v", p)
		}
	}
}

func TestErrorsOfTheEndsPassThrough(t *testing.T) {
	for _, step := range []string{"open", "takeover", "part", "write", "finish", "publish"} {
		r := setup(t, 30)
		full := syncline.Errorf(syncline.ResourceExhausted, "no space left").Of(syncline.ClassDestination).Because("no_space").Try("make room").Again()
		r.to.fault = func(s string) error {
			if s == step {
				return full
			}
			return nil
		}
		if e := r.coded(r.do(r.begin()), syncline.ResourceExhausted, "no_space", "no space left"); !e.Retryable {
			t.Errorf("%s: not to be tried again", step)
		}
	}
}

func TestAnEntityThatIsGone(t *testing.T) {
	r := setup(t, 3)
	rec := r.begin()
	r.from.tables = map[string][]row{"db.other": nil}
	if err := r.do(rec); syncline.CodeOf(err) != syncline.NotFound {
		t.Error(err)
	}
}

func TestNamesAreNoPatterns(t *testing.T) {
	r := setup(t, 3, func(r *rig) {
		r.entity.Name = "db.[x]*"
		r.from.tables = map[string][]row{"db.[x]*": orders(0, 3), "db.x1": orders(5, 9)}
	})
	r.load()
	if n := len(r.to.tables["db.[x]*"]); n != 3 {
		t.Errorf("%d rows", n)
	}
}
