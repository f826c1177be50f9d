package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// load is one load into a place.
type load struct {
	t       *testing.T
	target  destination.Target
	batches [][][]string // of rows, as text; "∅" is NULL
	noNext  bool         // only the last batch has a position
	rejects []rows.Reject
}

var people = []arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
}

func newLoad(t *testing.T, name string, write syncline.Disposition, batches ...[][]string) *load {
	l := &load{t: t, batches: batches}
	l.target = destination.Target{
		Entity: source.Entity{Name: "people", Schema: arrow.NewSchema(people, nil), Key: []string{"id"}}, Table: "people",
		Load: name, Fence: destination.Fence{Stream: "p/people", Token: time.Now().UnixMicro()}, Format: rows.Arrow,
		Mode: syncline.ModeFull, Disposition: write, Parallel: 1,
		Keep: func(_ context.Context, _ string, r []rows.Reject) error {
			l.rejects = append(l.rejects, r...)
			return nil
		},
		Note: func(_ syncline.Severity, format string, args ...any) { t.Logf(format, args...) },
	}
	return l
}

func (l *load) run(p *place) (destination.Published, error) {
	l.t.Helper()
	d := p.Open(l.t)
	defer func() { must(l.t, d.Close()) }()
	ctx, stop := context.WithTimeout(l.t.Context(), time.Minute)
	defer stop()
	w, err := d.Open(ctx, l.target)
	if err != nil {
		return destination.Published{}, err
	}
	defer func() { must(l.t, w.Close()) }()
	if _, err := w.Takeover(ctx); err != nil {
		return destination.Published{}, err
	}
	lane, err := w.Part(ctx, "0", l.target.Fence.Token)
	if err != nil {
		return destination.Published{}, err
	}
	defer func() { must(l.t, lane.Close()) }()
	at, err := l.write(ctx, lane)
	if err != nil {
		return destination.Published{}, err
	}
	return w.Publish(ctx, nil, at.Counts, nil)
}

func (l *load) write(ctx context.Context, lane destination.Lane) (rows.Position, error) {
	first := int64(0)
	for i, batch := range l.batches {
		b := l.batch(batch)
		b.First = first
		first += b.Rows
		if !l.noNext || i == len(l.batches)-1 {
			b.Next = []byte(fmt.Sprint(first))
		}
		if _, err := lane.Write(ctx, b); err != nil {
			return rows.Position{}, err
		}
		b.Release()
	}
	return lane.Finish(ctx)
}

func (l *load) batch(all [][]string) rows.Batch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, l.target.Entity.Schema)
	defer b.Release()
	for _, row := range all {
		for i, f := range l.target.Entity.Schema.Fields() {
			if row[i] == "∅" {
				b.Field(i).AppendNull()
			} else {
				must(l.t, text.Parse(b.Field(i), f, row[i]))
			}
		}
	}
	rec := b.NewRecordBatch()
	return rows.Batch{Format: rows.Arrow, Record: rec, Rows: int64(len(all)), Bytes: 1, Requests: 1, Release: rec.Release}
}

// must0 runs a load that has to succeed.
func (l *load) ok(p *place) destination.Published {
	l.t.Helper()
	out, err := l.run(p)
	must(l.t, err)
	return out
}

// query draws what a statement gives, a row a line.
func (p *place) query(t *testing.T, sql string) (lines []string) {
	t.Helper()
	p.conn(t, func(c *sqlitefile.Conn) {
		must(t, c.Each(func(s *sqlitefile.Stmt) error {
			var line []string
			for i := range s.Columns() {
				line = append(line, shown(s, i))
			}
			lines = append(lines, strings.Join(line, "|"))
			return nil
		}, sql))
	})
	return lines
}

func (p *place) expect(t *testing.T, sql string, want ...string) {
	t.Helper()
	if got := p.query(t, sql); !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", sql, got, want)
	}
}

// What hangs on a table stays with it: views and triggers, references, and in any case its
// rules, its defaults and its indexes.
func TestReplaceKeepsWhatHangsOnTheTable(t *testing.T) {
	t.Parallel()
	const table = `create table people (id integer primary key, name varchar(20) not null default 'nobody' check (name <> 'bad'), extra text default 'x', twice generated always as (id * 2));
		create index by_name on people (name) where name is not null;
		insert into people (id, name) values (1, 'one'), (2, 'two'), (3, 'three');`
	for what, more := range map[string]string{
		"alone":     "",
		"view":      "create view v as select name from people where id > 1;",
		"trigger":   "create table log (what); create trigger changed after update on people begin insert into log values ('updated ' || new.id); end; create trigger gone after delete on people begin insert into log values ('gone ' || old.id); end;",
		"reference": "create table child (p references people (id)); insert into child values (2);",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.exec(t, table+more)
			out := newLoad(t, "load-1", syncline.Replace, [][]string{{"2", "zwei"}, {"3", "three"}, {"4", "four"}}).ok(p)
			if out.Swept != 1 || out.Total != 3 || out.Counts.Inserted != 3 {
				t.Errorf("%+v", out)
			}
			extra := "x"
			p.expect(t, "select id, name, twice from people order by id", "2|zwei|4", "3|three|6", "4|four|8")
			p.expect(t, "select extra from people", extra, extra, extra)
			p.expect(t, "select name from sqlite_schema where type = 'index' and sql like '%where name is not null%'", "by_name")
			switch what {
			case "view":
				p.expect(t, "select name from v order by name", "four", "three", "zwei")
			case "trigger":
				p.expect(t, "select what from log order by what", "gone 1", "updated 2")
			case "reference":
				p.expect(t, "select p from child", "2")
				p.expect(t, "pragma foreign_key_check")
			}
			if left := p.Leftovers(t); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			p.expect(t, "pragma integrity_check", "ok")
		})
	}
}

// A table of any make takes rows.
func TestTablesOfOthers(t *testing.T) {
	t.Parallel()
	for what, table := range map[string]string{
		"without rowid":        "create table people (id integer, name text, primary key (id)) without rowid",
		"strict":               "create table people (id int primary key, name text) strict",
		"no key":               "create table people (id int, name text)",
		"key by an index":      "create table people (id int, name text); create unique index people_id on people (id)",
		"no types":             "create table people (id, name)",
		"quoted":               "create table [people](`id` integer primary key, 'name')",
		"names in other cases": "create table People (ID integer primary key, NAME text)",
		"as select":            "create table people as select 1 as id, 'x' as name",
		"autoincrement":        "create table people (id integer primary key autoincrement, name)",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for _, write := range []syncline.Disposition{syncline.Replace, syncline.Upsert} {
				p := newPlace(t)
				p.exec(t, table)
				for n := range 3 {
					l := newLoad(t, fmt.Sprint("load-", n), write, [][]string{{"1", fmt.Sprint("one ", n)}, {"2", "two"}, {"2", "again"}})
					l.target.Guard.Confirmed = true
					out := l.ok(p)
					if c := out.Counts; !c.Balanced() || c.Superseded != 1 {
						t.Errorf("%s: %+v", write, c)
					}
					if what != "as select" || write == syncline.Replace {
						p.expect(t, "select id, name from people order by id", fmt.Sprint("1|one ", n), "2|again")
					}
				}
				if left := p.Leftovers(t); len(left) > 0 {
					t.Errorf("%s: left behind: %q", write, left)
				}
				p.expect(t, "pragma integrity_check", "ok")
			}
		})
	}
}

// Rows that the table's own rules refuse are rejected one by one; the others arrive.
func TestRowsThatTheTableRefuses(t *testing.T) {
	t.Parallel()
	bad := [][]string{{"1", "good"}, {"2", "bad"}, {"3", "∅"}, {"4", "good 4"}, {"5", "good"}, {"-0", "good 0"}}
	for _, write := range []syncline.Disposition{syncline.Replace, syncline.Append, syncline.Upsert} {
		for _, noNext := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, late positions %v", write, noNext), func(t *testing.T) {
				t.Parallel()
				p := newPlace(t)
				p.exec(t, "create table people (id integer primary key, name text not null unique check (name <> 'bad'))")
				l := newLoad(t, "load-1", write, bad[:3], bad[3:])
				l.noNext = noNext
				out := l.ok(p)
				if c := out.Counts; c.Inserted != 3 || c.Rejected != 3 || !c.Balanced() {
					t.Errorf("%+v", c)
				}
				p.expect(t, "select id from people order by id", "0", "1", "4")
				var got []string
				for _, r := range l.rejects {
					got = append(got, fmt.Sprintf("%d %s %s", r.Row, r.Code, r.Key))
				}
				slices.Sort(got)
				if want := []string{"1 constraint 2", "2 null 3", "4 duplicate 5"}; !slices.Equal(got, want) {
					t.Errorf("rejects %q, want %q", got, want)
				}
				if r := l.rejects[0]; !strings.Contains(r.Message, "CHECK") || !strings.Contains(string(r.Sample), "name=bad") {
					t.Errorf("%s, %s", r.Message, r.Sample)
				}
			})
		}
	}
}

// Batches without a position hold no lock and become durable with a later one.
func TestRowsWaitWithoutALock(t *testing.T) {
	t.Parallel()
	for _, write := range []syncline.Disposition{syncline.Replace, syncline.Append, syncline.Upsert} {
		p := newPlace(t)
		l := newLoad(t, "load-1", write, [][]string{{"1", "a"}}, [][]string{{"2", "b"}}, [][]string{{"1", "c"}})
		d := p.Open(t)
		w, err := d.Open(t.Context(), l.target)
		must(t, err)
		_, err = w.Takeover(t.Context())
		must(t, err)
		lane, err := w.Part(t.Context(), "0", l.target.Fence.Token)
		must(t, err)
		b := l.batch(l.batches[0])
		at, err := lane.Write(t.Context(), b)
		must(t, err)
		if at.Counts.Read != 0 {
			t.Errorf("%s: counted before it is durable: %+v", write, at)
		}
		p.conn(t, func(c *sqlitefile.Conn) { // another program
			c.Patient(100 * time.Millisecond)
			must(t, c.Update(func() error { return c.Exec("create table theirs (a)") }))
		})
		must(t, lane.Close())
		must(t, w.Close())
		must(t, d.Close())

		l = newLoad(t, "load-1", write, l.batches...)
		l.noNext = true
		if write == syncline.Append {
			l.target.Entity.Key = nil
		}
		c := l.ok(p).Counts
		if c.Read != 3 || !c.Balanced() || write != syncline.Append && c.Superseded != 1 {
			t.Errorf("%s: %+v", write, c)
		}
	}
}

// Loads of several tables of one file go side by side.
func TestManyTablesAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var all sync.WaitGroup
	for n := range 6 {
		l := newLoad(t, "load-1", []syncline.Disposition{syncline.Replace, syncline.Append, syncline.Upsert}[n%3])
		l.target.Table = fmt.Sprint("people_", n)
		l.target.Fence.Stream = fmt.Sprint("p/people_", n)
		for b := range 20 {
			l.batches = append(l.batches, nil)
			for r := range 50 {
				l.batches[b] = append(l.batches[b], []string{fmt.Sprint(b*50 + r), "x"})
			}
		}
		all.Go(func() {
			if out, err := l.run(p); err != nil || out.Counts.Inserted != 1000 {
				t.Errorf("table %d: %+v %v", n, out, err)
			}
		})
	}
	all.Wait()
	for n := range 6 {
		p.expect(t, fmt.Sprint("select count(*), sum(id) from people_", n), "1000|499500")
	}
	if len(files.open) > 0 && files.open[sqlitefile.Settings{Path: p.path}] != nil {
		t.Error("the file is still held")
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, "create table t (a); create view people as select a as id, a as name from t; create table other (id integer primary key, name text, must text not null)")
	for what, change := range map[string]func(*destination.Target){
		"a view":              func(*destination.Target) {},
		"no key":              func(t *destination.Target) { t.Entity.Key = nil },
		"a key that is not":   func(t *destination.Target) { t.Entity.Key = []string{"nope"} },
		"a window by a name":  func(t *destination.Target) { t.Cursor, t.Window = "name", &syncline.Window{} },
		"a format":            func(t *destination.Target) { t.Format = rows.NDJSON },
		"a NUL in the name":   func(t *destination.Target) { t.Table = "a\x00b" },
		"a table of SQLite's": func(t *destination.Target) { t.Table = "sqlite_schema" },
	} {
		l := newLoad(t, "load-1", syncline.Upsert, [][]string{{"1", "x"}})
		if what != "a view" {
			l.target.Table = "fresh"
		}
		change(&l.target)
		_, err := l.run(p)
		if said, ok := errors.AsType[*syncline.Error](err); !ok || said.Message == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	l := newLoad(t, "load-1", syncline.Upsert, [][]string{{"1", "x"}})
	l.target.Table = "other"
	_, err := l.run(p)
	if change, ok := errors.AsType[*destination.SchemaChange](err); !ok || change.Column != "must" || change.Source != "" {
		t.Errorf("a column that must have a value: %v", err)
	}
}

func TestLands(t *testing.T) {
	t.Parallel()
	d := &Destination{}
	for entity, want := range map[string]string{
		"orders": "orders", "public.orders": "orders", "main.orders": "orders", "sales.orders": "sales_orders", "flights.csv": "flights",
		"flights.csv.gz": "flights", "in/2024/flights.jsonl.zst": "flights", "a.b.c": "a_b_c", "public.": "public_", ".csv": "_csv",
		"sqlite_x": "t_sqlite_x", "_syncline_x": "t__syncline_x", "Mixed Case": "mixed case", "Ünï": "Ünï",
	} {
		if got := d.Lands(entity); got != want {
			t.Errorf("%q lands in %q, want %q", entity, got, want)
		}
	}
}

// A row that is rejected is not gone: the sweep spares it, and spares all when it is not
// known which rows were rejected.
func TestSweepSparesRejectedRows(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		batch [][]string
		want  []string
		swept int64
	}{
		"by the table":   {[][]string{{"1", "a"}, {"2", "bad"}}, []string{"1|a|∅", "2|two|∅"}, 1},
		"for its value":  {[][]string{{"1", "a"}, {"2", "-0"}}, []string{"1|a|∅", "2|two|∅"}, 1},
		"without a key":  {[][]string{{"1", "a"}, {"∅", "b"}}, []string{"1|a|∅", "2|two|∅", "3|three|∅"}, 0},
		"nothing is bad": {[][]string{{"1", "a"}, {"4", "d"}}, []string{"1|a|∅", "4|d|∅"}, 2},
	} {
		for _, noNext := range []bool{false, true} {
			p := newPlace(t)
			p.exec(t, "create table people (id integer primary key, name text check (name <> 'bad'), f real); insert into people (id, name) values (1, 'one'), (2, 'two'), (3, 'three')")
			l := newLoad(t, "load-1", syncline.Upsert)
			fields := append(slices.Clone(people), arrow.Field{Name: "f", Type: arrow.PrimitiveTypes.Float64, Nullable: true})
			fields[0].Nullable = true
			l.target.Entity.Schema, l.target.Deletes, l.noNext = arrow.NewSchema(fields, nil), syncline.DeletesHard, noNext
			for _, row := range c.batch {
				f := "∅"
				if row[1] == "-0" {
					f = "-0"
				}
				l.batches = append(l.batches, [][]string{{row[0], row[1], f}})
			}
			out := l.ok(p)
			got := p.query(t, "select id, name, ifnull(f, '∅') from people order by id")
			if !slices.Equal(got, c.want) || out.Swept != c.swept || !out.Counts.Balanced() {
				t.Errorf("%s: %q, want %q; %+v", what, got, c.want, out)
			}
			if left := p.Leftovers(t); len(left) > 0 {
				t.Errorf("%s: left behind: %q", what, left)
			}
		}
	}
}

// A table that keeps its place is declared wider where it stands.
func TestWidenInPlace(t *testing.T) {
	t.Parallel()
	narrow := []arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int32},
		{Name: "n", Type: arrow.PrimitiveTypes.Int16},
		{Name: "price", Type: &arrow.Decimal128Type{Precision: 5, Scale: 2}, Nullable: true},
		{Name: "f", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
	}
	wide := []arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "n", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "price", Type: &arrow.Decimal256Type{Precision: 60, Scale: 4}, Nullable: true},
		{Name: "f", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	}
	for _, write := range []syncline.Disposition{syncline.Upsert, syncline.Append, syncline.Replace} {
		p := newPlace(t)
		l := newLoad(t, "load-1", write, [][]string{{"1", "1", "1.10", "0.5"}})
		l.target.Entity.Schema = arrow.NewSchema(narrow, nil)
		l.ok(p)
		p.exec(t, "create view v as select * from people; create index by_n on people (n)")
		reader, err := sqlitefile.OpenRead(p.path) // that knows the table as it was
		must(t, err)
		_, err = reader.Int("select count(*) from people")
		must(t, err)
		l = newLoad(t, "load-2", write, [][]string{{"9223372036854775807", "∅", "12345678901234567890.1234", "0.1"}})
		l.target.Entity.Schema = arrow.NewSchema(wide, nil)
		l.target.Guard.Confirmed = true
		l.ok(p)
		want := []string{`id|INTEGER|1|1`, `n|INTEGER "INT32"|0|0`, `price|TEXT "DECIMAL(60,4)"|0|0`, `f|REAL|0|0`}
		p.expect(t, "select name, type, \"notnull\", pk from pragma_table_info('people')", want...)
		if strings.Contains(p.query(t, "select sql from sqlite_schema where name = 'people'")[0], "CONSTRAINT") {
			t.Errorf("%s: the key is still declared narrower", write)
		}
		n, err := reader.Int("select count(*) from v where n is null and price = '12345678901234567890.1234'")
		must(t, err)
		if n != 1 {
			t.Errorf("%s: a reader sees %d of the new rows", write, n)
		}
		must(t, reader.Close())
		p.expect(t, "pragma integrity_check", "ok")
		l = newLoad(t, "load-3", write, [][]string{{"1", "1", "1.10", "0.5"}})
		l.target.Entity.Schema = arrow.NewSchema(narrow, nil) // narrower values fit
		l.target.Guard.Confirmed = true
		l.ok(p)
	}
}

// A key that does not tell the rows of a table apart is refused before anything is written.
func TestKeyIsNotUnique(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, "create table people (id int, name text); insert into people values (1, 'a'), (1, 'b')")
	_, err := newLoad(t, "load-1", syncline.Upsert, [][]string{{"1", "c"}}).run(p)
	if said, ok := errors.AsType[*syncline.Error](err); !ok || said.Code != syncline.FailedPrecondition || !strings.Contains(said.Message, "(id)") {
		t.Errorf("%v", err)
	}
	p.expect(t, "select name from people", "a", "b")
	newLoad(t, "load-2", syncline.Replace, [][]string{{"1", "c"}}).ok(p)
	p.expect(t, "select name from people", "c")
}

// Rows are compared by their bytes, whatever the table thinks is equal.
func TestChangesThatACollationHides(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, "create table people (id integer primary key, name text collate nocase); insert into people values (1, 'anna'), (2, 'bob')")
	out := newLoad(t, "load-1", syncline.Upsert, [][]string{{"1", "Anna"}, {"2", "bob"}}).ok(p)
	if c := out.Counts; c.Updated != 1 || c.Unchanged != 1 {
		t.Errorf("%+v", c)
	}
	p.expect(t, "select name from people order by id", "Anna", "bob")
}

// What an attempt had written is gone: the next one does not go on behind it.
func TestWhatWasWrittenIsGone(t *testing.T) {
	t.Parallel()
	for write, drop := range map[syncline.Disposition]string{syncline.Replace: "_syncline_stage", syncline.Append: "people", syncline.Upsert: "people"} {
		p := newPlace(t)
		d := p.Open(t)
		l := newLoad(t, "load-1", write, [][]string{{"1", "a"}}, [][]string{{"2", "b"}})
		w, err := d.Open(t.Context(), l.target)
		must(t, err)
		_, err = w.Takeover(t.Context())
		must(t, err)
		lane, err := w.Part(t.Context(), "0", l.target.Fence.Token)
		must(t, err)
		b := l.batch(l.batches[0])
		b.Next = []byte("1")
		_, err = lane.Write(t.Context(), b)
		must(t, err)
		for _, table := range p.query(t, "select name from sqlite_schema where type = 'table' and name like '"+drop+"%'") {
			p.Drop(t, table)
		}
		if _, err = lane.Write(t.Context(), b); err == nil {
			t.Errorf("%s: went on writing to nothing", write)
		} else if said, ok := errors.AsType[*syncline.Error](err); !ok || !strings.Contains(said.Message, "people") {
			t.Errorf("%s: %v", write, err)
		}
		must(t, lane.Close())
		at, err := w.Takeover(t.Context())
		must(t, err)
		if len(at.Parts) > 0 {
			t.Errorf("%s: %+v stands on nothing", write, at.Parts)
		}
		must(t, w.Close())
		must(t, d.Close())
	}
}
