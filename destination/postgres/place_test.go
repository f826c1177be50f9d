package postgres

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/destination/destinationtest"
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// place is a database of its own, seen through a session of its own.
type place struct {
	url  string
	conn *pgx.Conn
}

func newPlace(t testing.TB) *place { return placeAt(t, testserver.Database(t)) }

func placeAt(t testing.TB, url string) *place {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return &place{url: url, conn: conn}
}

func env() source.Env {
	return source.Env{Dial: (&net.Dialer{}).DialContext, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func (p *place) Open(t testing.TB) destination.Destination { return p.openIn(t, env()) }

func (p *place) openIn(t testing.TB, e source.Env) destination.Destination {
	t.Helper()
	d, err := p.tryOpen(t, e)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (p *place) tryOpen(t testing.TB, e source.Env) (destination.Destination, error) {
	t.Helper()
	u, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := Kind.Spec.FromURL(u)
	if err != nil {
		t.Fatal(err)
	}
	return Kind.Open(t.Context(), e, doc)
}

func (p *place) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := p.conn.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func (p *place) text(t testing.TB, sql string, args ...any) (s string) {
	t.Helper()
	if err := p.conn.QueryRow(context.Background(), sql, args...).Scan(&s); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return s
}

func quoted(t testing.TB, table string) string {
	t.Helper()
	n, err := parseName(table, "public")
	if err != nil {
		t.Fatal(err)
	}
	return n.quoted()
}

// Rows reads by binary COPY, which is how a source would.
func (p *place) Rows(t testing.TB, table string, fields []arrow.Field) ([]destinationtest.Row, bool) {
	t.Helper()
	var exists bool
	if err := p.conn.QueryRow(t.Context(), "select to_regclass($1) is not null", quoted(t, table)).Scan(&exists); err != nil || !exists {
		return nil, false
	}
	native := make([]arrow.Field, len(fields))
	columns := ""
	for i, f := range fields {
		native[i] = pgcopy.Field(pgcopy.Column{Name: f.Name, Type: pgcopy.TypeName(f), Nullable: true})
		if i > 0 {
			columns += ", "
		}
		columns += quote(f.Name) + "::" + pgcopy.TypeName(f)
	}
	var out bytes.Buffer
	_, err := p.conn.PgConn().CopyTo(t.Context(), &out, "copy (select "+columns+" from "+quoted(t, table)+") to stdout (format binary)")
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, arrow.NewSchema(native, nil), out.Bytes()), true
}

func decode(t testing.TB, schema *arrow.Schema, stream []byte) []destinationtest.Row {
	t.Helper()
	d, err := pgcopy.NewDecoder(schema)
	if err != nil {
		t.Fatal(err)
	}
	f := pgcopy.NewFramer(schema.NumFields(), rows.MaxRowBytes*2)
	f.Feed(stream)
	for !f.Ended() {
		tuple, err := f.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = d.Append(tuple)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	rec, release := d.Take()
	defer release()
	return destinationtest.Texts(rec)
}

func (p *place) Leftovers(t testing.TB) (found []string) {
	t.Helper()
	r, err := p.conn.Query(t.Context(), `select relname::text from pg_class where relpersistence = 'p' and relname like '\_syncline\_%' and relname not like '\_syncline\_checkpoints%'
		union all select 'part ' || part from _syncline_checkpoints where part <> ''`)
	if err == nil {
		found, err = pgx.CollectRows(r, pgx.RowTo[string])
	}
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func (p *place) Drop(t testing.TB, table string) { p.exec(t, "drop table "+quoted(t, table)) }

func (p *place) Empty(t testing.TB, table string) { p.exec(t, "delete from "+quoted(t, table)) }

func (p *place) LoseStagedRow(t testing.TB) {
	t.Helper()
	stage := p.text(t, `select relname::text from pg_class where relkind = 'r' and relname like '\_syncline\_stage\_%'`)
	p.exec(t, "delete from "+stage+" where ctid = (select min(ctid) from "+stage+")")
}

func TestDestination(t *testing.T) {
	p := newPlace(t)
	destinationtest.Run(t, destinationtest.Fixture{
		New: func(t testing.TB) destinationtest.Place { p.anew(t); return p },
		Refuses: map[string]string{
			"text 8": rows.CodeEncoding, // a NUL byte, which no text of PostgreSQL can hold
		},
	})
}

// anew empties the place, which is quicker than another one.
func (p *place) anew(t testing.TB) {
	t.Helper()
	p.exec(t, "set client_min_messages = warning; drop publication if exists p; drop schema public cascade; create schema public")
}

// newServer is a place on a server of its own, for tests that make roles.
func newServer(t testing.TB) *place {
	t.Helper()
	return placeAt(t, testserver.NewPostgres(t).URL("postgres"))
}
