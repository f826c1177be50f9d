package transfer_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/spec"
)

// The two ends of this file keep the contracts in memory and break where a test wants them
// to: at every step, before or after it took effect.

type row struct {
	ID   int64
	Name string
	At   int64 // microseconds
}

// origin is a source in memory.
type origin struct {
	mu     sync.Mutex
	tables map[string][]row
	fields []arrow.Field // default: those of row
	key    []string      // default: id

	batch, every, parts int           // rows a batch, batches a position, parts
	resume              source.Resume // default: by part
	formats             []rows.Format
	bytes               int64 // what a batch says it weighs
	bad                 map[int64]bool
	// fault is asked before every row is read.
	fault   func(ctx context.Context, part string, n int64) error
	noTotal bool

	query  source.Query // the last one planned
	out    int          // batches that were not released
	read   int64        // rows yielded
	closed int
	opened int
}

func (o *origin) kind() source.Kind {
	return source.Kind{Spec: spec.Spec{Kind: "memory"}, Open: func(context.Context, source.Env, json.RawMessage) (source.Source, error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.opened++
		return o, nil
	}}
}

func (o *origin) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed++
	return nil
}

func (o *origin) schema() *arrow.Schema {
	if o.fields != nil {
		return arrow.NewSchema(o.fields, nil)
	}
	return arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "name", Type: arrow.BinaryTypes.String},
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Microsecond}},
	}, nil)
}

func (o *origin) Entities(_ context.Context, patterns []string) ([]source.Entity, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var found []source.Entity
	for _, name := range slices.Sorted(maps.Keys(o.tables)) {
		for _, p := range patterns {
			if ok, _ := path.Match(p, name); ok {
				found = append(found, o.entity(name))
				break
			}
		}
		if len(patterns) == 0 {
			found = append(found, o.entity(name))
		}
	}
	if len(found) == 0 && len(patterns) > 0 {
		return nil, syncline.Errorf(syncline.NotFound, "nothing matches %q", patterns[0])
	}
	return found, nil
}

func (o *origin) entity(name string) source.Entity {
	key := o.key
	if key == nil {
		key = []string{"id"}
	}
	return source.Entity{Name: name, Schema: o.schema(), Key: key, Cursors: []string{"at"}, Rows: int64(len(o.tables[name])), EstimateFrom: "memory"}
}

func (o *origin) Formats(source.Entity) []rows.Format { return o.formats }

func (o *origin) Plan(_ context.Context, q source.Query) (source.Plan, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.query = q
	p := source.Plan{Resume: cmp.Or(o.resume, source.ResumeByPart), Why: "rows move", Expected: -1}
	if q.Cursor != "" {
		var last int64
		for _, r := range o.tables[q.Entity.Name] {
			last = max(last, r.At)
		}
		p.Until = strconv.AppendInt(nil, last, 10)
	}
	n := len(o.chosen(q, p))
	if !o.noTotal {
		p.Expected, p.ExpectedFrom = int64(n), "plan"
	}
	parts := max(o.parts, 1)
	for i := range parts {
		p.Parts = append(p.Parts, source.Part{ID: strconv.Itoa(i), Bounds: fmt.Appendf(nil, "%d %d", n*i/parts, n*(i+1)/parts), Rows: -1})
	}
	return p, nil
}

// chosen are the rows that q means.
func (o *origin) chosen(q source.Query, p source.Plan) []row {
	var out []row
	since, until := number(q.Since), number(p.Until)
	for _, r := range o.tables[q.Entity.Name] {
		switch {
		case q.Mode == syncline.ModeIncremental && q.Tail && q.Since != nil && r.At <= since:
		case q.Mode == syncline.ModeIncremental && q.Since != nil && r.At < since-q.Overlap.Microseconds():
		case q.Cursor != "" && p.Until != nil && r.At > until:
		case q.Window != nil && (r.At < q.Window.From.UnixMicro() || r.At >= q.Window.To.UnixMicro()):
		default:
			out = append(out, r)
		}
	}
	return out
}

func number(b []byte) int64 {
	n, _ := strconv.ParseInt(string(b), 10, 64)
	return n
}

func (o *origin) Read(ctx context.Context, q source.Query, p source.Plan, part source.Part, from []byte) iter.Seq2[rows.Batch, error] {
	return func(yield func(rows.Batch, error) bool) {
		o.mu.Lock()
		list := o.chosen(q, p)
		o.mu.Unlock()
		var lo, hi int
		if _, err := fmt.Sscanf(string(part.Bounds), "%d %d", &lo, &hi); err != nil {
			yield(rows.Batch{}, err)
			return
		}
		list = list[min(lo, len(list)):min(hi, len(list))]
		for n := number(from); n < int64(len(list)); {
			end := min(n+int64(max(o.batch, 1)), int64(len(list)))
			b, err := o.cut(ctx, part.ID, list, n, end)
			if err != nil {
				yield(rows.Batch{}, err)
				return
			}
			if !yield(b, nil) {
				return
			}
			n = end
		}
	}
}

func (o *origin) cut(ctx context.Context, part string, list []row, n, end int64) (rows.Batch, error) {
	b := rows.Batch{Format: rows.Arrow, First: n, Requests: 1, Bytes: cmp.Or(o.bytes, 100)}
	build := array.NewRecordBuilder(memory.DefaultAllocator, o.schema())
	defer build.Release()
	for i := n; i < end; i++ {
		if err := ctx.Err(); err != nil {
			return b, err
		}
		if o.fault != nil {
			if err := o.fault(ctx, part, i); err != nil {
				return b, err
			}
		}
		r := list[i]
		if o.bad[r.ID] {
			b.Rejects = append(b.Rejects, rows.Reject{Row: i, Key: strconv.FormatInt(r.ID, 10), Code: rows.CodeMalformed, Message: "bad row", Sample: []byte(r.Name)})
			continue
		}
		build.Field(0).(*array.Int64Builder).Append(r.ID)
		build.Field(1).(*array.StringBuilder).Append(r.Name)
		build.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(r.At))
		for c := 3; c < len(o.fields); c++ {
			build.Field(c).AppendNull()
		}
		b.Rows++
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.read += end - n
	b.Record = build.NewRecordBatch()
	b.Release = o.lend(b.Record)
	if nth := end / int64(max(o.batch, 1)); o.every <= 1 || nth%int64(o.every) == 0 {
		b.Next = strconv.AppendInt(nil, end, 10)
	}
	return b, nil
}

// lend counts the batches that are out.
func (o *origin) lend(rec arrow.RecordBatch) func() {
	o.out++
	var once atomic.Bool
	return func() {
		if !once.CompareAndSwap(false, true) {
			panic("a batch was released twice")
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.out--
		rec.Release()
	}
}

// shelf is a destination in memory.
type shelf struct {
	mu      sync.Mutex
	tables  map[string][]row
	streams map[string]*stream
	accepts []rows.Format
	refused map[int64]bool // ids that the destination rejects
	lost    int            // rows that vanish from a stage before it is published
	drop    int            // rows that a write forgets
	// serial: an open transaction keeps every other one out, as SQLite's does.
	serial chan struct{}
	// fault is asked before every step, named "open", "takeover", "part", "write",
	// "commit", "finish" or "publish", and after those that changed something: "committed",
	// "published". What it answers is the step's error.
	fault func(step string) error
	// change is what Open answers.
	change error

	opened, closed, commits, stale int
}

type stream struct {
	token     int64
	load      string
	published bool
	staged    []row
	parts     map[string]rows.Position
	mark      []byte
	counts    syncline.Counts
}

func newShelf() *shelf {
	return &shelf{tables: map[string][]row{}, streams: map[string]*stream{}}
}

func (s *shelf) kind() destination.Kind {
	return destination.Kind{Spec: spec.Spec{Kind: "memory"}, Open: func(context.Context, source.Env, json.RawMessage) (destination.Destination, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.opened++
		return s, nil
	}}
}

func (s *shelf) Lands(entity string) string { return path.Base(entity) }

func (s *shelf) Accepts(context.Context, destination.Target) []rows.Format { return s.accepts }

func (s *shelf) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
	return nil
}

func (s *shelf) step(name string) error {
	if s.fault == nil {
		return nil
	}
	return s.fault(name)
}

func (s *shelf) Open(_ context.Context, t destination.Target) (destination.Writer, error) {
	if err := s.step("open"); err != nil {
		return nil, err
	}
	if s.change != nil {
		return nil, s.change
	}
	return &desk{s, t}, nil
}

// desk writes one entity.
type desk struct {
	*shelf
	target destination.Target
}

func (d *desk) Takeover(ctx context.Context) (rows.Standing, error) {
	if err := cmp.Or(d.step("takeover"), ctx.Err()); err != nil {
		return rows.Standing{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.streams[d.target.Fence.Stream]
	if st == nil {
		st = &stream{}
		d.streams[d.target.Fence.Stream] = st
	}
	if st.token > d.target.Fence.Token {
		return rows.Standing{}, syncline.ErrLeaseLost
	}
	st.token = d.target.Fence.Token
	if _, there := d.tables[d.target.Table]; !there {
		st.mark = nil
	}
	if st.load != d.target.Load || d.target.Restart && !st.published {
		*st = stream{token: st.token, load: d.target.Load, mark: st.mark, parts: map[string]rows.Position{}}
	}
	return rows.Standing{Load: st.load, Published: st.published, Mark: st.mark, Parts: maps.Clone(st.parts), Counts: st.counts, Swept: st.counts.Swept, Total: -1}, nil
}

func (d *desk) Part(_ context.Context, id string, _ int64) (destination.Lane, error) {
	if err := d.step("part"); err != nil {
		return nil, err
	}
	st, err := d.hold()
	if err != nil {
		return nil, err
	}
	defer d.mu.Unlock()
	return &pen{desk: d, id: id, at: st.parts[id]}, nil
}

// hold locks the shelf when the token is still good.
func (d *desk) hold() (*stream, error) {
	d.mu.Lock()
	st := d.streams[d.target.Fence.Stream]
	if st.token != d.target.Fence.Token {
		d.stale++
		d.mu.Unlock()
		return nil, syncline.ErrLeaseLost
	}
	return st, nil
}

func (d *desk) Publish(_ context.Context, mark []byte, sum syncline.Counts, phase func(string)) (destination.Published, error) {
	phase("build key")
	if err := d.step("publish"); err != nil { // ctx may end too late to stop it
		return destination.Published{}, err
	}
	st, err := d.hold()
	if err != nil {
		return destination.Published{}, err
	}
	p, err := d.publish(st, mark, sum)
	d.mu.Unlock()
	if err == nil {
		err = d.step("published")
	}
	return p, err
}

func (d *desk) publish(st *stream, mark []byte, sum syncline.Counts) (destination.Published, error) {
	if !st.published {
		if d.target.Disposition == syncline.Replace {
			staged := st.staged[:max(0, len(st.staged)-d.lost)]
			if int64(len(staged)) != sum.Inserted {
				return destination.Published{}, &destination.Unbalanced{Table: d.target.Table, Staged: int64(len(staged)), Count: sum.Inserted}
			}
			replaced, beside := d.stretch(staged)
			had, gone := int64(len(replaced)), missing(replaced, staged)
			if d.target.Guard.Trips(had, gone, sum.Read) {
				return destination.Published{}, &destination.MassDelete{Table: d.target.Table, Had: had, Gone: gone, Read: sum.Read}
			}
			d.tables[d.target.Table], sum.Swept = append(beside, staged...), gone
		} else if d.tables[d.target.Table] == nil {
			d.tables[d.target.Table] = []row{}
		}
		st.published, st.mark, st.counts, st.staged, st.parts = true, mark, sum, nil, nil
	}
	return destination.Published{Total: int64(len(d.tables[d.target.Table])), Swept: st.counts.Swept, Where: "shelf " + d.target.Table, Counts: st.counts}, nil
}

// stretch parts what the load replaces from what stays beside it.
func (d *desk) stretch(staged []row) (replaced, beside []row) {
	w := d.target.Window
	for _, r := range d.tables[d.target.Table] {
		within := w == nil || r.At >= w.From.UnixMicro() && r.At < w.To.UnixMicro()
		moved := !d.target.Versions && slices.ContainsFunc(staged, func(s row) bool { return s.ID == r.ID })
		switch {
		case within:
			replaced = append(replaced, r)
		case !moved:
			beside = append(beside, r)
		}
	}
	return replaced, beside
}

func missing(old, now []row) (n int64) {
	there := map[int64]bool{}
	for _, r := range now {
		there[r.ID] = true
	}
	for _, r := range old {
		if !there[r.ID] {
			n++
		}
	}
	return n
}

func (d *desk) Discard(context.Context) error { return errors.New("transfer gave a load up") }

// Close: opening one entity costs the shelf nothing.
func (d *desk) Close() error { return nil }

// pen writes one part.
type pen struct {
	*desk
	id   string
	at   rows.Position // durable
	open []row         // written and not durable
	now  syncline.Counts
	next []byte
	busy bool // an open transaction holds serial
}

func (p *pen) begin(ctx context.Context) error {
	if p.serial == nil || p.busy {
		return nil
	}
	select {
	case p.serial <- struct{}{}:
		p.busy = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pen) end() {
	if p.busy {
		p.busy = false
		<-p.serial
	}
}

func (p *pen) Write(ctx context.Context, b rows.Batch) (rows.Position, error) {
	if err := cmp.Or(p.step("write"), p.begin(ctx)); err != nil {
		return p.at, err
	}
	ids, names, times := b.Record.Column(0).(*array.Int64), b.Record.Column(1).(*array.String), b.Record.Column(2).(*array.Timestamp)
	var refused []rows.Reject
	ordinals := b.Ordinals()
	for i := range int(b.Rows) {
		r := row{ids.Value(i), string(append([]byte(nil), names.Value(i)...)), int64(times.Value(i))}
		if p.refused[r.ID] {
			refused = append(refused, rows.Reject{Row: ordinals[i], Key: strconv.FormatInt(r.ID, 10), Code: rows.CodeOutOfRange, Message: "refused"})
			continue
		}
		p.open = append(p.open, r)
	}
	forgot := p.forget()
	p.now = p.now.Add(syncline.Counts{Read: b.Read() - forgot, Rejected: int64(len(refused) + len(b.Rejects)), Filtered: b.Filtered, Bytes: b.Bytes, Requests: b.Requests})
	p.next = b.Next
	if len(refused) > 0 {
		if err := p.target.Keep(ctx, p.id, refused); err != nil {
			return p.at, err
		}
	}
	if b.Next == nil {
		return p.at, nil
	}
	return p.commit(ctx, false)
}

// forget loses rows of the open transaction, if the shelf is to.
func (p *pen) forget() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(p.drop, len(p.open))
	p.drop, p.open = p.drop-n, p.open[n:]
	return int64(n)
}

func (p *pen) Finish(ctx context.Context) (rows.Position, error) {
	if err := p.step("finish"); err != nil {
		return p.at, err
	}
	return p.commit(ctx, true)
}

func (p *pen) commit(ctx context.Context, done bool) (rows.Position, error) {
	if err := cmp.Or(p.step("commit"), ctx.Err()); err != nil {
		return p.at, err
	}
	st, err := p.hold()
	if err != nil {
		return p.at, err
	}
	sum := p.at.Counts.Add(p.now).Add(p.apply(st))
	p.at = rows.Position{Next: p.next, Done: done, Counts: sum}
	p.open, p.now = nil, syncline.Counts{}
	st.parts[p.id] = p.at
	p.commits++
	p.mu.Unlock()
	p.end()
	return p.at, p.step("committed")
}

// waitFor waits until so many commits were made.
func (s *shelf) waitFor(commits int) {
	for {
		s.mu.Lock()
		n := s.commits
		s.mu.Unlock()
		if n >= commits {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (p *pen) apply(st *stream) (c syncline.Counts) {
	table := p.target.Table
	switch p.target.Disposition {
	case syncline.Replace:
		st.staged = append(st.staged, p.open...)
		c.Inserted = int64(len(p.open))
	case syncline.Append:
		p.tables[table] = append(p.tables[table], p.open...)
		c.Inserted = int64(len(p.open))
	case syncline.Upsert:
		for _, r := range p.open {
			i := slices.IndexFunc(p.tables[table], func(old row) bool { return old.ID == r.ID })
			switch {
			case i < 0:
				p.tables[table] = append(p.tables[table], r)
				c.Inserted++
			case p.tables[table][i] == r:
				c.Unchanged++
			default:
				p.tables[table][i] = r
				c.Updated++
			}
		}
	}
	return c
}

func (p *pen) Close() error {
	p.end()
	p.open = nil
	return nil
}

var (
	_ source.Source           = (*origin)(nil)
	_ source.Formatter        = (*origin)(nil)
	_ destination.Destination = (*shelf)(nil)
	_ destination.Accepter    = (*shelf)(nil)
)
