package sqlite_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/sqlite"
	"github.com/synclinehq/syncline/store/storetest"
)

func TestStore(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	storetest.Run(t, func(t *testing.T) syncline.Store { return open(t, filepath.Join(t.TempDir(), "ledger.db")) })
}

func open(t testing.TB, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func BenchmarkStore(b *testing.B) {
	storetest.Bench(b, func(b *testing.B) syncline.Store { return open(b, filepath.Join(b.TempDir(), "ledger.db")) })
}
