package fault_test

import (
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline/testserver"
)

// tables of a source: one for each way in which keys can lie.
var tables = map[string]string{
	"big":  "id bigint primary key, qty integer not null, note text, fat text not null",
	"uid":  "id uuid primary key, qty integer not null, note text",
	"pair": "a text, b text, qty integer not null, note text, primary key (a, b)",
}

// columns of a table, its key first.
var columns = map[string]string{"big": "id,qty,note,fat", "uid": "id,qty,note", "pair": "a,b,qty,note"}

// site is one source and one destination between which runs are disturbed.
type site struct {
	t        *testing.T
	r        *rand.Rand
	db       *pgx.Conn // to the source
	proxy    *proxy
	points   []point
	from, to string // as commands get them, one of them through the proxy
	target   target
}

// target is where a site's rows go.
type target struct {
	url  string
	drop func()
	// print is the fingerprint of a table, absent when there is none.
	print func(table string) string
	// left lists what must not be there when no run is under way.
	left func() []string
}

// makeTables fills a source: n rows a table, those of the first so wide that a load of it
// has several checkpoints when fat is large.
func makeTables(n, fat int) (statements []string) {
	for name, columns := range tables {
		statements = append(statements, fmt.Sprintf("create table public.%s (%s)", name, columns))
	}
	return append(statements,
		fmt.Sprintf("alter table public.big alter fat set storage plain; insert into public.big select g, g %% 1000, case g %% 3 when 0 then null else 'note, \"' || g end, repeat(md5(g::text), %d) from generate_series(1, %d) g", fat, n),
		fmt.Sprintf("insert into public.uid select md5(g::text)::uuid, g %% 1000, case g %% 5 when 0 then null else 'n' || g end from generate_series(1, %d) g", n),
		fmt.Sprintf("insert into public.pair select 'a' || g %% 7, md5(g::text), g, 'x' || g from generate_series(1, %d) g", n),
		"analyze")
}

// change is what another session does to the source: rows come, change, move and go.
func (s *site) change() {
	n := s.r.IntN(89)
	seed := s.r.Int64()
	execute(s.t, s.db, fmt.Sprintf("update public.big set qty = qty + 1, note = 'changed %d' where id %% 89 = %d", n, n),
		fmt.Sprintf("delete from public.big where id %% 97 = %d", n),
		fmt.Sprintf("insert into public.big select %d + g, g, null, md5(g::text) from generate_series(1, 5) g", seed&(1<<62-1)|1<<40),
		fmt.Sprintf("update public.uid set qty = qty + 1 where qty %% 89 = %d", n),
		fmt.Sprintf("delete from public.uid where qty %% 97 = %d", n),
		fmt.Sprintf("insert into public.uid select md5('%d ' || g)::uuid, g, 'new' from generate_series(1, 9) g", seed),
		fmt.Sprintf("update public.pair set b = b || 'x', qty = qty + 1 where qty %% 89 = %d", n),
		fmt.Sprintf("delete from public.pair where qty %% 97 = %d", n),
		fmt.Sprintf("insert into public.pair select 'new', '%d ' || g, g, '' from generate_series(1, 9) g", seed))
}

// rows is how many there are in the source.
func (s *site) rows() (n int64) {
	for name := range tables {
		n += one[int64](s.t, s.db, "select count(*) from public."+name)
	}
	return n
}

// newSite makes a source of n rows a table and a target of a kind.
func newSite(t *testing.T, r *rand.Rand, kind string, n, fat int) *site {
	t.Helper()
	switch kind {
	case "sqlite":
		return newSiteTo(t, r, sqliteTarget(t, t.TempDir()), outOfPostgres, n, fat)
	case "files":
		return newSiteTo(t, r, filesTarget(t, t.TempDir()), outOfPostgres, n, fat)
	}
	return newSiteTo(t, r, postgresTarget(t, testserver.Database(t)), intoPostgres, n, fat)
}

// newSiteTo makes one whose proxy is where the points are: before the target, or before
// the source of one that is not PostgreSQL.
func newSiteTo(t *testing.T, r *rand.Rand, to target, points []point, n, fat int) *site {
	t.Helper()
	s := &site{t: t, r: r, from: testserver.Database(t), to: to.url, target: to, points: points}
	s.fill(n, fat)
	through := &s.from
	if strings.HasPrefix(s.to, "postgres:") {
		through = &s.to
	}
	s.proxy, *through = newProxy(t, *through)
	return s
}

func (s *site) fill(n, fat int) {
	s.db = connect(s.t, s.from)
	execute(s.t, s.db, makeTables(n, fat)...)
}

// check fails unless source and target hold the same and nothing else is left.
func (s *site) check(what string) {
	s.t.Helper()
	for name := range tables {
		want, got := s.print(name), s.target.print(name)
		if want != got {
			s.t.Fatalf("%s: %s has %s in the source and %s in the target", what, name, want, got)
		}
	}
	var left []string
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if left = s.target.left(); len(left) == 0 {
			return
		}
	}
	s.t.Fatalf("%s left %v", what, left)
}

// unpublished reports whether no table has come to the target since the last change.
func (s *site) unpublished() bool {
	for name := range tables {
		if s.print(name) == s.target.print(name) {
			return false
		}
	}
	return true
}

const absent = "no table"

// print is the fingerprint of a table of the source.
func (s *site) print(table string) string { return postgresPrint(s.t, s.db, table) }

func postgresPrint(t *testing.T, db *pgx.Conn, table string) string {
	t.Helper()
	if one[*string](t, db, "select to_regclass('public."+table+"')::text") == nil {
		return absent
	}
	found, err := db.Query(within(t, time.Minute), "select "+asText(table, "::text")+" from public."+table)
	if err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	defer found.Close()
	f := newPrint(table)
	for found.Next() {
		if err := found.Scan(f.into()...); err != nil {
			t.Fatal(err)
		}
		f.row()
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return f.String()
}

func asText(table, cast string) string {
	names := strings.Split(columns[table], ",")
	for i, n := range names {
		names[i] = "coalesce(" + n + cast + ", '')"
	}
	return strings.Join(names, ", ")
}

// fingerprint sums up rows in any order: how many, and what is in them.
type fingerprint struct {
	n   int
	sum uint64
	now []string
}

func newPrint(table string) *fingerprint {
	return &fingerprint{now: make([]string, 1+strings.Count(columns[table], ","))}
}

func (f *fingerprint) into() (fields []any) {
	for i := range f.now {
		fields = append(fields, &f.now[i])
	}
	return fields
}

func (f *fingerprint) row() {
	h := fnv.New64a()
	_, _ = io.WriteString(h, strings.Join(f.now, "\x00"))
	f.n, f.sum = f.n+1, f.sum+h.Sum64()
}

func (f *fingerprint) String() string { return fmt.Sprintf("%d rows (%x)", f.n, f.sum) }

func postgresTarget(t *testing.T, url string) target {
	db := connect(t, url)
	_, left := inPostgres(t, db)
	return target{
		url: url, left: left,
		drop:  func() { execute(t, db, "drop table if exists public.big, public.uid, public.pair") },
		print: func(table string) string { return postgresPrint(t, db, table) },
	}
}

func sqliteTarget(t *testing.T, dir string) target {
	path := filepath.Join(dir, "target.db")
	query := func(q string, scan func(r *sql.Rows)) {
		t.Helper()
		db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(20000)")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		found, err := db.QueryContext(within(t, time.Minute), q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		defer func() { _ = found.Close() }()
		for found.Next() {
			scan(found)
		}
		if err := found.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return target{
		url: "sqlite://" + path,
		drop: func() {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				_ = os.Remove(path + suffix)
			}
		},
		print: func(table string) string {
			there := false
			if _, err := os.Stat(path); err == nil {
				query("select 1 from sqlite_schema where name = '"+table+"'", func(*sql.Rows) { there = true })
			}
			if !there {
				return absent
			}
			f := newPrint(table)
			query("select "+asText(table, "")+" from "+table, func(r *sql.Rows) {
				if err := r.Scan(f.into()...); err != nil {
					t.Fatal(err)
				}
				f.row()
			})
			return f.String()
		},
		left: func() (names []string) {
			query(`select name from sqlite_schema where name like '\_syncline\_%' escape '\' and type = 'table' and name <> '_syncline_checkpoints'`, func(r *sql.Rows) {
				var name string
				_ = r.Scan(&name)
				names = append(names, name)
			})
			return names
		},
	}
}

func filesTarget(t *testing.T, dir string) target {
	return target{
		url: dir + "/",
		drop: func() {
			for name := range tables {
				_ = os.Remove(filepath.Join(dir, "public."+name+".csv"))
			}
		},
		print: func(table string) string {
			file, err := os.Open(filepath.Join(dir, "public."+table+".csv"))
			if errors.Is(err, fs.ErrNotExist) {
				return absent
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = file.Close() }()
			r := csv.NewReader(file)
			if head, err := r.Read(); err != nil || strings.Join(head, ",") != columns[table] {
				t.Fatalf("%s begins with %q: %v", file.Name(), head, err)
			}
			f := newPrint(table)
			for {
				fields, err := r.Read()
				if errors.Is(err, io.EOF) {
					return f.String()
				}
				if err != nil {
					t.Fatalf("%s: %v", file.Name(), err)
				}
				f.now = fields
				f.row()
			}
		},
		left: func() (names []string) {
			_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				switch filepath.Ext(path) {
				case ".csv", ".lock", ".json": // content, and what the next load goes by
				default:
					names = append(names, path)
				}
				return nil
			})
			return names
		},
	}
}
