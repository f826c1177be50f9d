// Package ledger_test measures the ledger: runs that do nothing beside River's jobs, the
// beat of many live runs, schedules that are due together, and what a long past costs.
package ledger_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/bench/measure"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/store/postgres"
	"github.com/synclinehq/syncline/store/sqlite"
	"github.com/synclinehq/syncline/testserver"
)

var runs = flag.Int("runs", 4000, "runs, and jobs, of a round")

func TestMain(m *testing.M) { testserver.Main(m, measure.Report("ledger")) }

var self = syncline.Worker{ID: "host/1/abc", Session: "s", Host: "host", Kinds: []string{"sync"}}

// durable is a server as it is installed; those of tests do not wait for the disk.
func durable(t testing.TB) string {
	t.Helper()
	return testserver.NewPostgres(t, "fsync=on", "synchronous_commit=on", "full_page_writes=on", "max_wal_size=4GB").Database(t)
}

func openPostgres(t testing.TB, dsn string) syncline.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), dsn, postgres.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func openSQLite(t testing.TB) syncline.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// pipelines stores n of them, whose runs do not wait for each other.
func pipelines(t testing.TB, s syncline.Store, prefix string, n int, change func(*syncline.Pipeline)) (ids []string) {
	t.Helper()
	for from := 0; from < n; from += 500 {
		must(t, s.Update(t.Context(), func(tx syncline.Tx) error {
			for i := from; i < min(n, from+500); i++ {
				p := &syncline.Pipeline{ID: pipelineID(prefix, i), Name: pipelineID(prefix, i), Revision: 1}
				p.Definition.Overlap = syncline.OverlapAllow
				change(p)
				if err := tx.PutPipeline(p); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	for i := range n {
		ids = append(ids, pipelineID(prefix, i))
	}
	return ids
}

func pipelineID(prefix string, i int) string { return fmt.Sprintf("%s%05d", prefix, i) }

func open(s syncline.Store) *ledger.Ledger { return ledger.New(s, ledger.Options{TTL: time.Minute}) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
