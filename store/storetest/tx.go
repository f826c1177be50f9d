package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
)

var txChecks = []check{
	{"what fails leaves nothing", undone},
	{"what fails leaves the others of its commit", isolated},
	{"a panic hurts only its own transaction", panics},
	{"a transaction that waits is cut off by its context", waits},
	{"a view is one snapshot and only reads", snapshot},
	{"text that is none is refused, or mended in documents", texts},
	{"a transaction is good only inside its function", outlived},
	{"a context that has ended starts nothing", ended},
	{"the clock only goes forward", clock},
}

func undone(t *T) {
	mine := errors.New("mine")
	err := t.Update(t.Context(), func(tx syncline.Tx) error {
		must(t, tx.InsertRun(run("r")))
		_, err := tx.Run("r") // a transaction sees its own writes
		must(t, err)
		return mine
	})
	if err != mine {
		t.Fatalf("got %v, want what fn returned, unchanged", err)
	}
	equal(t.T, "runs", t.runs(syncline.RunFilter{}), []string{})
	err = t.View(t.Context(), func(syncline.Tx) error { return mine })
	if err != mine {
		t.Fatalf("got %v, want what fn returned, unchanged", err)
	}
}

// isolated runs many at once, every third of which fails after it has written.
func isolated(t *T) {
	var wg sync.WaitGroup
	for i := range 150 {
		wg.Go(func() {
			err := t.Update(t.Context(), func(tx syncline.Tx) error {
				if err := tx.InsertRun(run(name("r", i))); err != nil {
					return err
				}
				if i%3 == 0 {
					return fmt.Errorf("no %d", i)
				}
				return tx.AppendEvents(syncline.Event{RunID: name("r", i), Seq: 1})
			})
			if (err != nil) != (i%3 == 0) || err != nil && err.Error() != fmt.Sprintf("no %d", i) {
				t.Errorf("update %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	for i := range 150 {
		t.view(func(tx syncline.Tx) error {
			_, err := tx.Run(name("r", i))
			es, everr := tx.Events(name("r", i), 0, 10)
			must(t, everr)
			if there := err == nil; there == (i%3 == 0) || len(es) == 1 != there {
				t.Errorf("run %d is there: %v, with %d events", i, there, len(es))
			}
			return nil
		})
	}
}

func panics(t *T) {
	for what, fn := range map[string]func(){
		"panic": func() { panic("ouch") },
		"exit":  runtime.Goexit,
	} {
		done := make(chan error, 1)
		go func() {
			defer close(done)
			done <- t.Update(t.Context(), func(tx syncline.Tx) error {
				must(t, tx.InsertRun(run(what)))
				fn()
				return nil
			})
		}()
		if err, returned := <-done; returned && syncline.CodeOf(err) != syncline.Internal {
			t.Fatalf("%s: %v", what, err)
		}
		t.insert(run("after " + what))
		refusedIn(t, what)
		go func() { _ = t.View(t.Context(), func(syncline.Tx) error { fn(); return nil }) }()
	}
	t.insert(run("still there"))
}

// refusedIn asserts that a run is not there.
func refusedIn(t *T, id string) {
	t.Helper()
	t.view(func(tx syncline.Tx) error {
		_, err := tx.Run(id)
		refused(t.T, err, syncline.NotFound, id)
		return nil
	})
}

// waits has one transaction stuck in its own code; another must not wait much longer than
// the first one's context lives.
func waits(t *T) {
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	release, begun, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- t.Update(ctx, func(tx syncline.Tx) error {
			if err := tx.InsertRun(run("stuck")); err != nil {
				return err
			}
			close(begun)
			<-release
			return tx.InsertRun(run("too late"))
		})
	}()
	<-begun
	if err := t.Update(within(t, 5*time.Second), func(tx syncline.Tx) error { return tx.InsertRun(run("other")) }); err != nil {
		t.Fatalf("behind a stuck transaction: %v", err)
	}
	<-ctx.Done()
	close(release)
	if err := <-done; err == nil {
		t.Fatal("a transaction succeeded after its context had ended")
	}
	equal(t.T, "runs", t.runs(syncline.RunFilter{}), []string{"other"})
}

func snapshot(t *T) {
	t.insert(run("a"))
	t.view(func(tx syncline.Tx) error {
		if tx.InsertRun(run("b")) == nil || tx.SetAsk("a", syncline.AskCancel) == nil {
			t.Fatal("a view wrote")
		}
		return nil
	})
	t.view(func(tx syncline.Tx) error {
		_, err := tx.Run("a")
		must(t, err)
		t.insert(run("b"))
		runs, err := tx.Runs(syncline.RunFilter{})
		equal(t.T, "runs", ids(runs), []string{"a"})
		return err
	})
	equal(t.T, "runs", t.runs(syncline.RunFilter{}), []string{"b", "a"})
}

func texts(t *T) {
	for _, bad := range []string{"a\x00b", "a\xffb"} {
		put := func(tx syncline.Tx) error { return tx.InsertRun(run(bad)) }
		refused(t.T, t.Update(t.Context(), put), syncline.InvalidArgument, "text")
	}
	r := run("r", func(r *syncline.Run) { r.Why, r.Input = "\xff\x00", []byte("{\"a\":\"\xff\"}") })
	t.insert(r)
	t.update(func(tx syncline.Tx) error {
		return tx.PutDoc(&syncline.Doc{Dialect: "d", Kind: "k", ID: "i", Body: []byte("\"\xff\"")})
	})
	equal(t.T, "why", t.run("r").Why, "\uFFFD\x00")
	equal(t.T, "input", string(t.run("r").Input), "{\"a\":\"\uFFFD\"}")
}

func outlived(t *T) {
	ctx := within(t, time.Minute) // outlives them, too
	var kept syncline.Tx
	keep := func(tx syncline.Tx) error { kept = tx; return nil }
	must(t, t.Update(ctx, keep))
	if kept.InsertRun(run("a")) == nil || kept.SetAsk("a", syncline.AskHold) == nil {
		t.Fatal("a transaction was used after its end")
	}
	must(t, t.View(ctx, keep))
	if _, err := kept.Runs(syncline.RunFilter{}); err == nil {
		t.Fatal("a view was used after its end")
	}
	equal(t.T, "runs", t.runs(syncline.RunFilter{}), []string{})
}

func ended(t *T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	fn := func(syncline.Tx) error { t.Error("it was started"); return nil }
	_, err := t.Beat(ctx, []syncline.Hold{{Run: "r"}}, time.Second)
	for _, err := range []error{t.Update(ctx, fn), t.View(ctx, fn), err} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	}
}

func clock(t *T) {
	last := time.Time{}
	for range 50 {
		now := must1(t.Now(t.Context()))
		if now.Before(last) || now.Location() != time.UTC || now.Nanosecond()%1000 != 0 {
			t.Fatalf("now is %v, was %v", now, last)
		}
		last = now
	}
	t.update(func(tx syncline.Tx) error {
		first := must1(tx.Now())
		time.Sleep(time.Millisecond)
		equal(t.T, "now in a transaction", must1(tx.Now()), first)
		if first.Before(last) {
			t.Fatalf("a transaction's now is %v, the store's was %v", first, last)
		}
		return nil
	})
	if d := time.Since(last).Abs(); d > time.Minute {
		t.Fatalf("the store's clock is off by %s", d)
	}
	if at := must1(t.Started(t.Context())); t.Shared() == at.IsZero() || at.After(last) {
		t.Fatalf("the server started at %v", at)
	}
}
