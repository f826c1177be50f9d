package ledger_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/synclinehq/syncline/bench/measure"
)

type noArgs struct{}

func (noArgs) Kind() string { return "noop" }

type noWork struct {
	river.WorkerDefaults[noArgs]
	done *atomic.Int64
}

func (w *noWork) Work(context.Context, *river.Job[noArgs]) error {
	w.done.Add(1)
	return nil
}

// newRiver makes River's tables in the ledger's database. A round inserts jobs one by one
// from as many callers as start runs, while they are worked off.
func newRiver(t testing.TB, dsn string) measure.Side {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	must(t, err)
	cfg.MaxConns = 10 // as the ledger
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	must(t, err)
	t.Cleanup(pool.Close)
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	must(t, err)
	_, err = migrator.Migrate(t.Context(), rivermigrate.DirectionUp, nil)
	must(t, err)
	return func(t testing.TB) measure.Sample { return jobs(t, pool) }
}

func jobs(t testing.TB, pool *pgxpool.Pool) measure.Sample {
	var done atomic.Int64
	workers := river.NewWorkers()
	river.AddWorker(workers, &noWork{done: &done})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 500}},
		Workers:           workers,
		FetchCooldown:     time.Millisecond,
		FetchPollInterval: 10 * time.Millisecond,
		Logger:            slog.New(slog.DiscardHandler),
	})
	must(t, err)
	must(t, client.Start(t.Context()))
	n := int64(*runs)
	var wg sync.WaitGroup
	var inserted atomic.Int64
	begun := time.Now()
	for range callers {
		wg.Go(func() {
			for i := inserted.Add(1); i <= n; i = inserted.Add(1) {
				if _, err := client.Insert(t.Context(), noArgs{}, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for done.Load() < n && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	must(t, client.Stop(t.Context())) // what is done is stored by then
	return measure.Sample{Count: n, Took: time.Since(begun)}
}
