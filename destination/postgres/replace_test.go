package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
)

// dress gives public.people everything that a replacement by name must carry over.
const dress = `
create role reader; create role writer; create role owner;
grant create on schema public to owner;
create table people (id bigint primary key, name text default 'nobody', constraint short check (length(name) < 100));
create unique index "Names" on people (lower(name)) where id > 0;
create index on people using hash (name);
comment on table people is 'it''s people'; comment on column people.name is 'the name'; comment on index "Names" is 'of names';
comment on constraint short on people is 'not too long';
alter table people set (fillfactor = 70);
alter table people owner to owner;
grant select on people to reader; grant update (name) on people to writer; grant insert on people to public; grant delete on people to writer with grant option;
insert into people values (1, 'old')`

// dressed draws all of it.
const dressedSQL = `
select 'owner ' || pg_get_userbyid(relowner) || ' ' || array_to_string(reloptions, ',') as r from pg_class where oid = 'people'::regclass
union all select 'grant ' || grantee || ' ' || privilege_type || ' ' || is_grantable from information_schema.table_privileges where table_name = 'people'
union all select 'grant on column ' || grantee || ' ' || privilege_type || ' ' || column_name from information_schema.column_privileges where table_name = 'people' and grantee = 'writer'
union all select 'index ' || indexname || ' ' || indexdef || coalesce(' ' || obj_description(('public.' || quote_ident(indexname))::regclass), '') from pg_indexes where tablename = 'people'
union all select 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) || coalesce(' ' || obj_description(oid, 'pg_constraint'), '') from pg_constraint where conrelid = 'people'::regclass
union all select 'column ' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') || coalesce(' ' || col_description('people'::regclass, ordinal_position::int), '') from information_schema.columns where table_name = 'people'
union all select 'comment ' || obj_description('people'::regclass)`

func TestReplaceByNameKeepsWhatBelongsToTheName(t *testing.T) {
	t.Parallel()
	pg := newServer(t)
	pg.exec(t, dress)
	before := pg.text(t, "select string_agg(r, E'\n' order by r) from ("+dressedSQL+") v")
	oid := pg.text(t, "select 'people'::regclass::oid::text")
	pg.exec(t, "alter default privileges grant all on tables to reader")
	l, out := pg.mustLoad(t, "people", numbered(2, 9))
	if out.Swept != 1 || out.Total != 7 {
		t.Errorf("%+v", out)
	}
	after := pg.text(t, "select string_agg(r, E'\n' order by r) from ("+dressedSQL+") v")
	if after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if pg.text(t, "select 'people'::regclass::oid::text") == oid {
		t.Errorf("the table was not replaced by name: %v", l.notes)
	}
	pg.shows(t, "select count(*) from people", "(7)")
}

// hangers are what makes a table more than its name; each must live on, on the new rows.
var hangers = map[string]struct{ make, look, want string }{
	"view": {"create view v as select name from people where id > 1", "select * from v", `("name 2")
("name 3")`},
	"view with columns of another": {"create view v as select p.name, 1 as one from people p", "select count(*) from v", "(3)"},
	"materialized view":            {"create materialized view v as select name from people", "select relkind from pg_class where relname = 'v'", "(m)"},
	"foreign key to it": {
		"create table pets (id int, person bigint references people); insert into pets values (1, 1)",
		"select person from pets join people on people.id = person", "(1)",
	},
	"foreign key of it": {
		"create table names (name text primary key); insert into names select 'name ' || n from generate_series(0, 9) n; alter table people add foreign key (name) references names",
		"select count(*) from pg_constraint where conrelid = 'people'::regclass and contype = 'f'", "(1)",
	},
	"trigger": {`create table log (n bigint); create function note() returns trigger language plpgsql as 'begin insert into log values (new.id); return new; end';
		create trigger t after insert on people for each row execute function note()`, "select n from log", "(2)\n(3)"},
	"publication":    {"create publication p for table people", "select tablename from pg_publication_tables where pubname = 'p'", "(people)"},
	"row security":   {"alter table people enable row level security; create policy mine on people using (id < 100)", "select count(*) from pg_policy", "(1)"},
	"rule":           {"create rule r as on delete to people where old.id = 1000 do instead nothing", "select count(*) from pg_rules where tablename = 'people'", "(1)"},
	"owned sequence": {"create sequence s owned by people.id", "select count(*) from pg_class where relname = 's'", "(1)"},
	"identity":       {"alter table people alter id add generated always as identity (start 100)", "select is_identity from information_schema.columns where column_name = 'id' and table_name = 'people'", "(YES)"},
	"inheritance":    {"create table more () inherits (people)", "select inhparent::regclass from pg_inherits", "(people)"},
	"row type": {
		"create function f(people) returns text language sql as 'select $1.name'",
		"select f(p) from people p where id = 2", `("name 2")`,
	},
	"column of its type": {"create table holder (p people)", "select count(*) from pg_attribute where atttypid = 'people'::regtype", "(1)"},
	"statistics":         {"create statistics st on id, name from people", "select count(*) from pg_statistic_ext", "(1)"},
	"another column":     {"alter table people add note text; update people set note = 'kept' where id = 1", "select note from people where id = 1", "(kept)"},
	"generated column":   {"alter table people add twice bigint generated always as (id * 2) stored", "select twice from people", "(2)\n(4)\n(6)"},
	"domain":             {"create domain word as text check (value <> 'no'); alter table people alter name type word", "select count(*) from pg_attribute where atttypid = 'word'::regtype", "(1)"},
	"unlogged":           {"alter table people set unlogged", "select relpersistence from pg_class where relname = 'people'", "(u)"},
	"replica identity":   {"alter table people replica identity full", "select relreplident from pg_class where relname = 'people'", "(f)"},
}

func TestReplaceKeepsWhatHangsOnTheTable(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for what, h := range hangers {
		t.Run(what, func(t *testing.T) {
			p.anew(t)
			p.mustLoad(t, "people", numbered(0, 2))
			p.exec(t, h.make)
			oid := p.text(t, "select 'people'::regclass::oid::text")
			l, out := p.mustLoad(t, "people", numbered(1, 4))
			if out.Total != 3 || out.Swept != 1 || l.sum.Inserted != 3 {
				t.Errorf("%+v, wrote %+v", out, l.sum)
			}
			p.shows(t, "select id, name from people", "(1,\"name 1\")\n(2,\"name 2\")\n(3,\"name 3\")")
			p.shows(t, h.look, h.want)
			if p.text(t, "select 'people'::regclass::oid::text") != oid || !l.noted("row by row") {
				t.Errorf("replaced by name; %v", l.notes)
			}
		})
	}
}

// A merge leaves alone what did not change, and tells apart what only looks equal.
func TestMergeWritesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := feed{
		key: []string{"id"}, fields: []arrow.Field{{Name: "id", Type: ints}, {Name: "n", Type: texts, Nullable: true}, {Name: "doc", Type: texts, Nullable: true}},
		rows: [][]string{{"1", "1.0", "{}"}, {"2", "2.0", "{}"}, {"3", null, null}, {"4", "4", "{}"}},
	}
	p.exec(t, "create table things (id bigint primary key, n numeric, doc json)")
	p.exec(t, "create view v as select * from things")
	for i := range f.fields[1:] {
		f.fields[i+1].Metadata = arrow.NewMetadata([]string{"native"}, []string{[]string{"pg:numeric", "pg:json"}[i]})
	}
	p.mustLoad(t, "things", f)
	before := p.text(t, "select string_agg(xmin::text, ' ' order by id) from things where id in (1, 3)")
	f.rows[1][1], f.rows[3][2] = "2.00", `{ }`
	p.mustLoad(t, "things", f)
	p.shows(t, "select * from v", `(1,1.0,{})
(2,2.00,{})
(3,,)
(4,4,"{ }")`)
	if after := p.text(t, "select string_agg(xmin::text, ' ' order by id) from things where id in (1, 3)"); after != before {
		t.Errorf("rows that did not change were written again: %s, before %s", after, before)
	}
}

func TestMergeOfATableWithoutKey(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := numbered(0, 3)
	f.key = nil
	p.mustLoad(t, "people", f)
	p.exec(t, "create view v as select * from people")
	f.rows = append(f.rows, f.rows[0])
	p.mustLoad(t, "people", f)
	p.shows(t, "select * from v", "(0,\"name 0\")\n(0,\"name 0\")\n(1,\"name 1\")\n(2,\"name 2\")")
}

// A column that a view shows cannot change its type: that is said, and nothing is done.
func TestWideningUnderAView(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, "create table people (id bigint primary key, name varchar(10)); create view v as select name from people; insert into people values (1, 'a')")
	_, _, err := p.load(t, "people", numbered(1, 3))
	if err == nil || !strings.Contains(err.Error(), "view") {
		t.Errorf("%v", err)
	}
	p.shows(t, "select * from v", "(a)")
}

func TestRulesOfTheTargetAreNamed(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for what, c := range map[string]struct{ ddl, says string }{
		"check":  {"alter table people add constraint tiny check (id < 3)", `constraint "tiny"`},
		"unique": {"create unique index only_name on people (name)", `index "only_name"`},
		"merged": {"alter table people add constraint tiny check (id < 3); create view v as select * from people", `"tiny"`},
	} {
		t.Run(what, func(t *testing.T) {
			p.anew(t)
			p.mustLoad(t, "people", numbered(0, 2))
			p.exec(t, c.ddl)
			f := numbered(0, 5)
			f.rows[4][1] = "name 3"
			_, _, err := p.load(t, "people", f)
			e, ok := errors.AsType[*syncline.Error](err)
			if !ok || e.Class != syncline.ClassData || e.Retryable || !strings.Contains(e.Message, c.says) || strings.Contains(e.Message, "_syncline") {
				t.Errorf("%#v", err)
			}
			p.shows(t, "select id from people", "(0)\n(1)")
		})
	}
}

// Readers see the old rows until the new ones are there, and wait for no more than the
// rename; one that holds on to the table for long is waited for.
func TestReplaceWaitsForReaders(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.mustLoad(t, "people", numbered(0, 2))
	reader := placeAt(t, p.url)
	reader.exec(t, "begin; select count(*) from people")
	l, err := p.start(t, "people", numbered(0, 5))
	if err == nil {
		err = l.write(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := l.publish(context.Background())
		done <- err
	}()
	waitFor(t, p, "select exists (select from pg_locks where not granted and relation = 'people'::regclass)::text", "true")
	if n := reader.text(t, "select count(*)::text from people"); n != "2" {
		t.Errorf("%s rows before the new ones are visible", n)
	}
	reader.exec(t, "commit")
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("publish does not go on")
	}
	p.shows(t, "select count(*) from people", "(5)")
}

func waitFor(t testing.TB, p *place, sql, want string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); p.text(t, sql) != want; {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not %s", sql, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Columns stand where they stood, and what the target allowed it still allows.
func TestReplaceKeepsOrderAndNullability(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, "create table people (name text not null, id bigint primary key, age int)")
	f := people([]string{"1", null, "30"})
	f.fields = append(f.fields, arrow.Field{Name: "age", Type: arrow.PrimitiveTypes.Int32}, arrow.Field{Name: "new", Type: texts})
	f.rows[0] = append(f.rows[0], "x")
	p.mustLoad(t, "people", f)
	p.shows(t, "select string_agg(column_name || ' ' || is_nullable, ', ' order by ordinal_position) from information_schema.columns where table_name = 'people'",
		`("name YES, id NO, age YES, new NO")`)
}

func TestViewIsNoTarget(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, "create view people as select 1::bigint as id, 'x' as name")
	_, err := p.start(t, "people", numbered(0, 1))
	if e, ok := errors.AsType[*syncline.Error](err); !ok || !strings.Contains(e.Message, "a view") || e.Hint == "" {
		t.Errorf("%v", err)
	}
}

// Another role's table is merged when the role may write it, for it may not drop it.
func TestReplaceOfAnothersTable(t *testing.T) {
	t.Parallel()
	pg := newServer(t)
	pg.exec(t, `create role loader login; grant create, usage on schema public to loader;
		create table people (id bigint primary key, name text); grant all on people to loader`)
	theirs := &place{url: strings.Replace(pg.url, "postgres@", "loader@", 1), conn: pg.conn}
	theirs.mustLoad(t, "people", numbered(0, 3))
	pg.shows(t, "select id, pg_get_userbyid(relowner) from people, pg_class where relname = 'people'", "(0,postgres)\n(1,postgres)\n(2,postgres)")
}

func TestMassDeleteByKeyNotByNumber(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.mustLoad(t, "people", numbered(0, 2000))
	_, _, err := p.load(t, "people", numbered(5000, 7000))
	if m, ok := errors.AsType[*destination.MassDelete](err); !ok || m.Gone != 2000 || m.Had != 2000 {
		t.Errorf("%v", err)
	}
	p.shows(t, "select min(id), max(id) from people", "(0,1999)")
}
