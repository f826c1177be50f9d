package postgres

import (
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/source"
)

func number(f float64) *float64 { return &f }

// TestOrder: which reads go along the key, and can be gone on with.
func TestOrder(t *testing.T) {
	id := column{Column: pgcopy.Column{Name: "id", Type: "bigint"}}
	uid := column{Column: pgcopy.Column{Name: "uid", Type: "uuid"}}
	at := column{Column: pgcopy.Column{Name: "at", Type: "timestamp with time zone"}}
	with := func(c column, correlation *float64) column { c.correlation = correlation; return c }
	big := int64(small + 1)
	incremental := func(q *source.Query) {
		q.Mode, q.Cursor, q.Since = syncline.ModeIncremental, "at", []byte("x")
	}
	for name, c := range map[string]struct {
		key     []string
		columns []column
		bytes   int64
		ask     func(*source.Query)
		want    string
	}{
		"integer without statistics":   {[]string{"id"}, []column{id}, big, nil, "id"},
		"integer in order":             {[]string{"id"}, []column{with(id, number(1))}, big, nil, "id"},
		"integer out of order":         {[]string{"id"}, []column{with(id, number(0.5))}, big, nil, ""},
		"integer in falling order":     {[]string{"id"}, []column{with(id, number(-1))}, big, nil, ""},
		"small and out of order":       {[]string{"uid"}, []column{with(uid, number(0))}, small, nil, "uid"},
		"uuid without statistics":      {[]string{"uid"}, []column{uid}, big, nil, ""},
		"uuid in order":                {[]string{"uid"}, []column{with(uid, number(0.99))}, big, nil, "uid"},
		"uuid when asked":              {[]string{"uid"}, []column{uid}, big, func(q *source.Query) { q.SplitByKey = true }, "uid"},
		"no key":                       {nil, []column{id}, 0, nil, ""},
		"incremental":                  {[]string{"uid"}, []column{uid, at}, big, incremental, "at uid"},
		"incremental, cursor is key":   {[]string{"at", "uid"}, []column{at, uid}, big, incremental, "at uid"},
		"incremental without key":      {nil, []column{at}, 0, incremental, ""},
		"tail":                         {nil, []column{at}, 0, func(q *source.Query) { incremental(q); q.Tail = true }, "at"},
		"first incremental is in full": {[]string{"id"}, []column{id, at}, big, func(q *source.Query) { incremental(q); q.Since = nil }, "id"},
		"key of a given type": {[]string{"id"}, []column{id}, 0, func(q *source.Query) {
			q.Entity.Schema = arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int16}}, nil)
		}, ""},
		"key that does not travel": {[]string{"id"}, []column{id}, 0, func(q *source.Query) {
			q.Entity.Schema = arrow.NewSchema(nil, nil)
		}, ""},
	} {
		r := &relation{kind: 'r', columns: c.columns, bytes: c.bytes}
		if c.key != nil {
			r.indexes = []index{{columns: c.key, notNull: true}}
		}
		q := source.Query{Entity: r.entity(), Mode: syncline.ModeFull}
		if c.ask != nil {
			c.ask(&q)
		}
		p := r.plan(q)
		order, _ := r.order(q)
		if strings.Join(order, " ") != c.want {
			t.Errorf("%s: by %q, want %q", name, order, c.want)
		}
		if (p.Resume == source.ResumeByPart) != (c.want != "") || (p.Why == "") != (c.want != "") || (p.Parts[0].Bounds != nil) != (c.want != "") {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestCursorsBestFirst(t *testing.T) {
	r := &relation{}
	for _, c := range []pgcopy.Column{
		{Name: "id", Type: "bigint"},
		{Name: "day", Type: "date"},
		{Name: "name", Type: "text"},
		{Name: "seen", Type: "timestamp(3) without time zone"},
		{Name: "created_at", Type: "timestamp with time zone"},
		{Name: "LastModified", Type: "timestamp with time zone"},
		{Name: "times", Type: "timestamp with time zone[]"},
	} {
		r.columns = append(r.columns, column{Column: c})
	}
	if got, want := r.cursors(), []string{"LastModified", "created_at", "seen", "day", "id"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPatterns(t *testing.T) {
	var all []*relation
	for _, n := range []name{{"app", "orders"}, {"public", "Orders"}, {"public", "a.b"}, {"public", "orders"}, {"public", "orders_2024"}, {"sales", "o*"}, {"sales", "orders"}} {
		all = append(all, &relation{name: n, partition: n.table == "orders_2024"})
	}
	path := []string{"public", "app"}
	for text, want := range map[string]string{
		"orders":             "public.orders",
		"Orders":             "public.Orders",
		"ord*":               "app.orders public.orders",
		"public.*":           `public.Orders public."a.b" public.orders`,
		"*":                  `app.orders public.Orders public."a.b" public.orders sales."o*" sales.orders`,
		"*.orders":           "app.orders public.orders sales.orders",
		"sales.order?":       "sales.orders",
		`public."a.b"`:       `public."a.b"`,
		`sales."o*"`:         `sales."o*"`,
		`"sales"."orders"`:   "sales.orders",
		"public.orders_2024": "public.orders_2024",
		"public.order":       "",
		"public.a.b":         "error",
		`"orders`:            "error",
		"":                   "error",
		".orders":            "error",
	} {
		p, err := parsePattern(text)
		got := []string{"error"}
		if err == nil {
			got = nil
			for _, r := range p.match(all, path) {
				got = append(got, r.name.String())
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
