package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

func undecoded(t *destination.Target) { t.Format = rows.PGCopy }

// native gives the columns of people the types of a PostgreSQL source.
func native(f feed) feed {
	f.fields = []arrow.Field{rows.Field("id", ints, false, "pg:bigint"), rows.Field("name", texts, true, "pg:text")}
	return f
}

// tuplesOf is what COPY of a query sends, between header and trailer.
func (p *place) tuplesOf(t testing.TB, query string) (raw []byte, n int64) {
	t.Helper()
	var out bytes.Buffer
	tag, err := p.conn.PgConn().CopyTo(t.Context(), &out, "copy ("+query+") to stdout (format binary)")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(bytes.TrimPrefix(out.Bytes(), pgcopy.Header), pgcopy.Trailer), tag.RowsAffected()
}

func (p *place) undecoded(t testing.TB, query string) rows.Batch {
	b := rows.Batch{Format: rows.PGCopy, Next: []byte("next"), Release: func() {}}
	b.Raw, b.Rows = p.tuplesOf(t, query)
	return b
}

func (p *place) census(t testing.TB, c rows.Census, query string) rows.Batch {
	b := p.undecoded(t, query)
	b.Census = c
	return b
}

// put writes batches as one part and ends it.
func (l *load) put(part string, batches ...rows.Batch) {
	l.t.Helper()
	lane := l.part(part)
	l.into(lane, batches...)
	at, err := lane.Finish(context.Background())
	if err != nil || !at.Done || !at.Counts.Balanced() {
		l.t.Fatalf("part %s: %+v: %v", part, at, err)
	}
	_ = lane.Close()
	l.sum = l.sum.Add(at.Counts)
}

func (l *load) part(id string) destination.Lane {
	l.t.Helper()
	lane, err := l.w.Part(context.Background(), id, l.target.Fence.Token)
	if err != nil {
		l.t.Fatal(err)
	}
	return lane
}

func (l *load) into(lane destination.Lane, batches ...rows.Batch) {
	l.t.Helper()
	for _, b := range batches {
		if _, err := lane.Write(context.Background(), b); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *load) mustPublish() destination.Published {
	l.t.Helper()
	out, err := l.publish(context.Background())
	if err != nil || !out.Counts.Balanced() {
		l.t.Fatalf("%+v: %v", out, err)
	}
	return out
}

// again is the next attempt at the same load.
func (p *place) again(t testing.TB, l *load) *load {
	t.Helper()
	l.close()
	next, err := p.start(t, l.target.Table, l.feed, undecoded, func(to *destination.Target) {
		to.Load, to.Disposition, to.Deletes, to.Entity.Key = l.target.Load, l.target.Disposition, l.target.Deletes, l.target.Entity.Key
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range next.at.Parts {
		next.sum = next.sum.Add(at.Counts)
	}
	return next
}

// TestAcceptsOnlyTheSameTypes: rows are taken undecoded where each column lands in its own
// type, and nowhere else.
func TestAcceptsOnlyTheSameTypes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, `create type mood as enum ('sad'); create table narrow (id bigint primary key, name varchar(9)); create table wide (id numeric primary key, name text);
		create table computed (id bigint primary key, name text generated always as ('x') stored); create table exact (name text, id bigint primary key, more int)`)
	fields := func(name string) []arrow.Field {
		return []arrow.Field{rows.Field("id", ints, false, "pg:bigint"), rows.Field("name", texts, true, name)}
	}
	for _, c := range []struct {
		table, typ string
		change     func(*destination.Target)
		takes      bool
	}{
		{"new", "pg:text", nil, true},
		{"new", "pg:character varying(9)", nil, true},
		{"exact", "pg:text", nil, true},
		{"narrow", "pg:text", nil, true}, // the stage is wider already
		{"narrow", "pg:character varying(9)", nil, true},
		{"narrow", "pg:character varying(5)", nil, false},
		{"wide", "pg:text", nil, false},
		{"computed", "pg:text", nil, false},
		{"new", "pg:public.mood", nil, false},
		{"new", "pg:nowhere.mood", nil, false},
		{"new", "sqlite:TEXT", nil, false},
		{"new", "pg:text", upsert, false},
		{"new", "pg:text", appending, false},
	} {
		to := destination.Target{
			Entity: source.Entity{Name: c.table, Schema: arrow.NewSchema(fields(c.typ), nil), Key: []string{"id"}}, Table: c.table,
			Disposition: syncline.Replace, Columns: syncline.ColumnsAdd, Note: func(syncline.Severity, string, ...any) {},
		}
		if c.change != nil {
			c.change(&to)
		}
		d := p.Open(t)
		if got := slices.Contains(d.(destination.Accepter).Accepts(t.Context(), to), rows.PGCopy); got != c.takes {
			t.Errorf("%s into %s (%s): %t", c.typ, c.table, to.Disposition, got)
		}
		_ = d.Close()
	}
}

// TestRefusedAmongUndecoded: the rows that the server refuses are named, all others land.
func TestRefusedAmongUndecoded(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := native(people())
	f.fields[1].Nullable = false
	l, err := p.start(t, "people", f, undecoded)
	if err != nil {
		t.Fatal(err)
	}
	b := p.undecoded(t, "select g::bigint, case when g % 40 <> 7 then 'name ' || g end from generate_series(0, 199) g")
	b.First, b.Rejects = 1000, []rows.Reject{{Row: 1003, Code: rows.CodeTooLarge}}
	l.put("0", b)
	if l.sum.Inserted != 195 || l.sum.Rejected != 6 || l.sum.Read != 201 {
		t.Errorf("%+v", l.sum)
	}
	var got []string
	for _, r := range l.kept {
		got = append(got, fmt.Sprintf("%d %s %s %s", r.Row, r.Key, r.Code, r.Sample))
	}
	want := []string{`1008 7 null id="7" `, `1048 47 null id="47" `, `1088 87 null id="87" `, `1128 127 null id="127" `, `1168 167 null id="167" `}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	l.mustPublish()
	p.shows(t, "select count(*), count(distinct id) from people", "(195,195)")
}

// TestMalformedIsNoReject: bytes that are no tuples end the load.
func TestMalformedIsNoReject(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	l, err := p.start(t, "people", native(people()), undecoded)
	if err != nil {
		t.Fatal(err)
	}
	b := p.undecoded(t, "select 1::bigint, 'a'")
	b.Raw = b.Raw[:len(b.Raw)-1]
	if _, err := l.part("0").Write(t.Context(), b); err == nil {
		t.Error("half a tuple was taken")
	}
	b = p.undecoded(t, "select 1::bigint, 'a'")
	b.Rows = 2
	if _, err := l.part("0").Write(t.Context(), b); err == nil {
		t.Error("one row was taken for two")
	}
}

// TestCorrected: of rows that repeat a key over parts and attempts the last one written
// stays, and those that a census does not name are gone.
func TestCorrected(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, c := range []struct {
		name   string
		change func(*destination.Target)
		want   string
	}{
		{"replace", nil, "(1,new)\n(2,b)\n(4,d)"},
		{"upsert", upsert, "(0,old)\n(1,new)\n(2,b)\n(3,c)\n(4,d)"},
		{"upsert and delete", func(to *destination.Target) { upsert(to); to.Deletes = syncline.DeletesHard }, "(1,new)\n(2,b)\n(4,d)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.exec(t, "drop table if exists people; create table people (id bigint primary key, name text); insert into people values (0, 'old')")
			change := func(to *destination.Target) {
				undecoded(to)
				if c.change != nil {
					c.change(to)
				}
			}
			l, err := p.start(t, "people", native(people()), change)
			if err != nil {
				t.Fatal(err)
			}
			l.put("0", p.rowsFor(t, l, "(1::bigint, 'a'), (2, 'b')"))
			l.put("1", p.rowsFor(t, l, "(3::bigint, 'c'), (4, 'd')"))
			// A census that is not finished says nothing.
			lane := l.part("census-1")
			l.into(lane, p.census(t, rows.CensusBegins, "select 3::bigint"))
			_ = lane.Close()
			l = p.again(t, l)
			l.put("changed-2", p.rowsFor(t, l, "(1::bigint, 'new')"))
			l.put("census-1")
			lane = l.part("census-2")
			begins := p.census(t, rows.CensusBegins, "select unnest(array[1, 2]::bigint[])")
			l.into(lane, begins, p.census(t, rows.CensusGoesOn, "select 4::bigint"))
			if _, err := lane.Finish(t.Context()); err != nil {
				t.Fatal(err)
			}
			l = p.again(t, l) // what was named is durable
			out := l.mustPublish()
			p.shows(t, "select * from people", c.want)
			if again := l.mustPublish(); again.Counts != out.Counts {
				t.Errorf("published %+v, then %+v", out.Counts, again.Counts)
			}
			if left := p.Leftovers(t); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// rowsFor is a batch in the form that the load takes.
func (p *place) rowsFor(t testing.TB, l *load, values string) rows.Batch {
	t.Helper()
	b := p.undecoded(t, "select * from (values "+values+") v")
	if l.target.Disposition == syncline.Replace {
		return b
	}
	d, err := pgcopy.NewDecoder(l.target.Entity.Schema)
	if err != nil {
		t.Fatal(err)
	}
	ends, err := pgcopy.Ends(b.Raw, 2)
	if err != nil {
		t.Fatal(err)
	}
	from := 0
	for _, end := range ends {
		if err := d.Append(b.Raw[from:end]); err != nil {
			t.Fatal(err)
		}
		from = end
	}
	b.Format, b.Raw = rows.Arrow, nil
	b.Record, b.Release = d.Take()
	return b
}

// TestHelpersJoin: a helper writes a part beside the one who took the stream over, until
// somebody newer does or holds the part.
func TestHelpersJoin(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	l, err := p.start(t, "people", native(people()), undecoded)
	if err != nil {
		t.Fatal(err)
	}
	l.put("0", p.undecoded(t, "select 1::bigint, 'a'"))
	join := func(change func(*destination.Target)) (destination.Writer, error) {
		to := l.target
		if change != nil {
			change(&to)
		}
		d := p.Open(t)
		w, err := d.Open(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Close(); _ = d.Close() })
		return w, w.(destination.Joiner).Join(t.Context())
	}
	for what, change := range map[string]func(*destination.Target){
		"another token": func(to *destination.Target) { to.Fence.Token-- },
		"another load":  func(to *destination.Target) { to.Load = "other" },
		"no stream":     func(to *destination.Target) { to.Fence.Stream = "other" },
	} {
		if _, err := join(change); !errors.Is(err, syncline.ErrLeaseLost) {
			t.Errorf("%s: joined: %v", what, err)
		}
	}
	w, err := join(nil)
	if err != nil {
		t.Fatal(err)
	}
	first, second := nextToken(), nextToken()
	stale, err := w.Part(t.Context(), "1", first)
	if err != nil {
		t.Fatal(err)
	}
	l.into(stale, p.undecoded(t, "select 2::bigint, 'b'"))
	helper, err := w.Part(t.Context(), "1", second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stale.Finish(t.Context()); !errors.Is(err, syncline.ErrLeaseLost) {
		t.Errorf("two helpers on one part: %v", err)
	}
	l.into(helper, p.undecoded(t, "select 3::bigint, 'c'"))
	at, err := helper.Finish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l.sum = l.sum.Add(at.Counts)
	l.mustPublish()
	p.shows(t, "select * from people", "(1,a)\n(3,c)")

	l, err = p.start(t, "people", native(people()), undecoded)
	if err != nil {
		t.Fatal(err)
	}
	if w, err = join(nil); err != nil {
		t.Fatal(err)
	}
	if stale, err = w.Part(t.Context(), "0", nextToken()); err != nil {
		t.Fatal(err)
	}
	l = p.again(t, l)
	if _, err := stale.Write(t.Context(), p.undecoded(t, "select 9::bigint, 'z'")); err == nil {
		_, err = stale.Finish(t.Context())
		if !errors.Is(err, syncline.ErrLeaseLost) {
			t.Errorf("a helper of an older holder wrote: %v", err)
		}
	}
	l.put("0", p.undecoded(t, "select 1::bigint, 'a'"))
	l.mustPublish()
	p.shows(t, "select * from people", "(1,a)")
}
