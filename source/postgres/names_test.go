package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/source/postgres"
	"github.com/synclinehq/syncline/testserver"
)

// TestNames: columns, keys and tables may be called whatever the server lets them be.
func TestNames(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	address := testserver.Database(t)
	db := dial(t, address)
	columns := hardNames(r, 250)
	tables := columns[:30]
	for _, name := range tables {
		exec(t, db, "create table "+quoted("public", name)+" ("+quoted(name)+" text primary key); insert into "+quoted("public", name)+" values ('x')")
	}
	var defs []string
	for i, name := range columns {
		defs = append(defs, fmt.Sprintf("%s text default '%d'", quoted(name), i))
	}
	key := columns[len(columns)-2:]
	exec(t, db, "create table wide ("+strings.Join(defs, ", ")+", primary key ("+quoted(key[0])+", "+quoted(key[1])+")); insert into wide default values")
	src := openNamed(t, address)
	wide := readNamed(t, src, "public.wide")
	for i, name := range columns {
		if wide.names[i] != name || wide.values[i] != fmt.Sprint(i) {
			t.Errorf("column %q came as %q, with the value %q of %d", name, wide.names[i], wide.values[i], i)
		}
	}
	found, err := src.Entities(t.Context(), nil)
	if err != nil || len(found) != len(tables)+1 {
		t.Fatalf("%d entities, want %d: %v", len(found), len(tables)+1, err)
	}
	for _, e := range found {
		if got := readNamed(t, src, e.Name); e.Name != "public.wide" && (len(got.values) != 1 || got.values[0] != "x") {
			t.Errorf("%s holds %v", e.Name, got.values)
		}
	}
}

func quoted(names ...string) string { return pgx.Identifier(names).Sanitize() }

// hardNames are different names of one to 63 bytes, the first of them known to be hard.
func hardNames(r *rand.Rand, n int) []string {
	names := []string{
		"select", "user", "ctid2", "a b", " ", `"`, `""`, `a"b`, "'", "a'b", `\`, `\"`, "$1", "$$", "--", "/*", "a.b", ".", "%I", "Ä", "ä", "日本語", "🚀", "A", "a", "\t", "a\nb", ";", "*", "?",
		strings.Repeat("n", 63), strings.Repeat("é", 31),
	}
	seen := map[string]bool{}
	for _, n := range names {
		seen[n] = true
	}
	signs := []rune(`ab"'\ .;$%*?-/` + "AÉé日🚀\t\n\u00a0\u202e")
	for len(names) < n {
		var name string
		for size := 1 + r.IntN(63); ; {
			next := name + string(signs[r.IntN(len(signs))])
			if len(next) > size {
				break
			}
			name = next
		}
		if name != "" && !seen[name] && utf8.ValidString(name) {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

func openNamed(t *testing.T, address string) source.Source {
	t.Helper()
	src, err := postgres.Kind.Open(t.Context(), env, settingsOf(t, address))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	return src
}

// named is the only row of a table.
type named struct{ names, values []string }

// readNamed finds an entity by its own name and reads it by key, and counts it.
func readNamed(t *testing.T, src source.Source, entity string) (n named) {
	t.Helper()
	found, err := src.Entities(t.Context(), []string{entity})
	if err != nil || len(found) != 1 || found[0].Name != entity {
		t.Fatalf("entity %q: %d found, %v", entity, len(found), err)
	}
	q := source.Query{Entity: found[0], Mode: syncline.ModeFull, Format: rows.Arrow, Parallel: 1, SplitByKey: true}
	p, err := src.Plan(t.Context(), q)
	if err != nil {
		t.Fatalf("%q: %v", entity, err)
	}
	var next []byte
	for b, err := range src.Read(t.Context(), q, p, p.Parts[0], nil) {
		if err != nil {
			t.Fatalf("%q: %v", entity, err)
		}
		for i, column := range b.Record.Columns() {
			n.names, n.values = append(n.names, b.Record.ColumnName(i)), append(n.values, column.ValueStr(0))
		}
		next = b.Next
		b.Release()
	}
	for b, err := range src.Read(t.Context(), q, p, p.Parts[0], next) {
		if err != nil || b.Rows > 0 {
			t.Fatalf("%q, going on behind its only row: %d rows, %v", entity, b.Rows, err)
		}
		b.Release()
	}
	return n
}
