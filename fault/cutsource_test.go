package fault_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/builtin"
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/source/postgres"
	"github.com/synclinehq/syncline/task"
	"github.com/synclinehq/syncline/task/tasktest"
	"github.com/synclinehq/syncline/task/transfer"
	"github.com/synclinehq/syncline/testserver"
)

// TestCutsOfSource ends the connection to a source after a random byte of what the server
// answers, over the whole of a read from opening the source on. The read has an error then,
// and whoever goes on from the last place that it gave has every row in the end.
func TestCutsOfSource(t *testing.T) {
	shapes, large := newShapes(t, testserver.Database(t))
	var drawn atomic.Int64
	l := each(t, wanted(1000), func(t *testing.T, l *loop, r *rand.Rand, _ int) {
		for !l.enough() {
			n := drawn.Add(1)
			x := shapes[n%int64(len(shapes))]
			if n%16 == 0 {
				x = large
			}
			if place := x.cut(t, x.answers.draw(r, n)); place != "" {
				l.strike(place)
			}
		}
	})
	for _, place := range insideCopy {
		if l.points[place] == 0 {
			t.Errorf("no cut %s: that proves little", place)
		}
	}
}

// shape is one way to read a table.
type shape struct {
	name     string
	settings json.RawMessage
	query    source.Query
	// earlier is the plan of an earlier attempt that had come as far as at: it is gone on
	// with. nil: a new one is made.
	earlier *source.Plan
	at      map[string]rows.Position

	whole   content // what a read brings in the end
	answers *answers
}

// newShapes fills tables and reads them whole once in every shape. The large one, of
// several batches, takes its time.
func newShapes(t *testing.T, url string) (shapes []*shape, large *shape) {
	t.Helper()
	db := connect(t, url)
	execute(t, db,
		`create table public.parts (id bigint primary key, qty integer, amount numeric(12,2), at timestamptz, note text) partition by range (id)`,
		`create table public.parts1 partition of public.parts for values from (0) to (300); create table public.parts2 partition of public.parts for values from (300) to (100000)`,
		`insert into public.parts select g, g % 1000, g::numeric / 100, timestamptz '2020-01-01' + g * interval '61 seconds', case g % 3 when 0 then null when 1 then '' else md5(g::text) end from generate_series(1, 600) g`,
		`create table public.fat (id bigint primary key, fat text not null); alter table public.fat alter fat set storage external`,
		`insert into public.fat select g, repeat(md5(g::text), 5000) from generate_series(1, 80) g`,
		"analyze")
	shapes = []*shape{
		{name: "by blocks, undecoded", query: source.Query{Corrects: true, Format: rows.PGCopy}},
		{name: "by blocks", query: source.Query{Corrects: true, Format: rows.Arrow}},
		{name: "by key", query: source.Query{Format: rows.Arrow}},
		{name: "gone on with", query: source.Query{Corrects: true, Format: rows.PGCopy}, at: map[string]rows.Position{}},
	}
	large = &shape{name: "in several batches", query: source.Query{Format: rows.PGCopy, Entity: source.Entity{Name: "public.fat"}}}
	for _, x := range append(shapes, large) {
		x.prepare(t, url)
	}
	// The last one goes on under a snapshot that is newer than what it has read.
	shapes[len(shapes)-1].begin(t)
	execute(t, db, `update public.parts set qty = -1 where id % 17 = 0`, `delete from public.parts where id % 29 = 0`, `insert into public.parts values (0, 0, 0, now(), 'new'), (900, 0, 0, now(), 'new')`)
	for _, x := range append(shapes, large) {
		x.measure(t)
	}
	return shapes, large
}

func (x *shape) prepare(t *testing.T, url string) {
	t.Helper()
	x.settings = endpoint(t, registry.Source, url).Settings
	src := x.open(t, &tap{at: -1})
	name := x.query.Entity.Name
	if name == "" {
		name = "public.parts"
	}
	found, err := src.Entities(t.Context(), []string{name})
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %v, %v", name, found, err)
	}
	x.query.Entity, x.query.Mode, x.query.Parallel = found[0], syncline.ModeFull, 1
}

// begin reads one of the parts, as an earlier attempt would have.
func (x *shape) begin(t *testing.T) {
	t.Helper()
	src := x.open(t, &tap{at: -1})
	p, err := src.Plan(t.Context(), x.query)
	if err != nil {
		t.Fatal(err)
	}
	h := &holding{shape: x, plan: p, parts: map[string]*taken{}}
	first := p.Parts[0]
	if err := h.part(t.Context(), src, first); err != nil {
		t.Fatal(err)
	}
	x.at[first.ID] = rows.Position{Done: true, Counts: syncline.Counts{Read: int64(h.n())}}
	x.earlier = &p
}

// measure reads everything, and learns what that brings and what is where.
func (x *shape) measure(t *testing.T) {
	t.Helper()
	all := &tap{at: -1}
	h, err := x.read(t, all)
	if err != nil {
		t.Fatalf("%s: %v", x.name, err)
	}
	if x.earlier != nil && (len(h.plan.Parts) != len(x.earlier.Parts)+2 || len(h.whole()) < 50) {
		t.Fatalf("%s: %d rows of the parts %+v", x.name, len(h.whole()), h.plan.Parts)
	}
	x.whole, x.answers = h.whole(), all.answers()
	t.Logf("%s: %d rows in %d parts, %d bytes", x.name, len(x.whole), len(h.plan.Parts), all.taken)
}

// cut reads up to a byte and goes on from there; the answer is "" when all had come before.
func (x *shape) cut(t *testing.T, at int64) string {
	t.Helper()
	through := &tap{at: at}
	h, err := x.read(t, through)
	switch {
	case err == nil && (slices.Contains(insideCopy, through.cut) || !maps.Equal(h.whole(), x.whole)):
		t.Fatalf("%s, cut after byte %d (%s): no error, and %d rows of %d", x.name, at, through.cut, len(h.whole()), len(x.whole))
	case err == nil: // the answer was to a question that nothing hung on
		return through.cut
	case through.cut == "":
		t.Fatalf("%s, not cut at %d: %v", x.name, at, err)
	}
	if e, ok := errors.AsType[*syncline.Error](err); !ok || !e.Retryable {
		t.Fatalf("%s, cut after byte %d (%s): not said to be worth another try: %v", x.name, at, through.cut, err)
	}
	if h == nil {
		return through.cut // it did not come to a plan
	}
	if err := h.rest(t); err != nil {
		t.Fatalf("%s, going on after byte %d (%s): %v", x.name, at, through.cut, err)
	}
	if got := h.whole(); !maps.Equal(got, x.whole) || x.earlier == nil && h.n() != len(x.whole) {
		t.Fatalf("%s, going on after byte %d (%s): %d rows, %d of them different, want %d", x.name, at, through.cut, h.n(), len(got), len(x.whole))
	}
	return through.cut
}

func (x *shape) open(t *testing.T, tap *tap) source.Source {
	t.Helper()
	src, err := postgres.Kind.Open(t.Context(), tap.env(), x.settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	return src
}

// read opens the source, plans, and reads all parts. Without a plan it returns nil.
func (x *shape) read(t *testing.T, tap *tap) (*holding, error) {
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	src, err := postgres.Kind.Open(ctx, tap.env(), x.settings)
	if err != nil {
		return nil, err
	}
	defer func() { _ = src.Close() }()
	p, err := x.plan(ctx, src)
	if err != nil {
		return nil, err
	}
	h := &holding{shape: x, plan: p, parts: map[string]*taken{}}
	return h, h.all(ctx, src)
}

func (x *shape) plan(ctx context.Context, src source.Source) (source.Plan, error) {
	if x.earlier == nil {
		return src.Plan(ctx, x.query)
	}
	return src.(source.Resumer).GoOn(ctx, x.query, *x.earlier, x.at)
}

// content is the rows that are there, by their hashes.
type content map[uint64]bool

// holding is what a destination would have of a read.
type holding struct {
	*shape
	plan  source.Plan
	parts map[string]*taken
}

// taken is what is durable of a part: all rows up to next.
type taken struct {
	done bool
	next []byte
	rows content
	n    int
}

func (h *holding) all(ctx context.Context, src source.Source) error {
	for _, part := range h.plan.Parts {
		if h.at[part.ID].Done {
			continue
		}
		if err := h.part(ctx, src, part); err != nil {
			return err
		}
	}
	return nil
}

func (h *holding) part(ctx context.Context, src source.Source, part source.Part) error {
	t := h.parts[part.ID]
	if t == nil {
		t = &taken{rows: content{}}
		h.parts[part.ID] = t
	}
	if t.done {
		return nil
	}
	all, n := maps.Clone(t.rows), t.n
	for b, err := range src.Read(ctx, h.query, h.plan, part, t.next) {
		if err != nil {
			return err
		}
		if b.Census == rows.CensusBegins {
			clear(all)
		}
		n += all.add(b)
		b.Release()
		if b.Next != nil {
			t.next, t.rows, t.n = bytes.Clone(b.Next), maps.Clone(all), n
		}
	}
	t.done, t.rows, t.n = true, all, n
	return nil
}

// rest reads what is missing, by another source that has only what is stored of the plan.
func (h *holding) rest(t *testing.T) error {
	doc, err := json.Marshal(h.plan)
	if err != nil {
		return err
	}
	h.plan = source.Plan{}
	if err := json.Unmarshal(doc, &h.plan); err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	src, err := postgres.Kind.Open(ctx, (&tap{at: -1}).env(), h.settings)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	return h.all(ctx, src)
}

func (h *holding) whole() content {
	all := content{}
	for _, t := range h.parts {
		maps.Copy(all, t.rows)
	}
	return all
}

// n is how many rows have come, those that came twice counted twice.
func (h *holding) n() (n int) {
	for _, t := range h.parts {
		n += t.n
	}
	return n
}

var hashed = maphash.MakeSeed()

// add enters the rows of a batch and says how many there were.
func (c content) add(b rows.Batch) int {
	if b.Format == rows.PGCopy {
		return c.addTuples(b)
	}
	var line []byte
	for i := range int(b.Rows) {
		line = line[:0]
		for _, column := range b.Record.Columns() {
			if line = append(line, 0); !column.IsNull(i) {
				line = text.Append(append(line, 1), column, i)
			}
		}
		c[maphash.Bytes(hashed, line)] = true
	}
	return int(b.Rows)
}

// addTuples adds tuples as they are.
func (c content) addTuples(b rows.Batch) int {
	ends, err := pgcopy.Ends(b.Raw, int(b.Raw[0])<<8|int(b.Raw[1]))
	if err != nil || int64(len(ends)) != b.Rows {
		panic(fmt.Sprintf("%d rows, said to be %d: %v", len(ends), b.Rows, err))
	}
	from := 0
	for _, end := range ends {
		c[maphash.Bytes(hashed, b.Raw[from:end])] = true
		from = end
	}
	return len(ends)
}

// TestCutsOfTransfer is the same with whole transfers: an attempt whose source was cut off
// has an error and publishes nothing, and the next one ends the load.
func TestCutsOfTransfer(t *testing.T) {
	for _, kind := range []string{"postgres", "sqlite", "files"} {
		t.Run(kind, func(t *testing.T) {
			var drawn atomic.Int64
			each(t, wanted(100), func(t *testing.T, l *loop, r *rand.Rand, _ int) {
				m := newMove(t, r, kind)
				for !l.enough() {
					if place := m.cut(m.answers.draw(r, drawn.Add(1))); place != "" {
						l.strike(place)
					}
				}
			})
		})
	}
}

// move is a site whose loads are transfers in this process.
type move struct {
	*site
	definition syncline.Definition
	answers    *answers // of the source, in one load
	loads      int
}

func newMove(t *testing.T, r *rand.Rand, kind string) *move {
	t.Helper()
	to := map[string]func() target{
		"postgres": func() target { return postgresTarget(t, testserver.Database(t)) },
		"sqlite":   func() target { return sqliteTarget(t, t.TempDir()) },
		"files":    func() target { return filesTarget(t, t.TempDir()) },
	}[kind]()
	m := &move{site: &site{t: t, r: r, from: testserver.Database(t), to: to.url, target: to}}
	m.fill(300, 20)
	m.definition = syncline.Definition{
		Source: endpoint(t, registry.Source, m.from), Destination: endpoint(t, registry.Destination, m.to),
		Entities: []syncline.EntitySpec{{Name: "public.big"}},
	}
	all := &tap{at: -1}
	if err := m.begin().Do(t.Context(), transferThrough(t, all)); err != nil {
		t.Fatal(err)
	}
	m.answers = all.answers()
	return m
}

// cut loads new content with one attempt that ends at a byte, and another one.
func (m *move) cut(at int64) string {
	m.t.Helper()
	m.change()
	if m.r.IntN(3) == 0 {
		m.target.drop()
	}
	before, want := m.target.print("big"), m.print("big")
	through, rec := &tap{at: at}, m.begin()
	what := fmt.Sprintf("cut after byte %d of %d", at, m.answers.total)
	err := rec.Do(m.t.Context(), transferThrough(m.t, through))
	if err == nil && slices.Contains(insideCopy, through.cut) {
		m.t.Fatalf("%s (%s): no error", what, through.cut)
	}
	if err != nil {
		m.refused(what, err, before)
		err = rec.Do(m.t.Context(), transferThrough(m.t, &tap{at: -1}))
	}
	if err != nil {
		m.t.Fatalf("%s (%s): the next attempt: %v", what, through.cut, err)
	}
	c := rec.Stats().Counts
	n := one[int64](m.t, m.db, "select count(*) from public.big")
	if got := m.target.print("big"); got != want || c.Inserted+c.Updated+c.Unchanged != n || len(rec.Rejects()) > 0 {
		m.t.Fatalf("%s (%s): %s in the source, %s in the target, counts %+v", what, through.cut, want, got, c)
	}
	return through.cut
}

// refused fails unless an attempt left what readers see alone and may be made again.
func (m *move) refused(what string, err error, before string) {
	m.t.Helper()
	if e, ok := errors.AsType[*syncline.Error](err); !ok || !e.Retryable {
		m.t.Fatalf("%s: not said to be worth another try: %v", what, err)
	}
	if got := m.target.print("big"); got != before {
		m.t.Fatalf("%s: %v, and yet %s came in the place of %s", what, err, got, before)
	}
}

func (m *move) begin() *tasktest.Recorder {
	m.t.Helper()
	tasks, err := transferThrough(m.t, &tap{at: -1}).Plan(m.t.Context(), m.definition, "")
	if err != nil || len(tasks) != 1 {
		m.t.Fatalf("%+v: %v", tasks, err)
	}
	m.loads++
	id := fmt.Sprintf("run-%d", m.loads)
	run := syncline.Run{ID: id, Load: id, PipelineID: "pipeline", Token: int64(m.loads) * 100}
	return tasktest.NewRecorder(m.t, run, m.definition, tasks[0])
}

// transferThrough is the task kind of this build, with sources behind a tap.
func transferThrough(t *testing.T, tap *tap) task.Kind {
	t.Helper()
	ends := registry.New(builtin.Sources, builtin.Destinations, nil)
	return transfer.New(transfer.Options{
		Sources: func(kind string) (source.Kind, bool) {
			k, ok := ends.Source(kind)
			open := k.Open
			k.Open = func(ctx context.Context, _ source.Env, settings json.RawMessage) (source.Source, error) {
				return open(ctx, tap.env(), settings)
			}
			return k, ok
		},
		Destinations: ends.Destination,
		Env:          source.Env{Dial: new(net.Dialer).DialContext, Now: time.Now, Log: slog.New(slog.DiscardHandler)},
		Memory:       rows.NewBudget(64 << 20),
	})
}

func endpoint(t *testing.T, side registry.Side, raw string) syncline.Endpoint {
	t.Helper()
	kind, settings, err := registry.New(builtin.Sources, builtin.Destinations, nil).ParseURL(side, raw, "/")
	if err != nil {
		t.Fatal(err)
	}
	return syncline.Endpoint{Kind: kind, Settings: settings}
}
