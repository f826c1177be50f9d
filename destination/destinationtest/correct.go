package destinationtest

import (
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
)

// correcting are the ways of writing that a destination may be able to correct.
var correcting = []struct {
	name    string
	change  change
	forgets bool // rows that are not there any more go
}{
	{"replace", writing(syncline.Replace), true},
	{"upsert", writing(syncline.Upsert), false},
	{"upsert and delete", func(t *destination.Target) { t.Disposition, t.Deletes = syncline.Upsert, syncline.DeletesHard }, true},
}

// corrections runs a case in each way of writing that the destination says it corrects.
func corrections(b *bench, f feed, run func(b *bench, forgets bool, changes ...change)) {
	d := b.place.Open(b)
	c, ok := d.(destination.Corrector)
	b.Cleanup(func() { _ = d.Close() })
	if !ok {
		b.Skip("it corrects nothing: a load that is cut off in a table without order begins anew")
	}
	for i, way := range correcting {
		own := func(t *destination.Target) {
			way.change(t)
			t.Corrects = true
			t.Fence.Stream += way.name
			t.Table = fmt.Sprintf("%s_%d", t.Table, i)
		}
		if c.Corrects(b.target(d, f, []change{own})) {
			b.Logf("by %s", way.name)
			run(b, way.forgets, own)
		}
	}
	b.clean()
}

// goesOn is the next attempt at the load of one that is gone.
func (a *attempt) goesOn(changes ...change) *attempt {
	a.b.Helper()
	a.abandon()
	next := a.b.begin(a.feed, changes...)
	for id, p := range next.standing.Parts {
		next.sum[id] = p
	}
	return next
}

// stretch writes rows from, …, to-1 as a part of their own.
func (a *attempt) stretch(id string, from, to int) rows.Position {
	a.b.Helper()
	l := a.lane(id)
	a.writeAll(l, id, position(from), to)
	return a.finish(l, id)
}

// called gives rows from, …, to-1 another name.
func (f feed) called(name string, from, to int) feed {
	f.rows = slices.Clone(f.rows)
	for n := from; n < to; n++ {
		f.rows[n] = slices.Clone(f.rows[n])
		f.rows[n][1] = name
	}
	return f
}

// names is a batch of a census.
func (a *attempt) names(c rows.Census, all []Row, next int) rows.Batch {
	keys := make([]Row, len(all))
	for i, r := range all {
		keys[i] = r[:1]
	}
	rec := record(a.b, arrow.NewSchema(a.feed.fields[:1], nil), keys)
	return rows.Batch{Format: rows.Arrow, Record: rec, Rows: int64(len(all)), Census: c, Requests: 1, Next: position(next), Release: rec.Release}
}

func (a *attempt) name(l destination.Lane, c rows.Census, all []Row, next int) rows.Position {
	a.b.Helper()
	batch := a.names(c, all, next)
	defer batch.Release()
	ctx, stop := a.b.within(30 * time.Second)
	defer stop()
	p, err := l.Write(ctx, batch)
	if err != nil {
		a.b.Fatalf("census: %v", err)
	}
	scribble(batch.Record)
	a.books("census", p)
	return p
}

// repeatsAcross: of a key the row written last stays, over parts that are written side by
// side, over transactions and over attempts.
func repeatsAcross(b *bench) {
	f := orders(0, 80)
	corrections(b, f, func(b *bench, _ bool, changes ...change) {
		a := b.begin(f, changes...)
		first, second := a.lane("0"), a.lane("1")
		a.writeAll(second, "1", position(40), 60)
		a.writeAll(first, "0", nil, 40)
		a.finish(first, "0")
		a = a.goesOn(changes...)
		at := a.standing.Parts["1"].Next
		second = a.lane("1")
		a.writeAll(second, "1", position(max(40, ordinal(at))), 80)
		a.finish(second, "1")

		once := f.called("once", 5, 50)
		a.feed = once
		a.stretch("changed-1", 5, 50)
		a.feed = f
		a = a.goesOn(changes...)
		twice := once.called("twice", 30, 35)
		a.feed = twice
		a.stretch("changed-2", 30, 35)
		p := a.publish()
		b.shows(a, twice.rows)
		if c := p.Counts; c.Inserted != 80 || c.Superseded+c.Updated != 50 || c.Read != 130 {
			b.Errorf("80 rows, 50 of them corrections: %+v", c)
		}
		if again := a.publish(); again != p {
			b.Errorf("published again: %+v, before: %+v", again, p)
		}
		a.close()
	})
}

// censusTaken: rows that a census does not name are gone, where rows go at all; one that
// begins again forgets what an earlier one named, and one that goes on does not.
func censusTaken(b *bench) {
	f := orders(0, 60)
	corrections(b, f, func(b *bench, forgets bool, changes ...change) {
		before := orders(55, 65)
		b.load(before, append(changes, byLoad("load-0"))...)
		a := b.begin(f, changes...)
		a.stretch("0", 0, 60)
		// This one names a row that goes before the next is taken, and is cut off.
		a.untilDurable("census-1", f.rows[:20])
		a = a.goesOn(changes...)
		a.finish(a.lane("census-1"), "census-1")
		a.untilDurable("census-2", f.rows[10:30])
		a = a.goesOn(changes...)
		l := a.lane("census-2")
		a.name(l, rows.CensusGoesOn, f.rows[30:50], 2)
		if p := a.finish(l, "census-2"); p.Counts.Read != 0 || p.Counts.Inserted != 0 {
			b.Errorf("a census counts for nothing: %+v", p.Counts)
		}
		a = a.goesOn(changes...)
		p := a.publish()
		want := f.rows[10:50]
		if !forgets {
			want = append(slices.Clone(f.rows), before.rows[5:]...)
		}
		b.shows(a, want)
		if c := p.Counts; c.Read != 60 || c.Inserted+c.Superseded+c.Unchanged != 60 {
			b.Errorf("60 rows were read: %+v", c)
		}
		if again := a.publish(); again != p {
			b.Errorf("published again: %+v, before: %+v", again, p)
		}
		a.close()
	})
}

// untilDurable begins a census and names rows until some of it would outlive a crash.
func (a *attempt) untilDurable(id string, all []Row) {
	a.b.Helper()
	l := a.lane(id)
	p := a.name(l, rows.CensusBegins, all, 1)
	for deadline := time.Now().Add(20 * time.Second); p.Next == nil; p = a.name(l, rows.CensusGoesOn, all[:1], 1) {
		if time.Now().After(deadline) {
			a.b.Fatal("nothing of a census becomes durable")
		}
		time.Sleep(20 * time.Millisecond) // destinations commit by time too
	}
}

// censusUnfinished: a census that is under way lets nothing go, and nothing be published.
func censusUnfinished(b *bench) {
	f := orders(0, 30)
	corrections(b, f, func(b *bench, _ bool, changes ...change) {
		a := b.begin(f, changes...)
		a.stretch("0", 0, 30)
		a.untilDurable("census-1", f.rows[:5])
		if _, err := a.tryPublish(nil); err == nil {
			b.Error("published with half a census")
		}
		a = a.goesOn(changes...)
		l := a.lane("census-1")
		a.name(l, rows.CensusBegins, f.rows, 1)
		a.finish(l, "census-1")
		if p := a.publish(); p.Swept != 0 || p.Counts.Superseded != 0 {
			b.Errorf("%+v", p)
		}
		b.shows(a, f.rows)
		a.close()
	})
}

// censusOfNothing: the source is empty by now. Where that would empty the target, a person
// is asked.
func censusOfNothing(b *bench) {
	f := orders(0, 30)
	corrections(b, f, func(b *bench, forgets bool, changes ...change) {
		b.load(f, append(changes, byLoad("load-0"))...)
		if !forgets {
			return
		}
		a := b.begin(f, append(changes, confirmed)...)
		a.stretch("0", 0, 30)
		l := a.lane("census-1")
		a.name(l, rows.CensusBegins, nil, 1)
		a.finish(l, "census-1")
		a.publish()
		b.shows(a, nil)
		a.close()
	})
}
