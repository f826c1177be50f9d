package destinationtest

import (
	"errors"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
)

// overtaken begins a load, stops in the middle, and lets a newer attempt take over.
func overtaken(b *bench, f feed, upTo int) (old, next *attempt, lane destination.Lane) {
	b.Helper()
	old = b.begin(f)
	lane = old.lane("0")
	old.writeAll(lane, "0", nil, upTo)
	return old, b.begin(f), lane
}

func takeoverWrite(b *bench) {
	f := orders(0, 60)
	old, next, lane := overtaken(b, f, 20)
	var err error
	// The older one may hold rows that are not durable yet and notice at the next commit.
	for n := 20; n < 60 && err == nil; {
		_, n, err = old.write(lane, n, 60)
	}
	if err == nil {
		ctx, stop := b.within(10 * time.Second)
		defer stop()
		_, err = lane.Finish(ctx)
	}
	b.lost(err, "write")
	next.part("0")
	next.publish()
	b.shows(next, f.rows)
	b.clean()
}

func takeoverFinish(b *bench) {
	f := orders(0, 60)
	_, next, lane := overtaken(b, f, 60)
	ctx, stop := b.within(10 * time.Second)
	defer stop()
	_, err := lane.Finish(ctx)
	b.lost(err, "finish")
	next.part("0")
	next.publish()
	b.shows(next, f.rows)
	b.clean()
}

func takeoverPublish(b *bench) {
	before := orders(0, 10)
	b.load(before)
	f := orders(0, 60)
	old := b.begin(f, byLoad("load-2"))
	old.part("0")
	next := b.begin(f, byLoad("load-2"))
	_, err := old.tryPublish(nil)
	b.lost(err, "publish")
	b.stands(next, before.rows)
	next.part("0")
	next.publish()
	b.shows(next, f.rows)
	_, err = old.tryPublish(nil)
	b.lost(err, "publish after the newer one has")
	b.clean()
}

func takeoverPart(b *bench) {
	f := orders(0, 60)
	old := b.begin(f)
	next := b.begin(f)
	ctx, stop := b.within(10 * time.Second)
	defer stop()
	_, err := old.w.Part(ctx, "0", old.target.Fence.Token)
	b.lost(err, "open a part")
	b.lost(old.w.Discard(ctx), "discard")
	next.part("0")
	next.publish()
	b.shows(next, f.rows)
}

func takeoverLower(b *bench) {
	f := orders(0, 20)
	a := b.begin(f)
	lower, err := b.open(f, func(t *destination.Target) { t.Fence.Token = a.target.Fence.Token - 1 })
	if err != nil {
		b.Fatal(err)
	}
	b.lost(lower.takeover(), "take over")
	// The same token may take over again: a retry of one attempt.
	again := b.begin(f, func(t *destination.Target) { t.Fence.Token = a.target.Fence.Token })
	again.part("0")
	again.publish()
	b.shows(again, f.rows)
}

// helper: a part may be held by a token above the stream's, and then by no other.
func helper(b *bench) {
	f := orders(0, 40)
	a := b.begin(f)
	own := a.lane("0")
	if _, _, err := a.write(own, 0, 10); err != nil {
		b.Fatal(err)
	}
	higher := a.target.Fence.Token + 5
	b.token = higher
	ctx, stop := b.within(30 * time.Second)
	defer stop()
	l, err := a.w.Part(ctx, "0", higher)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for n := 10; n < 40 && err == nil; {
		_, n, err = a.write(own, n, 40)
	}
	if err == nil {
		_, err = own.Finish(ctx)
	}
	b.lost(err, "write to a part that a helper holds")
}

// stoppedHolder: the older holder is stopped in the middle of a transaction and holds
// what it has locked; its successor is not held up, and comes to the same end.
func stoppedHolder(b *bench) {
	for _, d := range []syncline.Disposition{syncline.Replace, syncline.Append, syncline.Upsert} {
		f := orders(0, 60)
		f.every = 100 // no checkpoint: the transaction stays open
		stream := func(t *destination.Target) {
			t.Fence.Stream += string(d)
			t.Table = t.Table + "_" + string(d)
		}
		old := b.begin(f, writing(d), stream)
		lane := old.lane("0")
		old.writeAll(lane, "0", nil, 40)
		began := time.Now()
		next := b.begin(f, writing(d), stream)
		if took := time.Since(began); took > 5*time.Second {
			b.Errorf("%s: taken over after %s", d, took)
		}
		next.part("0")
		next.publish()
		ctx, stop := b.within(10 * time.Second)
		_, err := lane.Finish(ctx)
		stop()
		if err == nil || errors.Is(err, ctx.Err()) {
			b.Errorf("%s: the stopped holder went on: %v", d, err)
		}
		b.shows(next, f.rows)
	}
	b.clean()
}
