package ledger_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/bench/measure"
	"github.com/synclinehq/syncline/ledger"
)

var history = flag.Int("history", 1_000_000, "runs that have ended before")

// TestHistory claims, lists, scans and prunes in a ledger with a long past, beside the
// same in one that has none.
func TestHistory(t *testing.T) {
	dsn := durable(t)
	s := openPostgres(t, dsn)
	ids := pipelines(t, s, "hist", 64, func(p *syncline.Pipeline) { p.Definition.KeepRuns = *history - 500 })
	young := delays(t, open(s), ids)
	past(t, dsn, ids[0])
	old := delays(t, open(s), ids)
	name := fmt.Sprintf(", %d runs of history", *history)
	for i, what := range []string{"claim, the slowest but one of 100", "list of the 100 newest runs", "scan that finds nothing"} {
		t.Logf("%s: %s without history, %s with it", what, young[i], old[i])
		measure.Bound(t, measure.Limit{Name: what + name, Unit: "times that without", Value: old[i].Seconds() / young[i].Seconds(), Bar: 2, AtMost: true})
	}
	page := typical(t, listing(open(s), syncline.RunFilter{PipelineID: ids[0], Limit: 100}))
	measure.Bound(t, measure.Limit{Name: "list of the 100 newest runs of one pipeline" + name, Unit: "ms", Value: page.Seconds() * 1000, Bar: 20, AtMost: true})
	prune(t, open(s), s, ids[0], name)
}

// prune removes the oldest 500.
func prune(t *testing.T, l *ledger.Ledger, s syncline.Store, pipeline, name string) {
	var p *syncline.Pipeline
	must(t, s.View(t.Context(), func(tx syncline.Tx) (err error) {
		p, err = tx.Pipeline(pipeline)
		return err
	}))
	begun := time.Now()
	gone, err := l.Prune(t.Context(), p)
	must(t, err)
	if gone < 500 {
		t.Fatalf("%d runs were pruned, want at least 500", gone)
	}
	measure.Bound(t, measure.Limit{Name: "pruning" + name, Unit: "runs/s", Value: float64(gone) / time.Since(begun).Seconds(), Bar: 100})
}

// delays are what claims, lists and scans take.
func delays(t *testing.T, l *ledger.Ledger, ids []string) []time.Duration {
	var claims []time.Duration
	for i := range 100 {
		_, _, err := l.Start(t.Context(), ledger.Order{PipelineID: ids[1+i%(len(ids)-1)]})
		must(t, err)
		var grants []syncline.Grant
		claims = append(claims, timed(t, func(ctx context.Context) (err error) {
			grants, err = l.Claim(ctx, self, 1)
			return err
		}))
		if len(grants) != 1 {
			t.Fatalf("claimed %d runs, want 1", len(grants))
		}
		_, err = l.Finish(t.Context(), grants[0].Hold())
		must(t, err)
	}
	slices.Sort(claims)
	return []time.Duration{claims[len(claims)-2], typical(t, listing(l, syncline.RunFilter{Limit: 100})), typical(t, func(ctx context.Context) error {
		_, err := l.Scan(ctx)
		return err
	})}
}

// typical is the median of some.
func typical(t *testing.T, do func(context.Context) error) time.Duration {
	var all []time.Duration
	for range 21 {
		all = append(all, timed(t, do))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func listing(l *ledger.Ledger, f syncline.RunFilter) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := l.Runs(ctx, f)
		return err
	}
}

func timed(t *testing.T, do func(context.Context) error) time.Duration {
	begun := time.Now()
	err := do(t.Context())
	took := time.Since(begun)
	must(t, err)
	return took
}

// past multiplies, within the database, one run that has ended: with its events, all of
// one pipeline, a second apart.
func past(t *testing.T, dsn, pipeline string) {
	conn, err := pgx.Connect(t.Context(), dsn)
	must(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(t.Context(), `insert into syncline.runs (id, di, pipeline_id, lane, owner, kind, state, wait, head, priority, not_before,
			host, parent_run, created_at, ended_at, version, shape, doc)
		select 'h' || lpad(i::text, 12, '0'), reverse('h' || lpad(i::text, 12, '0')), $2, 'h' || i, owner, kind, state, wait, head, priority,
			not_before, host, parent_run, created_at - i * 1000000, ended_at - i * 1000000, 1, shape,
			replace(replace(doc, id, 'h' || lpad(i::text, 12, '0')), pipeline_id, $2)
		from (select * from syncline.runs where state = 'succeeded' limit 1) one, generate_series(1, $1::bigint) i`, *history, pipeline)
	must(t, err)
	_, err = conn.Exec(t.Context(), `insert into syncline.events (run_id, seq, doc)
		select 'h' || lpad(i::text, 12, '0'), seq, doc from generate_series(1, $1::bigint) i,
		(select seq, doc from syncline.events where run_id = (select id from syncline.runs where state = 'succeeded' and id not like 'h%' limit 1)) one`, *history)
	must(t, err)
	_, err = conn.Exec(t.Context(), `vacuum analyze syncline.runs, syncline.events`)
	must(t, err)
}
