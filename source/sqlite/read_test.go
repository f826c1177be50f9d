package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// file is a database made by statements, and a source on it.
type file struct {
	*testing.T
	path string
	c    *sqlitefile.Conn
	s    *Source
}

func newFile(t *testing.T, statements string) *file {
	t.Helper()
	f := &file{T: t, path: filepath.Join(t.TempDir(), "shop.db")}
	f.c = openFile(t, f.path)
	must(t, f.c.Exec(statements))
	s, err := open(t.Context(), source.Env{Now: time.Now, Log: slog.New(slog.DiscardHandler)}, settings(f.path))
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	f.s = s.(*Source)
	return f
}

func (f *file) query(entity string) source.Query {
	f.Helper()
	es, err := f.s.Entities(f.Context(), []string{entity})
	must(f.T, err)
	return source.Query{Entity: es[0], Mode: syncline.ModeFull, Format: rows.Arrow, Parallel: 1}
}

func (f *file) plan(q source.Query) source.Plan {
	f.Helper()
	p, err := f.s.Plan(f.Context(), q)
	must(f.T, err)
	return p
}

// next is a position and how many rows are before it.
type next struct {
	next []byte
	rows int
}

// read gives the rows of a query from a position on, a row a line, and the rejects.
func (f *file) read(q source.Query, p source.Plan, from []byte) (lines []string, rejects []rows.Reject, nexts []next) {
	f.Helper()
	for b, err := range f.s.Read(f.Context(), q, p, p.Parts[0], from) {
		must(f.T, err)
		lines = append(lines, drawn(b.Record)...)
		rejects = append(rejects, b.Rejects...)
		nexts = append(nexts, next{b.Next, len(lines)})
		b.Release()
	}
	return lines, rejects, nexts
}

func drawn(rec arrow.RecordBatch) (lines []string) {
	for i := range int(rec.NumRows()) {
		var line []string
		for _, c := range rec.Columns() {
			v := "∅"
			if c.IsValid(i) {
				v = string(text.Append(nil, c, i))
			}
			line = append(line, v)
		}
		lines = append(lines, strings.Join(line, "|"))
	}
	return lines
}

func (f *file) expect(entity string, want ...string) {
	f.Helper()
	q := f.query(entity)
	lines, rejects, _ := f.read(q, f.plan(q), nil)
	if !slices.Equal(lines, want) || len(rejects) > 0 {
		f.Errorf("%s: %q, want %q; rejects %+v", entity, lines, want, rejects)
	}
}

func TestDeclaredTypes(t *testing.T) {
	t.Parallel()
	f := newFile(t, `create table t (a INT, b "VARCHAR"(20), c DOUBLE PRECISION, d BLOB, e BOOLEAN, f DATE, g DATETIME, h TIMESTAMP, i TIME, j DECIMAL(10,2),
			k NUMERIC, l, m UUID, n JSON, o BIGINT UNSIGNED, p POINT, q INTERVAL, r NVARCHAR(10), s FLOAT, z AS (a + 1));
		insert into t values (1, 'x', 2, x'00', 1, '2024-02-29', '2024-02-29 12:34:56', '2024-02-29 12:34:56.5+00:00', '12:34', 10.1, 0.1, 'any',
			'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": 1}', 9223372036854775807, '(1,2)', 'P1D', 'y', 0.1);
		insert into t (a, j, k, l, n) values (null, 3, 12, 4.5, '7'), (null, '1.10', 'word', 5, null);`)
	q := f.query("t")
	var types []string
	for _, field := range q.Entity.Schema.Fields() {
		types = append(types, field.Name+" "+field.Type.String()+" "+rows.Native(field))
	}
	want := []string{
		"a int64 sqlite:INT", "b utf8 sqlite:VARCHAR", "c float64 sqlite:DOUBLE PRECISION", "d binary sqlite:BLOB", "e bool sqlite:BOOLEAN",
		"f date32 sqlite:DATE", "g timestamp[us] sqlite:DATETIME", "h timestamp[us, tz=UTC] sqlite:TIMESTAMP WITH TIME ZONE", "i time64[us] sqlite:TIME",
		"j decimal(10, 2) sqlite:DECIMAL(10,2)", "k utf8 sqlite:NUMERIC", "l utf8 sqlite:", "m extension<arrow.uuid> sqlite:UUID",
		"n extension<arrow.json[storage_type=utf8]> sqlite:JSON", "o int64 sqlite:BIGINT UNSIGNED", "p utf8 sqlite:POINT", "q utf8 sqlite:INTERVAL",
		"r utf8 sqlite:NVARCHAR(10)", "s float64 sqlite:FLOAT", "z utf8 sqlite:",
	}
	if !slices.Equal(types, want) {
		t.Errorf("types\n%s\nwant\n%s", strings.Join(types, "\n"), strings.Join(want, "\n"))
	}
	f.expect("t",
		`1|x|2|\x00|true|2024-02-29|2024-02-29T12:34:56|2024-02-29T12:34:56.5+00:00|12:34:00|10.10|0.1|any|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|{"a": 1}|9223372036854775807|(1,2)|P1D|y|0.1|2`,
		`∅|∅|∅|∅|∅|∅|∅|∅|∅|3.00|12|4.5|∅|7|∅|∅|∅|∅|∅|∅`,
		`∅|∅|∅|∅|∅|∅|∅|∅|∅|1.10|word|5|∅|∅|∅|∅|∅|∅|∅|∅`)
}

// A value that is not of its column's type makes its row a reject, and the message says
// where it stands; a column that the pipeline calls text takes it.
func TestValuesOfAnotherClass(t *testing.T) {
	t.Parallel()
	f := newFile(t, `create table t (id INTEGER PRIMARY KEY, n INTEGER, word TEXT, at DATE, flag BOOL, f REAL, d DECIMAL(5,1));
		insert into t values (1, 1, 'a', '2024-01-01', 1, 1, 1.5), (2, 'x', 'a', null, 1, 1, 1), (3, 1.5, 'a', null, 1, 1, 1), (4, 1, x'ff', null, 1, 1, 1),
			(5, 1, cast(x'ff' as text), null, 1, 1, 1), (6, 1, 'a', 1704067200, 1, 1, 1), (7, 1, 'a', '2024-02-30', 1, 1, 1), (8, 1, 'a', null, 2, 1, 1),
			(9, 1, 'a', null, 1, 'x', 1), (10, 1, 'a', null, 1, 1, 1.55), (11, 1, 'a', null, 1, 1, 'x'), (12, 1, 'a', null, 0, 'NaN', 0.1), (13, 1, 'a', null, 0, 9e999, 0.30000000000000004);`)
	q := f.query("t")
	lines, rejects, _ := f.read(q, f.plan(q), nil)
	if want := []string{"1|1|a|2024-01-01|true|1|1.5", "12|1|a|∅|false|NaN|0.1"}; !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
	var got []string
	for _, r := range rejects {
		column, _, _ := strings.Cut(strings.TrimPrefix(r.Message, `column "`), `"`)
		got = append(got, fmt.Sprintf("%d %s %s %s", r.Row, r.Key, r.Code, column))
		if !strings.Contains(string(r.Sample), "id="+r.Key) {
			t.Errorf("sample %s", r.Sample)
		}
	}
	want := []string{"1 2 type n", "2 3 type n", "3 4 type word", "4 5 encoding word", "5 6 type at", "6 7 type at", "7 8 type flag", "8 9 type f", "9 10 type d", "10 11 type d", "12 13 type d"}
	if !slices.Equal(got, want) {
		t.Errorf("rejects %q, want %q", got, want)
	}
	fields := q.Entity.Schema.Fields()
	for i := range fields {
		fields[i] = arrow.Field{Name: fields[i].Name, Type: arrow.BinaryTypes.String, Nullable: true}
	}
	q.Entity.Schema = arrow.NewSchema(fields, nil)
	lines, rejects, _ = f.read(q, f.plan(q), nil)
	if len(lines) != 11 || lines[1] != "2|x|a|∅|1|1|1" || lines[len(lines)-1] != "13|1|a|∅|0|Infinity|0.30000000000000004" || len(rejects) != 2 {
		t.Errorf("as text: %q; %+v", lines, rejects)
	}
}

// Whatever a table is made of, a read goes on from every position and gives each row once.
func TestGoingOn(t *testing.T) {
	t.Parallel()
	n := 140_000 // three batches
	if testing.Short() {
		n = 70_000 // two
	}
	many := fmt.Sprintf("with recursive n(i) as (select 0 union all select i + 1 from n where i < %d) insert into t ", n-1)
	for what, c := range map[string]struct {
		statements string
		resume     source.Resume
		byKey      bool
	}{
		"integer key":          {"create table t (id INTEGER PRIMARY KEY, v TEXT);" + many + "select i * 3 - 100000, 'v' || i from n", source.ResumeByPart, false},
		"rowid":                {"create table t (v TEXT, w INT);" + many + "select 'v' || i, i from n", source.ResumeRestart, false},
		"text key, by rowid":   {"create table t (k TEXT PRIMARY KEY, v INT);" + many + "select 'k' || (139999 - i), i from n", source.ResumeRestart, false},
		"text key, by key":     {"create table t (k TEXT PRIMARY KEY, v INT);" + many + "select 'k' || (139999 - i), i from n", source.ResumeByPart, true},
		"key with NULL":        {"create table t (k TEXT PRIMARY KEY, v INT);" + many + "select nullif('k' || i, 'k7'), i from n", source.ResumeRestart, true},
		"without rowid":        {"create table t (a TEXT, b INT, v, PRIMARY KEY (b, a)) WITHOUT ROWID;" + many + "select 'a' || (i % 7), i / 7, i from n", source.ResumeByPart, false},
		"descending, no case":  {"create table t (a TEXT COLLATE NOCASE, b BLOB, v INT, PRIMARY KEY (a DESC, b)) WITHOUT ROWID;" + many + "select case when i % 2 then 'x' else 'Y' end || (i % 5), cast(i as blob), i from n", source.ResumeByPart, false},
		"names of rowid taken": {"create table t (rowid TEXT, oid TEXT, _rowid_ TEXT, k INT NOT NULL, PRIMARY KEY (k, rowid));" + many + "select i, i, i, i / 2 from n where true", source.ResumeByPart, false},
		"view":                 {"create table base (id INTEGER PRIMARY KEY); create view t as select id, -id as neg from base;" + strings.Replace(many, "into t", "into base", 1) + "select i from n", source.ResumeRestart, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := newFile(t, c.statements)
			q := f.query("t")
			q.SplitByKey = c.byKey
			p := f.plan(q)
			if p.Resume != c.resume || p.Why == "" != (c.resume == source.ResumeByPart) {
				t.Errorf("resume %s: %s", p.Resume, p.Why)
			}
			all, _, nexts := f.read(q, p, nil)
			if got := len(slices.Compact(slices.Sorted(slices.Values(all)))); got != n || len(nexts) < 2 {
				t.Fatalf("%d rows in %d batches", got, len(nexts))
			}
			for _, next := range nexts {
				if rest, _, _ := f.read(q, p, next.next); !slices.Equal(rest, all[next.rows:]) {
					t.Errorf("%d rows from %s, which is behind %d of %d", len(rest), next.next, next.rows, len(all))
				}
			}
		})
	}
}

// A read sees one state of the file, whoever writes to it.
func TestOneState(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"wal", "delete"} {
		f := newFile(t, "pragma journal_mode = "+mode+"; create table t (id INTEGER PRIMARY KEY, v INT); "+
			"with recursive n(i) as (select 0 union all select i + 1 from n where i < 99999) insert into t select i, 0 from n")
		f.c.Patient(100 * time.Millisecond)
		q := f.query("t")
		p := f.plan(q)
		sum := 0
		var wrote error
		for b, err := range f.s.Read(t.Context(), q, p, p.Parts[0], nil) {
			must(t, err)
			for _, l := range drawn(b.Record) {
				if strings.HasSuffix(l, "|1") {
					t.Fatalf("%s: %s is of a later state", mode, l)
				}
				sum++
			}
			b.Release()
			wrote = errors.Join(wrote, f.c.Exec("update t set v = 1; delete from t where id > 99990"))
		}
		if sum != 100_000 || mode == "wal" && wrote != nil {
			t.Errorf("%s: %d rows; the writer says %v", mode, sum, wrote)
		}
	}
}

func TestEntitiesChosen(t *testing.T) {
	t.Parallel()
	f := newFile(t, `create table orders (id integer primary key); create table Order_Lines (a); create view broken as select nope from gone; create view totals as select count(*) as n from orders;
		create table _syncline_checkpoints (a); create virtual table words using fts5(body); create table "main.x" (a); create table "s*r" (a);
		insert into words values ('hello');`)
	for _, c := range []struct{ patterns, want string }{
		{"", "Order_Lines main.x orders s*r totals words"},
		{"main.orders", "orders"},
		{"ORDER*", "Order_Lines orders"},
		{"order?", "orders"},
		{"main.x", "main.x"},
		{"main.*", "Order_Lines main.x orders s*r totals words"},
		{"totals orders", "orders totals"},
		{"orders order*", "Order_Lines orders"},
	} {
		es, err := f.s.Entities(t.Context(), strings.Fields(c.patterns))
		must(t, err)
		var names []string
		for _, e := range es {
			names = append(names, e.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%q: %s, want %s", c.patterns, got, c.want)
		}
	}
	if _, err := f.s.Entities(t.Context(), []string{"broken"}); syncline.CodeOf(err) != syncline.FailedPrecondition || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a view that does not work: %v", err)
	}
	f.expect("words", "hello")
	f.expect("totals", "0")
	found, err := f.s.Check(t.Context())
	must(t, err)
	if len(found) != 2 || found[1].What != "view broken" || found[1].Level != source.Warn {
		t.Errorf("%+v", found)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte(strings.Repeat("words ", 500)), 0o600))
	for path, code := range map[string]syncline.Code{"missing.db": syncline.NotFound, "notes.txt": syncline.InvalidArgument, ".": syncline.InvalidArgument} {
		_, err := open(t.Context(), source.Env{}, settings(filepath.Join(dir, path)))
		if said, ok := errors.AsType[*syncline.Error](err); !ok || said.Code != code || said.Class != syncline.ClassConfig || said.Hint == "" {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := open(t.Context(), source.Env{}, []byte(`{}`)); syncline.CodeOf(err) != syncline.InvalidArgument {
		t.Errorf("no path: %v", err)
	}
}

func TestCursors(t *testing.T) {
	t.Parallel()
	f := newFile(t, `create table t (id INTEGER PRIMARY KEY, created DATETIME, updated_at TIMESTAMP, day DATE, n INT, price TEXT "DECIMAL(10,2)", amount DECIMAL(10,2), f REAL, word TEXT, flag BOOLEAN, doc JSON, u TEXT "UUID");
		create unique index t_word on t (word); create unique index t_part on t (n) where n > 0;
		insert into t (id, n, word, amount, day, updated_at) values (1, 1, 'a', 9.5, '2024-01-01', '2024-01-01 00:00:00'), (2, 2, 'b', 10.5, '2024-01-02', '2024-01-01 00:00:00.5'), (3, 10, 'c', 2, '2024-01-03', 'infinity');`)
	q := f.query("t")
	if got := strings.Join(q.Entity.Cursors, " "); got != "updated_at created day id n amount" {
		t.Errorf("candidates %s", got)
	}
	q.Mode = syncline.ModeIncremental
	for cursor, tail := range map[string]bool{"price": false, "f": false, "flag": false, "doc": false, "nope": false, "n": true, "day": true} {
		q.Cursor, q.Tail = cursor, tail
		_, err := f.s.Plan(t.Context(), q)
		if said, ok := errors.AsType[*syncline.Error](err); !ok || said.Code != syncline.InvalidArgument || said.Field != "cursor" || !strings.Contains(said.Message+said.Hint, cursor) {
			t.Errorf("%s, tail %v: %v", cursor, tail, err)
		}
	}
	for _, c := range []struct {
		cursor, since, until, want string
		tail                       bool
		overlap                    time.Duration
		from, to                   string
	}{
		{cursor: "id", since: "i2", until: "i3", want: "2 3"},
		{cursor: "id", since: "i2", until: "i3", want: "3", tail: true},
		{cursor: "n", since: "i2", until: "i10", want: "2 3"},
		{cursor: "word", since: "tb", until: "tc", want: "3", tail: true},
		{cursor: "amount", since: "i3", until: "r0x1.5p+03", want: "1 2"},
		{cursor: "day", since: "t2024-01-03", until: "t2024-01-03", want: "2 3", overlap: time.Minute},
		{cursor: "updated_at", since: "t2024-01-01 00:00:00", until: "t2024-01-01 00:00:00.5", want: "1 2"},
		{cursor: "updated_at", since: "t2024-01-01 00:05:00", until: "t2024-01-01 00:00:00.5", want: "1 2", overlap: 5 * time.Minute},
		{cursor: "updated_at", until: "", want: "1", from: "2024-01-01T00:00:00Z", to: "2024-01-01T00:00:00.5Z"},
		{cursor: "day", until: "", want: "2 3", from: "2024-01-02T00:00:00Z", to: "2024-01-04T00:00:00Z"},
	} {
		q := f.query("t")
		q.Mode, q.Cursor, q.Tail, q.Overlap = syncline.ModeIncremental, c.cursor, c.tail, c.overlap
		if c.since != "" {
			q.Since = []byte(c.since)
		}
		if c.from != "" {
			q.Window = &syncline.Window{From: moment(t, c.from), To: moment(t, c.to)}
		}
		fields := q.Entity.Schema.Fields()
		q.Entity.Schema = arrow.NewSchema([]arrow.Field{fields[0], fields[q.Entity.Schema.FieldIndices(c.cursor)[0]]}, nil)
		if c.cursor == "id" {
			q.Entity.Schema = arrow.NewSchema(fields[:1], nil)
		}
		p := f.plan(q)
		lines, rejects, _ := f.read(q, p, nil)
		var ids []string
		for _, l := range lines {
			id, _, _ := strings.Cut(l, "|")
			ids = append(ids, id)
		}
		slices.Sort(ids)
		if got := strings.Join(ids, " "); got != c.want || string(p.Until) != c.until || len(rejects) > 0 {
			t.Errorf("%+v: rows %s, until %s, %+v", c, got, p.Until, rejects)
		}
		if n, err := f.s.Count(t.Context(), q); err != nil || n != int64(len(ids)) {
			t.Errorf("%+v: counted %d of %d, %v", c, n, len(ids), err)
		}
	}
}

func moment(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	must(t, err)
	return at
}

func TestEstimates(t *testing.T) {
	t.Parallel()
	f := newFile(t, `create table few (a); insert into few values (1), (2); create table sparse (id INTEGER PRIMARY KEY); insert into sparse values (-9223372036854775808), (9223372036854775807);
		create table w (k TEXT PRIMARY KEY) WITHOUT ROWID; insert into w values ('a'), ('b'), ('c'); create table empty (a); create view v as select 1; analyze;`)
	for entity, want := range map[string]string{"few": "2 range of row numbers", "sparse": "2 planner statistics", "w": "3 planner statistics", "empty": "0 range of row numbers", "v": "-1 "} {
		e := f.query(entity).Entity
		if got := fmt.Sprint(e.Rows, " ", e.EstimateFrom); got != want {
			t.Errorf("%s: %s, want %s", entity, got, want)
		}
	}
	if p := f.plan(f.query("few")); p.Expected != 2 || p.ExpectedFrom != "count" {
		t.Errorf("%+v", p)
	}
}

// A plan that no longer fits the table is refused, not read wrongly.
func TestTheTableChanges(t *testing.T) {
	t.Parallel()
	f := newFile(t, "create table t (id INTEGER PRIMARY KEY, v TEXT); insert into t values (1, 'a')")
	q := f.query("t")
	p := f.plan(q)
	for _, change := range []string{"alter table t drop column v", "drop table t; create table t (id INT, v TEXT, k INT, primary key (k)) without rowid", "drop table t"} {
		must(t, f.c.Exec(change))
		var last error
		for _, err := range f.s.Read(t.Context(), q, p, p.Parts[0], nil) {
			last = err
		}
		said, ok := errors.AsType[*syncline.Error](last)
		if !ok || said.Hint == "" || said.Code == syncline.FailedPrecondition && said.Reason != "source_changed" {
			t.Errorf("%s: %v", change, last)
		}
	}
}

// A writer that has locked the whole file is waited for.
func TestALockedFile(t *testing.T) {
	t.Parallel()
	f := newFile(t, "create table t (id INTEGER PRIMARY KEY); insert into t values (1)")
	must(t, f.c.Exec("begin exclusive"))
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	begun := time.Now()
	if _, err := f.s.Entities(ctx, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > time.Second {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
	time.AfterFunc(100*time.Millisecond, func() { _ = f.c.Exec("rollback") })
	f.expect("t", "1")
}
