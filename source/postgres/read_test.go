package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/source/postgres"
	"github.com/synclinehq/syncline/testserver"
)

// place is a database with a source on it.
type place struct {
	*testing.T
	db      *pgx.Conn
	address string
	src     source.Source
	ctx     context.Context
}

// setup makes a fresh database by statements.
func setup(t *testing.T, statements string) *place {
	t.Helper()
	p := &place{T: t, address: testserver.Database(t)}
	p.db = dial(t, p.address)
	exec(t, p.db, statements)
	var stop context.CancelFunc
	p.ctx, stop = context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(stop)
	p.src = p.open()
	return p
}

func (p *place) open() source.Source {
	p.Helper()
	src, err := postgres.Kind.Open(p.ctx, env, settingsOf(p, p.address))
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = src.Close() })
	return src
}

var env = source.Env{Dial: (&net.Dialer{}).DialContext, Now: time.Now, Log: slog.New(slog.DiscardHandler)}

func (p *place) query(entity string) source.Query {
	p.Helper()
	es, err := p.src.Entities(p.ctx, []string{entity})
	if err != nil || len(es) != 1 {
		p.Fatalf("%s: %v %v", entity, es, err)
	}
	return source.Query{Entity: es[0], Mode: syncline.ModeFull, Format: rows.Arrow, Parallel: 1}
}

func (p *place) plan(q source.Query) source.Plan {
	p.Helper()
	plan, err := p.src.Plan(p.ctx, q)
	if err != nil {
		p.Fatal(err)
	}
	return plan
}

// read reads the only part of a plan.
func (p *place) read(src source.Source, q source.Query, plan source.Plan, from []byte) (batches []batch, err error) {
	p.Helper()
	for b, err := range src.Read(p.ctx, q, plan, plan.Parts[0], from) {
		if err != nil {
			return batches, err
		}
		batches = append(batches, batch{b.Next, draw(b), b.Rejects, b.Filtered, b.First})
		b.Release()
	}
	return batches, nil
}

type batch struct {
	next     []byte
	lines    []string
	rejects  []rows.Reject
	filtered int64
	first    int64
}

func draw(b rows.Batch) (lines []string) {
	for i := range int(b.Rows) {
		var line []byte
		for c, column := range b.Record.Columns() {
			if c > 0 {
				line = append(line, ' ')
			}
			if column.IsNull(i) {
				line = append(line, "NULL"...)
				continue
			}
			line = text.Append(line, column, i)
		}
		lines = append(lines, string(line))
	}
	return lines
}

// all reads an entity in full.
func (p *place) all(q source.Query) []string {
	p.Helper()
	batches, err := p.read(p.src, q, p.plan(q), nil)
	if err != nil {
		p.Fatal(err)
	}
	var lines []string
	for _, b := range batches {
		lines = append(lines, b.lines...)
		for _, r := range b.rejects {
			p.Errorf("reject %+v", r)
		}
	}
	return lines
}

func (p *place) want(what string, got []string, want ...string) {
	p.Helper()
	if !slices.Equal(got, want) {
		p.Errorf("%s: %q, want %q", what, got, want)
	}
}

// isError checks an error that a person sees.
func isError(t *testing.T, err error, code syncline.Code, words ...string) {
	t.Helper()
	e, ok := errors.AsType[*syncline.Error](err)
	if !ok || e.Code != code {
		t.Fatalf("%T %v, want %s", err, err, code)
	}
	for _, w := range words {
		if !strings.Contains(e.Message+" "+e.Hint, w) {
			t.Errorf("%q, %q: no %s in it", e.Message, e.Hint, w)
		}
	}
}

// TestKindsOfRelations: what can be read is read once and whole.
func TestKindsOfRelations(t *testing.T) {
	p := setup(t, `
		create table plain (id int primary key, note text); insert into plain values (2, 'b'), (1, 'a');
		create table split (id int, day date, primary key (id, day)) partition by range (day);
		create table split_1 partition of split for values from ('2024-01-01') to ('2024-02-01');
		create table split_2 partition of split for values from ('2024-02-01') to ('2024-03-01');
		insert into split values (1, '2024-02-02'), (2, '2024-01-01'), (3, '2024-02-29');
		create view seen as select note from plain order by id;
		create materialized view kept as select count(*) as n from plain;
		create table parent (id int primary key); create table child () inherits (parent);
		insert into parent values (1); insert into child values (1), (2);
		create table nokey (a int unique, b int not null); insert into nokey values (1, 1), (null, 2);
		create table uniq (a int not null, b text not null, c int, unique (b, a), unique (c)); insert into uniq values (1, 'x', 1);
		create table _syncline_checkpoints (x int); create temporary table t (x int);
		create schema other; create table other.plain (id int)`)
	es, err := p.src.Entities(p.ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range es {
		names = append(names, e.Name+" "+strings.Join(e.Key, ","))
	}
	p.want("entities", names, "other.plain ", "public.child ", "public.kept ", "public.nokey ", "public.parent id", "public.plain id",
		"public.seen ", "public.split id,day", "public.uniq b,a")
	p.want("plain", p.all(p.query("plain")), "1 a", "2 b")
	p.want("partitioned", p.all(p.query("split")), "1 2024-02-02", "2 2024-01-01", "3 2024-02-29")
	p.want("a partition by name", p.all(p.query("public.split_1")), "2 2024-01-01")
	p.want("view", p.all(p.query("seen")), "a", "b")
	p.want("materialised view", p.all(p.query("kept")), "2")
	p.want("parent", p.all(p.query("parent")), "1")
	p.want("child", p.all(p.query("child")), "1", "2")
	p.want("no key", p.all(p.query("nokey")), "1 1", "NULL 2")
}

// TestTypesOfColumns: a domain is its base type, and what has no Arrow type says what it was.
func TestTypesOfColumns(t *testing.T) {
	p := setup(t, `
		create type mood as enum ('sad'); create domain money_amount as numeric(12,2) check (value > 0); create domain strict_amount as money_amount;
		create domain tags as text[];
		create table zoo (a strict_amount, b mood, c tags, d inet, e varchar(9)[], f int[][], g numeric(10,2), "h""i" timestamp(3));
		insert into zoo values (1.5, 'sad', '{x}', '::1', '{y}', '{{1}}', 'NaN', '2024-01-01'), (null, null, null, null, null, null, 2, null); analyze zoo`)
	q := p.query("zoo")
	var got []string
	for _, f := range q.Entity.Schema.Fields() {
		got = append(got, fmt.Sprint(f.Name, ": ", f.Type, " ", rows.Native(f)))
	}
	p.want("types", got, "a: decimal(12, 2) pg:numeric(12,2)", "b: utf8 pg:public.mood",
		"c: list<item: utf8, nullable> pg:text[]", "d: utf8 pg:inet",
		"e: list<item: utf8, nullable> pg:character varying(9)[]",
		"f: utf8 pg:integer[]", "g: utf8 pg:numeric(10,2)", `h"i: timestamp[us] pg:timestamp(3) without time zone`)
	p.want("rows", p.all(q), `1.50 sad ["x"] ::1 ["y"] {{1}} NaN 2024-01-01T00:00:00`, "NULL NULL NULL NULL NULL NULL 2.00 NULL")
}

// TestHostileNames: names are quoted wherever they go.
func TestHostileNames(t *testing.T) {
	long := strings.Repeat("n", 63)
	p := setup(t, `create table "se""lect; drop table x; --" ("a""b" int, "order" text, "`+long+`" timestamptz, primary key ("a""b", "order"));
		insert into "se""lect; drop table x; --" values (1, 'x''y', '2024-01-01 00:00+00'), (2, '\', '2024-01-02 00:00+00');
		create table "`+long+`" ("日本" int primary key); insert into "`+long+`" values (7)`)
	q := p.query(`public."se""lect; drop table x; --"`)
	p.want("hostile", p.all(q), "1 x'y 2024-01-01T00:00:00+00:00", `2 \ 2024-01-02T00:00:00+00:00`)
	q.Mode, q.Cursor, q.Since = syncline.ModeIncremental, long, []byte("2024-01-02 00:00:00+00")
	p.want("by cursor", p.all(q), `2 \ 2024-01-02T00:00:00+00:00`)
	p.want("long", p.all(p.query(long)), "7")
}

// TestResumeByEveryType: a read by a key of several types goes on after its last row,
// also when that was a reject.
func TestResumeByEveryType(t *testing.T) {
	p := setup(t, `create type mood as enum ('b', 'a');
		create table keyed (a text collate "C", b numeric(20,5), c timestamptz, d uuid, e bytea, f mood, g date, h bool, i inet, bad numeric(10,2), body text, primary key (a, b, c, d, e, f, g, h, i));
		alter table keyed alter body set storage plain;
		insert into keyed select 'x''\' || (n/7)::text, (n%3)::numeric/7, timestamptz '0044-03-15 00:00:00.000001+00 BC' + n%2 * interval '1000 years', gen_random_uuid(),
			decode(lpad(n::text, 4, '0'), 'hex'), (array['a','b'])[n%2+1]::mood, case n%3 when 0 then 'infinity' when 1 then '-infinity' else date '2024-01-01' end, n%2=0, ('10.0.0.'||n)::inet,
			case when n % 5 = 0 then 'NaN'::numeric else n end, null from generate_series(1, 200) n;
		alter table keyed alter body set storage external; update keyed set body = repeat('y', 300000)`)
	q := p.query("keyed")
	plan := p.plan(q)
	whole, err := p.read(p.src, q, plan, nil)
	if err != nil || len(whole) < 5 {
		t.Fatalf("%d batches, %v", len(whole), err)
	}
	later := plan
	later.Session = nil
	for i, b := range whole {
		if b.next == nil {
			t.Fatalf("batch %d has no Next", i)
		}
		rest, err := p.read(p.open(), q, later, b.next)
		if err != nil {
			t.Fatalf("from %s: %v", b.next, err)
		}
		if got, want := summary(rest), summary(whole[i+1:]); got != want {
			t.Errorf("from %s:\n%s\nwant\n%s", b.next, got, want)
		}
	}
}

// summary is what batches hold, however they are cut.
func summary(batches []batch) string {
	var lines, rejects []string
	for _, b := range batches {
		for _, l := range b.lines {
			lines = append(lines, l[:min(len(l), 60)])
		}
		for _, r := range b.rejects {
			rejects = append(rejects, fmt.Sprint(r.Row, r.Key, r.Code))
		}
	}
	return strings.Join(lines, "\n") + "\nrejects\n" + strings.Join(rejects, "\n")
}

// TestRejectsSayWhich: a reject names its row by key, column and reason.
func TestRejectsSayWhich(t *testing.T) {
	p := setup(t, `create table n (id int, name text, v numeric(10,2), primary key (id, name)); insert into n values (1, 'a', 1), (2, 'b', 'NaN')`)
	q := p.query("n")
	batches, err := p.read(p.src, q, p.plan(q), nil)
	if err != nil || len(batches) != 1 || len(batches[0].rejects) != 1 {
		t.Fatal(batches, err)
	}
	r := batches[0].rejects[0]
	if r.Row != 1 || r.Key != "2,b" || r.Code != rows.CodeType || !strings.Contains(r.Message, `"v": NaN`) || !strings.Contains(string(r.Sample), `name="b"`) {
		t.Errorf("%+v %s", r, r.Sample)
	}
	exec(t, p.db, "analyze n") // now the statistics show it, and the column travels as text
	p.want("as text", p.all(p.query("n")), "1 a 1.00", "2 b NaN")
}

// TestChangedMidRun: what happens to a table between plan and read is an error with a
// name, never fewer rows.
func TestChangedMidRun(t *testing.T) {
	for _, c := range []struct {
		statement string
		code      syncline.Code
		words     string
	}{
		{"truncate t", syncline.FailedPrecondition, "truncated"},
		{"truncate t_1", syncline.FailedPrecondition, "truncated"},
		{"alter table t alter note type varchar(100)", syncline.FailedPrecondition, `"note"`},
		{"alter table t drop note", syncline.FailedPrecondition, `"note"`},
		{"alter table t rename note to remark", syncline.FailedPrecondition, `"note"`},
		{"drop table t", syncline.NotFound, "public.t"},
		{"drop table t; create table t (id int primary key, note text)", syncline.FailedPrecondition, "dropped"},
		{"alter table t add more int", "", ""},
		{"insert into t values (3, 'new'); delete from t where id = 1", "", ""},
	} {
		t.Run(c.statement, func(t *testing.T) {
			p := setup(t, `create table t (id int primary key, note text) partition by range (id); create table t_1 partition of t for values from (1) to (3);
				create table t_2 partition of t default; insert into t values (1, 'a'), (2, 'b')`)
			q := p.query("t")
			plan := p.plan(q)
			exec(t, p.db, c.statement)
			batches, err := p.read(p.src, q, plan, nil)
			if c.code != "" {
				isError(t, err, c.code, c.words)
				if e := err.(*syncline.Error); e.Class != syncline.ClassSource && e.Class != syncline.ClassConfig {
					t.Errorf("class %s", e.Class)
				}
				return
			}
			if err != nil || len(batches) != 1 {
				t.Fatal(batches, err)
			}
			p.want("rows of the snapshot", batches[0].lines, "1 a", "2 b")
		})
	}
}

// TestSessionsEnd: an ended session is an error that a later attempt may get over.
func TestSessionsEnd(t *testing.T) {
	p := setup(t, `create table t (id int primary key, body text); insert into t select n, repeat('x', 100000) from generate_series(1, 500) n`)
	q := p.query("t")
	plan := p.plan(q)
	read := 0
	for b, err := range p.src.Read(p.ctx, q, plan, plan.Parts[0], nil) {
		if err != nil {
			isError(t, err, syncline.Unavailable, "public.t")
			if !err.(*syncline.Error).Retryable {
				t.Error("not retryable")
			}
			read = -read
			break
		}
		read += int(b.Rows)
		b.Release()
		exec(t, p.db, "select pg_terminate_backend(pid) from pg_stat_activity where query like 'copy%' and datname = current_database()")
	}
	if read >= 0 {
		t.Fatalf("%d rows and no error", read)
	}
	exec(t, p.db, "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()")
	_, err := p.read(p.src, q, plan, nil)
	isError(t, err, syncline.Unavailable)
	if _, err = p.read(p.open(), q, plan, nil); err == nil {
		t.Fatal("a snapshot outlived its session")
	}
	isError(t, err, syncline.Unavailable, "snapshot")
	plan.Session = nil // as it is when it was stored
	if batches, err := p.read(p.open(), q, plan, nil); err != nil || len(batches) == 0 {
		t.Error(err)
	}
}

// TestHugeRows: rows of 64 MiB are passed over in little memory.
func TestHugeRows(t *testing.T) {
	p := setup(t, `create table huge (id int primary key, body text); insert into huge values (0, 'small');
		insert into huge select n, repeat('x', 64*1024*1024) from generate_series(1, 3) n; insert into huge values (9, 'small')`)
	q := p.query("huge")
	plan := p.plan(q)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	batches, err := p.read(p.src, q, plan, nil)
	runtime.ReadMemStats(&after)
	if err != nil || len(batches) == 0 {
		t.Fatal(err)
	}
	var lines []string
	var rejects []rows.Reject
	for _, b := range batches {
		lines, rejects = append(lines, b.lines...), append(rejects, b.rejects...)
	}
	p.want("small", lines, "0 small", "9 small")
	if len(rejects) != 3 || rejects[2].Key != "3" || rejects[2].Code != rows.CodeTooLarge || rejects[2].Row != 3 {
		t.Errorf("%+v", rejects)
	}
	// 16 MiB, grown by doubling, three times; held one after another.
	if used := after.TotalAlloc - before.TotalAlloc; used > 200<<20 {
		t.Errorf("%d MiB were allocated in all", used>>20)
	}
	if batches[len(batches)-1].next == nil {
		t.Error("no Next")
	}
}

// TestStopEndsTheStatement: when nobody wants more rows the server is told, not heard out.
func TestStopEndsTheStatement(t *testing.T) {
	p := setup(t, `create view slow as select 1 as n, repeat('x', 9000000) as body union all select n, pg_sleep(0.2)::text || repeat('y', 20000) from generate_series(1, 50) n`)
	q := p.query("slow")
	plan := p.plan(q)
	began := time.Now()
	for b, err := range p.src.Read(p.ctx, q, plan, plan.Parts[0], nil) {
		if err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		b.Release()
		break
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("went on for %s", took)
	}
}

// TestPlanSaysWhy: what restarts says why.
func TestPlanSaysWhy(t *testing.T) {
	p := setup(t, "create table t (a int); create view v as select * from t")
	for _, entity := range []string{"t", "v"} {
		if plan := p.plan(p.query(entity)); plan.Resume != source.ResumeRestart || plan.Why == "" {
			t.Errorf("%+v", plan)
		}
	}
	_, err := p.read(p.src, p.query("t"), p.plan(p.query("t")), []byte("nonsense"))
	isError(t, err, syncline.DataLoss, "nonsense")
}

// TestMemoryUsedAgain: memory is used again and values stay what they were.
func TestMemoryUsedAgain(t *testing.T) {
	p := setup(t, `create table t (id int primary key, body text); insert into t select n, repeat(n::text, 2000) from generate_series(1, 20000) n`)
	q := p.query("t")
	plan := p.plan(q)
	want := 0
	for b, err := range p.src.Read(p.ctx, q, plan, plan.Parts[0], nil) {
		if err != nil {
			t.Fatal(err)
		}
		ids, bodies := b.Record.Column(0).(*array.Int32), b.Record.Column(1).(*array.String)
		for i := range int(b.Rows) {
			if want++; int(ids.Value(i)) != want || bodies.Value(i) != strings.Repeat(fmt.Sprint(want), 2000) {
				t.Fatalf("row %d is %d", want, ids.Value(i))
			}
		}
		b.Release()
	}
	if want != 20000 {
		t.Errorf("%d rows", want)
	}
}
