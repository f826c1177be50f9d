package postgres

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// What only PostgreSQL has: things that hang on a table, rules of its own, and a
// connection that breaks while it commits.

var people = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

// batch is rows id … with one name, and a checkpoint.
func batch(first, n int64, name string) rows.Batch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, people)
	defer b.Release()
	for i := range n {
		b.Field(0).(*array.Int64Builder).Append(first + i)
		b.Field(1).(*array.StringBuilder).Append(name)
	}
	rec := b.NewRecordBatch()
	return rows.Batch{Format: rows.Arrow, Record: rec, Rows: n, Bytes: n * 16, First: first, Next: fmt.Append(nil, first+n), Release: rec.Release}
}

// load is one attempt at the table people.
type load struct {
	t    *testing.T
	d    destination.Destination
	w    destination.Writer
	to   destination.Target
	kept []rows.Reject
	sum  syncline.Counts
}

func (p *place) load(t *testing.T, d destination.Destination, name string, token int64, how syncline.Disposition) *load {
	t.Helper()
	l := &load{t: t, d: d}
	l.to = destination.Target{
		Entity: source.Entity{Name: "public.people", Schema: people, Key: []string{"id"}, Rows: -1, Bytes: -1}, Table: "public.people", Load: name,
		Fence: destination.Fence{Stream: "p/people", Token: token}, Format: rows.Arrow, Mode: syncline.ModeFull, Disposition: how,
		Columns: syncline.ColumnsAdd, Deletes: syncline.DeletesIgnore, Parallel: 1,
		Keep: func(_ context.Context, _ string, r []rows.Reject) error { l.kept = append(l.kept, r...); return nil },
		Note: func(s syncline.Severity, format string, args ...any) {
			t.Logf("%s: "+format, append([]any{s}, args...)...)
		},
	}
	return l
}

// run writes batches and publishes.
func (l *load) run(batches ...rows.Batch) error {
	l.t.Helper()
	ctx := l.t.Context()
	var err error
	if l.w, err = l.d.Open(ctx, l.to); err != nil {
		return err
	}
	defer l.w.Close()
	if _, err = l.w.Takeover(ctx); err != nil {
		return err
	}
	lane, err := l.w.Part(ctx, "0", l.to.Fence.Token)
	if err != nil {
		return err
	}
	defer lane.Close()
	for _, b := range batches {
		if _, err := lane.Write(ctx, b); err != nil {
			return err
		}
		b.Release()
	}
	at, err := lane.Finish(ctx)
	if err != nil {
		return err
	}
	l.sum = at.Counts
	if !l.sum.Balanced() {
		l.t.Errorf("the books do not balance: %+v", l.sum)
	}
	_, err = l.w.Publish(ctx, nil, l.sum, nil)
	return err
}

func (l *load) ok(batches ...rows.Batch) *load {
	l.t.Helper()
	if err := l.run(batches...); err != nil {
		l.t.Fatal(err)
	}
	return l
}

func (p *place) expect(t *testing.T, sql, want string) {
	t.Helper()
	if got := p.text(t, sql); got != want {
		t.Errorf("%s: %s, want %s", sql, got, want)
	}
}

// TestWhatHangsOnTheName: a swap carries over what belongs to the table and not to its rows.
func TestWhatHangsOnTheName(t *testing.T) {
	p := newPlace(t)
	d := p.Open(t)
	p.load(t, d, "l1", 1, syncline.Replace).ok(batch(1, 100, "old"))
	before := p.text(t, "select 'people'::regclass::oid::text")
	role := "r" + strings.ToLower(t.Name()[len(t.Name())-6:])
	p.exec(t, "create role "+role)
	t.Cleanup(func() { p.exec(t, "drop owned by "+role); p.exec(t, "drop role "+role) })
	for _, s := range []string{
		"comment on table people is 'all of them'", "comment on column people.name is 'how they are called'",
		"create index people_name on people (lower(name)) where id > 5", "alter table people add constraint named check (name <> '')",
		"alter table people alter column name set default 'nobody'",
		"grant select on people to public", "grant update (name) on people to " + role,
	} {
		p.exec(t, s)
	}
	p.load(t, d, "l2", 2, syncline.Replace).ok(batch(1, 80, "new"))
	if p.text(t, "select 'people'::regclass::oid::text") == before {
		t.Error("the table was not swapped: this test shows nothing")
	}
	p.expect(t, "select count(*) || name from people group by name", "80new")
	p.expect(t, "select obj_description('people'::regclass) || col_description('people'::regclass, 2)", "all of themhow they are called")
	p.expect(t, "select string_agg(indexname, ' ' order by indexname) from pg_indexes where tablename = 'people'", "people_name people_pkey")
	p.expect(t, "select pg_get_indexdef('people_name'::regclass)", "CREATE INDEX people_name ON public.people USING btree (lower(name)) WHERE (id > 5)")
	p.expect(t, "select pg_get_constraintdef(oid) from pg_constraint where conname = 'named'", "CHECK ((name <> ''::text))")
	p.expect(t, "select has_table_privilege('public', 'people', 'select')::text || has_column_privilege('"+role+"', 'people', 'name', 'update')::text || has_table_privilege('"+role+"', 'people', 'delete')::text", "truetruefalse")
	p.exec(t, "insert into people (id) values (1000)")
	p.expect(t, "select name from people where id = 1000", "nobody")
}

// TestWhatHangsOnTheTable: where more hangs on a table than its name it stays, and its rows
// are changed under what hangs on it.
func TestWhatHangsOnTheTable(t *testing.T) {
	for name, c := range map[string]struct{ make, check, want string }{
		"view":              {"create view v as select name, count(*) n from people group by 1", "select name || n from v", "new80"},
		"materialized view": {"create materialized view v as select count(*) from people", "select count::text from v", "100"},
		"foreign key":       {"create table pets (owner bigint references people); insert into pets values (7)", "select name from people join pets on owner = id", "new"},
		"row security":      {"alter table people enable row level security; create policy all_of on people using (true)", "select polname::text from pg_policy", "all_of"},
		"trigger":           {"create table log (op text); create function note() returns trigger language plpgsql as $$begin insert into log values (tg_op); return null; end$$; create trigger t after insert or update or delete on people for each statement execute function note()", "select string_agg(distinct op, ' ' order by op) from log", "DELETE INSERT UPDATE"},
		"more columns":      {"alter table people add column mine text default 'kept'", "select string_agg(distinct mine, ' ') from people where id <= 80", "kept"},
		"publication":       {"create publication pub for table people", "select tablename::text from pg_publication_tables", "people"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			d := p.Open(t)
			p.load(t, d, "l1", 1, syncline.Replace).ok(batch(1, 100, "old"))
			before := p.text(t, "select 'people'::regclass::oid::text")
			if _, err := p.conn.PgConn().Exec(t.Context(), c.make).ReadAll(); err != nil {
				t.Fatal(err)
			}
			p.load(t, d, "l2", 2, syncline.Replace).ok(batch(1, 80, "new"))
			p.expect(t, "select 'people'::regclass::oid::text", before)
			p.expect(t, c.check, c.want)
			p.expect(t, "select count(*)::text from people", "80")
		})
	}
}

// TestRulesOfTheTable: rows that break a rule of the target are found one by one; the others land.
func TestRulesOfTheTable(t *testing.T) {
	p := newPlace(t)
	d := p.Open(t)
	p.exec(t, "create table people (id bigint primary key check (id % 40 <> 0), name text)")
	l := p.load(t, d, "l1", 1, syncline.Upsert).ok(batch(1, 100, "a"), batch(101, 100, "b"))
	p.expect(t, "select count(*) || ' ' || max(id) from people", "195 199")
	if len(l.kept) != 5 || l.sum.Rejected != 5 || l.sum.Inserted != 195 {
		t.Fatalf("%d rejects, counts %+v", len(l.kept), l.sum)
	}
	for i, r := range l.kept {
		if want := int64(40*(i+1) - 1 + 1); r.Code != rows.CodeConstraint || !strings.Contains(r.Message, "people_id_check") || r.Row != want {
			t.Errorf("reject %d: %+v, want row %d", i, r, want)
		}
	}
}

// TestNamesTooLong: PostgreSQL would cut them without an error.
func TestNamesTooLong(t *testing.T) {
	p := newPlace(t)
	l := p.load(t, p.Open(t), "l1", 1, syncline.Replace)
	l.to.Table = "public." + strings.Repeat("x", 64)
	if err := l.run(batch(1, 1, "a")); err == nil || !strings.Contains(err.Error(), "63") {
		t.Fatalf("a name of 64 bytes: %v", err)
	}
}

// breaker hands out connections that break after a commit has been sent, before its answer.
type breaker struct {
	armed  atomic.Bool
	broken atomic.Int64
}

func (b *breaker) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	return &breaking{Conn: c, b: b}, err
}

// breaking is one of them. It breaks at the commit of rows, not at others.
type breaking struct {
	net.Conn
	b    *breaker
	rows bool // the checkpoint of a batch went this way
}

func (c *breaking) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.rows = c.rows || bytes.Contains(p, []byte("set seq = $4 + 1"))
	if err == nil && c.rows && bytes.Contains(p, []byte("commit\x00")) && c.b.armed.CompareAndSwap(true, false) {
		// The server has the message: it commits. Its answer is read by nobody.
		buf := make([]byte, 1)
		_, _ = c.Read(buf)
		c.b.broken.Add(1)
		_ = c.Close()
	}
	return n, err
}

// TestCommitOfUnknownFate: a commit whose answer was lost is looked up: what landed is not
// written again.
func TestCommitOfUnknownFate(t *testing.T) {
	for _, how := range []syncline.Disposition{syncline.Append, syncline.Upsert, syncline.Replace} {
		t.Run(string(how), func(t *testing.T) {
			p := newPlace(t)
			b := &breaker{}
			e := env()
			e.Dial = b.dial
			d := p.openIn(t, e)
			l := p.load(t, d, "l1", 1, how)
			if how == syncline.Append {
				l.to.Entity.Key = nil
			}
			ctx := t.Context()
			w, err := d.Open(ctx, l.to)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if _, err := w.Takeover(ctx); err != nil {
				t.Fatal(err)
			}
			lane, err := w.Part(ctx, "0", 1)
			if err != nil {
				t.Fatal(err)
			}
			defer lane.Close()
			const batches = 12
			for i := range int64(batches) {
				b.armed.Store(true)
				if _, err := lane.Write(ctx, batch(1+i*100, 100, strings.Repeat("x", 100_000))); err != nil {
					t.Fatalf("batch %d: %v", i, err)
				}
			}
			b.armed.Store(true)
			at, err := lane.Finish(ctx)
			if err != nil {
				t.Fatal(err)
			}
			b.armed.Store(false)
			if _, err := w.Publish(ctx, nil, at.Counts, nil); err != nil {
				t.Fatal(err)
			}
			p.expect(t, "select count(*) || ' ' || count(distinct id) from people", "1200 1200")
			if at.Counts.Inserted != 1200 || !at.Counts.Balanced() {
				t.Errorf("counts %+v", at.Counts)
			}
			if b.broken.Load() < 3 {
				t.Fatalf("%d commits were cut: that proves little", b.broken.Load())
			}
			t.Logf("%d commits cut", b.broken.Load())
		})
	}
}
