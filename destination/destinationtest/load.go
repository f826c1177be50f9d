package destinationtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// bench is one case with its place.
type bench struct {
	*testing.T
	Fixture
	place Place
	token int64
}

func newBench(t *testing.T, f Fixture) *bench {
	return &bench{T: t, Fixture: f, place: f.New(t), token: 1_000}
}

// feed plays the source: the rows of one part, and how they are cut into batches.
type feed struct {
	fields []arrow.Field
	key    []string
	rows   []Row
	ops    []rows.Op
	batch  int // rows in a batch; 0: 10
	every  int // a checkpoint after so many batches; 0: each
}

func (f feed) schema() *arrow.Schema { return arrow.NewSchema(f.fields, nil) }

// attempt is one worker's try at a load.
type attempt struct {
	b        *bench
	d        destination.Destination
	w        destination.Writer
	target   destination.Target
	feed     feed
	standing rows.Standing
	sum      map[string]rows.Position

	mu   sync.Mutex
	kept map[string]map[int64]rows.Reject
	// refuse is what Keep answers.
	refuse error
}

// change alters the target of an attempt.
type change func(*destination.Target)

func byLoad(load string) change { return func(t *destination.Target) { t.Load = load } }

func writing(d syncline.Disposition) change {
	return func(t *destination.Target) { t.Disposition = d }
}

func columns(c syncline.Columns) change { return func(t *destination.Target) { t.Columns = c } }

func confirmed(t *destination.Target) { t.Guard.Confirmed = true }

// target describes the table "orders" under a new token.
func (b *bench) target(d destination.Destination, f feed, changes []change) destination.Target {
	b.token++
	t := destination.Target{
		Entity: source.Entity{Name: "orders", Schema: f.schema(), Key: f.key, Rows: -1, Bytes: -1},
		Table:  d.Lands("orders"), Load: "load-1", Format: rows.Arrow,
		Fence: destination.Fence{Stream: "pipeline-1/orders", Token: b.token},
		Mode:  syncline.ModeFull, Disposition: syncline.Replace,
		Columns: syncline.ColumnsAdd, Deletes: syncline.DeletesIgnore, Parallel: 1,
	}
	for _, c := range changes {
		c(&t)
	}
	return t
}

// open makes an attempt without taking over.
func (b *bench) open(f feed, changes ...change) (*attempt, error) {
	b.Helper()
	d := b.place.Open(b)
	b.Cleanup(func() { _ = d.Close() })
	a := &attempt{b: b, d: d, feed: f, sum: map[string]rows.Position{}, kept: map[string]map[int64]rows.Reject{}}
	a.target = b.target(d, f, changes)
	a.target.Keep = a.keep
	a.target.Note = func(s syncline.Severity, format string, args ...any) {
		b.Logf("%s: "+format, append([]any{s}, args...)...)
	}
	ctx, stop := b.within(30 * time.Second)
	defer stop()
	w, err := d.Open(ctx, a.target)
	if err != nil {
		return a, err
	}
	a.w = w
	b.Cleanup(func() { _ = w.Close() })
	return a, nil
}

// begin makes an attempt and takes over.
func (b *bench) begin(f feed, changes ...change) *attempt {
	b.Helper()
	a, err := b.tryBegin(f, changes...)
	if err != nil {
		b.Fatalf("open and take over: %v", err)
	}
	return a
}

func (b *bench) tryBegin(f feed, changes ...change) (*attempt, error) {
	b.Helper()
	a, err := b.open(f, changes...)
	if err != nil {
		return a, err
	}
	return a, a.takeover()
}

func (a *attempt) takeover() (err error) {
	ctx, stop := a.b.within(30 * time.Second)
	defer stop()
	a.standing, err = a.w.Takeover(ctx)
	return err
}

// load runs one load from its beginning to its end.
func (b *bench) load(f feed, changes ...change) destination.Published {
	b.Helper()
	a := b.begin(f, changes...)
	a.part("0")
	return a.publish()
}

// within bounds a step: nothing here takes long, so what does hangs.
func (b *bench) within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

func (a *attempt) keep(_ context.Context, part string, rs []rows.Reject) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refuse != nil {
		return a.refuse
	}
	if a.kept[part] == nil {
		a.kept[part] = map[int64]rows.Reject{}
	}
	for _, r := range rs {
		if r.Code == "" || r.Message == "" {
			a.b.Errorf("reject of row %d does not say why: %+v", r.Row, r)
		}
		if len(r.Sample) > rows.MaxSample {
			a.b.Errorf("reject of row %d has a sample of %d bytes", r.Row, len(r.Sample))
		}
		a.kept[part][r.Row] = r
	}
	return nil
}

// lane opens the lane of a part with the attempt's own token.
func (a *attempt) lane(id string) destination.Lane {
	a.b.Helper()
	ctx, stop := a.b.within(30 * time.Second)
	defer stop()
	l, err := a.w.Part(ctx, id, a.target.Fence.Token)
	if err != nil {
		a.b.Fatalf("part %s: %v", id, err)
	}
	a.b.Cleanup(func() { _ = l.Close() })
	return l
}

// part writes a part from where it stands to its end.
func (a *attempt) part(id string) rows.Position {
	a.b.Helper()
	if p := a.standing.Parts[id]; p.Done {
		a.sum[id] = p
		return p
	}
	l := a.lane(id)
	a.writeAll(l, id, a.standing.Parts[id].Next, len(a.feed.rows))
	return a.finish(l, id)
}

func (a *attempt) finish(l destination.Lane, id string) rows.Position {
	a.b.Helper()
	ctx, stop := a.b.within(time.Minute)
	defer stop()
	p, err := l.Finish(ctx)
	if err != nil {
		a.b.Fatalf("finish part %s: %v", id, err)
	}
	if !p.Done {
		a.b.Errorf("part %s is not done after Finish", id)
	}
	a.books(id, p)
	a.sum[id] = p
	return p
}

// books checks what holds of every position.
func (a *attempt) books(id string, p rows.Position) {
	a.b.Helper()
	if !p.Counts.Balanced() {
		a.b.Errorf("part %s does not balance: %+v", id, p.Counts)
	}
}

// writeAll writes rows from the position next up to, not including, row to.
func (a *attempt) writeAll(l destination.Lane, id string, next []byte, to int) {
	a.b.Helper()
	for n := ordinal(next); n < to; {
		p, end, err := a.write(l, n, to)
		if err != nil {
			a.b.Fatalf("write part %s at row %d: %v", id, n, err)
		}
		a.books(id, p)
		if durable := ordinal(p.Next); durable > end {
			a.b.Fatalf("position says row %d, only %d were written", durable, end)
		}
		n = end
	}
}

// write writes the next batch from row n and says where the one after it begins.
func (a *attempt) write(l destination.Lane, n, to int) (rows.Position, int, error) {
	f := a.feed
	size := max(f.batch, 1)
	if f.batch == 0 {
		size = 10
	}
	end := min(n+size, to)
	b := a.cut(n, end)
	ctx, stop := a.b.within(time.Minute)
	defer stop()
	p, err := l.Write(ctx, b)
	scribble(b.Record)
	b.Release()
	return p, end, err
}

func (a *attempt) cut(n, end int) rows.Batch {
	f := a.feed
	rec := record(a.b, f.schema(), f.rows[n:end])
	b := rows.Batch{Format: rows.Arrow, Record: rec, Rows: int64(end - n), First: int64(n), Requests: 1, Release: rec.Release}
	for _, r := range f.rows[n:end] {
		for _, v := range r {
			b.Bytes += int64(len(v))
		}
	}
	if f.ops != nil {
		b.Ops = f.ops[n:end]
	}
	size := max(end-n, 1)
	if batch := end / size; f.every <= 1 || batch%f.every == 0 {
		b.Next = position(end)
	}
	return b
}

func position(n int) []byte { return strconv.AppendInt([]byte("row "), int64(n), 10) }

func ordinal(next []byte) int {
	if next == nil {
		return 0
	}
	n, err := strconv.Atoi(string(next[4:]))
	if err != nil {
		panic(fmt.Sprintf("suite: position %q is not the suite's", next))
	}
	return n
}

func (a *attempt) total() syncline.Counts {
	var c syncline.Counts
	for _, p := range a.sum {
		c = c.Add(p.Counts)
	}
	return c
}

func (a *attempt) tryPublish(mark []byte) (destination.Published, error) {
	ctx, stop := a.b.within(time.Minute)
	defer stop()
	return a.w.Publish(ctx, mark, a.total(), func(phase string) { a.b.Logf("phase %s", phase) })
}

func (a *attempt) publish() destination.Published {
	a.b.Helper()
	return a.publishMark(nil)
}

func (a *attempt) publishMark(mark []byte) destination.Published {
	a.b.Helper()
	p, err := a.tryPublish(mark)
	if err != nil {
		a.b.Fatalf("publish: %v", err)
	}
	if p.Where == "" {
		a.b.Error("Published does not say where")
	}
	if c := p.Counts; !c.Balanced() || c.Read != a.total().Read || c.Swept != p.Swept {
		a.b.Errorf("published counts %+v, swept %d, of %+v", c, p.Swept, a.total())
	}
	return p
}

// abandon leaves the attempt as a worker does that is stopped or killed: nothing is
// finished. Where a holder that is only stopped blocks its successor, the attempt is
// closed, as a killed one's files and locks are by the system.
func (a *attempt) abandon() {
	if _, blocks := a.b.Cannot["StoppedHolder"]; !blocks {
		return
	}
	if a.w != nil {
		_ = a.w.Close()
	}
	_ = a.d.Close()
}

// shows compares what a reader sees in the table with rows.
func (b *bench) shows(a *attempt, want []Row) {
	b.Helper()
	got, ok := b.place.Rows(b, a.target.Table, a.feed.fields)
	if !ok && len(want) > 0 {
		b.Fatalf("there is no %s", a.target.Table)
	}
	same(b, a.target.Table, got, want)
}

func (b *bench) clean() {
	b.Helper()
	if left := b.place.Leftovers(b); len(left) > 0 {
		b.Errorf("left behind: %v", left)
	}
}

func (b *bench) lost(err error, doing string) {
	b.Helper()
	if !errors.Is(err, syncline.ErrLeaseLost) {
		b.Errorf("%s under an older token: %v, want ErrLeaseLost", doing, err)
	}
}

// written are the rows that a load has put there, as far as its kind can tell new ones
// from those that were there.
func (b *bench) written(c syncline.Counts) int64 {
	if b.Converges {
		return c.Inserted + c.Updated
	}
	return c.Inserted
}

// stands compares what a reader sees with what was there before a load that came to
// nothing.
func (b *bench) stands(a *attempt, before []Row) {
	b.Helper()
	if !b.Converges {
		b.shows(a, before)
	}
}

// orders are rows from, …, to-1 of the table most cases use.
func orders(from, to int) feed {
	f := feed{key: []string{"id"}, fields: []arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "amount", Type: &arrow.Decimal128Type{Precision: 12, Scale: 2}, Nullable: true},
	}}
	for n := from; n < to; n++ {
		f.rows = append(f.rows, order(n, fmt.Sprintf("order %d", n)))
	}
	return f
}

func order(n int, name string) Row {
	return Row{strconv.Itoa(n), name, fmt.Sprintf("%d.%02d", n, n%100)}
}

// with adds a column to a feed, filled by value.
func (f feed) with(field arrow.Field, value func(n int) string) feed {
	f.fields = append(slices.Clone(f.fields), field)
	all := make([]Row, len(f.rows))
	for i, r := range f.rows {
		all[i] = append(slices.Clone(r), value(i))
	}
	f.rows = all
	return f
}
