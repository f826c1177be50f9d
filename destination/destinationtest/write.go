package destinationtest

import (
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/typename"
	"github.com/synclinehq/syncline/rows"
)

func appends(b *bench) {
	first := orders(0, 30)
	first.key = nil
	b.load(first, writing(syncline.Append))
	second := orders(20, 40)
	second.key = nil
	a := b.begin(second, writing(syncline.Append), byLoad("load-2"))
	p := a.part("0")
	if p.Counts.Inserted != 20 || p.Counts.Read != 20 {
		b.Errorf("%+v", p.Counts)
	}
	a.publish()
	b.shows(a, append(first.rows, second.rows...))
	b.clean()
}

func appendCrash(b *bench) {
	before := orders(0, 10)
	before.key = nil
	b.load(before, writing(syncline.Append))
	f := orders(100, 150)
	f.key = nil
	f.every = 2
	a := b.begin(f, writing(syncline.Append), byLoad("load-2"))
	a.writeAll(a.lane("0"), "0", nil, 30)
	a.abandon()
	next := b.begin(f, writing(syncline.Append), byLoad("load-2"))
	p := next.part("0")
	if b.written(p.Counts) != 50 || p.Counts.Read != 50 {
		b.Errorf("%+v", p.Counts)
	}
	next.publish()
	b.shows(next, append(before.rows, f.rows...))
	b.clean()
}

// upserts: new, changed and unchanged rows are told apart, and of several rows of one key
// the last one counts.
func upserts(b *bench) {
	b.load(orders(0, 30), writing(syncline.Upsert))
	f := orders(20, 40)
	for i := range 5 {
		f.rows[i][1] = fmt.Sprintf("changed %d", i)
	}
	f.rows = append(f.rows, order(39, "again"), order(20, "order 20"))
	f.batch = 100
	a := b.begin(f, writing(syncline.Upsert), byLoad("load-2"))
	p := a.part("0")
	want := syncline.Counts{Read: 22, Inserted: 10, Updated: 4, Unchanged: 6, Superseded: 2}
	got := p.Counts
	got.Bytes, got.Requests = 0, 0
	if b.Converges { // 12 of them were there when they came
		want = syncline.Counts{Read: 22, Inserted: 10, Updated: 12}
	}
	if got != want {
		b.Errorf("counted %+v, want %+v", got, want)
	}
	a.publish()
	all := orders(0, 40)
	for i := 1; i < 5; i++ {
		all.rows[20+i][1] = fmt.Sprintf("changed %d", i)
	}
	all.rows[39][1] = "again"
	b.shows(a, all.rows)
	b.clean()
}

func upsertCrash(b *bench) {
	b.load(orders(0, 30), writing(syncline.Upsert))
	f := orders(10, 60)
	f.every = 2
	a := b.begin(f, writing(syncline.Upsert), byLoad("load-2"))
	a.writeAll(a.lane("0"), "0", nil, 30)
	a.abandon()
	next := b.begin(f, writing(syncline.Upsert), byLoad("load-2"))
	c := next.part("0").Counts
	if b.written(c)+c.Unchanged != 50 || c.Inserted > 30 || !b.Converges && c.Unchanged != 20 || c.Read != 50 {
		b.Errorf("%+v", c)
	}
	next.publish()
	b.shows(next, orders(0, 60).rows)
	b.clean()
}

// upsertNewColumn: rows that were there before have NULL in it.
func upsertNewColumn(b *bench) {
	b.load(orders(0, 10), writing(syncline.Upsert))
	f := orders(5, 15).with(colour, red)
	a := b.begin(f, writing(syncline.Upsert), byLoad("load-2"))
	a.part("0")
	a.publish()
	want := orders(0, 5).with(colour, func(int) string { return Null })
	b.shows(a, append(want.rows, f.rows...))
}

// upsertDeletes: a row that asks to be deleted goes, also one that came just before.
func upsertDeletes(b *bench) {
	b.load(orders(0, 10), writing(syncline.Upsert))
	f := orders(8, 12)
	f.rows = append(f.rows, order(3, "gone"), order(11, "gone"), order(77, "never was"))
	f.ops = []rows.Op{rows.Put, rows.Put, rows.Put, rows.Put, rows.Delete, rows.Delete, rows.Delete}
	f.batch = 100
	a := b.begin(f, writing(syncline.Upsert), byLoad("load-2"))
	c := a.part("0").Counts
	// 8 and 9 are as they were, and so are 11, superseded by its delete before it was
	// ever there, and 77; 10 is new; 3 is gone.
	want := syncline.Counts{Read: 7, Inserted: 1, Unchanged: 4, Superseded: 1, Deleted: 1}
	if b.Converges { // 11 is there for a moment, and goes; 77 never was
		want = syncline.Counts{Read: 7, Inserted: 2, Updated: 2, Unchanged: 1, Deleted: 2}
	}
	if c.Bytes, c.Requests = 0, 0; c != want {
		b.Errorf("counted %+v, want %+v", c, want)
	}
	a.publish()
	left := orders(0, 11).rows
	b.shows(a, append(left[:3:3], left[4:]...))
}

func hard(t *destination.Target) { t.Deletes = syncline.DeletesHard }

// hardDeletes: rows a full read did not see are swept at Publish, not before.
func hardDeletes(b *bench) {
	b.load(orders(0, 40), writing(syncline.Upsert), hard)
	f := orders(10, 50)
	f.every = 2
	a := b.begin(f, writing(syncline.Upsert), hard, byLoad("load-2"))
	a.writeAll(a.lane("0"), "0", nil, 30)
	a.abandon()
	next := b.begin(f, writing(syncline.Upsert), hard, byLoad("load-2"))
	next.part("0")
	b.shows(next, orders(0, 50).rows)
	if p := next.publish(); p.Swept != 10 {
		b.Errorf("swept %d", p.Swept)
	}
	b.shows(next, f.rows)
	b.clean()
}

func hardDeletesGuarded(b *bench) {
	before := orders(0, 2500)
	before.batch = 1000
	b.load(before, writing(syncline.Upsert), hard)
	f := orders(0, 1000)
	a := b.begin(f, writing(syncline.Upsert), hard, byLoad("load-2"))
	a.part("0")
	_, err := a.tryPublish(nil)
	m, ok := errors.AsType[*destination.MassDelete](err)
	if !ok || m.Had != 2500 || m.Gone != 1500 {
		b.Fatalf("%v", err)
	}
	b.shows(a, before.rows)
	a.close()
	next := b.begin(f, writing(syncline.Upsert), hard, confirmed, byLoad("load-2"))
	next.part("0")
	if p := next.publish(); p.Swept != 1500 {
		b.Errorf("swept %d", p.Swept)
	}
	b.shows(next, f.rows)
	b.clean()
}

func incremental(t *destination.Target) {
	t.Mode, t.Disposition, t.Cursor = syncline.ModeIncremental, syncline.Upsert, "id"
}

// published loads rows with a mark and returns what the next attempt stands on.
func (b *bench) marked(from, to int, load, mark string) *attempt {
	b.Helper()
	a := b.begin(orders(from, to), incremental, byLoad(load))
	a.part("0")
	a.publishMark([]byte(mark))
	a.close()
	return a
}

// mark: it is durable with the load, and only then.
func mark(b *bench) {
	b.marked(0, 10, "load-1", "until 10")
	a := b.begin(orders(10, 20), incremental, byLoad("load-2"))
	if got := string(a.standing.Mark); got != "until 10" {
		b.Errorf("mark %q", got)
	}
	a.part("0")
	a.abandon()
	again := b.begin(orders(10, 20), incremental, byLoad("load-2"))
	if got := string(again.standing.Mark); got != "until 10" {
		b.Errorf("mark %q before the load is published", got)
	}
	again.part("0")
	again.publishMark([]byte("until 20"))
	last := b.begin(orders(20, 20), incremental, byLoad("load-3"))
	if got := string(last.standing.Mark); got != "until 20" {
		b.Errorf("mark %q", got)
	}
	last.part("0")
	last.publishMark([]byte("until 20"))
	b.shows(last, orders(0, 20).rows)
	full := b.begin(orders(0, 20), byLoad("load-4"))
	full.part("0")
	full.publishMark([]byte("full"))
	after := b.begin(orders(20, 20), incremental, byLoad("load-5"))
	if got := string(after.standing.Mark); got != "full" {
		b.Errorf("mark %q after a full load", got)
	}
}

func markDropped(b *bench) {
	a := b.marked(0, 10, "load-1", "until 10")
	b.place.Drop(b, a.target.Table)
	voided(b)
}

func markEmptied(b *bench) {
	a := b.marked(0, 10, "load-1", "until 10")
	b.place.Empty(b, a.target.Table)
	voided(b)
}

// voided expects that a target which is no longer what the mark was published for is
// filled anew.
func voided(b *bench) {
	b.Helper()
	f := orders(0, 12)
	a := b.begin(f, incremental, byLoad("load-2"))
	if a.standing.Mark != nil {
		b.Errorf("mark %q of a target that is gone", a.standing.Mark)
	}
	a.part("0")
	a.publishMark([]byte("until 12"))
	b.shows(a, f.rows)
	a.close()
	next := b.begin(f, incremental, byLoad("load-3"))
	if got := string(next.standing.Mark); got != "until 12" {
		b.Errorf("mark %q after the refill", got)
	}
}

// window: a backfill replaces one stretch of the cursor and touches nothing else.
func window(b *bench) {
	at := arrow.Field{Name: "at", Type: typename.TimestampTZ}
	day := func(n int) string { return fmt.Sprintf("2024-03-%02dT00:00:00+00:00", n+1) }
	before := orders(0, 20).with(at, day)
	b.load(before)
	f := orders(5, 9).with(at, func(n int) string { return day(n + 5) })
	for i := range f.rows {
		f.rows[i][1] = "backfilled"
	}
	stretch := func(t *destination.Target) {
		t.Cursor = "at"
		t.Window = &syncline.Window{From: time.Date(2024, 3, 6, 0, 0, 0, 0, time.UTC), To: time.Date(2024, 3, 11, 0, 0, 0, 0, time.UTC)}
	}
	a := b.begin(f, byLoad("load-2"), stretch)
	a.part("0")
	if p := a.publish(); p.Swept != 1 {
		b.Errorf("swept %d", p.Swept)
	}
	want := append(before.rows[:5:5], f.rows...)
	b.shows(a, append(want, before.rows[10:]...))
	a.close()

	// One row is as it is there, one has changed, and one stood outside.
	next := orders(5, 7).with(at, func(n int) string { return day(n + 5) })
	next.rows[0][1], next.rows[1][1] = "backfilled", "changed"
	next.rows = append(next.rows, orders(2, 3).with(at, func(int) string { return day(9) }).rows...)
	a = b.begin(next, byLoad("load-3"), stretch)
	a.part("0")
	p := a.publish()
	if c := p.Counts; p.Swept != 2 || !c.Balanced() || !b.Converges && (c.Inserted != 0 || c.Updated != 2 || c.Unchanged != 1) {
		b.Errorf("published %+v", p)
	}
	want = append(append(before.rows[:2:2], before.rows[3:5]...), next.rows...)
	b.shows(a, append(want, before.rows[10:]...))
	b.clean()
}
