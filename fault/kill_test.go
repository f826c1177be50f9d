package fault_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"

	"github.com/synclinehq/syncline/testserver"
)

const (
	rowsInTable = 300_000
	// twoBatches is how much more than what was left an attempt may read.
	twoBatches = 2 * 65_536
)

// pair is one way through Syncline that is killed again and again.
type pair struct {
	args []string
	// change gives the source new content before attempt n.
	change func(n int)
	// drop removes the target, so that the next sync is a first one.
	drop func()
	// durable is how many rows of the unfinished load the destination holds for good.
	durable func() int64
	// compare fails the test unless source and target hold the same, and returns the rows.
	compare func() int64
	// left lists what a killed sync must not leave behind once the next has ended.
	left func() []string
}

// TestKill kills a sync at random moments; the same command again ends it, with the
// right rows, having read little twice, and leaves nothing behind.
func TestKill(t *testing.T) {
	pairs := map[string]func(t *testing.T) pair{"postgres to postgres": postgresToPostgres, "postgres to sqlite": postgresToSQLite, "csv to postgres": csvToPostgres}
	for name, make := range pairs {
		t.Run(name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("many processes: not under the race detector, which does not see into them")
			}
			killOften(t, make(t))
		})
	}
}

func killOften(t *testing.T, p pair) {
	k := &killer{r: random(t)}
	s := newProgram(t)
	sync := append([]string{"sync"}, p.args...)
	p.change(0)
	began := time.Now()
	s.run(0, sync...)
	k.last = time.Since(began)
	var struck, resumed, saved int64
	for n := 1; n <= *kills; n++ {
		p.change(n)
		if n%2 == 0 {
			p.drop()
		}
		before := len(s.runs())
		if !k.strike(s.start(sync...)) {
			p.compare() // it ended before the kill
			continue
		}
		struck++
		durable := p.durable()
		s.run(0, sync...)
		total := p.compare()
		runs := s.runs()
		if len(runs) > before+2 {
			t.Fatalf("kill %d made %d runs of one sync", n, len(runs)-before)
		}
		if judge(t, n, runs[0], total, durable) {
			resumed++
			saved += durable
		}
		if left := p.left(); len(left) > 0 {
			t.Fatalf("kill %d left %v", n, left)
		}
	}
	t.Logf("%d killed of %d, %d of them with a run under way, %d rows not read again; a sync takes %s", struck, *kills, resumed, saved, k.last.Round(time.Millisecond))
	if resumed < int64(*kills)/4 || saved == 0 {
		t.Errorf("%d kills hit a run under way and %d rows were gone on from: that proves little", resumed, saved)
	}
}

// judge checks the run that a kill hit; false when the kill came before or after its run.
func judge(t *testing.T, n int, r shown, total, durable int64) bool {
	t.Helper()
	if r.State != "succeeded" {
		t.Fatalf("kill %d: the run is %s: %+v", n, r.State, r.Error)
	}
	if r.Totals.Read != total || r.Totals.Inserted+r.Totals.Updated+r.Totals.Unchanged != total {
		t.Fatalf("kill %d: the run counts %+v, the table has %d", n, r.Totals, total)
	}
	if len(r.Attempts) < 2 {
		return false
	}
	last := r.Attempts[len(r.Attempts)-1]
	if r.Attempts[0].Cause != "lease_lost" || last.Cause != "succeeded" {
		t.Fatalf("kill %d: attempts %+v", n, r.Attempts)
	}
	if last.Read > total-durable+twoBatches {
		t.Fatalf("kill %d: the second attempt read %d rows, %d of %d were left", n, last.Read, total-durable, total)
	}
	return true
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(within(t, 30*time.Second), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func execute(t *testing.T, c *pgx.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := c.PgConn().Exec(within(t, time.Minute), s).ReadAll(); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func one[T any](t *testing.T, c *pgx.Conn, query string) (v T) {
	t.Helper()
	if err := c.QueryRow(within(t, time.Minute), query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

const digest = `select count(*) || ' ' || coalesce(sum(hashtextextended(x::text, 0)), 0) from (select * from public.t) x`

// makeTable fills a table of mixed columns with n rows.
func makeTable(n int) string {
	return fmt.Sprintf(`create table public.t (id bigint primary key, qty integer not null, amount numeric(12,2), active boolean, at timestamptz, label text not null, note varchar(60));
		insert into public.t select g, g %% 1000, (g %% 100000)::numeric / 100, g %% 2 = 0, timestamptz '2020-01-01' + g * interval '61 seconds',
		'label, "' || md5(g::text) || '"', case g %% 3 when 0 then null when 1 then '' else 'note ' || g end from generate_series(1, %d) g`, n)
}

// touch changes a part of the source, so that a stale copy is not equal.
func touch(n int) string {
	return fmt.Sprintf("update public.t set qty = qty + 1, label = label || '%d' where id %% 97 = %d", n, n%97)
}

// inPostgres says what a PostgreSQL destination holds of an unfinished load, and what it
// must not hold any more.
func inPostgres(t *testing.T, c *pgx.Conn) (durable func() int64, left func() []string) {
	durable = func() int64 {
		if one[*string](t, c, "select to_regclass('public._syncline_checkpoints')::text") == nil {
			return 0
		}
		return one[int64](t, c, `select coalesce(sum(p.inserted), 0)::bigint from (select (counts->>'inserted')::bigint inserted from public._syncline_checkpoints
			where part <> '' and to_regclass('public._syncline_checkpoints') is not null) p`)
	}
	left = func() []string {
		rows, err := c.Query(within(t, time.Minute), `select relname from pg_class where relkind = 'r' and relname like '\_syncline\_%' and relname <> '_syncline_checkpoints'
			union all select 'lock of ' || pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name ilike '%syncline%'`)
		if err != nil {
			t.Fatal(err)
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	return durable, left
}

func postgresToPostgres(t *testing.T) pair {
	from, to := testserver.Database(t), testserver.Database(t)
	src, dst := connect(t, from), connect(t, to)
	execute(t, src, makeTable(rowsInTable), "vacuum analyze public.t")
	durable, left := inPostgres(t, dst)
	return pair{
		args:    []string{from, to, "--entities", "public.t"},
		change:  func(n int) { execute(t, src, touch(n)) },
		drop:    func() { execute(t, dst, "drop table if exists public.t") },
		durable: durable, left: left,
		compare: func() int64 {
			t.Helper()
			if a, b := one[string](t, src, digest), one[string](t, dst, digest); a != b {
				t.Fatalf("source %s, target %s", a, b)
			}
			return one[int64](t, dst, "select count(*) from public.t")
		},
	}
}

func postgresToSQLite(t *testing.T) pair {
	from := testserver.Database(t)
	src := connect(t, from)
	execute(t, src, makeTable(rowsInTable), "vacuum analyze public.t")
	path := filepath.Join(t.TempDir(), "target.db")
	query := func(q string, scan func(*sql.Rows)) {
		t.Helper()
		db, err := sql.Open("sqlite", "file:"+path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		rows, err := db.QueryContext(within(t, time.Minute), q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		defer rows.Close()
		for rows.Next() {
			scan(rows)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return pair{
		args:   []string{from, "sqlite://" + path, "--entities", "public.t"},
		change: func(n int) { execute(t, src, touch(n)) },
		drop: func() {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				_ = os.Remove(path + suffix)
			}
		},
		durable: func() (n int64) {
			if _, err := os.Stat(path); err != nil {
				return 0
			}
			var tables int
			query("select count(*) from sqlite_schema where name = '_syncline_checkpoints'", func(r *sql.Rows) { _ = r.Scan(&tables) })
			if tables == 1 {
				query("select coalesce(sum(counts->>'inserted'), 0) from _syncline_checkpoints where part <> ''", func(r *sql.Rows) { _ = r.Scan(&n) })
			}
			return n
		},
		left: func() (names []string) {
			query(`select name from sqlite_schema where name like '\_syncline\_%' escape '\' and type = 'table' and name <> '_syncline_checkpoints'`, func(r *sql.Rows) {
				var name string
				_ = r.Scan(&name)
				names = append(names, name)
			})
			return names
		},
		compare: func() int64 {
			t.Helper()
			want, err := src.Query(within(t, time.Minute), "select id, qty, amount::text, active, label, note from public.t order by id")
			if err != nil {
				t.Fatal(err)
			}
			defer want.Close()
			var n int64
			query("select id, qty, amount, active, label, note from t order by id", func(r *sql.Rows) {
				if !want.Next() {
					t.Fatal("the target has more rows than the source")
				}
				n++
				if a, b := line(t, want), line(t, r); a != b {
					t.Fatalf("source %s, target %s", a, b)
				}
			})
			if want.Next() {
				t.Fatalf("the target ends after %d rows", n)
			}
			return n
		},
	}
}

// line draws one row for comparison.
func line(t *testing.T, r interface{ Scan(...any) error }) string {
	var id, qty int64
	var active bool
	var amount, label, note *string
	if err := r.Scan(&id, &qty, &amount, &active, &label, &note); err != nil {
		t.Fatal(err)
	}
	show := func(s *string) string {
		if s == nil {
			return "null"
		}
		return "'" + *s + "'"
	}
	return fmt.Sprint(id, qty, show(amount), active, show(label), show(note))
}

func csvToPostgres(t *testing.T) pair {
	to := testserver.Database(t)
	dst := connect(t, to)
	path := filepath.Join(t.TempDir(), "t.csv")
	durable, left := inPostgres(t, dst)
	return pair{
		args:    []string{path, to, "--key", "id"},
		change:  func(n int) { writeCSV(t, path, n) },
		drop:    func() { execute(t, dst, "drop table if exists public.t") },
		durable: durable, left: left,
		compare: func() int64 {
			t.Helper()
			execute(t, dst, "drop table if exists expected", "create unlogged table expected (id bigint, n integer, amount numeric, label text, note text)")
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := dst.PgConn().CopyFrom(within(t, time.Minute), f, "copy expected from stdin (format csv, header)"); err != nil {
				t.Fatal(err)
			}
			const differ = `select (select count(*) from (select id::bigint, n::int, amount::numeric, label, note from public.t except all select * from expected) a)
				+ (select count(*) from (select * from expected except all select id::bigint, n::int, amount::numeric, label, note from public.t) b)`
			if d := one[int64](t, dst, differ); d != 0 {
				t.Fatalf("%d rows differ between file and table", d)
			}
			return one[int64](t, dst, "select count(*) from public.t")
		},
	}
}

func writeCSV(t *testing.T, path string, n int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	_, _ = w.WriteString("id,n,amount,label,note\n")
	notes := []string{"", `""`, `"a, ""quoted"" note"`}
	for i := range rowsInTable {
		fmt.Fprintf(w, "%d,%d,%d.%02d,label %d %s,%s\n", i+1, n, i%1000, i%100, i, strings.Repeat("x", i%23), notes[i%3])
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
