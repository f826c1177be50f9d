package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	topostgres "github.com/synclinehq/syncline/destination/postgres"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	frompostgres "github.com/synclinehq/syncline/source/postgres"
	fromsqlite "github.com/synclinehq/syncline/source/sqlite"
	"github.com/synclinehq/syncline/testserver"
)

// zoo is a table of PostgreSQL with a column of every kind and a row of each extreme.
const zoo = `
create type mood as enum ('int', 'sad ~ "quoted"');
create type pair as (a int, b text);
create domain point_name as text;
create table zoo (
	id integer primary key, i2 smallint not null default 0, i8 bigint, f4 real, f8 double precision, flag boolean,
	n numeric, n12 numeric(12,2), n76 numeric(76,38), wide numeric(100,50), t text, v varchar(20), c char(5), e mood, dom point_name,
	b bytea, d date, tm time, tmtz timetz, ts timestamp, tstz timestamptz, ts3 timestamp(3), iv interval, u uuid, j json, jb jsonb,
	ints int[], nested int[][], texts text[], prices numeric(5,1)[], dates date[], ip inet, mac macaddr, pt point, bits bit(5), vb varbit,
	r int4range, mr int8multirange, comp pair, x xml, money money, ts_v tsvector);
insert into zoo (id, i8, f4, f8, flag) values (1, -9223372036854775808, '1e-45', '5e-324', true), (2, 9223372036854775807, 'NaN', 'NaN', false), (3, 0, 'Infinity', '-Infinity', null);
insert into zoo (id, n, n12, n76, wide) values (10, repeat('9', 600)::numeric + 0.5, -9999999999.99, 1e37, 0.00000000000000000000000000000000000000000000000001), (11, 'NaN', 1.10, 0, null), (12, '-0.00', 0, null, 1);
insert into zoo (id, t, v, c, e, dom, b) values (20, '', '', '', 'int', '', ''), (21, E'tab\t"quote'' 🚀', '123', ' a', 'sad ~ "quoted"', 'x', '\x00ff'), (22, null, null, null, null, null, null);
insert into zoo (id, d, tm, tmtz, ts, tstz, ts3, iv) values (30, '0044-03-15 BC', '24:00', '12:00+02', '0044-03-15 01:02:03 BC', '4713-01-01 00:00:00+00 BC', '2024-02-29 12:34:56.789', '-1 year 2 mons -3 days 04:05:06.789'),
	(31, 'infinity', '00:00:00.000001', '23:59:59-15:59', '-infinity', 'infinity', null, '0'), (32, '12024-01-01', null, null, '294246-12-31 23:59:59.999999', '12024-06-01 00:00:00+02', null, '178000000 years');
insert into zoo (id, u, j, jb) values (40, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"b": 1.10, "a": [null]}', '{"b": 1.10, "a": [null]}'), (41, null, 'null', 'null'), (42, null, '1e400', '1.50');
insert into zoo (id, ints, nested, texts, prices, dates) values (50, '{}', '{}', '{}', '{}', '{}'), (51, '{1,NULL,-2147483648}', '{{1,2},{3,NULL}}', '{"",NULL,"NULL","a\"b","{}"}', '{1.5,NULL}', '{infinity,"0044-03-15 BC"}');
insert into zoo (id, ip, mac, pt, bits, vb, r, mr, comp, x, money, ts_v) values (60, '10.0.0.1/8', '08:00:2b:01:02:03', '(1.5,-2)', '10101', '1', '[1,5)', '{[1,3),[5,7)}', '(1,"a b")', '<a>é</a>', '12.34', 'a:1 b:2');
`

// TestPostgresComesBack sends the zoo through a SQLite file and back into PostgreSQL: the
// types are the same, and so is every value, as PostgreSQL writes it.
func TestPostgresComesBack(t *testing.T) {
	there, back := testserver.Database(t), testserver.Database(t)
	sql(t, there, zoo)
	sql(t, back, zoo[:strings.Index(zoo, "create domain")]) // types that only a database knows
	file := newPlace(t)
	copyTable(t, pgSource(t, there), "public.zoo", file.Open(t))
	copyTable(t, sqliteSource(t, file.path), "zoo", pgDestination(t, back))

	same(t, "columns", texts(t, there, columnsOf), texts(t, back, columnsOf))
	same(t, "rows", texts(t, there, "select zoo::text from zoo order by id"), texts(t, back, "select zoo::text from zoo order by id"))
}

const columnsOf = `select attname || ' ' || replace(format_type(coalesce(nullif(t.typbasetype, 0), atttypid), atttypmod), 'public.', '') || case when attnotnull then ' not null' else '' end
	from pg_attribute a join pg_type t on t.oid = atttypid where attrelid = 'zoo'::regclass and attnum > 0 order by attnum`

// copyTable moves one table as transfer would.
func copyTable(t *testing.T, src source.Source, entity string, dst destination.Destination) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	defer func() { must(t, src.Close()); must(t, dst.Close()) }()
	found, err := src.Entities(ctx, []string{entity})
	must(t, err)
	q := source.Query{Entity: found[0], Mode: syncline.ModeFull, Format: rows.Arrow, Parallel: 1}
	plan, err := src.Plan(ctx, q)
	must(t, err)
	w, err := dst.Open(ctx, destination.Target{
		Entity: found[0], Table: dst.Lands(entity), Load: "load", Fence: destination.Fence{Stream: "p/" + entity, Token: 1}, Format: rows.Arrow,
		Mode: syncline.ModeFull, Disposition: syncline.Replace, Parallel: 1,
		Keep: func(_ context.Context, _ string, r []rows.Reject) error { return fmt.Errorf("rejected: %+v", r) },
		Note: func(_ syncline.Severity, format string, args ...any) { t.Logf(format, args...) },
	})
	must(t, err)
	defer func() { must(t, w.Close()) }()
	_, err = w.Takeover(ctx)
	must(t, err)
	var sum syncline.Counts
	for _, part := range plan.Parts {
		l, err := w.Part(ctx, part.ID, 1)
		must(t, err)
		for b, err := range src.Read(ctx, q, plan, part, nil) {
			must(t, err)
			for _, r := range b.Rejects {
				t.Errorf("rejected: %+v", r)
			}
			_, err = l.Write(ctx, b)
			b.Release()
			must(t, err)
		}
		at, err := l.Finish(ctx)
		must(t, err)
		must(t, l.Close())
		sum = sum.Add(at.Counts)
	}
	_, err = w.Publish(ctx, plan.Until, sum, nil)
	must(t, err)
}

func pgSettings(t *testing.T, database string, from func(*url.URL) (json.RawMessage, error)) json.RawMessage {
	t.Helper()
	u, err := url.Parse(database)
	must(t, err)
	settings, err := from(u)
	must(t, err)
	return settings
}

func pgSource(t *testing.T, database string) source.Source {
	t.Helper()
	s, err := frompostgres.Kind.Open(t.Context(), env(), pgSettings(t, database, frompostgres.Kind.Spec.FromURL))
	must(t, err)
	return s
}

func pgDestination(t *testing.T, database string) destination.Destination {
	t.Helper()
	d, err := topostgres.Kind.Open(t.Context(), env(), pgSettings(t, database, topostgres.Kind.Spec.FromURL))
	must(t, err)
	return d
}

func sqliteSource(t *testing.T, path string) source.Source {
	t.Helper()
	settings, err := json.Marshal(sqlitefile.Settings{Path: path})
	must(t, err)
	s, err := fromsqlite.Kind.Open(t.Context(), env(), settings)
	must(t, err)
	return s
}

func sql(t *testing.T, database, statements string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), database)
	must(t, err)
	defer func() { must(t, c.Close(t.Context())) }()
	_, err = c.PgConn().Exec(t.Context(), statements).ReadAll()
	must(t, err)
}

func texts(t *testing.T, database, query string) (all []string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), database)
	must(t, err)
	defer func() { must(t, c.Close(t.Context())) }()
	found, err := c.Query(t.Context(), query)
	must(t, err)
	all, err = pgx.CollectRows(found, pgx.RowTo[string])
	must(t, err)
	return all
}

func same(t *testing.T, what string, want, got []string) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		w, g := at(want, i), at(got, i)
		if w != g {
			t.Errorf("%s: was %s\nis %s", what, w, g)
		}
	}
	if len(want) == 0 {
		t.Errorf("%s: nothing to compare", what)
	}
}

func at(all []string, i int) string {
	if i < len(all) {
		return all[i]
	}
	return "nothing"
}
