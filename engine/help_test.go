package engine_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/engine"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/store/sqlite"
	"github.com/synclinehq/syncline/task"
)

// lending is a kind whose Do offers two parts and waits until others have done them.
type lending struct {
	mu   sync.Mutex
	help func(ctx context.Context, c *task.Call, p task.Part) error
	own  []string // parts that the holder did
}

func (k *lending) kind() task.Kind {
	plan := func(context.Context, syncline.Definition, syncline.Mode) ([]syncline.Task, error) {
		return []syncline.Task{{Name: "a", Kind: "transfer"}}, nil
	}
	return task.Kind{Name: "transfer", Plan: plan, Do: k.do, Help: k.help}
}

// do takes only what helpers have given back.
func (k *lending) do(ctx context.Context, c *task.Call) error {
	if err := c.Share.Offer(ctx, []string{"0", "1"}, []byte(`"how"`)); err != nil {
		return err
	}
	for {
		ps, err := c.Share.Parts(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(ps, func(p syncline.OfferedPart) bool { return p.State != syncline.PartDone }) {
			return c.Share.Withdraw(ctx)
		}
		if slices.ContainsFunc(ps, func(p syncline.OfferedPart) bool { return p.State == syncline.PartReserved }) {
			if err := k.takeOne(ctx, c); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (k *lending) takeOne(ctx context.Context, c *task.Call) error {
	p, err := c.Share.Take(ctx)
	if err != nil || p == nil {
		return err
	}
	k.mu.Lock()
	k.own = append(k.own, p.Part)
	k.mu.Unlock()
	return c.Share.Done(ctx, *p, syncline.Counts{Read: 1})
}

// asShared is a store that takes its workers, all of this process, for others.
type asShared struct{ syncline.Store }

func (asShared) Shared() bool { return true }

// lend starts a run of k on a shared ledger, with a holder and a helper.
func lend(t *testing.T, k *lending) (b *bench, id string) {
	t.Parallel()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	b = &bench{Ledger: ledger.New(asShared{s}, ledger.Options{TTL: 5 * time.Second}), t: t, store: s}
	b.p = &syncline.Pipeline{ID: "p", Name: "p", Revision: 1, Definition: syncline.Definition{Owner: syncline.OwnerEngine}}
	if err := s.Update(t.Context(), func(tx syncline.Tx) error { return tx.PutPipeline(b.p) }); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	t.Cleanup(func() { stop(); all.Wait(); _ = s.Close() })
	worker := func(name string) {
		w := engine.NewWorker(engine.WorkerOptions{
			Door: b.Ledger, Opener: asIs{}, Tasks: func(string) (task.Kind, bool) { return k.kind(), true },
			Self: syncline.Worker{ID: name, Session: name, Host: "h", Kinds: []string{"sync"}},
			Beat: 50 * time.Millisecond, Poll: 20 * time.Millisecond, Flush: 20 * time.Millisecond,
		})
		all.Go(func() { _ = w.Run(ctx) })
	}
	worker("holder")
	id = b.begin()
	b.until(id, "a holder", is(syncline.StateRunning))
	worker("helper")
	return b, id
}

// TestHelp: an idle worker does the parts that are offered, under their tokens.
func TestHelp(t *testing.T) {
	var mu sync.Mutex
	done := map[string]int64{}
	k := &lending{help: func(_ context.Context, c *task.Call, p task.Part) error {
		mu.Lock()
		defer mu.Unlock()
		done[p.ID] = p.Token
		if string(p.Payload) != `"how"` || p.Token <= c.Token || c.Share != nil || c.Task.Name != "a" {
			t.Errorf("helps with %+v under the run's token %d, share %v", p, c.Token, c.Share)
		}
		c.Report(stats(7))
		return c.Held()
	}}
	b, id := lend(t, k)
	d := b.until(id, "success", is(syncline.StateSucceeded))
	if len(done) != 2 || len(k.own) != 0 || done["0"] == done["1"] {
		t.Errorf("helped with %v, the holder did %v", done, k.own)
	}
	if a := d.Run.Attempts[0]; a.Worker != "holder" || !slices.Equal(a.Helpers, []string{"helper"}) {
		t.Errorf("attempt %+v", a)
	}
}

// TestHelpThatFails: what goes wrong at a helper costs the run nothing, is said, and is
// done by the holder.
func TestHelpThatFails(t *testing.T) {
	k := &lending{help: func(_ context.Context, _ *task.Call, p task.Part) error {
		if p.ID == "0" {
			panic("a bug")
		}
		return syncline.Errorf(syncline.Unavailable, "the snapshot of a is gone").Again()
	}}
	b, id := lend(t, k)
	d := b.until(id, "success", is(syncline.StateSucceeded))
	slices.Sort(k.own)
	if !slices.Equal(k.own, []string{"0", "1"}) || len(d.Run.Attempts) != 1 || d.Run.Tries > 1 {
		t.Errorf("the holder did %v, tries %d, attempts %+v", k.own, d.Run.Tries, d.Run.Attempts)
	}
	ms, err := b.Messages(t.Context(), id, 0, 10)
	if text := texts(ms); err != nil || !strings.Contains(text, "helper gives part 1 back: the snapshot of a is gone") {
		t.Errorf("messages %s, %v", text, err)
	}
}

func texts(ms []syncline.Message) (all string) {
	for _, m := range ms {
		all += m.Text + "\n"
	}
	return all
}

// TestHelpEndsWithTheRun: a cancel reaches a helper as it reaches the holder.
func TestHelpEndsWithTheRun(t *testing.T) {
	began, ended := make(chan struct{}, 2), make(chan struct{}, 2)
	k := &lending{help: func(ctx context.Context, _ *task.Call, _ task.Part) error {
		began <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return ctx.Err()
	}}
	b, id := lend(t, k)
	<-began
	if _, err := b.Cancel(t.Context(), id, ""); err != nil {
		t.Fatal(err)
	}
	b.until(id, "cancel", is(syncline.StateCanceled))
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the helper goes on with a run that is canceled")
	}
}
