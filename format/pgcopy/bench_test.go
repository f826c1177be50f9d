package pgcopy_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/rows"
)

// mixed is a table of ordinary shape: whole and exact numbers, floats, times, short text
// and a small document.
var mixed = []pgcopy.Column{
	{Name: "id", Type: "bigint"},
	{Name: "qty", Type: "integer"},
	{Name: "amount", Type: "numeric(12,2)"},
	{Name: "score", Type: "double precision"},
	{Name: "active", Type: "boolean"},
	{Name: "created_at", Type: "timestamp with time zone"},
	{Name: "day", Type: "date"},
	{Name: "label", Type: "text"},
	{Name: "note", Type: "character varying(60)", Nullable: true},
	{Name: "payload", Type: "jsonb"},
}

const mixedRows = 50_000

const mixedSQL = `
create table t (id bigint primary key, qty integer, amount numeric(12,2), score double precision, active boolean,
  created_at timestamptz, day date, label text, note varchar(60), payload jsonb);
insert into t select g, (random()*2e9)::bigint - 1000000000, ((random()*2e10)::bigint - 10000000000)::numeric / 100,
  (random()-0.5) * power(10, (random()*30)::int - 15), random() < 0.5, timestamptz '2019-01-01 00:00:00+00' + g * interval '211.000037 seconds',
  date '1990-01-01' + (random()*14000)::int, left(md5(g::text) || ' ' || md5((g*7)::text), 36 + (g %% 9)::int),
  case g %% 5 when 0 then null when 1 then '' else 'note ' || (g %% 9973) end,
  jsonb_build_object('k', g %% 1000, 'tags', jsonb_build_array('x', 'y' || (g %% 17)), 'price', ((g %% 100000)::numeric / 100)::numeric(12,2), 'big', 9007199254740993 + g, 'ok', g %% 2 = 0)
from generate_series(1, %d) g`

func mixedStream(b *testing.B) (*arrow.Schema, []byte) {
	b.Helper()
	db := connect(b)
	exec(b, db, fmt.Sprintf(mixedSQL, mixedRows))
	schema := schemaOf(mixed)
	return schema, copyOut(b, db, schema, "t")
}

func BenchmarkDecode(b *testing.B) {
	schema, stream := mixedStream(b)
	d, err := pgcopy.NewDecoder(schema)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		f := pgcopy.NewFramer(schema.NumFields(), rows.MaxRowBytes)
		n := 0
		for rest := stream; len(rest) > 0; {
			piece := rest[:min(len(rest), 64<<10)]
			rest = rest[len(piece):]
			f.Feed(piece)
			for {
				tuple, err := f.Next()
				if tuple == nil && err == nil || err == io.EOF {
					break
				}
				if err == nil {
					err = d.Append(tuple)
				}
				if err != nil {
					b.Fatal(err)
				}
				if n++; d.Full() {
					_, release := d.Take()
					release()
				}
			}
		}
		_, release := d.Take()
		release()
		if n != mixedRows {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.N)*mixedRows/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkEncode(b *testing.B) {
	schema, stream := mixedStream(b)
	rec, _, err := decode(schema, stream, 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	e, err := pgcopy.NewEncoder(schema, []string{"bigint", "integer", "numeric(12,2)", "double precision", "boolean", "timestamp with time zone", "date", "text", "character varying(60)", "jsonb"})
	if err != nil {
		b.Fatal(err)
	}
	e.Bind(rec)
	for _, form := range []struct {
		name   string
		append func([]byte, int) ([]byte, error)
	}{{"binary", e.AppendTuple}, {"text", e.AppendText}} {
		b.Run(form.name, func(b *testing.B) {
			b.SetBytes(int64(len(stream)))
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				for i := range mixedRows {
					if i%1000 == 0 {
						dst = dst[:0]
					}
					if dst, err = form.append(dst, i); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.N)*mixedRows/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkServer is what the server alone takes for the same rows.
func BenchmarkServer(b *testing.B) {
	db := connect(b)
	exec(b, db, fmt.Sprintf(mixedSQL, mixedRows))
	for b.Loop() {
		if _, err := db.PgConn().CopyTo(context.Background(), io.Discard, "copy t to stdout (format binary)"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*mixedRows/b.Elapsed().Seconds(), "rows/s")
}
