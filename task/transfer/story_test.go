package transfer_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/task"
	"github.com/synclinehq/syncline/task/tasktest"
)

// story is a database with one table, events, on its way into another database.
type story struct {
	*testing.T
	src, dst database
	kind     task.Kind
	def      syncline.Definition
	runs     int
}

// database is looked at and changed as anybody else would.
type database struct {
	url   string
	exec  func(statement string)
	lines func(query string) string
}

func postgresDatabase(t *testing.T) database {
	o := openPostgres(t)
	c := connect(t, o.url)
	return database{
		o.url,
		func(s string) {
			t.Helper()
			if _, err := c.Exec(t.Context(), s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		},
		func(q string) string {
			t.Helper()
			var all *string
			if err := c.QueryRow(t.Context(), "select string_agg(l::text, ' ' order by l) from ("+q+") q(l)").Scan(&all); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
			return deref(all)
		},
	}
}

func sqliteDatabase(t *testing.T) database {
	o := openSQLite(t)
	db, err := sql.Open("sqlite", strings.TrimPrefix(o.url, "sqlite://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return database{
		o.url,
		func(s string) {
			t.Helper()
			if _, err := db.Exec(s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		},
		func(q string) string {
			t.Helper()
			var all *string
			if err := db.QueryRow("with q(l) as (" + q + ") select group_concat(l, ' ') from (select l from q order by l)").Scan(&all); err != nil {
				t.Fatalf("%s: %v", q, err)
			}
			return deref(all)
		},
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

var databases = map[string]func(*testing.T) database{"postgres": postgresDatabase, "sqlite": sqliteDatabase}

// tell runs a story between every pair of databases.
func tell(t *testing.T, e syncline.EntitySpec, story_ func(*story)) {
	for from, open := range databases {
		for to, openTarget := range databases {
			t.Run(from+" to "+to, func(t *testing.T) {
				s := &story{T: t, src: open(t), dst: openTarget(t), kind: realKind(t)}
				s.src.exec("create table events (id integer primary key, name text, at timestamp not null)")
				s.def = ends(t, s.src.url, s.dst.url, e)
				story_(s)
			})
		}
	}
}

func (s *story) add(id int, name string, minute int) {
	s.Helper()
	s.src.exec(fmt.Sprintf("insert into events values (%d, '%s', '2024-05-01 %02d:%02d:00')", id, name, minute/60, minute%60))
}

// many adds rows from to to, an hour of them.
func (s *story) many(from, to int) {
	s.Helper()
	s.src.exec(fmt.Sprintf("insert into events with recursive n(i) as (select %d union all select i+1 from n where i < %d) select i, 'e', '2024-05-01 00:00:00' from n", from, to-1))
}

func (s *story) begin() *tasktest.Recorder {
	s.Helper()
	tasks, err := s.kind.Plan(s.Context(), s.def, "")
	if err != nil || len(tasks) != 1 {
		s.Fatalf("planned %v: %v", tasks, err)
	}
	s.runs++
	id := fmt.Sprintf("run-%d", s.runs)
	return tasktest.NewRecorder(s, syncline.Run{ID: id, Load: id, PipelineID: "p", Token: int64(s.runs) * 100}, s.def, tasks[0])
}

func (s *story) run() syncline.Counts {
	s.Helper()
	rec := s.begin()
	if err := rec.Do(s.Context(), s.kind); err != nil {
		s.Fatal(err)
	}
	return rec.Stats().Counts
}

// there compares names in the target.
func (s *story) there(want string) {
	s.Helper()
	if got := s.dst.lines("select name from events"); got != want {
		s.Errorf("there are %q, want %q", got, want)
	}
}

func TestIncrementalStory(t *testing.T) {
	tell(t, syncline.EntitySpec{Name: "*events", Mode: syncline.ModeIncremental, Cursor: "at"}, func(s *story) {
		s.add(1, "a", 10)
		s.add(2, "b", 20)
		s.run()
		s.there("a b")

		s.add(3, "tied", 20)
		s.add(4, "late", 17) // committed after the mark was fixed, inside the overlap
		s.add(5, "new", 30)
		s.src.exec("update events set name = 'changed', at = '2024-05-01 00:29:00' where id = 1")
		if c := s.run(); c.Read != 5 || c.Inserted != 3 || c.Updated != 1 || c.Unchanged != 1 {
			s.Errorf("%+v", c)
		}
		s.there("b changed late new tied")

		rec := s.begin() // nothing new, and interrupted before it is sealed
		ctx, stop := context.WithCancel(s.Context())
		rec.Held = func() error {
			if rec.Asked() == 3 {
				stop()
			}
			return nil
		}
		if err := rec.Do(ctx, s.kind); !errors.Is(err, context.Canceled) {
			s.Fatal(err)
		}
		rec.Held = nil
		s.add(6, "newest", 40)
		if err := rec.Do(s.Context(), s.kind); err != nil {
			s.Fatal(err)
		}
		s.run() // what came between the two attempts
		s.there("b changed late new newest tied")

		s.dst.exec("drop table events")
		if c := s.run(); c.Read != 6 || c.Inserted != 6 {
			s.Errorf("a dropped target was not refilled: %+v", c)
		}
		s.there("b changed late new newest tied")
	})
}

func TestMassDeleteStory(t *testing.T) {
	tell(t, syncline.EntitySpec{Name: "*events"}, func(s *story) {
		s.many(0, 3000)
		s.run()
		s.src.exec("delete from events where id >= 100")
		rec := s.begin()
		var wait *task.Suspend
		if err := rec.Do(s.Context(), s.kind); !errors.As(err, &wait) || wait.Wait != syncline.WaitMassDelete {
			s.Fatalf("%v", err)
		}
		if n := s.dst.lines("select count(*) from events"); n != "3000" {
			s.Errorf("%s rows are left without a word from anybody", n)
		}
		rec.Run.Facts.Confirmed = []syncline.Wait{syncline.WaitMassDelete}
		if err := rec.Do(s.Context(), s.kind); err != nil {
			s.Fatal(err)
		}
		if c := rec.Stats().Counts; c.Swept != 2900 || c.Inserted != 100 || rec.Stats().Attempted != 0 {
			s.Errorf("%+v", rec.Stats())
		}
		if n := s.dst.lines("select count(*) from events"); n != "100" {
			s.Errorf("%s rows are left", n)
		}
	})
}

func TestStagedRowDeletedByHand(t *testing.T) {
	stages := map[string]string{
		"postgres": "select format('%I.%I', schemaname, tablename) from pg_tables where tablename like '\\_syncline\\_stage%'",
		"sqlite":   "select name from sqlite_master where type = 'table' and name like '\\_syncline\\_stage%' escape '\\'",
	}
	tell(t, syncline.EntitySpec{Name: "*events"}, func(s *story) {
		s.many(0, 50)
		s.run()
		s.many(50, 100)
		rec := s.begin()
		ctx, stop := context.WithCancel(s.Context())
		rec.Held = func() error {
			if rec.Asked() == 4 { // all is staged, and then Publish would come
				stop()
			}
			return nil
		}
		if err := rec.Do(ctx, s.kind); !errors.Is(err, context.Canceled) || rec.Stats().Counts.Read != 100 {
			s.Fatalf("%v after %+v", err, rec.Stats())
		}
		rec.Held = nil
		kind := "sqlite"
		if strings.HasPrefix(s.dst.url, "postgres") {
			kind = "postgres"
		}
		stage := s.dst.lines(stages[kind])
		s.dst.exec("delete from " + stage + " where id = 70")
		var e *syncline.Error
		if err := rec.Do(s.Context(), s.kind); !errors.As(err, &e) || e.Reason != "unbalanced" || e.Retryable {
			s.Errorf("%v", err)
		}
		if n := s.dst.lines("select count(*) from events"); n != "50" {
			s.Errorf("%s rows are in the target, it had 50", n)
		}
	})
}

func TestSchemaStory(t *testing.T) {
	tell(t, syncline.EntitySpec{Name: "*events", Write: syncline.Upsert}, func(s *story) {
		s.add(1, "a", 1)
		s.run()
		s.src.exec("alter table events add column more text")
		s.src.exec("update events set more = 'm'")
		s.run()
		if got := s.dst.lines("select more from events"); got != "m" {
			s.Errorf("the new column holds %q", got)
		}
		s.src.exec("alter table events add column id2 integer")
		s.dst.exec("alter table events add column id2 timestamp")
		rec := s.begin()
		var wait *task.Suspend
		if err := rec.Do(s.Context(), s.kind); !errors.As(err, &wait) || wait.Wait != syncline.WaitSchemaChange || !strings.Contains(wait.Err.Message, `"id2"`) {
			s.Fatalf("%v", err)
		}
		s.src.exec("alter table events drop column id2")
		s.src.exec("alter table events add column id2 timestamp")
		if err := rec.Do(s.Context(), s.kind); err != nil {
			s.Fatal(err)
		}
	})
}
