package files

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
)

// asideLane is a lane whose saves are not waited for, and the lock that they need.
func asideLane(t *testing.T) (b *bench, dir string, w *Writer, l destination.Lane, unlock func()) {
	b, dir = csvFolder(t)
	w, _ = b.begin("load")
	w.aside = 1
	l, err := w.Part(t.Context(), "0", w.t.Fence.Token)
	if err != nil {
		t.Fatal(err)
	}
	f, err := w.markers.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b, dir, w, l, func() { _ = f.Close() }
}

// TestSaveAside: while a large save is under way rows are written on, and none of them is
// said to be durable; what came meanwhile is saved later.
func TestSaveAside(t *testing.T) {
	b, dir, w, l, unlock := asideLane(t)
	for n := 0; n < 40; n += 10 {
		batch := b.batch(n, n+10)
		p, err := l.Write(t.Context(), batch)
		batch.Release()
		if err != nil || p.Next != nil || p.Counts.Read != 0 {
			t.Fatalf("durable %+v while nothing can be: %v", p, err)
		}
	}
	unlock()
	until := time.Now().Add(10 * time.Second)
	for l.(*lane).saving.under() && time.Now().Before(until) {
		time.Sleep(time.Millisecond)
	}
	if p, ok, err := w.markers.readPart("0"); !ok || err != nil || string(p.Position.Next) != "10" || p.Position.Counts.Inserted != 10 {
		t.Fatalf("the marker says %+v, %v", p, err)
	}
	if err := b.write(l, 40, 50); err != nil {
		t.Fatal(err)
	}
	p, err := l.Finish(t.Context())
	if err != nil || !p.Done || p.Counts.Inserted != 50 {
		t.Fatalf("%+v, %v", p, err)
	}
	b.publish(w, "", p.Counts)
	b.rows(filepath.Join(dir, "orders.csv"), 0, 50)
}

// TestSaveAsideIsFenced: a save that was held up until a newer holder came says nothing.
func TestSaveAsideIsFenced(t *testing.T) {
	b, _, _, l, unlock := asideLane(t)
	if err := b.write(l, 0, 10); err != nil {
		t.Fatal(err)
	}
	old := l.(*lane).saving
	if !old.under() {
		t.Fatal("the save was not held up")
	}
	next := b.open("load")
	taken := make(chan error, 1)
	go func() {
		_, err := next.Takeover(t.Context())
		taken <- err
	}()
	time.Sleep(20 * time.Millisecond) // both wait for the lock now; either may have it first
	unlock()
	if err := <-taken; err != nil {
		t.Fatal(err)
	}
	<-old.ended
	if _, err := l.Finish(t.Context()); !errors.Is(err, syncline.ErrLeaseLost) {
		t.Errorf("the older one finished: %v", err)
	}
}

// TestSaveAsideEnds: neither a call whose context ends nor Close waits for a save that
// cannot get on.
func TestSaveAsideEnds(t *testing.T) {
	b, dir, w, l, unlock := asideLane(t)
	defer unlock()
	if err := b.write(l, 0, 10); err != nil {
		t.Fatal(err)
	}
	saving := l.(*lane).saving
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	began := time.Now()
	if _, err := l.Finish(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("finish: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > time.Second || saving.under() {
		t.Errorf("took %s, or the save goes on", took)
	}
	unlock()
	next, s := b.begin("load")
	if s.Parts["0"].Next != nil {
		t.Fatalf("durable %+v", s)
	}
	b.publish(next, "", b.part(next, "0", 0, 20).Counts)
	b.rows(filepath.Join(dir, "orders.csv"), 0, 20)
}

// TestSaveAsideFails: what a save came to is said by the next call.
func TestSaveAsideFails(t *testing.T) {
	b, _, _, l, unlock := asideLane(t)
	if err := b.write(l, 0, 10); err != nil {
		t.Fatal(err)
	}
	s := l.(*lane).saving
	_ = l.(*lane).f.Close()
	unlock()
	<-s.ended
	if _, err := l.Finish(t.Context()); err == nil || !strings.Contains(err.Error(), ".part") {
		t.Errorf("finish: %v", err)
	}
}
