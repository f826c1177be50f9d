package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/source/postgres"
	"github.com/synclinehq/syncline/source/sourcetest"
	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func TestSource(t *testing.T) {
	sourcetest.Run(t, sourcetest.Fixture{Kind: postgres.Kind, New: newPlace})
}

// newPlace is a fresh database.
func newPlace(t testing.TB) sourcetest.Place {
	address := testserver.Database(t)
	db := dial(t, address)
	return sourcetest.Place{
		Settings: settingsOf(t, address),
		Create: func(t testing.TB, name string, key []string, rec arrow.RecordBatch) string {
			var defs []string
			for _, f := range rec.Schema().Fields() {
				def := pgx.Identifier{f.Name}.Sanitize() + " " + pgcopy.TypeName(f)
				if !f.Nullable {
					def += " not null"
				}
				defs = append(defs, def)
			}
			table := pgx.Identifier{name}.Sanitize()
			exec(t, db, fmt.Sprintf("create table %s (%s, primary key (%s))", table, strings.Join(defs, ", "), strings.Join(key, ", ")))
			insert(t, db, table, rec)
			return "public." + name
		},
		Insert: func(t testing.TB, entity string, rec arrow.RecordBatch) {
			insert(t, db, pgx.Identifier(strings.SplitN(entity, ".", 2)).Sanitize(), rec)
		},
	}
}

func settingsOf(t testing.TB, address string) json.RawMessage {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := postgres.Kind.Spec.FromURL(u)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

func dial(t testing.TB, address string) *pgx.Conn {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	db, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

func exec(t testing.TB, db *pgx.Conn, sql string) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	if _, err := db.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		t.Fatalf("%.300s: %v", sql, err)
	}
}

// insert puts rows in by text COPY.
func insert(t testing.TB, db *pgx.Conn, table string, rec arrow.RecordBatch) {
	t.Helper()
	var targets []string
	for _, f := range rec.Schema().Fields() {
		targets = append(targets, pgcopy.TypeName(f))
	}
	e, err := pgcopy.NewEncoder(rec.Schema(), targets)
	if err != nil {
		t.Fatal(err)
	}
	e.Bind(rec)
	var text []byte
	for i := range int(rec.NumRows()) {
		if text, err = e.AppendText(text, i); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	if _, err := db.PgConn().CopyFrom(ctx, strings.NewReader(string(text)), "copy "+table+" from stdin"); err != nil {
		t.Fatal(err)
	}
}
