package ledger_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/bench/measure"
)

const live = 10_000

// TestBeat extends the leases of 10,000 runs in one beat.
func TestBeat(t *testing.T) {
	t.Run("PostgreSQL", func(t *testing.T) {
		dsn := durable(t)
		s := openPostgres(t, dsn)
		conn, err := pgx.Connect(t.Context(), dsn)
		must(t, err)
		defer func() { _ = conn.Close(context.Background()) }()
		beat(t, "PostgreSQL", s)
		wal := written(t, conn, func() { beats(t, s) }) / 5
		measure.Bound(t, measure.Limit{Name: "WAL of a beat of 10,000 live runs, PostgreSQL", Unit: "MB", Value: wal / 1e6, Bar: 1, AtMost: true})
		measure.Bound(t, measure.Limit{Name: "leases beaten within their page, PostgreSQL", Unit: "%", Value: 100 * within(t, conn), Bar: 95})
	})
	t.Run("SQLite", func(t *testing.T) { beat(t, "SQLite", openSQLite(t)) })
}

func beat(t *testing.T, where string, s syncline.Store) {
	must(t, s.Update(t.Context(), func(tx syncline.Tx) error {
		for _, h := range held() {
			if err := tx.PutLease(syncline.Lease{Run: h.Run, Token: h.Token, Worker: "host/1/abc", Session: "s"}); err != nil {
				return err
			}
		}
		return nil
	}))
	best := beats(t, s)
	measure.Bound(t, measure.Limit{Name: "beat of 10,000 live runs, " + where, Unit: "ms", Value: float64(best.Microseconds()) / 1000, Bar: 50, AtMost: true})
}

func held() (all []syncline.Hold) {
	for i := range live {
		all = append(all, syncline.Hold{Run: fmt.Sprintf("r%05d", i), Token: 1})
	}
	return all
}

// beats answers with the best of five.
func beats(t *testing.T, s syncline.Store) time.Duration {
	best := time.Hour
	for range 5 {
		begun := time.Now()
		answers, err := s.Beat(t.Context(), held(), time.Minute)
		best = min(best, time.Since(begun))
		if err != nil || len(answers) != live {
			t.Fatalf("%d answers, %v", len(answers), err)
		}
	}
	return best
}

// written is how many bytes of log the server writes meanwhile; nobody else uses it.
func written(t *testing.T, conn *pgx.Conn, do func()) (bytes float64) {
	var before string
	must(t, conn.QueryRow(t.Context(), `select pg_current_wal_insert_lsn()::text`).Scan(&before))
	do()
	must(t, conn.QueryRow(t.Context(), `select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), $1::text::pg_lsn)::float8`, before).Scan(&bytes))
	return bytes
}

// within is the share of changed leases for which no index had to be changed.
func within(t *testing.T, conn *pgx.Conn) (share float64) {
	for range 100 { // a server tells of them when its sessions are idle
		must(t, conn.QueryRow(t.Context(), `select coalesce(n_tup_hot_upd::float8 / nullif(n_tup_upd, 0), 0)
			from pg_stat_user_tables where schemaname = 'syncline' and relname = 'leases'`).Scan(&share))
		if share > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return share
}
