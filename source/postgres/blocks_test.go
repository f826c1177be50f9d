package postgres_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

var (
	seed      = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the histories")
	histories = flag.Int("histories", 24, "of a table that changes while its read is interrupted")
)

// keep is a destination that corrects what it has taken, as destination.Corrector says.
type keep struct {
	stage   []kept // durable
	open    map[string][]kept
	census  map[string]bool
	at      map[string]rows.Position
	commits int
}

type kept struct{ key, line string }

func newKeep() *keep { return &keep{open: map[string][]kept{}, at: map[string]rows.Position{}} }

// write is Lane.Write: durable with a batch that has a Next.
func (k *keep) write(part string, b rows.Batch, all []kept) {
	if b.Census == rows.CensusBegins {
		k.census = map[string]bool{}
	}
	for _, r := range all {
		if b.Census == rows.NoCensus {
			k.open[part] = append(k.open[part], r)
		} else {
			k.census[r.key] = true
		}
	}
	if b.Next != nil {
		k.commit(part, b.Next, false)
	}
}

func (k *keep) commit(part string, next []byte, done bool) {
	p := k.at[part]
	p.Counts.Read += int64(len(k.open[part]))
	p.Next, p.Done = next, done
	k.at[part] = p
	k.stage = append(k.stage, k.open[part]...)
	delete(k.open, part)
	k.commits++
}

// published is what would be visible: of each key the row written last, if a census names it.
func (k *keep) published() (lines []string) {
	all := map[string]string{}
	for _, r := range k.stage {
		if k.census == nil || k.census[r.key] {
			all[r.key] = r.line
		}
	}
	for _, l := range all {
		lines = append(lines, l)
	}
	slices.Sort(lines)
	return lines
}

// TestInterruptedByBlocks: a table by whose key nothing lies in order is changed at will
// while the read of it is interrupted at any batch. What the destination holds in the end
// is what the last snapshot shows: no row lost, none twice, none that is gone.
func TestInterruptedByBlocks(t *testing.T) {
	t.Logf("-seed %d", *seed)
	totals := map[string]int{}
	for n := range *histories {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := rand.New(rand.NewPCG(*seed, uint64(n)))
			h := &history{place: setup(t, tables[n%len(tables)]), r: r, keep: newKeep(), format: []rows.Format{rows.PGCopy, rows.Arrow}[r.IntN(2)], did: totals}
			h.run()
		})
	}
	t.Log(totals)
	for _, what := range []string{"interrupted", "gone on", "changed", "census", "no census", "no change"} {
		if totals[what] == 0 && *histories >= 24 {
			t.Errorf("%q never happened: %v", what, totals)
		}
	}
}

var tables = []string{
	`create table t (id uuid primary key, v int, note text) with (fillfactor = 70)`,
	`create table t (v int, id text collate "C", n int, note text, primary key (id, n))`,
	`create table t (id uuid, v int, note text, primary key (id, v)) partition by range (v);
	 create table t_a partition of t for values from (minvalue) to (500); create table t_b (note text, v int not null, id uuid not null);
	 alter table t attach partition t_b for values from (500) to (maxvalue)`,
}

type history struct {
	*place
	r      *rand.Rand
	format rows.Format
	keep   *keep
	query  source.Query
	did    map[string]int
}

func (h *history) run() {
	h.insert(300 + h.r.IntN(500))
	h.query = h.place.query("public.t")
	h.query.Format, h.query.Corrects, h.query.Parallel = h.format, true, 2
	plan := h.cut(h.plan(h.query))
	for attempt := 0; ; attempt++ {
		done := h.attempt(plan, attempt < 4 && h.r.IntN(3) > 0)
		if done {
			break
		}
		if h.r.IntN(4) > 0 {
			h.change()
		} else {
			h.did["no change"]++
		}
		plan = h.goOn(plan)
	}
	h.check(plan)
}

// goOn is what the next attempt does, from what the ledger stored of the plan.
func (h *history) goOn(plan source.Plan) source.Plan {
	stored, err := json.Marshal(plan)
	if err != nil {
		h.Fatal(err)
	}
	var p source.Plan
	if err := json.Unmarshal(stored, &p); err != nil {
		h.Fatal(err)
	}
	h.src = h.open()
	if p, err = h.src.(source.Resumer).GoOn(h.ctx, h.query, p, h.keep.at); err != nil {
		h.Fatal(err)
	}
	h.did["gone on"]++
	what := "no census"
	for _, part := range p.Parts[len(plan.Parts):] {
		if strings.HasPrefix(part.ID, "census") {
			what = "census"
		}
	}
	h.did[what]++
	return p
}

// attempt reads what is left in a random order, and ends early if it is to be interrupted.
func (h *history) attempt(plan source.Plan, interrupt bool) (done bool) {
	left := 1 << 30
	if interrupt {
		left = h.r.IntN(12)
		h.did["interrupted"]++
	}
	defer clear(h.keep.open)
	for _, after := range []bool{false, true} {
		for _, i := range h.r.Perm(len(plan.Parts)) {
			part := plan.Parts[i]
			if part.After != after || h.keep.at[part.ID].Done {
				continue
			}
			if left = h.read(plan, part, left); left <= 0 {
				return false
			}
		}
	}
	return true
}

// read reads a part, at most so many batches.
func (h *history) read(plan source.Plan, part source.Part, left int) int {
	at := h.keep.at[part.ID]
	for b, err := range h.src.Read(h.ctx, h.query, plan, part, at.Next) {
		if err != nil {
			h.Fatalf("part %s: %v", part.ID, err)
		}
		if strings.HasPrefix(part.ID, "changed") && b.Rows > 0 {
			h.did["changed"]++
		}
		at.Next = b.Next
		h.keep.write(part.ID, b, h.rowsOf(b))
		b.Release()
		if left--; left <= 0 {
			return 0
		}
	}
	h.keep.commit(part.ID, at.Next, true)
	return left - 1
}

// rowsOf draws the rows of a batch with their keys.
func (h *history) rowsOf(b rows.Batch) (all []kept) {
	schema := h.query.Entity.Schema
	if b.Census != rows.NoCensus {
		var fields []arrow.Field
		for _, k := range h.query.Entity.Key {
			found, _ := schema.FieldsByName(k)
			fields = append(fields, found...)
		}
		schema = arrow.NewSchema(fields, nil)
	}
	if b.Format == rows.PGCopy {
		b.Record = h.decoded(schema, b.Raw)
	}
	if got := b.Record.NumRows(); got != b.Rows {
		h.Fatalf("%d rows in a batch of %d", got, b.Rows)
	}
	var columns []int
	for _, k := range h.query.Entity.Key {
		columns = append(columns, schema.FieldIndices(k)...)
	}
	for i, line := range draw(b) {
		var key []string
		for _, c := range columns {
			key = append(key, string(pgcopy.AppendValue(nil, b.Record.Column(c), i)))
		}
		all = append(all, kept{strings.Join(key, ","), line})
	}
	return all
}

func (h *history) decoded(schema *arrow.Schema, raw []byte) arrow.RecordBatch {
	d, err := pgcopy.NewDecoder(schema)
	if err != nil {
		h.Fatal(err)
	}
	f := pgcopy.NewFramer(schema.NumFields(), 0)
	f.Feed(slices.Concat(pgcopy.Header, raw, pgcopy.Trailer))
	for {
		tuple, err := f.Next()
		if err == io.EOF {
			break
		}
		if err != nil || d.Append(tuple) != nil {
			h.Fatalf("not whole rows: %v", err)
		}
	}
	record, _ := d.Take()
	return record
}

// cut makes a plan of one part a leaf into one of several short ones.
func (h *history) cut(plan source.Plan) source.Plan {
	var parts []source.Part
	for _, part := range plan.Parts {
		var b struct {
			Pages struct {
				Leaf           json.RawMessage
				From, To, Step int64
				Open           bool
			}
			Server string
		}
		if err := json.Unmarshal(part.Bounds, &b); err != nil || b.Pages.Leaf == nil {
			h.Fatalf("%s: not read by blocks: %s", part.ID, part.Bounds)
		}
		last := b.Pages.To
		for from := int64(0); from == 0 || from < last; from = b.Pages.To {
			p := b
			p.Pages.From, p.Pages.To, p.Pages.Step = from, min(from+1+h.r.Int64N(max(last/2, 1)), max(last, from+1)), 1+h.r.Int64N(2)
			p.Pages.Open = p.Pages.To >= last
			b.Pages.To = p.Pages.To
			bounds := fmt.Sprintf(`{"pages":{"leaf":%s,"from":%d,"to":%d,"open":%t,"step":%d},"server":%q}`, p.Pages.Leaf, from, p.Pages.To, p.Pages.Open, p.Pages.Step, p.Server)
			parts = append(parts, source.Part{ID: fmt.Sprintf("%04d", len(parts)), Bounds: []byte(bounds), Rows: -1})
		}
	}
	plan.Parts = parts
	return plan
}

func (h *history) insert(n int) {
	columns, values := "id, v, note", "gen_random_uuid(), g"
	if h.r.IntN(2) == 0 {
		values = "gen_random_uuid(), 1000 - g"
	}
	if exists := h.column("n"); exists {
		columns, values = "id, n, v, note", "md5(random()::text), g % 3, g"
	}
	exec(h, h.db, fmt.Sprintf("insert into t (%s) select %s, repeat('x', (random()*100)::int) from generate_series(1, %d) g", columns, values, n))
}

func (h *history) column(name string) (there bool) {
	err := h.db.QueryRow(h.ctx, "select exists (select from pg_attribute where attrelid = 't'::regclass and attname = $1)", name).Scan(&there)
	if err != nil {
		h.Fatal(err)
	}
	return there
}

// change does a few things that a busy table sees.
func (h *history) change() {
	some := func() string { return fmt.Sprintf("random() < %g", h.r.Float64()*h.r.Float64()*0.5) }
	for range 1 + h.r.IntN(3) {
		switch h.r.IntN(7) {
		case 0:
			exec(h, h.db, "delete from t where "+some())
		case 1:
			exec(h, h.db, "update t set note = note || 'y' where "+some())
		case 2: // rows of other keys, and into other partitions
			id := "id::text"
			if !h.column("n") {
				id += "::uuid"
			}
			exec(h, h.db, "update t set v = 1000 - v, id = "+strings.ReplaceAll(id, "id::text", "case when random() < 0.5 then id::text else gen_random_uuid()::text end")+" where "+some())
		case 3:
			h.insert(h.r.IntN(100))
		case 4: // gone and here again
			exec(h, h.db, "create temporary table again on commit drop as select * from t where "+some()+"; delete from t where id in (select id from again); insert into t select * from again")
		case 5: // freed blocks are filled again
			exec(h, h.db, "vacuum (freeze) t")
		case 6: // within subtransactions
			exec(h, h.db, "begin; savepoint a; update t set note = 's' where "+some()+"; savepoint b; delete from t where "+some()+"; rollback to b; commit")
		}
	}
}

// check compares with what the last snapshot shows.
func (h *history) check(plan source.Plan) {
	h.Helper()
	read := h.query
	read.Corrects, read.SplitByKey, read.Format = false, true, rows.Arrow
	byKey, err := h.src.Plan(h.ctx, read)
	if err != nil {
		h.Fatal(err)
	}
	var want []string
	batches, err := h.place.read(h.src, read, byKey, nil)
	if err != nil {
		h.Fatal(err)
	}
	for _, b := range batches {
		want = append(want, b.lines...)
	}
	slices.Sort(want)
	if got := h.keep.published(); !slices.Equal(got, want) {
		h.Errorf("%d rows, want %d; %d commits, %d parts", len(got), len(want), h.keep.commits, len(plan.Parts))
	}
}
