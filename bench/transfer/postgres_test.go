package transfer_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/synclinehq/syncline/bench/measure"
)

// replaced is one table that is copied whole from PostgreSQL to PostgreSQL.
type replaced struct {
	*server
	table, what string
	rows        int
	bar         float64
	rounds      int // at most
}

func (s *server) toPostgres(t *testing.T) {
	bigint := replaced{s, "mixed", "bigint key", *size, 1.0, 0}
	var small, much int64
	t.Run("bigint", func(t *testing.T) {
		s.mixed(t, "mixed", *size)
		small = bigint.measure(t)
	})
	t.Run("uuid", func(t *testing.T) {
		s.mixed(t, "mixed", *size)
		s.mixedUUID(t, "mixed_uuid", "mixed")
		replaced{s, "mixed_uuid", "UUID key", *size, 0.9, 0}.measure(t)
	})
	if *large == 0 {
		return
	}
	t.Run("bigintLarge", func(t *testing.T) {
		s.mixed(t, "mixed_large", *large)
		much = replaced{s, "mixed_large", "bigint key", *large, 1.0, *largeRounds}.measure(t)
		if small > 0 {
			measure.Bound(t, measure.Limit{
				Name: fmt.Sprintf("PostgreSQL→PostgreSQL, peak memory of %s to that of %s", count(*large), count(*size)), Unit: "times",
				Value: float64(much) / float64(small), Bar: 1.1, AtMost: true,
			})
		}
	})
	t.Run("uuidLarge", func(t *testing.T) {
		s.mixed(t, "mixed_large", *large)
		s.mixedUUID(t, "mixed_large_uuid", "mixed_large")
		replaced{s, "mixed_large_uuid", "UUID key", *large, 0.9, *largeRounds}.measure(t)
	})
	s.exec(t, src, "drop table if exists mixed_large, mixed_large_uuid") // their room on the disk and in memory
}

// measure compares the first sync and a refresh, and returns the most memory either took.
func (r replaced) measure(t *testing.T) int64 {
	p := newProgram(t)
	r.sync(t, p)
	r.mirror(t, r.table)
	if got, want := r.shape(t, dst, r.table), r.shape(t, src, r.table); got != want {
		t.Errorf("made the table %s, want %s", got, want)
	}
	first := measure.Compare(t, r.comparison("first sync", func(t testing.TB) measure.Sample {
		p = newProgram(t)
		r.drop(t, r.table)
		return r.sync(t, p)
	}))
	refresh := measure.Compare(t, r.comparison("refresh", func(t testing.TB) measure.Sample {
		r.settle(t)
		return r.sync(t, p)
	}))
	read, written := p.told(t)
	if read != int64(r.rows) || written != read {
		t.Errorf("books: %d read, %d written of %d", read, written, r.rows)
	}
	r.blocked(t, p)
	r.same(t, r.table, r.table)
	r.same(t, "ref", r.table)
	r.clean(t, src)
	r.clean(t, dst)
	r.drop(t, r.table)
	r.exec(t, dst, "drop table ref")
	return max(first.RSS, refresh.RSS)
}

func (r replaced) sync(t testing.TB, p program) measure.Sample {
	t.Helper()
	return p.sync(t, r.rows, r.url(src), r.url(dst), "--entities", "public."+r.table)
}

func (r replaced) comparison(when string, ours measure.Side) measure.Comparison {
	return measure.Comparison{
		Name: fmt.Sprintf("PostgreSQL→PostgreSQL, %s, %s, %s", count(r.rows), r.what, when), Against: "a pipe of binary COPY",
		Unit: "rows/s", Bar: r.bar, MaxRSS: memory, Rounds: r.rounds, Ours: ours, Theirs: r.pipe,
	}
}

// pipe copies the table with psql, into an empty one that has the key.
func (r replaced) pipe(t testing.TB) measure.Sample {
	r.empty(t)
	took, _ := measure.Run(t, measure.Shell(fmt.Sprintf(`%s -c "copy %s to stdout (format binary)" | %s -c "copy ref from stdin (format binary)"`, r.psql(src), r.table, r.psql(dst))))
	return measure.Sample{Count: int64(r.rows), Took: took}
}

// blocked refreshes once more while somebody reads the table, and somebody else one that
// is left alone: what that one waits for is the machine's doing.
func (r replaced) blocked(t *testing.T, p program) {
	r.settle(t)
	target, bystander := r.reader(t, dst, r.table), r.reader(t, dst, "pg_am")
	r.sync(t, p)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	measure.Bound(t, measure.Limit{
		Name: fmt.Sprintf("PostgreSQL→PostgreSQL, %s, %s, longest wait of a reader during a refresh", count(r.rows), r.what), Unit: "ms",
		Value: ms(target.longest(t)), Bar: 50, AtMost: true, Noise: ms(bystander.longest(t)),
	})
}

// count writes a number of rows for people.
func count(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprintf("%d M rows", n/1_000_000)
	case n >= 1000 && n%1000 == 0:
		return fmt.Sprintf("%d k rows", n/1000)
	}
	return fmt.Sprintf("%d rows", n)
}
