package postgres_test

import (
	"context"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/source/postgres"
	"github.com/synclinehq/syncline/testserver"
)

// tables of ordinary shape: one whose key lies in order, one whose key does not.
const benchRows = 300_000

const benchSQL = `
create table ordered as select g::bigint as id, (random()*2e9)::int as qty, (random()*1e10)::numeric(12,2) as amount, random() as score,
  random() < 0.5 as active, timestamptz '2019-01-01 00:00:00+00' + g * interval '211 seconds' as created_at, date '1990-01-01' + (random()*14000)::int as day,
  md5(g::text) as label, case g % 5 when 0 then null else 'note ' || g end as note, jsonb_build_object('k', g % 1000, 'tags', jsonb_build_array('x', 'y' || g % 17), 'ok', g % 2 = 0) as payload
  from generate_series(1, 300000) g;
alter table ordered add primary key (id);
create table unordered as select md5(id::text)::uuid as uid, * from ordered;
alter table unordered add primary key (uid); analyze`

// BenchmarkRead reads along the key and as the rows lie.
func BenchmarkRead(b *testing.B) {
	address := testserver.Database(b)
	exec(b, dial(b, address), benchSQL)
	ctx := context.Background()
	src, err := postgres.Kind.Open(ctx, env, settingsOf(b, address))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = src.Close() }()
	for _, c := range []struct {
		name, table string
		query       source.Query
	}{
		{"ordered key", "ordered", source.Query{Format: rows.Arrow}},
		{"uuid by key", "unordered", source.Query{Format: rows.Arrow, SplitByKey: true}},
		{"uuid as it lies", "unordered", source.Query{Format: rows.Arrow}},
		{"by blocks", "unordered", source.Query{Format: rows.Arrow, Corrects: true}},
		{"by blocks, undecoded", "unordered", source.Query{Format: rows.PGCopy, Corrects: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			es, err := src.Entities(ctx, []string{c.table})
			if err != nil {
				b.Fatal(err)
			}
			q := c.query
			q.Entity, q.Mode, q.Parallel = es[0], syncline.ModeFull, 1
			for b.Loop() {
				if n := readThrough(b, src, q); n != benchRows {
					b.Fatal(n)
				}
			}
			b.ReportMetric(float64(b.N)*benchRows/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func readThrough(b *testing.B, src source.Source, q source.Query) (n int64) {
	p, err := src.Plan(context.Background(), q)
	if err != nil {
		b.Fatal(err)
	}
	for _, part := range p.Parts {
		for batch, err := range src.Read(context.Background(), q, p, part, nil) {
			if err != nil {
				b.Fatal(err)
			}
			n += batch.Rows
			batch.Release()
		}
	}
	return n
}
