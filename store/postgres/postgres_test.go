package postgres_test

import (
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/postgres"
	"github.com/synclinehq/syncline/store/storetest"
	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) syncline.Store { return open(t, testserver.Database(t)) })
}

// open opens a ledger on the tests' server, which keeps nothing across a crash.
func open(t testing.TB, dsn string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), dsn, postgres.Options{AcceptDataLoss: true})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) syncline.Store { return open(b, testserver.Database(b)) })
}
