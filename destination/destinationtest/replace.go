package destinationtest

import (
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"golang.org/x/sync/errgroup"

	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
)

// noRows: an empty source leaves an empty table, not none.
func noRows(b *bench) {
	a := b.begin(orders(0, 0))
	a.part("0")
	a.publish()
	if _, ok := b.place.Rows(b, a.target.Table, a.feed.fields); !ok {
		b.Errorf("there is no %s", a.target.Table)
	}
	b.shows(a, nil)
	b.clean()
}

func oneRow(b *bench) {
	f := orders(7, 8)
	a := b.begin(f)
	a.part("0")
	p := a.publish()
	if p.Total > 1 || p.Total == 0 {
		b.Errorf("total %d", p.Total)
	}
	b.shows(a, f.rows)
	b.clean()
}

func manyRows(b *bench) {
	f := orders(0, 100_000)
	f.batch = 20_000
	a := b.begin(f)
	p := a.part("0")
	if p.Counts.Inserted != 100_000 || p.Counts.Read != 100_000 {
		b.Errorf("%+v", p.Counts)
	}
	a.publish()
	b.shows(a, f.rows)
	b.clean()
}

// identifiers: names are data, whatever is in them.
func identifiers(b *bench) {
	long := strings.Repeat("é", 31) + "x" // 63 bytes
	var f feed
	for i, name := range []string{"id", "select", "ID", `quo"te`, "it's", "with space", "日本語", "a.b", "x;drop table y", long} {
		f.fields = append(f.fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64, Nullable: i > 0})
	}
	f.key = []string{"id"}
	for n := range 3 {
		var r Row
		for i := range f.fields {
			r = append(r, fmt.Sprint(n*100+i))
		}
		f.rows = append(f.rows, r)
	}
	for _, name := range []string{"select", "Mixed Case", `quo"te`, "日本語", long} {
		to := func(t *destination.Target) {
			t.Entity.Name, t.Fence.Stream = name, "pipeline-1/"+name
		}
		for _, load := range []string{"load-1", "load-2"} {
			d := b.place.Open(b)
			table := d.Lands(name)
			_ = d.Close()
			a := b.begin(f, to, byLoad(load), func(t *destination.Target) { t.Table = table })
			a.part("0")
			a.publish()
			b.shows(a, f.rows)
			a.close()
		}
	}
	b.clean()
}

func (a *attempt) close() {
	_ = a.w.Close()
	_ = a.d.Close()
}

// bigRows: memory stays bounded however big the rows are.
func bigRows(b *bench) {
	f := orders(0, 0)
	big := strings.Repeat("0123456789abcde\n", 15<<16) // 15 MiB
	f.batch = 1
	for n := range 6 {
		f.rows = append(f.rows, order(n, big))
	}
	a := b.begin(f)
	l := a.lane("0")
	peak := peakDuring(func() { a.writeAll(l, "0", nil, len(f.rows)) })
	a.finish(l, "0")
	a.publish()
	b.shows(a, f.rows)
	// The row itself stands in memory as the suite's text, as Arrow and as encoded; what
	// grows with the number of rows would pass this.
	if peak > 96<<20 {
		b.Errorf("heap grew by %d MiB while 6 rows of 15 MiB were written", peak>>20)
	}
}

// peakDuring measures by how much the live heap grows, sampled after collections.
func peakDuring(do func()) uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	base, peak := m.HeapAlloc, uint64(0)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc-min(base, m.HeapAlloc))
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	do()
	close(done)
	<-ended
	return peak
}

// parts: several lanes side by side, each with its own position.
func parts(b *bench) {
	f := orders(0, 400)
	a := b.begin(f, func(t *destination.Target) { t.Parallel = 4 })
	var all errgroup.Group
	ends := make([]rows.Position, 4)
	for n := range 4 {
		l := a.lane(fmt.Sprint(n))
		all.Go(func() (err error) {
			for at := n * 100; at < (n+1)*100 && err == nil; {
				_, at, err = a.write(l, at, (n+1)*100)
			}
			if err == nil {
				ends[n], err = l.Finish(b.Context())
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		b.Fatal(err)
	}
	for n, p := range ends {
		if p.Counts.Inserted != 100 || ordinal(p.Next) != (n+1)*100 || !p.Done {
			b.Errorf("part %d: %+v", n, p)
		}
		a.sum[fmt.Sprint(n)] = p
	}
	a.publish()
	b.shows(a, f.rows)
	b.clean()
}

// replaceShowsNothing: until Publish readers see what was there before.
func replaceShowsNothing(b *bench) {
	before := orders(0, 20)
	b.load(before)
	after := orders(100, 150)
	a := b.begin(after, byLoad("load-2"))
	b.shows(a, before.rows)
	l := a.lane("0")
	a.writeAll(l, "0", nil, 25)
	b.shows(a, before.rows)
	a.writeAll(l, "0", position(25), 50)
	a.finish(l, "0")
	b.shows(a, before.rows)
	a.publish()
	b.shows(a, after.rows)
	b.clean()
}

func replaceTwice(b *bench) {
	b.load(orders(0, 50))
	f := orders(10, 70)
	f.rows[0][1] = "changed"
	a := b.begin(f, byLoad("load-2"))
	a.part("0")
	p := a.publish()
	if p.Swept != 10 && p.Swept != 0 {
		b.Errorf("swept %d of 10 that are gone", p.Swept)
	}
	b.shows(a, f.rows)
	b.clean()
}

// publishTwice: the second answer is the first, also to a later attempt.
func publishTwice(b *bench) {
	f := orders(0, 30)
	a := b.begin(f)
	a.part("0")
	first := a.publish()
	if second := a.publish(); second != first {
		b.Errorf("published again: %+v, before: %+v", second, first)
	}
	again := b.begin(f)
	s := again.standing
	if !s.Published || s.Load != "load-1" || s.Total != first.Total || s.Swept != first.Swept || s.Counts != first.Counts {
		b.Errorf("standing of a published load: %+v, published as %+v", s, first)
	}
	again.sum = a.sum
	if third := again.publish(); third != first {
		b.Errorf("published by a later attempt: %+v, before: %+v", third, first)
	}
	b.shows(a, f.rows)
	b.clean()
}

// onlyCheckpoints: rows become durable at a batch with Next, never between.
func onlyCheckpoints(b *bench) {
	f := orders(0, 90)
	f.every = 3
	a := b.begin(f)
	l := a.lane("0")
	for n := 0; n < 80; n += 10 {
		p, _, err := a.write(l, n, 80)
		if err != nil {
			b.Fatal(err)
		}
		if at := ordinal(p.Next); at%30 != 0 || p.Counts.Read != int64(at) {
			b.Errorf("after row %d the position is %d with %d read", n+10, at, p.Counts.Read)
		}
	}
	a.abandon()
	next := b.begin(f)
	p := next.standing.Parts["0"]
	if at := ordinal(p.Next); at%30 != 0 || p.Counts.Read != int64(at) || p.Counts.Inserted != int64(at) {
		b.Errorf("taken over at row %d with %+v", at, p.Counts)
	}
	next.part("0")
	next.publish()
	b.shows(next, f.rows)
	b.clean()
}

// crashes kills the worker between each two steps and lets the next one go on.
func crashes(b *bench) {
	f := orders(0, 50)
	for step := range 8 {
		load := fmt.Sprintf("load-%d", step)
		f.rows[3][1] = load
		a := b.begin(f, byLoad(load))
		a.steps(step)
		a.abandon()
		next := b.begin(f, byLoad(load))
		if next.standing.Load != load {
			b.Errorf("step %d: standing is of load %q", step, next.standing.Load)
		}
		if p := next.standing.Parts["0"]; p.Done && step < 7 {
			b.Errorf("step %d: part is done before Finish", step)
		}
		p := next.part("0")
		if p.Counts.Read != 50 || b.written(p.Counts) != 50 {
			b.Errorf("step %d: %+v, want 50 read and inserted", step, p.Counts)
		}
		next.publish()
		b.shows(next, f.rows)
		next.close()
		a.close()
	}
	b.clean()
}

// steps does the first n steps of a load.
func (a *attempt) steps(n int) {
	if n == 0 {
		return
	}
	l := a.lane("0")
	for step := 1; step < min(n, 6); step++ {
		if _, _, err := a.write(l, (step-1)*10, step*10); err != nil {
			a.b.Fatal(err)
		}
	}
	if n >= 7 {
		a.writeAll(l, "0", position(50), 50)
		a.finish(l, "0")
	}
}

// restart: the source cannot go on, so the load begins anew under its name.
func restart(b *bench) {
	f := orders(0, 50)
	a := b.begin(f)
	a.writeAll(a.lane("0"), "0", nil, 30)
	a.abandon()
	next := b.begin(f, func(t *destination.Target) { t.Restart = true })
	if n := len(next.standing.Parts); n != 0 {
		b.Errorf("%d parts stand after a restart", n)
	}
	p := next.part("other")
	if b.written(p.Counts) != 50 {
		b.Errorf("%+v", p.Counts)
	}
	next.publish()
	b.shows(next, f.rows)
	b.clean()
}

// otherLoad: what an unpublished load left behind is dropped by the next one.
func otherLoad(b *bench) {
	a := b.begin(orders(0, 50))
	a.writeAll(a.lane("0"), "0", nil, 30)
	a.abandon()
	f := orders(500, 520)
	next := b.begin(f, byLoad("load-2"))
	if s := next.standing; s.Published || len(s.Parts) != 0 {
		b.Errorf("standing of a new load: %+v", s)
	}
	next.part("0")
	next.publish()
	b.shows(next, f.rows)
	b.clean()
}

func discard(b *bench) {
	before := orders(0, 20)
	b.load(before)
	a := b.begin(orders(100, 150), byLoad("load-2"))
	l := a.lane("0")
	a.writeAll(l, "0", nil, 25)
	_ = l.Close()
	ctx, stop := b.within(10 * time.Second)
	defer stop()
	if err := a.w.Discard(ctx); err != nil {
		b.Fatal(err)
	}
	b.stands(a, before.rows)
	b.clean()
	next := b.begin(orders(100, 150), byLoad("load-2"))
	if n := len(next.standing.Parts); n != 0 {
		b.Errorf("%d parts stand after Discard", n)
	}
}

// cancel: a step returns within a second when its context has ended, and nothing of it
// is lost or kept twice.
func cancel(b *bench) {
	f := orders(0, 40_000)
	f.batch = 20_000
	a := b.begin(f)
	l := a.lane("0")
	ctx, stop := b.within(time.Minute)
	stop()
	batch := a.cut(0, 20_000)
	began := time.Now()
	if _, err := l.Write(ctx, batch); err == nil {
		b.Error("Write with an ended context succeeded")
	}
	if took := time.Since(began); took > time.Second {
		b.Errorf("Write returned after %s", took)
	}
	batch.Release()
	a.close()
	next := b.begin(f)
	next.part("0")
	next.publish()
	b.shows(next, f.rows)
}
