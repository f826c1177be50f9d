package transfer_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/synclinehq/syncline/bench/measure"
)

// incremental upserts one row in a hundred of a table of which each was changed since the
// last time. Before each turn both sides catch up, untimed, so that each has the same to do.
func (s *server) incremental(t *testing.T) {
	rows := 5 * *size
	s.mixed(t, "mixed", *size)
	s.orders(t, rows)
	p := newProgram(t)
	sync := func(t testing.TB) measure.Sample {
		return p.sync(t, rows/100, s.url(src), s.url(dst), "--entities", "public.orders", "--mode", "incremental", "--cursor", "updated_at")
	}
	sync(t)
	s.mirror(t, "orders")
	s.exec(t, dst, "insert into ref select * from orders")
	merge := func(t testing.TB) measure.Sample { return s.merge(t, rows/100) }
	exactly := func(t testing.TB) measure.Sample {
		sample := sync(t)
		if _, written := p.told(t); written != int64(rows/100) {
			t.Errorf("wrote %d rows of %d changed ones", written, rows/100)
		}
		return sample
	}
	turn := 0
	after := func(work measure.Side) measure.Side {
		return func(t testing.TB) measure.Sample {
			sync(t)
			merge(t)
			s.change(t, rows, turn)
			turn++
			return work(t)
		}
	}
	measure.Compare(t, measure.Comparison{
		Name: fmt.Sprintf("incremental upsert of 1 %% of %s", count(rows)), Against: "SQL by hand: copy to a temporary table, insert on conflict",
		Unit: "changed rows/s", Bar: 0.8, MaxRSS: memory, Ours: after(exactly), Theirs: after(merge),
	})
	sync(t)
	merge(t)
	s.same(t, "orders", "orders")
	s.same(t, "ref", "orders")
	s.clean(t, src)
	s.clean(t, dst)
}

// orders makes the source's table: the mixed one, repeated, with an indexed cursor.
func (s *server) orders(t *testing.T, rows int) {
	t.Helper()
	var names []string
	for _, c := range columns[1:] {
		names = append(names, c.name)
	}
	s.exec(t, src, "drop table if exists orders")
	s.exec(t, src, "create table orders (like mixed including defaults, updated_at timestamptz not null)")
	s.exec(t, src, fmt.Sprintf(`insert into orders select id + n * %d, %s, timestamptz '2024-01-01' + (id + n * %d) * interval '1 second'
		from mixed, generate_series(0, 4) n order by 1`, *size, strings.Join(names, ", "), *size))
	s.exec(t, src, "alter table orders add primary key (id)")
	s.exec(t, src, "create index on orders (updated_at)")
	s.exec(t, src, "vacuum (analyze, freeze) orders")
	if n := value[int](t, s, src, "select count(*) from orders"); n != rows {
		t.Fatalf("made %d rows", n)
	}
}

// change changes one row in a hundred, other ones each turn, each at a time of its own,
// spread over the better part of a day, a day after the last turn's. Of those Syncline reads
// the last five minutes' again, in case some of them were committed late.
func (s *server) change(t testing.TB, rows, turn int) {
	t.Helper()
	s.exec(t, src, fmt.Sprintf(`update orders set qty = qty + 1, label = label || '.',
		updated_at = timestamptz '2025-01-01' + %d * interval '1 day' + id * %g * interval '1 second'
		where id in (select generate_series(%d, %d, 100))`, turn, 75_000/float64(rows), 1+turn%100, rows))
	for _, db := range []string{src, dst} {
		s.exec(t, db, "vacuum (analyze) orders")
	}
	s.exec(t, dst, "vacuum (analyze) ref")
	s.settle(t)
}

// merge is what a careful person writes by hand: rows since the newest one that is there,
// to a temporary table, and from there in one statement that leaves equal rows alone.
func (s *server) merge(t testing.TB, rows int) measure.Sample {
	t.Helper()
	since := value[string](t, s, dst, "select max(updated_at)::text from ref")
	var set, new, old []string
	for _, c := range append(columns[1:len(columns):len(columns)], struct{ name, native string }{"updated_at", ""}) {
		set = append(set, c.name+" = excluded."+c.name)
		old, new = append(old, "ref."+c.name), append(new, "excluded."+c.name)
	}
	read := fmt.Sprintf(`copy (select * from orders where updated_at > '%s') to stdout (format binary)`, since)
	write := fmt.Sprintf(`-c "begin" -c "create temporary table fresh (like ref) on commit drop" -c "copy fresh from stdin (format binary)" -c "insert into ref select * from fresh on conflict (id) do update set %s where (%s) is distinct from (%s)" -c "commit"`,
		strings.Join(set, ", "), strings.Join(old, ", "), strings.Join(new, ", "))
	took, _ := measure.Run(t, measure.Shell(fmt.Sprintf(`%s -c "%s" | %s %s`, s.psql(src), read, s.psql(dst), write)))
	return measure.Sample{Count: int64(rows), Took: took}
}
