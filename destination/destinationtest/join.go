package destinationtest

import (
	"errors"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
)

// joined is a helper of an attempt; the case is skipped where there is no such thing.
func (a *attempt) joined(changes ...change) (*attempt, error) {
	a.b.Helper()
	same := func(t *destination.Target) { t.Fence, t.Load = a.target.Fence, a.target.Load }
	h, err := a.b.open(a.feed, append([]change{writing(a.target.Disposition), same}, changes...)...)
	if err != nil {
		a.b.Fatal(err)
	}
	j, ok := h.w.(destination.Joiner)
	if !ok {
		a.b.Skip("its writers have no helpers: one process writes a load")
	}
	ctx, stop := a.b.within(30 * time.Second)
	defer stop()
	return h, j.Join(ctx)
}

// holds opens the lane of one part under a token of the helper's own.
func (a *attempt) holds(id string) destination.Lane {
	a.b.Helper()
	l, err := a.tryHold(id, a.b.next())
	if err != nil {
		a.b.Fatalf("hold part %s: %v", id, err)
	}
	return l
}

func (b *bench) next() int64 {
	b.token++
	return b.token
}

func (a *attempt) tryHold(id string, token int64) (destination.Lane, error) {
	ctx, stop := a.b.within(30 * time.Second)
	defer stop()
	l, err := a.w.Part(ctx, id, token)
	if err == nil {
		a.b.Cleanup(func() { _ = l.Close() })
	}
	return l, err
}

// ended writes rows from, …, to-1 and finishes, or says what was in the way.
func (a *attempt) ended(l destination.Lane, from, to int) (p rows.Position, err error) {
	for n := from; n < to && err == nil; {
		p, n, err = a.write(l, n, to)
	}
	if err != nil {
		return p, err
	}
	ctx, stop := a.b.within(30 * time.Second)
	defer stop()
	return l.Finish(ctx)
}

// helpersJoin: helpers write single parts beside the one who took the stream over, and he
// publishes what all of them wrote.
func helpersJoin(b *bench) {
	for _, d := range []syncline.Disposition{syncline.Replace, syncline.Append, syncline.Upsert} {
		f := orders(0, 60)
		a := b.begin(f, writing(d), byLoad("load-"+string(d)), func(t *destination.Target) { t.Fence.Stream += string(d) })
		h, err := a.joined()
		if err != nil {
			b.Fatalf("%s: join: %v", d, err)
		}
		l := h.holds("1")
		a.stretch("0", 0, 20)
		a.sum["1"], err = h.ended(l, 20, 60)
		if err != nil {
			b.Fatalf("%s: %v", d, err)
		}
		p := a.publish()
		if c := p.Counts; c.Read != 60 || c.Inserted+c.Unchanged != 60 {
			b.Errorf("%s: %+v", d, c)
		}
		b.shows(a, f.rows)
		if _, err := a.joined(); !errors.Is(err, syncline.ErrLeaseLost) {
			b.Errorf("%s: joined a load that is published: %v", d, err)
		}
		b.place.Drop(b, a.target.Table)
		a.close()
	}
	b.clean()
}

// helpersFenced: of two helpers on one part the older one writes nothing, and no helper
// outlives a takeover by a higher token.
func helpersFenced(b *bench) {
	f := orders(0, 60)
	a := b.begin(f)
	h, err := a.joined()
	if err != nil {
		b.Fatal(err)
	}
	stale := h.holds("1")
	if _, _, err := h.write(stale, 20, 30); err != nil {
		b.Fatal(err)
	}
	newer := h.holds("1")
	_, err = h.ended(stale, 30, 60)
	b.lost(err, "write a part that another helper holds")
	_, err = h.tryHold("1", b.token-1)
	b.lost(err, "open a part that another helper holds")

	next := b.begin(f)
	_, err = h.ended(newer, 20, 60)
	b.lost(err, "write beside a newer holder of the stream")
	_, err = h.tryHold("2", next.target.Fence.Token-1)
	b.lost(err, "open a part of a stream that is in newer hands")
	if _, err := a.joined(); !errors.Is(err, syncline.ErrLeaseLost) {
		b.Errorf("joined a stream that is in newer hands: %v", err)
	}
	if _, err := next.joined(byLoad("another")); !errors.Is(err, syncline.ErrLeaseLost) {
		b.Errorf("joined another load: %v", err)
	}
	next.stretch("0", 0, 20)
	next.stretch("1", 20, 60)
	next.publish()
	b.shows(next, f.rows)
	b.clean()
}
