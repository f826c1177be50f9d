package sqlite

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"go.uber.org/goleak"

	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/destination/destinationtest"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/sqlitetype"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("SQLITE_HOLD"); path != "" {
		hold(path)
	}
	if dir := os.Getenv("SQLITE_COPY"); dir != "" {
		copyAll(dir)
	}
	testserver.Main(m)
}

func TestDestination(t *testing.T) {
	running := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, running) })
	destinationtest.Run(t, destinationtest.Fixture{
		New:     func(t testing.TB) destinationtest.Place { return newPlace(t) },
		Refuses: map[string]string{"float32 1": rows.CodeOutOfRange, "float64 1": rows.CodeOutOfRange}, // -0
	})
}

// hold is the other program that has locked a file.
func hold(path string) {
	c, err := sqlitefile.OpenWrite(path)
	if err == nil {
		err = c.Exec("begin immediate")
	}
	fmt.Println("held:", err)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(0)
}

// place is a file with a connection of its own to look into it.
type place struct{ path string }

func newPlace(t testing.TB) *place { return &place{filepath.Join(t.TempDir(), "warehouse.db")} }

func env() source.Env {
	return source.Env{Dial: (&net.Dialer{}).DialContext, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func (p *place) Open(t testing.TB) destination.Destination {
	t.Helper()
	settings, err := json.Marshal(sqlitefile.Settings{Path: p.path})
	must(t, err)
	d, err := Kind.Open(t.Context(), env(), settings)
	must(t, err)
	return d
}

func (p *place) conn(t testing.TB, fn func(*sqlitefile.Conn)) {
	t.Helper()
	c, err := sqlitefile.OpenWrite(p.path)
	must(t, err)
	fn(c)
	must(t, c.Close())
}

func (p *place) exec(t testing.TB, sql string) {
	t.Helper()
	p.conn(t, func(c *sqlitefile.Conn) { must(t, c.Exec(sql)) })
}

func (p *place) Rows(t testing.TB, table string, fields []arrow.Field) (found []destinationtest.Row, ok bool) {
	t.Helper()
	p.conn(t, func(c *sqlitefile.Conn) {
		there, err := describe(c, table)
		must(t, err)
		if ok = there != nil; !ok {
			return
		}
		schema := arrow.NewSchema(fields, nil)
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		defer b.Release()
		readers := make([]sqlitetype.Reader, len(fields))
		for i, f := range fields {
			// As the field says, whatever was declared: the values must read as such.
			readers[i], err = sqlitetype.ReaderOf(rows.Field(f.Name, f.Type, true, "test:strict"))
			must(t, err)
		}
		must(t, c.Each(func(s *sqlitefile.Stmt) error {
			for i, read := range readers {
				if _, err := read(s, i, b.Field(i)); err != nil {
					t.Errorf("column %s: %v", fields[i].Name, err)
					b.Field(i).AppendNull()
				}
			}
			return nil
		}, "select "+sqlitefile.QuoteAll(distinct(schema))+" from "+sqlitefile.Quote(table)))
		rec := b.NewRecordBatch()
		defer rec.Release()
		found = destinationtest.Texts(rec)
	})
	return found, ok
}

func (p *place) Leftovers(t testing.TB) (left []string) {
	t.Helper()
	p.conn(t, func(c *sqlitefile.Conn) {
		must(t, c.Each(func(s *sqlitefile.Stmt) error {
			if name := s.String(0); name != checkpoints && !strings.HasPrefix(name, marker) && !strings.HasPrefix(name, "sqlite_") {
				left = append(left, name)
			}
			return nil
		}, "select name from sqlite_schema where name like '%\\_syncline%' escape '\\'"))
	})
	return left
}

func (p *place) Drop(t testing.TB, table string) {
	p.exec(t, "drop table "+sqlitefile.Quote(table))
}

func (p *place) Empty(t testing.TB, table string) {
	p.exec(t, "delete from "+sqlitefile.Quote(table))
}

func (p *place) LoseStagedRow(t testing.TB) {
	t.Helper()
	var stage string
	p.conn(t, func(c *sqlitefile.Conn) {
		must(t, c.Each(func(s *sqlitefile.Stmt) error { stage = s.String(0); return nil }, "select name from sqlite_schema where type = 'table' and name like '\\_syncline\\_stage\\_%' escape '\\'"))
		must(t, c.Exec("delete from "+stage+" where rowid = (select min(rowid) from "+stage+")"))
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
