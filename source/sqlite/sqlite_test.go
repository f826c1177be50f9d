package sqlite

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/sqlitetype"
	"github.com/synclinehq/syncline/source/sourcetest"
)

func TestSource(t *testing.T) {
	sourcetest.Run(t, sourcetest.Fixture{Kind: Kind, New: place})
}

func place(t testing.TB) sourcetest.Place {
	path := filepath.Join(t.TempDir(), "source.db")
	c := openFile(t, path)
	must(t, c.Exec("pragma journal_mode = wal"))
	return sourcetest.Place{
		Settings: settings(path),
		Create: func(t testing.TB, name string, key []string, rec arrow.RecordBatch) string {
			create(t, c, name, key, rec.Schema())
			insert(t, c, name, rec)
			return name
		},
		Insert: func(t testing.TB, entity string, rec arrow.RecordBatch) { insert(t, c, entity, rec) },
	}
}

func settings(path string) json.RawMessage {
	doc, err := json.Marshal(sqlitefile.Settings{Path: path})
	if err != nil {
		panic(err)
	}
	return doc
}

func openFile(t testing.TB, path string) *sqlitefile.Conn {
	t.Helper()
	c, err := sqlitefile.OpenWrite(path)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

func create(t testing.TB, c *sqlitefile.Conn, name string, key []string, schema *arrow.Schema) {
	t.Helper()
	var lines []string
	for _, f := range schema.Fields() {
		lines = append(lines, sqlitefile.Quote(f.Name)+" "+declare(t, f))
	}
	lines = append(lines, "primary key ("+sqlitefile.QuoteAll(key)+")")
	must(t, c.Exec("create table "+sqlitefile.Quote(name)+" ("+strings.Join(lines, ", ")+")"))
}

// declare keeps reals as they are, -0 too: a column with the affinity of reals makes 0 of
// it, one with none does not.
func declare(t testing.TB, f arrow.Field) string {
	t.Helper()
	if f.Type.ID() == arrow.FLOAT64 {
		return `BLOB "FLOAT64"`
	}
	declared, err := sqlitetype.Declare(f)
	must(t, err)
	return declared
}

func insert(t testing.TB, c *sqlitefile.Conn, name string, rec arrow.RecordBatch) {
	t.Helper()
	n := int(rec.NumCols())
	must(t, c.Update(func() error {
		s, err := c.Prepare(fmt.Sprintf("insert into %s values (?%s)", sqlitefile.Quote(name), strings.Repeat(", ?", n-1)))
		if err != nil {
			return err
		}
		defer s.Close()
		binders := make([]sqlitetype.Binder, n)
		for i, f := range rec.Schema().Fields() {
			binders[i] = sqlitetype.BinderOf(f, declare(t, f))
		}
		for row := range int(rec.NumRows()) {
			for i, bind := range binders {
				bind(s, i+1, rec.Column(i), row)
			}
			if _, err := s.Step(); err != nil {
				return err
			}
			s.Reset()
		}
		return nil
	}))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
