package postgres

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// TestHelperSeesAnotherTable: a helper whose view of the columns is no longer that of the
// load joins nothing.
func TestHelperSeesAnotherTable(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for what, c := range map[string]struct {
		how   func(*destination.Target)
		alter string
	}{
		"stage is gone":    {undecoded, `do $$ begin execute (select 'drop table ' || oid::regclass from pg_class where relname like '\_syncline\_stage\_%'); end $$`},
		"target was wider": {undecoded, "alter table people alter name type text"},
		"target is gone":   {upsert, "drop table people"},
		"column is gone":   {appending, "alter table people drop name"},
	} {
		p.exec(t, "drop table if exists people; create table people (id bigint primary key, name varchar(90))")
		f := native(people())
		f.fields[1] = rows.Field("name", texts, true, "pg:character varying(9)")
		l, err := p.start(t, "people", f, c.how)
		if err != nil {
			t.Fatal(err)
		}
		d := p.Open(t)
		w, err := d.Open(t.Context(), l.target)
		if err != nil {
			t.Fatal(err)
		}
		p.exec(t, c.alter)
		if err := w.(destination.Joiner).Join(t.Context()); err == nil || !strings.Contains(err.Error(), "while it was loaded") {
			t.Errorf("%s: %v", what, err)
		}
		_ = w.Close()
		_ = d.Close()
	}
}

// TestTypesOfTheServersOwn: their binary form names things by this server's numbers.
func TestTypesOfTheServersOwn(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.exec(t, `create type mood as enum ('sad'); create type pair as (a int, b int)`)
	d := p.Open(t)
	t.Cleanup(func() { _ = d.Close() })
	for _, typ := range []string{"public.pair", "public.mood[]", "public.pair[]", "regclass", "money"} {
		field := rows.Field("name", arrow.BinaryTypes.String, true, "pg:"+typ)
		to := destination.Target{
			Entity: source.Entity{Name: "new", Schema: arrow.NewSchema([]arrow.Field{field}, nil)}, Table: "new",
			Disposition: syncline.Replace, Columns: syncline.ColumnsAdd, Note: func(syncline.Severity, string, ...any) {},
		}
		if got := d.(destination.Accepter).Accepts(t.Context(), to); len(got) != 1 {
			t.Errorf("%s: %v", typ, got)
		}
	}
}
