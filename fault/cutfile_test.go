package fault_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/builtin"
	"github.com/synclinehq/syncline/format/compress"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

const rowsInFile = 3000

// TestCutsOfFiles reads files that end at a random byte: one that shows it is never read
// as if it were whole. A text file that ends between two rows does not show it.
func TestCutsOfFiles(t *testing.T) {
	r := random(t)
	for name, data := range map[string][]byte{
		"rows.csv.gz":    compressed(t, compress.Gzip, quotedCSV(rowsInFile)),
		"rows.csv.zst":   compressed(t, compress.Zstd, quotedCSV(rowsInFile)),
		"rows.jsonl.zst": compressed(t, compress.Zstd, jsonLines(rowsInFile)),
		"rows.db":        database(t, rowsInFile),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			cutFile(t, path, data, func() int { return r.IntN(len(data)) })
		})
	}
	for name, data := range map[string][]byte{"inside quotes.csv": quotedCSV(rowsInFile), "inside a line.jsonl": jsonLines(rowsInFile)} {
		t.Run(name, func(t *testing.T) {
			path, inside := filepath.Join(t.TempDir(), name), insides(data)
			cutFile(t, path, data, func() int { return inside[r.IntN(len(inside))] })
		})
	}
}

// cutFile cuts a file that is otherwise read whole.
func cutFile(t *testing.T, path string, data []byte, draw func() int) {
	t.Helper()
	put(t, path, data)
	if got, err := readFile(t, path, nil); err != nil || got.n != rowsInFile || got.rejects != 0 {
		t.Fatalf("whole: %+v, %v", got, err)
	}
	failed, rejected, spared := 0, 0, 0
	for range wanted(500) {
		at := draw()
		put(t, path, data[:at])
		got, err := readFile(t, path, nil)
		switch {
		case err != nil:
			failed++
		case got.rejects > 0 && got.n+got.rejects <= rowsInFile:
			rejected++
		case strings.HasSuffix(path, ".db") && got.n == rowsInFile && at > len(data)*9/10:
			spared++ // the pages that are gone hold no rows
		default:
			t.Fatalf("cut after byte %d of %d: no error, and %+v", at, len(data), got)
		}
	}
	t.Logf("%d cuts of %d bytes were errors, %d rejects, %d took no row", failed, len(data), rejected, spared)
	if failed+rejected == 0 {
		t.Error("no cut was seen: this proves nothing")
	}
}

// TestCutsOfFilesBeingRead: a file loses its end while it is read.
func TestCutsOfFilesBeingRead(t *testing.T) {
	r := random(t)
	many := make([]byte, 0, 4<<20)
	many = append(many, "id,n\n"...)
	for i := range 200_000 {
		many = fmt.Appendf(many, "%d,%x\n", i, i*7919)
	}
	for name, data := range map[string][]byte{"rows.csv": many, "rows.csv.gz": compressed(t, compress.Gzip, many), "rows.db": database(t, 60_000)} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			cuts := 0
			for range wanted(50) {
				put(t, path, data)
				size, at, cut := r.IntN(len(data)), r.IntN(2), false
				got, err := readFile(t, path, func(batch int) {
					if batch == at {
						cut, cuts = true, cuts+1
						if err := os.Truncate(path, int64(size)); err != nil {
							t.Fatal(err)
						}
					}
				})
				if cut && err == nil && (filepath.Ext(name) != ".db" || got.n < 60_000) {
					t.Fatalf("shrunk to %d bytes of %d at batch %d: no error, and %+v", size, len(data), at, got)
				}
			}
			if t.Logf("%d cuts", cuts); cuts == 0 {
				t.Error("no cut: that proves nothing")
			}
		})
	}
}

// outcome is what a read brought.
type outcome struct{ n, rejects int64 }

// readFile reads all that a file holds; between is called after every batch.
func readFile(t *testing.T, path string, between func(batch int)) (o outcome, err error) {
	t.Helper()
	ends := registry.New(builtin.Sources, builtin.Destinations, nil)
	url := path
	if filepath.Ext(path) != ".db" {
		url = "file://" + strings.ReplaceAll(path, " ", "%20") + "?sample=10" // types are found before the cut
	}
	name, settings, err := ends.ParseURL(registry.Source, url, "/")
	if err != nil {
		t.Fatal(err)
	}
	kind, _ := ends.Source(name)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	src, err := kind.Open(ctx, (&tap{at: -1}).env(), settings)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	found, err := src.Entities(ctx, nil)
	if err != nil {
		return o, err
	}
	for _, e := range found {
		if err := o.read(ctx, src, e, between); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (o *outcome) read(ctx context.Context, src source.Source, e source.Entity, between func(batch int)) error {
	q := source.Query{Entity: e, Mode: syncline.ModeFull, Format: rows.Arrow, Parallel: 1}
	p, err := src.Plan(ctx, q)
	if err != nil {
		return err
	}
	for _, part := range p.Parts {
		batch := 0
		for b, err := range src.Read(ctx, q, p, part, nil) {
			if err != nil {
				return err
			}
			o.n, o.rejects = o.n+b.Rows, o.rejects+int64(len(b.Rejects))
			b.Release()
			if between != nil {
				between(batch)
			}
			batch++
		}
	}
	return nil
}

// quotedCSV is CSV of which the last field of every row is in quotes, with line ends in it.
func quotedCSV(n int) []byte {
	out := []byte("id,n,note\n")
	for i := range n {
		out = fmt.Appendf(out, "%d,%x,\"note %d,\n of \"\"several\"\" lines\"\n", i, i*7919, i)
	}
	return out
}

func jsonLines(n int) (out []byte) {
	for i := range n {
		out = fmt.Appendf(out, "{\"id\":%d,\"note\":\"note \\\"%x\\\"\"}\n", i, i*7919)
	}
	return out
}

// insides are the places between the first quote or brace of a row and its last one: a
// text that ends there shows that it is cut.
func insides(data []byte) (at []int) {
	open := false
	for i, c := range data {
		if open {
			at = append(at, i)
		}
		switch {
		case c == '"' && !bytes.HasPrefix(data, []byte("{")):
			open = !open
		case c == '{':
			open = true
		case c == '}':
			open = false
		}
	}
	return at
}

func compressed(t *testing.T, codec compress.Codec, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := codec.Writer(&out)
	if err == nil {
		_, err = io.Copy(w, bytes.NewReader(data))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// database is an SQLite file, with some rows that need pages of their own.
func database(t *testing.T, n int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "made.db")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `create table t (id integer primary key, note text, fat text);
		insert into t with recursive g(n) as (select 1 union all select n + 1 from g where n < ?) select n, 'note ' || n, case when n % 50 = 0 then hex(randomblob(4000)) end from g`, n)
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
