package destinationtest

import (
	"errors"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
)

// rejectsKept: what the destination refuses is kept before the position passes it.
func rejectsKept(b *bench) {
	f := orders(0, 40)
	f.rows[25][0] = Null // no destination keeps a row whose key is NULL
	f.fields[0].Nullable = true
	a := b.begin(f)
	l := a.lane("0")
	a.writeAll(l, "0", nil, 20)
	a.refuse = errors.New("ledger is away")
	_, _, err := a.write(l, 20, 30)
	if err == nil {
		ctx, stop := b.within(10 * time.Second)
		_, err = l.Finish(ctx)
		stop()
	}
	if !errors.Is(err, a.refuse) {
		b.Fatalf("rejects could not be kept, and Write says %v", err)
	}
	a.abandon()
	next := b.begin(f)
	if at := ordinal(next.standing.Parts["0"].Next); at > 20 {
		b.Errorf("the position passed a reject that was not kept: row %d", at)
	}
	p := next.part("0")
	if p.Counts.Rejected != 1 || b.written(p.Counts) != 39 || next.kept["0"][25].Code == "" {
		b.Errorf("%+v, kept %v", p.Counts, next.kept)
	}
	next.publish()
	b.shows(next, append(f.rows[:25:25], f.rows[26:]...))
}

func nullInKey(b *bench) {
	for _, d := range []syncline.Disposition{syncline.Replace, syncline.Upsert} {
		if d == syncline.Upsert && b.Cannot["Upsert"] != "" {
			continue
		}
		f := orders(0, 5)
		f.fields[0].Nullable = true
		f.rows[2][0] = Null
		a := b.begin(f, writing(d), byLoad("load-"+string(d)))
		p := a.part("0")
		if r := a.kept["0"][2]; p.Counts.Rejected != 1 || r.Code != rows.CodeNull {
			b.Errorf("%s: %+v, kept %+v", d, p.Counts, a.kept)
		}
		a.publish()
		b.shows(a, append(f.rows[:2:2], f.rows[3:]...))
		a.close()
	}
}

// sourceRejects: rows the source could not read are counted, and the ordinals of the
// others leave them out.
func sourceRejects(b *bench) {
	f := orders(0, 10)
	f.fields[0].Nullable = true
	f.rows[6][0] = Null
	a := b.begin(f)
	l := a.lane("0")
	batch := a.cut(0, 10)
	batch.First = 100
	batch.Rejects = []rows.Reject{{Row: 102, Code: rows.CodeMalformed, Message: "line 103"}, {Row: 111, Code: rows.CodeMalformed, Message: "line 112"}}
	batch.Filtered = 3
	ctx, stop := b.within(30 * time.Second)
	defer stop()
	if _, err := l.Write(ctx, batch); err != nil {
		b.Fatal(err)
	}
	batch.Release()
	p := a.finish(l, "0")
	if c := p.Counts; c.Read != 15 || c.Inserted != 9 || c.Rejected != 3 || c.Filtered != 3 || c.Requests != 1 {
		b.Errorf("%+v", c)
	}
	if _, ok := a.kept["0"][107]; !ok { // row 6, after one reject before it
		b.Errorf("kept %v", a.kept)
	}
}

func massDelete(b *bench) {
	before := orders(0, 3000)
	before.batch = 1000
	b.load(before)
	f := orders(0, 1000)
	a := b.begin(f, byLoad("load-2"))
	a.part("0")
	_, err := a.tryPublish(nil)
	m, ok := errors.AsType[*destination.MassDelete](err)
	if !ok || !errors.Is(err, destination.ErrMassDelete) || m.Had != 3000 || m.Gone != 2000 || m.Read != 1000 {
		b.Fatalf("%v", err)
	}
	b.shows(a, before.rows)
	a.close()
	next := b.begin(f, byLoad("load-2"), confirmed)
	next.part("0")
	if p := next.publish(); p.Swept != 2000 {
		b.Errorf("swept %d", p.Swept)
	}
	b.shows(next, f.rows)
	b.clean()
}

// emptySource: an empty source over a target that is not is an accident, however few
// rows there are.
func emptySource(b *bench) {
	before := orders(0, 5)
	b.load(before)
	f := orders(0, 0)
	a := b.begin(f, byLoad("load-2"))
	a.part("0")
	if _, err := a.tryPublish(nil); !errors.Is(err, destination.ErrMassDelete) {
		b.Fatalf("%v", err)
	}
	b.shows(a, before.rows)
	a.close()
	next := b.begin(f, byLoad("load-2"), confirmed)
	next.part("0")
	next.publish()
	b.shows(next, nil)
}

// unbalanced: a staged row that is gone is noticed, and nothing is published.
func unbalanced(b *bench) {
	before := orders(0, 5)
	b.load(before)
	a := b.begin(orders(0, 50), byLoad("load-2"))
	a.part("0")
	b.place.LoseStagedRow(b)
	_, err := a.tryPublish(nil)
	u, ok := errors.AsType[*destination.Unbalanced](err)
	if !ok || !errors.Is(err, destination.ErrUnbalanced) || u.Staged != 49 || u.Count != 50 {
		b.Errorf("%v", err)
	}
	b.stands(a, before.rows)
}

// unbalancedSum: what transfer counted is held against the stage too.
func unbalancedSum(b *bench) {
	a := b.begin(orders(0, 50))
	p := a.part("0")
	p.Counts.Read++
	p.Counts.Inserted++
	a.sum["0"] = p
	if _, err := a.tryPublish(nil); !errors.Is(err, destination.ErrUnbalanced) {
		b.Errorf("%v", err)
	}
}

// duplicates: of rows with one key the last one read stays, and the books still balance;
// within a batch, across batches, and across an attempt.
func duplicates(b *bench) {
	f := orders(0, 40)
	for i, twin := range map[int]int{3: 1, 25: 1, 39: 7} {
		f.rows[i][0] = f.rows[twin][0]
	}
	var want []Row
	for i, r := range f.rows {
		if i != 1 && i != 3 && i != 7 {
			want = append(want, r)
		}
	}
	a := b.begin(f)
	a.writeAll(a.lane("0"), "0", nil, 30)
	a.abandon()
	next := b.begin(f)
	p := next.part("0")
	if b.written(p.Counts)+p.Counts.Superseded != 40 {
		b.Errorf("%+v", p.Counts)
	}
	published := next.publish()
	if c := published.Counts; b.written(c) != 37 || c.Superseded != 3 {
		b.Errorf("published %+v", c)
	}
	b.shows(next, want)
	again := b.begin(f)
	if c := again.standing.Counts; c != published.Counts {
		b.Errorf("standing %+v, published %+v", c, published.Counts)
	}
	b.clean()
}
