package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
)

// Rows that break a rule of the target are found one by one; the others land.
func TestRowsThatTheTargetRefuses(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, `create table towns (name text primary key); insert into towns values ('here');
		create table people (id bigint primary key check (id % 40 <> 0), name varchar(12) not null, town text references towns deferrable initially deferred,
			age smallint, exclude (age with =))`)
	p.exec(t, `create function no() returns trigger language plpgsql as 'begin if new.id = 77 then raise exception ''not 77''; end if; return new; end';
		create trigger t before insert or update on people for each row execute function no()`)
	for _, how := range []syncline.Disposition{syncline.Append, syncline.Upsert} {
		p.exec(t, "truncate people")
		f := feed{key: []string{"id"}, fields: []arrow.Field{
			{Name: "id", Type: ints},
			{Name: "name", Type: texts, Nullable: true},
			{Name: "town", Type: texts, Nullable: true},
			{Name: "age", Type: arrow.PrimitiveTypes.Int16, Nullable: true},
		}}
		f.fields[1].Metadata = arrow.NewMetadata([]string{"native"}, []string{"pg:character varying(12)"})
		f.fields[1].Nullable = false
		for n := range 100 {
			f.rows = append(f.rows, []string{fmt.Sprint(n + 1), fmt.Sprintf("name %d", n), "here", null})
		}
		f.rows[10][1] = "name that is too long"
		f.rows[20][2] = "nowhere"
		f.rows[30][3], f.rows[31][3] = "5", "5"
		l, _ := p.mustLoad(t, "people", f, func(to *destination.Target) { to.Disposition = how })
		got := map[int64]string{}
		for _, r := range l.kept {
			got[r.Row] = r.Code
			if r.Message == "" || len(r.Sample) == 0 || r.Key != fmt.Sprint(r.Row+1) {
				t.Errorf("%s: reject %+v", how, r)
			}
		}
		want := map[int64]string{10: rows.CodeOutOfRange, 20: rows.CodeConstraint, 31: rows.CodeConstraint, 39: rows.CodeConstraint, 79: rows.CodeConstraint, 76: rows.CodeConstraint}
		if fmt.Sprint(got) != fmt.Sprint(want) || l.sum.Rejected != 6 || l.sum.Inserted != 94 {
			t.Errorf("%s: rejected %v, want %v; %+v", how, got, want, l.sum)
		}
		p.shows(t, "select count(*), max(id) from people", "(94,100)")
	}
}

// The last row of a key wins even when rows before and after it are refused.
func TestUpsertOrderOverRefusals(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, "create table people (id bigint primary key, name text check (name <> 'bad'))")
	l, _ := p.mustLoad(t, "people", people(
		[]string{"1", "first"}, []string{"2", "bad"}, []string{"1", "second"}, []string{"3", "good"}, []string{"3", "bad"}), upsert)
	p.shows(t, "select * from people", "(1,second)\n(3,good)")
	if c := l.sum; c.Rejected != 2 || c.Inserted != 2 || c.Updated+c.Superseded != 1 {
		t.Errorf("%+v", c)
	}
}

func TestUpsertNeedsAUniqueIndex(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, "create table people (id bigint, name text)")
	_, err := p.start(t, "people", numbered(0, 1), upsert)
	if e, ok := errors.AsType[*syncline.Error](err); !ok || !strings.Contains(e.Message, `"id"`) || !strings.Contains(e.Hint, "create unique index") {
		t.Fatalf("%v", err)
	}
	// One that Syncline made itself, before it was told of the key, gets it.
	f := numbered(0, 3)
	f.key = nil
	p.mustLoad(t, "ours", f, appending)
	p.mustLoad(t, "ours", numbered(2, 5), upsert)
	p.shows(t, "select count(*) from ours", "(5)")
	_, err = p.start(t, "people", f, upsert)
	if e, ok := errors.AsType[*syncline.Error](err); !ok || !strings.Contains(e.Message, "no key") {
		t.Errorf("%v", err)
	}
}

// Upsert into what people made: partitions, an identity, a domain, a generated column,
// rows of their own.
func TestUpsertIntoTablesOfOthers(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for what, ddl := range map[string]string{
		"partitions":    "create table people (id bigint primary key, name text) partition by range (id); create table low partition of people for values from (0) to (3); create table high partition of people for values from (3) to (1000)",
		"identity":      "create table people (id bigint generated always as identity primary key, name text)",
		"domain":        "create domain word as text check (value <> 'no'); create table people (id bigint primary key, name word)",
		"generated":     "create table people (id bigint primary key, name text, twice bigint generated always as (id * 2) stored)",
		"more columns":  "create table people (id bigint primary key, note text default 'theirs', name text)",
		"other uniques": "create table people (id bigint, name text, primary key (id), unique (name))",
	} {
		t.Run(what, func(t *testing.T) {
			p.anew(t)
			p.exec(t, ddl)
			p.exec(t, "insert into people (id, name) overriding system value values (500, 'theirs'), (4, 'old')")
			f := numbered(1, 6)
			l, _ := p.mustLoad(t, "people", f, upsert)
			if c := l.sum; c.Inserted != 4 || c.Updated != 1 {
				t.Errorf("%+v", c)
			}
			again, _ := p.mustLoad(t, "people", f, upsert)
			if c := again.sum; c.Unchanged != 5 {
				t.Errorf("again: %+v", c)
			}
			p.shows(t, "select id, name from people where id < 5", "(1,\"name 1\")\n(2,\"name 2\")\n(3,\"name 3\")\n(4,\"name 4\")")
			p.shows(t, "select name from people where id = 500", "(theirs)")
			p.mustLoad(t, "people", numbered(0, 4), func(to *destination.Target) { to.Guard.Confirmed = true })
			p.shows(t, "select id, name from people", "(0,\"name 0\")\n(1,\"name 1\")\n(2,\"name 2\")\n(3,\"name 3\")")
		})
	}
}

// A trigger that keeps rows out is no success.
func TestSwallowedRows(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, `create table people (id bigint primary key, name text);
		create function skip() returns trigger language plpgsql as 'begin if new.id = 2 then return null; end if; return new; end';
		create trigger t before insert on people for each row execute function skip()`)
	for _, how := range []syncline.Disposition{syncline.Append, syncline.Upsert, syncline.Replace} {
		_, _, err := p.load(t, "people", numbered(0, 5), func(to *destination.Target) { to.Disposition = how })
		e, _ := errors.AsType[*syncline.Error](err)
		if !errors.Is(err, destination.ErrUnbalanced) && (e == nil || e.Reason != "unbalanced") {
			t.Errorf("%s: %v", how, err)
		}
		p.shows(t, "select count(*) from people", "(0)")
	}
}

// Triggers run under the search path that the role has, not under ours.
func TestTriggersFindTheirTables(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, `create table people (id bigint primary key, name text); create table log (n bigint);
		create function note() returns trigger language plpgsql as 'begin insert into log values (new.id); return new; end';
		create trigger t after insert on people for each row execute function note()`)
	for _, how := range []syncline.Disposition{syncline.Append, syncline.Upsert, syncline.Replace} {
		p.exec(t, "truncate people, log")
		p.mustLoad(t, "people", numbered(0, 3), func(to *destination.Target) { to.Disposition = how })
		p.shows(t, "select count(*) from log", "(3)")
	}
}

// natives are values of types that travel as text or in a form of their own.
var natives = map[string]string{
	"inet": "10.0.0.1/8", "int4range": "[1,5)", "point": "(1,2)", "tsvector": "'a':1 'b':2", "money": "$1.00", "bit(3)": "101",
	"timetz": "12:00:00+02", "xml": "<a/>", "int[]": "{{1,2},{3,4}}", "numeric": "NaN", "character(5)": "ab   ", "macaddr": "08:00:2b:01:02:03",
	"public.mood": "happy", "public.pair": "(1,x)", "jsonb": `{"a": 1}`, "date": "infinity", "interval": "1 mon", "\"char\"": "x", "name": "n", "uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
}

func TestNativeTypesAreRestored(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, "create type public.mood as enum ('sad', 'happy'); create type public.pair as (a int, b text)")
	for _, how := range []syncline.Disposition{syncline.Replace, syncline.Upsert} {
		f := feed{key: []string{"id"}, fields: []arrow.Field{{Name: "id", Type: ints}}, rows: [][]string{{"1"}, {"2"}}}
		var defs, values []string
		for typ, value := range natives {
			field := rows.Field("c "+typ, texts, true, "pg:"+typ)
			f.fields = append(f.fields, field)
			f.rows[0], f.rows[1] = append(f.rows[0], value), append(f.rows[1], null)
			defs = append(defs, quote(field.Name)+" "+typ)
			values = append(values, literal(value)+"::"+typ)
		}
		table := "natives_" + string(how)
		p.mustLoad(t, table, f, func(to *destination.Target) { to.Disposition = how })
		p.exec(t, "create table want_"+table+" (id bigint, "+strings.Join(defs, ", ")+"); insert into want_"+table+" values (1, "+strings.Join(values, ", ")+"); insert into want_"+table+" (id) values (2)")
		p.shows(t, "select w from want_"+table+" w join "+table+" g using (id) where not record_image_eq(w, g)", "")
		same := "select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum) from pg_attribute where attnum > 0 and attrelid = '%s'::regclass"
		if got, want := p.text(t, fmt.Sprintf(same, table)), p.text(t, fmt.Sprintf(same, "want_"+table)); got != want {
			t.Errorf("%s: types\n%s\nwant\n%s", how, got, want)
		}
	}
}

// A type that is not here lands as text, and again on the next load.
func TestTypesThatAreNotHere(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := people([]string{"1", "happy"})
	f.fields[1] = rows.Field("name", texts, true, "pg:public.mood")
	for range 2 {
		p.mustLoad(t, "people", f)
	}
	p.shows(t, "select name, pg_typeof(name) from people", "(happy,text)")
}

func TestMarkKnowsItsTable(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for what, c := range map[string]struct {
		do   string
		how  syncline.Disposition
		void bool
	}{
		"nothing":               {"select 1", syncline.Upsert, false},
		"rows of others":        {"insert into people values (100, 'x')", syncline.Upsert, false},
		"truncated":             {"truncate people", syncline.Upsert, true},
		"truncated and touched": {"truncate people; insert into people values (100, 'x')", syncline.Upsert, true},
		"made anew":             {"alter table people rename to gone; create table people (like gone including all); insert into people select * from gone", syncline.Upsert, true},
		"truncated, appended":   {"truncate people", syncline.Append, true},
		"rewritten, appended":   {"alter table people alter name type varchar", syncline.Append, false},
	} {
		t.Run(what, func(t *testing.T) {
			p.anew(t)
			f := feed{}.of(c.how)
			f.rows = numbered(0, 3).rows
			as := func(to *destination.Target) { to.Disposition, to.Mode = c.how, syncline.ModeIncremental }
			l, _ := p.mustLoad(t, "people", f, as)
			if l.at.Mark != nil {
				t.Fatal("a mark before the first load")
			}
			p.exec(t, c.do)
			l, err := p.start(t, "people", f, as)
			if err != nil || (l.at.Mark == nil) != c.void {
				t.Errorf("mark %q, void %t: %v", l.at.Mark, c.void, err)
			}
			// It stays void for whoever comes after an attempt that only began to fill.
			if c.void {
				if err := l.write(t.Context()); err != nil {
					t.Fatal(err)
				}
				l.close()
				if l, err = p.start(t, "people", f, as); err != nil || l.at.Mark != nil {
					t.Errorf("mark %q after a refill that was not finished: %v", l.at.Mark, err)
				}
			}
		})
	}
}

// Widening for an incremental load rewrites the table, which is still the one of the mark.
func TestMarkOutlivesWidening(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := numbered(0, 3)
	f.fields[0].Type = arrow.PrimitiveTypes.Int32
	incremental := func(to *destination.Target) { to.Disposition, to.Mode = syncline.Upsert, syncline.ModeIncremental }
	p.mustLoad(t, "people", f, incremental)
	for range 2 {
		l, err := p.start(t, "people", numbered(0, 3), incremental)
		if err != nil || string(l.at.Mark) != "mark" {
			t.Fatalf("mark %q: %v", l.at.Mark, err)
		}
		l.close()
	}
	p.shows(t, "select pg_typeof(id) from people limit 1", "(bigint)")
}

// Rows that were rejected are in the source: a sweep leaves them, and where their key is
// not known it does not sweep at all.
func TestSweepSparesRejectedRows(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, "create table people (id bigint primary key, name text check (name <> 'bad')); insert into people values (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')")
	hard := func(to *destination.Target) { to.Disposition, to.Deletes = syncline.Upsert, syncline.DeletesHard }
	_, out := p.mustLoad(t, "people", people([]string{"1", "a"}, []string{"2", "bad"}, []string{"3", "nul\x00byte"}), hard)
	if out.Swept != 1 {
		t.Errorf("swept %d", out.Swept)
	}
	p.shows(t, "select * from people", "(1,a)\n(2,b)\n(3,c)")
	l, err := p.start(t, "people", people([]string{"1", "a"}), hard)
	if err != nil {
		t.Fatal(err)
	}
	lane, err := l.w.Part(t.Context(), "0", l.target.Fence.Token)
	if err != nil {
		t.Fatal(err)
	}
	b := l.batch("end")
	b.Rejects = []rows.Reject{{Row: 1, Code: rows.CodeMalformed, Message: "line 2"}}
	if _, err := lane.Write(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	b.Release()
	at, err := lane.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.sum = at.Counts
	if out, err := l.publish(t.Context()); err != nil || out.Swept != 0 || !l.noted("nothing is swept") {
		t.Errorf("%+v %v: %v", out, l.notes, err)
	}
	p.shows(t, "select count(*) from people", "(3)")
}

// Repeats of a key within one batch too, where the database would not know the order.
func TestRepeatsWithinABatch(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := numbered(0, 300)
	for i := 0; i < 300; i += 3 {
		f.rows[i][0] = "7"
	}
	l, out := p.mustLoad(t, "people", f)
	if l.sum.Superseded != 100 || out.Counts.Inserted != 200 || out.Total != 200 {
		t.Errorf("%+v, published %+v", l.sum, out)
	}
	p.shows(t, "select name from people where id = 7", `("name 297")`)
}

func TestEncodableKeysThatAreEqual(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := feed{
		key: []string{"n"}, fields: []arrow.Field{rows.Field("n", texts, false, "pg:numeric"), {Name: "v", Type: texts}},
		rows: [][]string{{"1.0", "first"}, {"1.00", "second"}, {"2", "x"}},
	}
	p.mustLoad(t, "numbers", f)
	p.shows(t, "select count(*) from numbers", "(2)")
	f.rows = [][]string{{"2.0", "x"}}
	l, _ := p.mustLoad(t, "numbers", f, upsert)
	if l.sum.Updated != 1 {
		t.Errorf("%+v", l.sum)
	}
	p.shows(t, "select n from numbers where n = 2", "(2.0)")
}

func TestDeletesNeedUpsert(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	l, err := p.start(t, "people", numbered(0, 1))
	if err != nil {
		t.Fatal(err)
	}
	lane, err := l.w.Part(t.Context(), "0", l.target.Fence.Token)
	if err != nil {
		t.Fatal(err)
	}
	b := l.batch("end")
	defer b.Release()
	b.Ops = []rows.Op{rows.Delete}
	if _, err := lane.Write(t.Context(), b); syncline.CodeOf(err) != syncline.InvalidArgument {
		t.Errorf("%v", err)
	}
	if _, err := lane.Finish(t.Context()); err == nil {
		t.Error("a lane goes on after it failed")
	}
}

func TestWindowNeedsATime(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.mustLoad(t, "people", numbered(0, 3))
	_, _, err := p.load(t, "people", numbered(0, 3), func(to *destination.Target) { to.Window, to.Cursor = &syncline.Window{}, "id" })
	if syncline.CodeOf(err) != syncline.FailedPrecondition {
		t.Errorf("%v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	pg := newServer(t)
	pg.exec(t, "create role nobody login; revoke all on schema public from public; revoke temporary on database postgres from public")
	levels := func(url string) (found []string) {
		d := (&place{url: url}).Open(t).(*database)
		all, err := d.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			found = append(found, f.What+" "+string(f.Level))
			if f.Level != "ok" && f.Remedy == "" {
				t.Errorf("%+v has no remedy", f)
			}
		}
		return found
	}
	got := levels(pg.url)
	if want := []string{"connection ok", "writable ok", `schema "public" ok`, "temporary tables ok", "durability warn"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	got = levels(strings.Replace(pg.url, "postgres@", "nobody@", 1))
	if want := []string{"connection ok", "writable ok", `schema "public" fail`, "temporary tables fail", "durability warn"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// A batch full of bad rows does not pile up rejects, and ends when they are too many.
func TestManyRejectsInABatch(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := numbered(0, 3*keepAt+7)
	for i := range f.rows {
		f.rows[i][1] = "nul\x00"
	}
	f.rows[5][1] = "good"
	l, _ := p.mustLoad(t, "people", f)
	if l.sum.Rejected != int64(len(f.rows)-1) || len(l.kept) != len(f.rows)-1 || l.sum.Inserted != 1 {
		t.Errorf("%+v, %d kept", l.sum, len(l.kept))
	}
	tooMany := errors.New("too many")
	calls := 0
	_, _, err := p.load(t, "people", f, func(to *destination.Target) {
		to.Keep = func(context.Context, string, []rows.Reject) error { calls++; return tooMany }
	})
	if !errors.Is(err, tooMany) || calls != 1 {
		t.Errorf("after %d calls: %v", calls, err)
	}
}

// A column that only the target has must be able to do without a value.
func TestColumnThatCannotBeLeftOut(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, "create table people (id bigint primary key, name text, note text not null)")
	_, err := p.start(t, "people", numbered(0, 1))
	s, ok := errors.AsType[*destination.SchemaChange](err)
	if !ok || s.Column != "note" || s.Source != "" || !strings.Contains(err.Error(), "no default") {
		t.Errorf("%v", err)
	}
}
