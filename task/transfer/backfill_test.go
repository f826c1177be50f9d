package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/task/tasktest"
)

// day is the n-th of May, as a window.
func day(n int) *syncline.Window {
	from := time.Date(2024, 5, n, 0, 0, 0, 0, time.UTC)
	return &syncline.Window{From: from, To: from.Add(24 * time.Hour)}
}

// fiveDays puts ten rows a day there; those of midnight are the day's own.
func (s *story) fiveDays() {
	s.Helper()
	for n := range 50 {
		s.src.exec(fmt.Sprintf("insert into events values (%d, 'd%d', '2024-05-%02d %02d:00:00')", n, 1+n/10, 1+n/10, n%10*2))
	}
}

// backfill begins a run of a window.
func (s *story) backfill(w *syncline.Window) *tasktest.Recorder {
	s.Helper()
	rec := s.begin()
	rec.Run.Window = w
	return rec
}

func (s *story) rewrite(w *syncline.Window) syncline.Counts {
	s.Helper()
	rec := s.backfill(w)
	if err := rec.Do(s.Context(), s.kind); err != nil {
		s.Fatal(err)
	}
	c := rec.Stats().Counts
	if !c.Balanced() {
		s.Errorf("the books do not balance: %+v", c)
	}
	return c
}

// days compares how many rows of each name there are, such as "d1:10".
func (s *story) days(want string) {
	s.Helper()
	if got := s.dst.lines("select name || ':' || count(*) from events group by name"); got != want {
		s.Errorf("there are %q, want %q", got, want)
	}
}

// at is a time of the target in the form that both databases keep it in.
func (s *story) at(id int) string {
	s.Helper()
	return strings.ReplaceAll(s.dst.lines(fmt.Sprintf("select replace(cast(at as text), ' ', 'T') from events where id = %d", id)), "T", " ")[:19]
}

// ordinary are the ways in which entities are written when there is no window.
var ordinary = map[string]syncline.EntitySpec{
	"replace": {Name: "*events", Cursor: "at"},
	"upsert":  {Name: "*events", Cursor: "at", Mode: syncline.ModeIncremental, Write: syncline.Upsert},
	"append":  {Name: "*events", Cursor: "id", Mode: syncline.ModeIncremental, Write: syncline.Append},
}

// Exactly the windows are rewritten: what was changed by hand in them comes right, what was
// changed outside of them stays.
func TestBackfillStory(t *testing.T) {
	for write, e := range ordinary {
		if write == "append" {
			e.Mode, e.Cursor = syncline.ModeFull, "at"
		}
		t.Run(write, func(t *testing.T) {
			tell(t, e, func(s *story) {
				s.fiveDays()
				s.run()
				s.days("d1:10 d2:10 d3:10 d4:10 d5:10")
				s.dst.exec("update events set name = 'hand' where id between 0 and 9 or id between 20 and 22")
				s.dst.exec("delete from events where id = 23")
				s.src.exec("delete from events where id = 24")
				s.dst.exec("insert into events values (99, 'hand', '2024-05-04T23:59:59')")

				if c := s.rewrite(day(4)); c.Read != 10 || c.Swept != 1 {
					s.Errorf("day 4: %+v", c)
				}
				c := s.rewrite(day(3))
				keyed := syncline.Counts{Read: 9, Inserted: 1, Updated: 3, Unchanged: 5, Swept: 1, Bytes: c.Bytes, Requests: c.Requests}
				if unkeyed := write == "append" && strings.HasPrefix(s.dst.url, "postgres"); !unkeyed && c != keyed {
					s.Errorf("day 3: %+v, want %+v", c, keyed)
				} else if unkeyed && (c.Inserted != 9 || c.Swept != 0) {
					s.Errorf("day 3: %+v", c)
				}
				if c := s.rewrite(day(2)); c.Read != 10 || c.Swept != 0 || c.Updated != 0 {
					s.Errorf("day 2: %+v", c)
				}
				s.days("d2:10 d3:9 d4:10 d5:10 hand:10")
			})
		})
	}
}

// A row whose key stands outside the window moves in; one that has left it at the source
// goes, and is there again with the window it has moved to.
func TestBackfillOfRowsThatMove(t *testing.T) {
	for _, write := range []string{"replace", "upsert"} {
		t.Run(write, func(t *testing.T) {
			tell(t, ordinary[write], func(s *story) {
				s.fiveDays()
				s.run()
				s.src.exec("update events set at = '2024-05-05 20:00:00' where id = 3") // from day 1
				s.src.exec("update events set at = '2024-05-01 21:00:00' where id = 44")
				if c := s.rewrite(day(5)); c.Read != 10 || c.Updated != 1 || c.Unchanged != 9 || c.Inserted != 0 || c.Swept != 1 {
					s.Errorf("day 5: %+v", c)
				}
				s.days("d1:10 d2:10 d3:10 d4:10 d5:9")
				if got := s.at(3); got != "2024-05-05 20:00:00" {
					s.Errorf("row 3 is of %s", got)
				}
				if c := s.rewrite(day(1)); c.Read != 10 || c.Inserted != 1 || c.Unchanged != 9 || c.Swept != 0 {
					s.Errorf("day 1: %+v", c)
				}
				s.days("d1:10 d2:10 d3:10 d4:10 d5:10")
			})
		})
	}
}

// A table of versions keeps those of other times.
func TestBackfillOfVersions(t *testing.T) {
	s := &story{T: t, src: postgresDatabase(t), dst: postgresDatabase(t), kind: realKind(t)}
	s.src.exec("create table events (id integer primary key, name text, at timestamp not null)")
	s.def = ends(t, s.src.url, s.dst.url, syncline.EntitySpec{Name: "*events", Cursor: "at", Write: syncline.Append})
	s.fiveDays()
	s.run()
	s.src.exec("update events set name = 'moved', at = '2024-05-02 03:00:00' where id = 3")
	if c := s.rewrite(day(2)); c.Read != 11 || c.Inserted != 11 {
		s.Errorf("%+v", c)
	}
	s.days("d1:10 d2:10 d3:10 d4:10 d5:10 moved:1")

	s.dst.exec("create unique index on events (name, at)")
	s.dst.exec("update events set name = 'moved', at = '2024-05-03 03:00:00' where id = 7")
	s.src.exec("update events set at = '2024-05-02 03:00:00' where id = 13")
	s.src.exec("update events set name = 'd2' where id = 3")
	rec := s.backfill(day(2))
	err := rec.Do(s.Context(), s.kind)
	if syncline.CodeOf(err) != syncline.FailedPrecondition || !strings.Contains(err.Error(), "break the unique index events_name_at_idx") {
		s.Errorf("two rows with one unique value: %v", err)
	}
	s.days("d1:9 d2:10 d3:10 d4:10 d5:10 moved:2")
}

// An unkeyed target still holds a key once.
func TestBackfillIntoATableWithoutItsKey(t *testing.T) {
	s := &story{T: t, src: postgresDatabase(t), dst: postgresDatabase(t), kind: realKind(t)}
	s.src.exec("create table events (id integer primary key, name text, at timestamp not null)")
	s.dst.exec("create table events (id integer, name text, at timestamp); insert into events values (3, 'old', '2024-05-04 00:00:00'), (4, 'old', null)")
	s.def = ends(t, s.src.url, s.dst.url, syncline.EntitySpec{Name: "*events", Cursor: "at"})
	s.fiveDays()
	s.rewrite(day(1))
	s.days("d1:10")
}

// A window moves no mark, and what it brings is not lost to the next incremental run.
func TestBackfillLeavesTheMark(t *testing.T) {
	tell(t, ordinary["upsert"], func(s *story) {
		s.fiveDays()
		s.run()
		s.add(60, "new", 10) // of the first of May, behind the mark
		s.src.exec("insert into events values (61, 'newest', '2024-05-06 10:00:00')")
		s.rewrite(day(1))
		s.rewrite(day(6))
		if c := s.run(); c.Read != 2 || c.Inserted != 0 || c.Unchanged != 2 { // the last one before, and the newest
			s.Errorf("the next incremental run: %+v", c)
		}
		s.days("d1:10 d2:10 d3:10 d4:10 d5:10 new:1 newest:1")
	})
}

// A window that is interrupted anywhere shows nothing of itself, and is gone on with.
func TestBackfillInterrupted(t *testing.T) {
	tell(t, ordinary["upsert"], func(s *story) {
		s.fiveDays()
		s.run()
		s.dst.exec("update events set name = 'hand' where id between 20 and 29")
		for at := 1; ; at++ {
			rec := s.backfill(day(3))
			ctx, stop := context.WithCancel(s.Context())
			rec.Held = func() error {
				if rec.Asked() == at {
					stop()
				}
				return nil
			}
			err := rec.Do(ctx, s.kind)
			stop()
			if err == nil && at > 2 {
				break // it was over before
			}
			if !errors.Is(err, context.Canceled) {
				s.Fatalf("interrupted at %d: %v", at, err)
			}
			s.days("d1:10 d2:10 d4:10 d5:10 hand:10")
			rec.Held = nil
			if err := rec.Do(s.Context(), s.kind); err != nil {
				s.Fatal(err)
			}
			if c := rec.Stats().Counts; c.Read != 10 || c.Updated != 10 {
				s.Errorf("interrupted at %d: %+v", at, c)
			}
			s.days("d1:10 d2:10 d3:10 d4:10 d5:10")
			s.dst.exec("update events set name = 'hand' where id between 20 and 29")
		}
	})
}

// A day that is empty at the source and not at the target looks like an accident.
func TestBackfillOfAnEmptyDayWaits(t *testing.T) {
	tell(t, ordinary["upsert"], func(s *story) {
		s.fiveDays()
		s.run()
		s.src.exec("delete from events where id between 10 and 19")
		err := s.backfill(day(2)).Do(s.Context(), s.kind)
		if err == nil || !strings.Contains(err.Error(), string(syncline.WaitMassDelete)) && !strings.Contains(err.Error(), "10 of 10 rows") {
			s.Fatal(err)
		}
		s.days("d1:10 d2:10 d3:10 d4:10 d5:10")
		rec := s.backfill(day(2))
		rec.Run.Facts.Confirmed = []syncline.Wait{syncline.WaitMassDelete}
		if err := rec.Do(s.Context(), s.kind); err != nil {
			s.Fatal(err)
		}
		s.days("d1:10 d3:10 d4:10 d5:10")
	})
}

// A target without the cursor's column has no stretches, whether the column is to be added
// or left out; that is said before a row is read.
func TestBackfillIsRefused(t *testing.T) {
	for to, open := range databases {
		for _, columns := range []syncline.Columns{syncline.ColumnsAdd, syncline.ColumnsIgnore} {
			t.Run(to+" "+string(columns), func(t *testing.T) {
				s := &story{T: t, src: sqliteDatabase(t), dst: open(t), kind: realKind(t)}
				s.src.exec("create table events (id integer primary key, name text, at timestamp not null)")
				s.dst.exec("create table events (id integer primary key, name text)")
				s.def = ends(t, s.src.url, s.dst.url, syncline.EntitySpec{Name: "events", Cursor: "at", Columns: columns})
				refused(s, `no column "at"`, "")
			})
		}
	}
}

func TestBackfillOfFilesIsRefused(t *testing.T) {
	s := &story{T: t, src: postgresDatabase(t), kind: realKind(t)}
	s.src.exec("create table events (id integer primary key, name text, at timestamp not null)")
	s.def = ends(t, s.src.url, filepath.Join(t.TempDir(), "out.csv"), ordinary["replace"])
	s.fiveDays()
	refused(s, "a stretch of the file", "window")
}

func refused(s *story, says, field string) {
	s.Helper()
	rec := s.backfill(day(1))
	err := rec.Do(s.Context(), s.kind)
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok || !strings.Contains(e.Message, says) || e.Field != field || e.Hint == "" || e.Class != syncline.ClassConfig {
		s.Errorf("got %+v, want one that says %q of %q", err, says, field)
	}
	if c := rec.Stats().Counts; c.Read != 0 {
		s.Errorf("rows were read: %+v", c)
	}
}
