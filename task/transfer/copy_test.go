package transfer_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
)

func TestFullReplaces(t *testing.T) {
	r := setup(t, 1000, func(r *rig) { r.from.parts = 4 })
	r.to.tables["db.orders"] = orders(990, 1010)
	rec := r.begin()
	var phases []string
	rec.OnReport = func(s syncline.Stats) {
		if len(phases) == 0 || phases[len(phases)-1] != s.Phase {
			phases = append(phases, s.Phase)
		}
	}
	if err := r.do(rec); err != nil {
		t.Fatal(err)
	}
	r.shows(orders(0, 1000))
	s := rec.Stats()
	if s.Counts.Read != 1000 || s.Counts.Inserted != 1000 || s.Counts.Swept != 10 || s.Attempted != 1000 || s.Expected != 1000 || s.TotalFrom != "plan" {
		t.Errorf("%+v", s)
	}
	if got := strings.Join(phases, ", "); got != "plan, read, publish, build key, done" {
		t.Errorf("phases: %s", got)
	}
	if len(s.Parts) != 4 || !s.Parts[3].Done || s.Parts[3].State != syncline.TaskSucceeded {
		t.Errorf("parts: %+v", s.Parts)
	}
	if !strings.HasPrefix(s.Path, "arrow: no raw format in common") {
		t.Errorf("path %q", s.Path)
	}
	if where := rec.Task().Where; where != "shelf db.orders" {
		t.Errorf("landed in %q", where)
	}
	r.hasNote(rec, "db.orders → db.orders: full, replace; key id; 4 parts; arrow")
}

func TestNothingToRead(t *testing.T) {
	r := setup(t, 0, func(r *rig) { r.from.noTotal = true })
	rec := r.load()
	r.shows(nil)
	if s := rec.Stats(); s.Counts.Read != 0 || s.Expected != 0 || s.TotalFrom != "memory" {
		t.Errorf("%+v", s)
	}
}

func TestIncrementalStartsAtTheMark(t *testing.T) {
	zero := time.Duration(0)
	r := setup(t, 100, func(r *rig) {
		r.entity.Mode, r.entity.Cursor, r.entity.Overlap = syncline.ModeIncremental, "at", &zero
	})
	r.load()
	all := append(orders(0, 100), row{100, "tied", 99e6}, row{101, "new", 101e6})
	all[50].Name = "changed behind the cursor's back"
	r.from.tables["db.orders"] = all
	rec := r.load()
	if c := rec.Stats().Counts; c.Read != 3 || c.Inserted != 2 || c.Unchanged != 1 {
		t.Errorf("%+v", c)
	}
	all = slices.Clone(all)
	all[50].Name = "order 50"
	r.shows(all)
	r.hasNote(rec, "incremental by at, upsert")

	delete(r.to.tables, "db.orders") // a dropped target is refilled
	if c := r.load().Stats().Counts; c.Read != 102 {
		t.Errorf("after the target was dropped: %+v", c)
	}
}

func TestOverlapCatchesLateRows(t *testing.T) {
	r := setup(t, 1000, func(r *rig) { r.entity.Mode, r.entity.Cursor = syncline.ModeIncremental, "at" })
	r.load()
	late := row{2000, "committed late", 800e6}
	r.from.tables["db.orders"] = append(orders(0, 1000), late)
	rec := r.load()
	if c := rec.Stats().Counts; c.Read != 302 || c.Inserted != 1 || c.Unchanged != 301 {
		t.Errorf("five minutes are read again: %+v", c)
	}
	r.shows(append(orders(0, 1000), late))
}

func TestAppendReadsStrictlyAfterTheMark(t *testing.T) {
	r := setup(t, 100, func(r *rig) {
		r.entity.Mode, r.entity.Cursor, r.entity.Write = syncline.ModeIncremental, "at", syncline.Append
	})
	r.load()
	r.from.tables["db.orders"] = orders(0, 120)
	if c := r.load().Stats().Counts; c.Read != 20 || c.Inserted != 20 {
		t.Errorf("%+v", c)
	}
	if q := r.from.query; !q.Tail || q.Overlap != 0 {
		t.Errorf("tail %t, overlap %s", q.Tail, q.Overlap)
	}
	r.shows(orders(0, 120))
}

func TestFullAndIncrementalAlternate(t *testing.T) {
	zero := time.Duration(0)
	r := setup(t, 100, func(r *rig) { r.entity.Cursor, r.entity.Overlap = "at", &zero })
	r.load()
	r.entity.Mode = syncline.ModeIncremental
	r.from.tables["db.orders"] = orders(0, 110)
	if c := r.load().Stats().Counts; c.Read != 11 {
		t.Errorf("the full load's mark was not used: %+v", c)
	}
}

func TestAnotherCursorHasNoMark(t *testing.T) {
	r := setup(t, 100, func(r *rig) { r.entity.Mode, r.entity.Cursor = syncline.ModeIncremental, "at" })
	r.load()
	r.entity.Cursor = "id"
	rec := r.load()
	if c := rec.Stats().Counts; c.Read != 100 {
		t.Errorf("a mark of another cursor was used: %+v", c)
	}
	r.hasNote(rec, "the first time in full by id")
}

func TestAWindowLeavesTheMark(t *testing.T) {
	zero := time.Duration(0)
	r := setup(t, 100, func(r *rig) {
		r.entity.Mode, r.entity.Cursor, r.entity.Overlap = syncline.ModeIncremental, "at", &zero
	})
	r.load()
	r.from.tables["db.orders"] = orders(0, 120)
	r.from.tables["db.orders"][20].Name = "mended"
	rec := r.begin()
	rec.Run.Window = &syncline.Window{From: time.UnixMicro(10e6), To: time.UnixMicro(30e6)}
	if err := r.do(rec); err != nil {
		t.Fatal(err)
	}
	if c := rec.Stats().Counts; c.Read != 20 || c.Inserted != 20 || c.Swept != 0 {
		t.Errorf("%+v", c)
	}
	want := orders(0, 100)
	want[20].Name = "mended"
	r.shows(want)
	if c := r.load().Stats().Counts; c.Read != 21 {
		t.Errorf("the mark moved: the next run read %d rows", c.Read)
	}
}

// What is ordinarily appended is replaced within a window too, and rows of other times that
// have the same key stay.
func TestAWindowOfAppendedRows(t *testing.T) {
	r := setup(t, 100, func(r *rig) {
		r.entity.Mode, r.entity.Cursor, r.entity.Write = syncline.ModeIncremental, "at", syncline.Append
	})
	r.load()
	r.from.tables["db.orders"] = append(orders(0, 100), row{20, "a later version", 25e6})
	rec := r.begin()
	rec.Run.Window = &syncline.Window{From: time.UnixMicro(25e6), To: time.UnixMicro(30e6)}
	if err := r.do(rec); err != nil {
		t.Fatal(err)
	}
	if c := rec.Stats().Counts; c.Read != 6 || c.Swept != 0 {
		t.Errorf("%+v", c)
	}
	if n := len(r.to.tables["db.orders"]); n != 101 {
		t.Errorf("%d rows are there, want 101", n)
	}
	r.hasNote(rec, "is appended again by the next incremental run")
	if c := r.load().Stats().Counts; c.Read != 0 {
		t.Errorf("the mark moved: the next run read %d rows", c.Read)
	}
}

func TestTypesAndKeyOfThePipeline(t *testing.T) {
	r := setup(t, 10, func(r *rig) {
		r.entity.Key = []string{"name"}
		r.entity.Types = map[string]string{"at": "timestamp", "id": "bigint"}
		r.from.formats, r.to.accepts = []rows.Format{rows.PGCopy}, []rows.Format{rows.PGCopy}
	})
	rec := r.load()
	if path := rec.Stats().Path; path != "arrow: the pipeline gives the type of at, id" {
		t.Errorf("path %q", path)
	}
	r.hasNote(rec, "key name")
}

func TestRejectsAreKeptAndTheRestGoesOn(t *testing.T) {
	r := setup(t, 500, func(r *rig) {
		r.from.parts = 2
		r.from.bad, r.to.refused = map[int64]bool{7: true, 300: true}, map[int64]bool{8: true}
	})
	rec := r.load()
	c := rec.Stats().Counts
	if c.Read != 500 || c.Inserted != 497 || c.Rejected != 3 {
		t.Errorf("%+v", c)
	}
	got := map[string]string{}
	for _, bad := range rec.Rejects() {
		got[bad.Key] = bad.Part + " " + bad.Code
	}
	if len(got) != 3 || got["7"] != "0 malformed" || got["8"] != "0 out_of_range" || got["300"] != "1 malformed" {
		t.Errorf("%v", got)
	}
	want := slices.DeleteFunc(orders(0, 500), func(o row) bool { return o.ID == 7 || o.ID == 8 || o.ID == 300 })
	r.shows(want)
}

func TestTooManyRejectsStopBeforeTheCheckpoint(t *testing.T) {
	tests := map[string]struct {
		rows   int
		bad    func(id int64) bool
		says   string
		kept   int
		passed int64 // the failing batch begins here
	}{
		"in a row": {200, func(id int64) bool { return id >= 45 && id < 60 }, "more than 10 rows in a row", 11, 50},
		"dense":    {400, func(id int64) bool { return id >= 100 && id%6 == 0 }, "more than 15 of 100 rows", 16, 190},
		"in all":   {9000, func(id int64) bool { return id%8 == 0 }, "more than 1000 rows", 1001, 8000},
	}
	for name, test := range tests {
		for _, end := range []string{"source", "destination"} {
			t.Run(name+" by the "+end, func(t *testing.T) {
				bad := map[int64]bool{}
				for id := range int64(test.rows) {
					if test.bad(id) {
						bad[id] = true
					}
				}
				r := setup(t, test.rows, func(r *rig) {
					r.from.bad = bad
					if end == "destination" {
						r.from.bad, r.to.refused = nil, bad
					}
				})
				rec := r.begin()
				e := r.coded(r.do(rec), syncline.FailedPrecondition, "too_many_rejects", test.says)
				if e.Retryable || e.Class != syncline.ClassData || e.Hint != "list them: syncline runs rejects run-1" {
					t.Errorf("%+v", e)
				}
				if n := len(rec.Rejects()); n != test.kept {
					t.Errorf("%d rejects were kept, want %d", n, test.kept)
				}
				at := r.to.streams["pipeline-1/db.orders"].parts["0"]
				if got := at.Counts.Read; got != test.passed {
					t.Errorf("the checkpoint is at row %d, the failing batch begins at %d", got, test.passed)
				}
			})
		}
	}
}

func TestRejectsOfEarlierAttemptsCount(t *testing.T) {
	bad := map[int64]bool{}
	for id := range int64(9000) {
		bad[id] = id%8 == 0
	}
	r := setup(t, 9000, func(r *rig) { r.from.bad = bad })
	n := 0
	r.to.fault = func(step string) error {
		if n++; step == "commit" && n > 900 {
			return errors.New("gone")
		}
		return nil
	}
	rec := r.begin()
	if r.do(rec) == nil {
		t.Fatal("the fault did not strike")
	}
	before := len(rec.Rejects())
	r.to.fault = nil
	r.coded(r.do(rec), syncline.FailedPrecondition, "too_many_rejects", "more than 1000 rows")
	if n := len(rec.Rejects()); before == 0 || n != 1001 {
		t.Errorf("%d rejects after the first attempt, %d after the second", before, n)
	}
}
