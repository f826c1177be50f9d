package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// feed is what one load of a test writes: rows in text form, "∅" for NULL.
type feed struct {
	fields []arrow.Field
	key    []string
	rows   [][]string
}

const null = "∅"

var (
	ints  = arrow.PrimitiveTypes.Int64
	texts = arrow.BinaryTypes.String
)

// people are rows of (id, name).
func people(rows ...[]string) feed {
	return feed{fields: []arrow.Field{{Name: "id", Type: ints}, {Name: "name", Type: texts, Nullable: true}}, key: []string{"id"}, rows: rows}
}

func numbered(from, to int) feed {
	f := people()
	for n := from; n < to; n++ {
		f.rows = append(f.rows, []string{fmt.Sprint(n), fmt.Sprintf("name %d", n)})
	}
	return f
}

func (f feed) record(t testing.TB) arrow.RecordBatch {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(f.fields, nil))
	defer b.Release()
	for _, row := range f.rows {
		for c, field := range f.fields {
			if row[c] == null {
				b.Field(c).AppendNull()
			} else if err := text.Parse(b.Field(c), field, row[c]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.NewRecordBatch()
}

// load is a load of a test's in the making.
type load struct {
	t      testing.TB
	d      destination.Destination
	w      destination.Writer
	target destination.Target
	feed   feed
	at     rows.Standing
	sum    syncline.Counts

	mu    sync.Mutex
	kept  []rows.Reject
	notes []string
}

var tokens = struct {
	sync.Mutex
	last int64
}{last: 1}

func nextToken() int64 {
	tokens.Lock()
	defer tokens.Unlock()
	tokens.last++
	return tokens.last
}

func (p *place) start(t testing.TB, table string, f feed, change ...func(*destination.Target)) (*load, error) {
	t.Helper()
	return p.startIn(t, env(), table, f, change...)
}

func (p *place) startIn(t testing.TB, e source.Env, table string, f feed, change ...func(*destination.Target)) (*load, error) {
	t.Helper()
	l := &load{t: t, d: p.openIn(t, e), feed: f}
	t.Cleanup(l.close)
	l.target = destination.Target{
		Entity: source.Entity{Name: table, Schema: arrow.NewSchema(f.fields, nil), Key: f.key}, Table: table,
		Load: fmt.Sprint("load-", nextToken()), Fence: destination.Fence{Stream: "p/" + table, Token: nextToken()}, Format: rows.Arrow,
		Mode: syncline.ModeFull, Disposition: syncline.Replace, Columns: syncline.ColumnsAdd, Deletes: syncline.DeletesIgnore, Parallel: 1,
		Keep: func(_ context.Context, _ string, r []rows.Reject) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.kept = append(l.kept, r...)
			return nil
		},
		Note: func(_ syncline.Severity, format string, args ...any) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.notes = append(l.notes, fmt.Sprintf(format, args...))
		},
	}
	for _, c := range change {
		c(&l.target)
	}
	var err error
	if l.w, err = l.d.Open(t.Context(), l.target); err == nil {
		l.at, err = l.w.Takeover(t.Context())
	}
	return l, err
}

func (l *load) close() {
	if l.w != nil {
		_ = l.w.Close()
	}
	_ = l.d.Close()
}

func (l *load) batch(next string) rows.Batch {
	rec := l.feed.record(l.t)
	b := rows.Batch{Format: rows.Arrow, Record: rec, Rows: rec.NumRows(), Bytes: 1, Release: rec.Release}
	if next != "" {
		b.Next = []byte(next)
	}
	return b
}

// write writes all rows as one part.
func (l *load) write(ctx context.Context) error { return l.writeAs(ctx, "0") }

func (l *load) writeAs(ctx context.Context, part string) error {
	lane, err := l.w.Part(ctx, part, l.target.Fence.Token)
	if err != nil {
		return err
	}
	defer func() { _ = lane.Close() }()
	b := l.batch("end")
	defer b.Release()
	if _, err := lane.Write(ctx, b); err != nil {
		return err
	}
	p, err := lane.Finish(ctx)
	l.sum = p.Counts
	if err == nil && !p.Counts.Balanced() {
		l.t.Errorf("%+v do not balance", p.Counts)
	}
	return err
}

func (l *load) publish(ctx context.Context) (destination.Published, error) {
	return l.w.Publish(ctx, []byte("mark"), l.sum, nil)
}

// load runs a whole load and answers what it came to.
func (p *place) load(t testing.TB, table string, f feed, change ...func(*destination.Target)) (*load, destination.Published, error) {
	t.Helper()
	l, err := p.start(t, table, f, change...)
	if err == nil {
		err = l.write(t.Context())
	}
	var out destination.Published
	if err == nil {
		out, err = l.publish(t.Context())
	}
	l.close()
	return l, out, err
}

func (p *place) mustLoad(t testing.TB, table string, f feed, change ...func(*destination.Target)) (*load, destination.Published) {
	t.Helper()
	l, out, err := p.load(t, table, f, change...)
	if err != nil {
		t.Fatalf("load %s: %v", table, err)
	}
	return l, out
}

func upsert(t *destination.Target) { t.Disposition = syncline.Upsert }

func appending(t *destination.Target) { t.Disposition = syncline.Append }

// shows compares a query's rows, as text, one a line.
func (p *place) shows(t testing.TB, sql, want string) {
	t.Helper()
	got := p.text(t, "select coalesce(string_agg(r::text, E'\n' order by r::text), '') from ("+sql+") r")
	if got != strings.TrimSpace(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", sql, got, strings.TrimSpace(want))
	}
}

func (l *load) noted(word string) bool { return strings.Contains(strings.Join(l.notes, "\n"), word) }
