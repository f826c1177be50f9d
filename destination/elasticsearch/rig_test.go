package elasticsearch

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

var peopleSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

var sourceOfPeople = source.Entity{Name: "people", Schema: peopleSchema, Key: []string{"id"}}

// people are a batch of rows from, …, to-1 whose names begin alike, weighing enough for a
// checkpoint of its own.
func people(name string, from, to int) rows.Batch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, peopleSchema)
	defer b.Release()
	for n := from; n < to; n++ {
		b.Field(0).(*array.Int64Builder).Append(int64(n))
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("%s %d", name, n))
	}
	rec := b.NewRecordBatch()
	return rows.Batch{
		Format: rows.Arrow, Record: rec, Rows: int64(to - from), First: int64(from), Bytes: commitBytes,
		Next: strconv.AppendInt(nil, int64(to), 10), Requests: 1, Release: rec.Release,
	}
}

// attempt is one try at a load of people.
type attempt struct {
	t        *testing.T
	d        *cluster
	w        destination.Writer
	l        destination.Lane
	standing rows.Standing
	token    int64

	mu   sync.Mutex
	kept map[int64]rows.Reject
}

type change func(*destination.Target)

// try opens the load under a token and takes it over.
func try(t *testing.T, p place, load string, token int64, changes ...change) *attempt {
	t.Helper()
	a := &attempt{t: t, d: p.Open(t).(*cluster), token: token, kept: map[int64]rows.Reject{}}
	t.Cleanup(func() { _ = a.d.Close() })
	target := destination.Target{
		Entity: sourceOfPeople, Table: "people", Load: load, Format: rows.Arrow,
		Fence: destination.Fence{Stream: "pipeline-1/people", Token: token}, Mode: syncline.ModeFull, Disposition: syncline.Replace,
		Columns: syncline.ColumnsAdd, Parallel: 1, Keep: a.keep,
		Note: func(s syncline.Severity, format string, args ...any) {
			t.Logf("%s: "+format, append([]any{s}, args...)...)
		},
	}
	for _, c := range changes {
		c(&target)
	}
	var err error
	if a.w, err = a.d.Open(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.w.Close() })
	if a.standing, err = a.w.Takeover(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *attempt) keep(_ context.Context, _ string, all []rows.Reject) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range all {
		a.kept[r.Row] = r
	}
	return nil
}

// lane opens the only part and says where it is gone on with.
func (a *attempt) lane() int {
	a.t.Helper()
	var err error
	if a.l, err = a.w.Part(a.t.Context(), "0", a.token); err != nil {
		a.t.Fatal(err)
	}
	from, _ := strconv.Atoi(string(a.standing.Parts["0"].Next)) // none: from the beginning
	return from
}

func (a *attempt) write(b rows.Batch) (rows.Position, error) {
	defer b.Release()
	ctx, stop := context.WithTimeout(a.t.Context(), 2*time.Minute)
	defer stop()
	return a.l.Write(ctx, b)
}

// writeAll writes people from, …, to-1, a thousand at a time.
func (a *attempt) writeAll(name string, from, to int) {
	a.t.Helper()
	for n := from; n < to; n += 1000 {
		if _, err := a.write(people(name, n, min(n+1000, to))); err != nil {
			a.t.Fatalf("write from %d on: %v", n, err)
		}
	}
}

func (a *attempt) finish() rows.Position {
	a.t.Helper()
	p, err := a.l.Finish(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	if !p.Done || !p.Counts.Balanced() {
		a.t.Errorf("%+v", p)
	}
	return p
}

func (a *attempt) publish(p rows.Position) destination.Published {
	a.t.Helper()
	published, err := a.w.Publish(a.t.Context(), nil, p.Counts, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	return published
}

// load brings a load of people from, …, to-1 to its end.
func load(t *testing.T, p place, name string, token int64, from, to int, changes ...change) destination.Published {
	t.Helper()
	a := try(t, p, "load-"+name, token, changes...)
	a.lane()
	a.writeAll(name, from, to)
	return a.publish(a.finish())
}

// holds fails unless the index holds just these documents: id → name.
func (p place) holds(t *testing.T, want map[string]string) {
	t.Helper()
	docs, _ := p.all(t, "people")
	got := map[string]string{}
	for _, d := range docs {
		got[d.ID] = string(d.Source["name"])
	}
	wrong := 0
	for id, name := range want {
		if got[id] != strconv.Quote(name) {
			wrong++
			t.Logf("%s is %s, want %q", id, got[id], name)
		}
		delete(got, id)
		if wrong == 5 {
			break
		}
	}
	if wrong > 0 || len(got) > 0 && wrong < 5 {
		t.Errorf("%d documents wrong, %d too many", wrong, len(got))
	}
}

// expected are people by their ids.
func expected(name string, from, to int) map[string]string {
	all := map[string]string{}
	for n := from; n < to; n++ {
		all[strconv.Itoa(n)] = fmt.Sprintf("%s %d", name, n)
	}
	return all
}

// watch sees every answer of the cluster, and may spoil it.
type watch struct {
	http.RoundTripper
	see func(*http.Request, *http.Response, error) (*http.Response, error)
}

func (w watch) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := w.RoundTripper.RoundTrip(r)
	return w.see(r, resp, err)
}

func (a *attempt) watch(see func(*http.Request, *http.Response, error) (*http.Response, error)) {
	a.d.http.Transport = watch{a.d.http.Transport, see}
}
