package transfer_test

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // to look at files as anybody else would

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/builtin"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/task"
	"github.com/synclinehq/syncline/task/transfer"
	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// place is where real data comes from or goes to, filled and looked at without Syncline.
type place struct {
	name string
	open func(t testing.TB) opened
}

type opened struct {
	url    string
	entity string // of the table that fill makes
	// fill puts rows 0 to n there; wide ones have 4 KiB, so that a table is many batches.
	fill func(t testing.TB, n int, wide bool)
	// read is all rows of what landed there, each drawn by drawn, in any order.
	read func(t testing.TB) []string
}

var places = []place{{"postgres", openPostgres}, {"sqlite", openSQLite}, {"files", openFiles}}

// columns of the table, of the kinds that are apt to change on the way.
const createOrders = `create table orders (id bigint primary key, name text not null, amount numeric(12,2),
	at timestamptz, day date, ok boolean, score double precision, note text)`

var pad = strings.Repeat("So it goes. ", 341)

// record is the n-th row, as values of text; nil is NULL.
func record(n int, wide bool) []any {
	note := strconv.Itoa(n)
	if wide {
		note += pad
	}
	at := time.UnixMicro(1_700_000_000_123_456 + int64(n)*1_000_003).UTC()
	r := []any{
		strconv.Itoa(n), fmt.Sprintf("order \"%d\", 日本\nline", n), fmt.Sprintf("%d.%02d", n*7-1000, n%100),
		at.Format("2006-01-02T15:04:05.000000Z"), at.Format(time.DateOnly), strconv.FormatBool(n%2 == 0),
		strconv.FormatFloat(float64(n)/3, 'g', -1, 64), note,
	}
	if n%7 == 0 {
		r[2], r[7] = nil, ""
	}
	if n%11 == 0 {
		r[3], r[6], r[7] = nil, nil, nil
	}
	return r
}

var known = map[string][]string{} // what was expected before; tests here do not run side by side

// expected draws rows 0 to n.
func expected(n int, wide bool) []string {
	name := fmt.Sprint(n, wide)
	if known[name] == nil {
		var all []string
		for i := range n {
			all = append(all, drawn(record(i, wide)))
		}
		slices.Sort(all)
		known[name] = all
	}
	return known[name]
}

// drawn is a row in one form, whatever a place makes of the types.
func drawn(values []any) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = value(i, v)
	}
	return strings.Join(out, "|")
}

func value(column int, v any) string {
	if v == nil {
		return "NULL"
	}
	s, ok := v.(string)
	if t, is := v.(time.Time); is {
		s = t.Format(time.RFC3339Nano)
	} else if !ok {
		s = fmt.Sprint(v)
	}
	switch column {
	case 2: // 1.50 is 1.5
		if !strings.Contains(s, ".") {
			return s
		}
		return strings.TrimRight(strings.TrimRight(s, "0"), ".")
	case 3:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999-07", "2006-01-02 15:04:05.999999Z07:00"} {
			if at, err := time.Parse(layout, s); err == nil {
				return strconv.FormatInt(at.UnixMicro(), 10)
			}
		}
	case 4:
		return strings.TrimSuffix(s, "T00:00:00Z")
	case 5:
		if ok, err := strconv.ParseBool(s); err == nil {
			return strconv.FormatBool(ok)
		}
	case 6:
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return strconv.FormatFloat(f, 'x', -1, 64)
		}
	}
	if len(s) > 1000 {
		return fmt.Sprintf("%.20q… %x", s, sha256.Sum256([]byte(s)))
	}
	return strconv.Quote(s)
}

func openPostgres(t testing.TB) opened {
	db := testserver.Database(t)
	return opened{
		url: db, entity: "public.orders",
		fill: func(t testing.TB, n int, wide bool) {
			c := connect(t, db)
			if _, err := c.Exec(t.Context(), createOrders+"; create temporary table texts (like orders); "+textual("texts")); err != nil {
				t.Fatal(err)
			}
			i := -1
			_, err := c.CopyFrom(t.Context(), pgx.Identifier{"texts"}, strings.Split(names, ","), pgx.CopyFromFunc(func() ([]any, error) {
				if i++; i >= n {
					return nil, nil
				}
				return record(i, wide), nil
			}))
			if err == nil {
				_, err = c.Exec(t.Context(), `insert into orders select id::bigint, name, amount::numeric, at::timestamptz, day::date, ok::boolean, score::float8, note from texts;
					analyze orders`)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		read: func(t testing.TB) []string {
			c := connect(t, db)
			var table string
			if err := c.QueryRow(t.Context(), "select quote_ident(schemaname)||'.'||quote_ident(tablename) from pg_tables where tablename in ('orders', 'orders.csv', 'orders.csv.gz')").Scan(&table); err != nil {
				t.Fatalf("no table orders: %v", err)
			}
			found, err := c.Query(t.Context(), "select id::text, name::text, amount::text, at::text, day::text, ok::text, score::text, note::text from "+table)
			if err != nil {
				t.Fatal(err)
			}
			all, err := pgx.CollectRows(found, func(r pgx.CollectableRow) (string, error) {
				values, err := r.Values()
				return drawn(values), err
			})
			if err != nil {
				t.Fatal(err)
			}
			return all
		},
	}
}

const names = "id,name,amount,at,day,ok,score,note"

func textual(table string) (alter string) {
	for _, c := range strings.Split(names, ",") {
		alter += fmt.Sprintf("alter table %s alter column %s type text;", table, c)
	}
	return alter
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	if _, err := c.Exec(t.Context(), "set timezone to 'UTC'"); err != nil {
		t.Fatal(err)
	}
	return c
}

func openSQLite(t testing.TB) opened {
	file := filepath.Join(t.TempDir(), "place.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return opened{
		url: "sqlite://" + file, entity: "orders",
		fill: func(t testing.TB, n int, wide bool) {
			tx, err := db.Begin()
			if err == nil {
				_, err = tx.Exec("create table orders (id integer primary key, name text not null, amount \"decimal(12,2)\", at timestamptz, day date, ok boolean, score real, note text)")
			}
			if err != nil {
				t.Fatal(err)
			}
			put, err := tx.Prepare("insert into orders values (?,?,cast(? as text),?,?,?,cast(? as real),?)")
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				r := record(i, wide)
				r[0], r[5] = i, 1-i%2
				if _, err := put.Exec(r...); err != nil {
					t.Fatal(err)
				}
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		},
		read: func(t testing.TB) []string {
			found, err := db.Query("select id, name, cast(amount as text), cast(at as text), cast(day as text), cast(ok as text), score, note from orders")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = found.Close() }()
			var all []string
			for found.Next() {
				values := make([]any, 8)
				to := make([]any, 8)
				for i := range values {
					to[i] = &values[i]
				}
				if err := found.Scan(to...); err != nil {
					t.Fatal(err)
				}
				all = append(all, drawn(values))
			}
			if err := found.Err(); err != nil {
				t.Fatal(err)
			}
			return all
		},
	}
}

// openFiles keeps one table in several files, a part each.
func openFiles(t testing.TB) opened {
	dir := t.TempDir()
	return opened{
		url: "file://" + dir + "/*.csv.gz?as=orders", entity: "orders",
		fill: func(t testing.TB, n int, wide bool) {
			const files = 4
			for i := range files {
				writeFile(t, filepath.Join(dir, fmt.Sprintf("%d.csv.gz", i)), n*i/files, n*(i+1)/files, wide)
			}
		},
		read: func(t testing.TB) []string { return readFiles(t, dir) },
	}
}

func writeFile(t testing.TB, path string, from, to int, wide bool) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
	_, err = fmt.Fprintln(z, names)
	for n := from; n < to; n++ {
		var fields []string
		for _, v := range record(n, wide) {
			if v == nil {
				fields = append(fields, "")
				continue
			}
			fields = append(fields, `"`+strings.ReplaceAll(v.(string), `"`, `""`)+`"`)
		}
		_, err = fmt.Fprintln(z, strings.Join(fields, ","))
	}
	if err := errors.Join(err, z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// readFiles reads CSV. encoding/csv does not tell NULL from "", so quoted empty fields are
// marked first.
func readFiles(t testing.TB, dir string) []string {
	var all []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".csv" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		const empty = "\x01"
		marked := strings.ReplaceAll(strings.ReplaceAll(string(text), `,"",`, `,`+empty+`,`), ",\"\"\n", ","+empty+"\n")
		list, err := csv.NewReader(strings.NewReader(marked)).ReadAll()
		if err != nil {
			return err
		}
		for _, fields := range list[1:] {
			values := make([]any, len(fields))
			for i, f := range fields {
				if f != "" {
					values[i] = strings.TrimPrefix(f, empty)
				}
			}
			all = append(all, drawn(values))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ends makes the definition of a pipeline between two URLs.
func ends(t testing.TB, from, to string, entities ...syncline.EntitySpec) syncline.Definition {
	t.Helper()
	return syncline.Definition{Source: endpoint(t, registry.Source, from), Destination: endpoint(t, registry.Destination, to), Entities: entities}
}

func endpoint(t testing.TB, side registry.Side, raw string) syncline.Endpoint {
	t.Helper()
	kind, settings, err := registry.New(builtin.Sources, builtin.Destinations, nil).ParseURL(side, raw, "/")
	if err != nil {
		t.Fatal(err)
	}
	return syncline.Endpoint{Kind: kind, Settings: settings}
}

// asTarget is the URL of a place when it is written to.
func asTarget(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.Scheme == "file" {
		return "file://" + filepath.Dir(u.Path) + "/"
	}
	return raw
}

// realKind is the task kind with all plugins of this build.
func realKind(t testing.TB) task.Kind {
	r := builtin.Registry(transfer.Options{Env: env(), Memory: rows.NewBudget(budget)})
	kind, ok := r.Task(transfer.Name)
	if !ok {
		t.Fatal("no transfer in this build")
	}
	return kind
}
