package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/store/postgres"
	"github.com/synclinehq/syncline/testserver"
)

// helped is a run that worker h/1 holds, with one task whose parts are offered.
type helped struct {
	*fixture
	g syncline.Grant
}

// onShared runs a test with a held run on the store that processes share.
func onShared(t *testing.T, parts []string, test func(t *testing.T, h *helped)) {
	t.Parallel()
	s, err := postgres.Open(t.Context(), testserver.Database(t), postgres.Options{AcceptDataLoss: true})
	if err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, s)
	f.Ledger = ledger.New(s, ledger.Options{TTL: 2 * time.Second, Dead: f.gone})
	f.start(f.pipeline("a", nil), ledger.Order{})
	h := &helped{f, f.claim()}
	_, err = f.Plan(t.Context(), h.g.Hold(), []syncline.Task{{Name: "public.orders", Kind: "transfer"}})
	f.must(err)
	f.must(f.Offer(t.Context(), h.g.Hold(), syncline.Offer{Task: "public.orders", Parts: parts, Payload: []byte(`{"plan":1}`)}))
	test(t, h)
}

func (f *fixture) gone(session string) bool { _, ok := f.dead.Load(session); return ok }

func helper(n int) syncline.Worker {
	return syncline.Worker{ID: fmt.Sprintf("h/1%d", n), Session: fmt.Sprintf("helper-%d", n), Host: "h", Kinds: []string{"sync"}}
}

// help takes a part as helper n; nil when there is none.
func (h *helped) help(n int) *syncline.PartGrant {
	h.t.Helper()
	g, err := h.Help(h.t.Context(), helper(n))
	h.must(err)
	return g
}

// own takes a part as the run's holder; nil when there is none.
func (h *helped) own(have ...string) *syncline.OfferedPart {
	h.t.Helper()
	p, err := h.TakePart(h.t.Context(), h.g.Hold(), "public.orders", have)
	h.must(err)
	return p
}

func (h *helped) states() (out string) {
	h.t.Helper()
	ps, err := h.Parts(h.t.Context(), h.g.Run.ID, "public.orders")
	h.must(err)
	for _, p := range ps {
		out += p.Part + "=" + string(p.State) + " "
	}
	return strings.TrimSpace(out)
}

func (h *helped) is(want string) {
	h.t.Helper()
	if got := h.states(); got != want {
		h.t.Errorf("parts are %q, want %q", got, want)
	}
}

// TestOnePartOneWorker: of many who ask at once, the holder among them, each gets another
// part, under another token, each above the run's.
func TestOnePartOneWorker(t *testing.T) {
	onShared(t, []string{"0", "1", "2", "3"}, func(t *testing.T, h *helped) {
		var all sync.WaitGroup
		var mu sync.Mutex
		got, tokens := map[string]int{}, map[int64]bool{}
		for n := range 8 {
			all.Go(func() {
				var p *syncline.OfferedPart
				if n == 0 {
					p = h.own("0", "1", "2", "3") // nothing it is given is given to it twice
				} else if g, err := h.Help(t.Context(), helper(n)); err != nil {
					t.Error(err)
				} else if g != nil {
					p = &g.Part
				}
				if mu.Lock(); p != nil {
					got[p.Part]++
					tokens[p.Token] = true
					if p.Token <= h.g.Run.Token {
						t.Errorf("part %s under token %d, the run's is %d", p.Part, p.Token, h.g.Run.Token)
					}
				}
				mu.Unlock()
			})
		}
		all.Wait()
		if len(got) != 4 || len(tokens) != 4 || got["0"]+got["1"]+got["2"]+got["3"] != 4 {
			t.Errorf("parts %v, tokens %v", got, tokens)
		}
		if g := h.help(9); g != nil {
			t.Errorf("a fifth part: %+v", g.Part)
		}
	})
}

// TestTokensGrow: what a part is taken under is above all that was given out before it, and
// so is the next holder's of the run.
func TestTokensGrow(t *testing.T) {
	onShared(t, []string{"0", "1", "2"}, func(t *testing.T, h *helped) {
		first, own, second := h.help(1), h.own(), h.help(2)
		tokens := []int64{h.g.Run.Token, first.Part.Token, own.Token, second.Part.Token}
		h.dead.Store("s1", true)
		h.scanUntil(h.g.Run.ID, syncline.StatePending)
		h.dead.Delete("s1")
		tokens = append(tokens, h.claim().Run.Token)
		if !slices.IsSorted(tokens) || len(slices.Compact(slices.Clone(tokens))) != len(tokens) {
			t.Errorf("tokens %v", tokens)
		}
	})
}

// TestSilentHelper: its part goes back, the run does not; after two losses only the holder
// may take it.
func TestSilentHelper(t *testing.T) {
	onShared(t, []string{"0", "1"}, func(t *testing.T, h *helped) {
		lost := h.help(1)
		h.is("0=taken 1=open")
		h.lose(1)
		h.is("0=open 1=open")
		again := h.help(2)
		if again.Part.Part != "0" || again.Part.Token <= lost.Part.Token || string(again.Payload) != `{"plan": 1}` && string(again.Payload) != `{"plan":1}` {
			t.Errorf("again %+v after %+v, payload %s", again.Part, lost.Part, again.Payload)
		}
		h.refused(lost)
		h.lose(2)
		h.is("0=reserved 1=open")
		if g := h.help(3); g == nil || g.Part.Part != "1" {
			t.Errorf("helped with %+v", g)
		}
		if g := h.help(4); g != nil {
			t.Errorf("a part that two fell silent over was lent again: %+v", g.Part)
		}
		if p := h.own(); p == nil || p.Part != "0" {
			t.Errorf("the holder got %+v", p)
		}
		r := h.state(h.g.Run.ID, syncline.StateRunning)
		if len(r.Attempts) != 1 || !slices.Equal(r.Attempts[0].Helpers, []string{"h/11", "h/12", "h/13"}) || r.Facts.Fenced == 0 {
			t.Errorf("attempts %+v, fenced %d", r.Attempts, r.Facts.Fenced)
		}
	})
}

// lose ends the process of helper n, and waits until that was noticed. The holder beats.
func (h *helped) lose(n int) {
	h.t.Helper()
	h.dead.Store(helper(n).Session, true)
	before := h.states()
	for end := time.Now().Add(10 * time.Second); h.states() == before; {
		_, err := h.Beat(h.t.Context(), []syncline.Hold{h.g.Hold()})
		h.must(err)
		if _, err = h.Scan(h.t.Context()); err != nil || time.Now().After(end) {
			h.t.Fatalf("parts stay %s: %v", before, err)
		}
	}
}

// refused checks that whoever had a part can say nothing any more.
func (h *helped) refused(g *syncline.PartGrant) {
	h.t.Helper()
	ctx, hold := h.t.Context(), g.Hold()
	done := g.Part
	done.State = syncline.PartDone
	for name, err := range map[string]error{
		"report": h.ReportPart(ctx, hold, g.Part), "end": h.ReportPart(ctx, hold, done),
		"keep": h.Keep(ctx, hold, []syncline.Reject{{Task: "public.orders"}}),
		"log":  h.Log(ctx, hold, []syncline.Message{{Text: "x"}}),
	} {
		if !errors.Is(err, syncline.ErrLeaseLost) {
			h.t.Errorf("a stale %s: %v", name, err)
		}
	}
	if answers, err := h.Beat(ctx, []syncline.Hold{hold}); err != nil || len(answers) != 0 {
		h.t.Errorf("a stale beat was answered: %v, %v", answers, err)
	}
}

// TestExpiredHelper: a lease that runs out frees its part, and a beat keeps it.
func TestExpiredHelper(t *testing.T) {
	onShared(t, []string{"0", "1"}, func(t *testing.T, h *helped) {
		silent, well := h.help(1), h.help(2)
		taken := time.Now()
		for end := taken.Add(20 * time.Second); h.states() == "0=taken 1=taken"; time.Sleep(20 * time.Millisecond) {
			answers, err := h.Beat(t.Context(), []syncline.Hold{h.g.Hold(), well.Hold()})
			h.must(err)
			if len(answers) != 2 || time.Now().After(end) {
				t.Fatalf("answers %v", answers)
			}
			_, err = h.Scan(t.Context())
			h.must(err)
		}
		h.is("0=open 1=taken")
		if took := time.Since(taken); took < 1900*time.Millisecond {
			t.Errorf("the part was free after %s", took)
		}
		h.refused(silent)
		h.state(h.g.Run.ID, syncline.StateRunning)
	})
}

// TestReleaseEndsOffers: with the hold of the run everything that was lent of it ends.
func TestReleaseEndsOffers(t *testing.T) {
	onShared(t, []string{"0", "1", "2"}, func(t *testing.T, h *helped) {
		g := h.help(1)
		h.own()
		h.dead.Store("s1", true)
		h.scanUntil(h.g.Run.ID, syncline.StatePending)
		h.is("")
		h.refused(g)
		if g := h.help(2); g != nil {
			t.Errorf("nobody holds the run, and part %s of it was lent", g.Part.Part)
		}
		leases, err := h.leases()
		if err != nil || len(leases) != 0 {
			t.Errorf("leases %+v, %v", leases, err)
		}
		if _, err := h.TakePart(t.Context(), h.g.Hold(), "public.orders", nil); !errors.Is(err, syncline.ErrLeaseLost) {
			t.Errorf("the old holder takes a part: %v", err)
		}
	})
}

func (h *helped) leases() (all []syncline.Lease, err error) {
	err = h.store.View(h.t.Context(), func(tx syncline.Tx) error {
		all, err = tx.Leases(h.g.Run.ID)
		return err
	})
	return all, err
}

// TestWithdrawEndsHelp: the holder takes back what it has lent.
func TestWithdrawEndsHelp(t *testing.T) {
	onShared(t, []string{"0", "1"}, func(t *testing.T, h *helped) {
		g := h.help(1)
		h.must(h.Withdraw(t.Context(), h.g.Hold(), "public.orders"))
		h.is("")
		h.refused(g)
		if leases, err := h.leases(); err != nil || len(leases) != 1 || leases[0].Part != "" {
			t.Errorf("leases %+v, %v: the run's own stays", leases, err)
		}
	})
}

// TestHelpersAreAsked: cancel and hold reach helpers, and nobody begins to help then.
func TestHelpersAreAsked(t *testing.T) {
	onShared(t, []string{"0", "1"}, func(t *testing.T, h *helped) {
		g := h.help(1)
		asked := func(want syncline.Ask) {
			t.Helper()
			if as, err := h.Beat(t.Context(), []syncline.Hold{g.Hold()}); err != nil || len(as) != 1 || as[0].Ask != want {
				t.Errorf("beat answered %v, %v; want ask %d", as, err, want)
			}
			if want == syncline.AskNothing {
				return
			}
			if free := h.help(2); free != nil {
				t.Errorf("helped with %s of a run that is to stop", free.Part.Part)
			}
		}
		asked(syncline.AskNothing)
		_, err := h.Hold(t.Context(), h.g.Run.ID, "")
		h.must(err)
		asked(syncline.AskHold)
		_, err = h.Resume(t.Context(), h.g.Run.ID)
		h.must(err)
		_, err = h.Cancel(t.Context(), h.g.Run.ID, "")
		h.must(err)
		asked(syncline.AskCancel)
		_, err = h.AckCancel(t.Context(), h.g.Hold())
		h.must(err)
		h.refused(g)
	})
}

// TestDoneIsDone: a part that is given back as done is nobody's again, also when the answer
// to its holder got lost.
func TestDoneIsDone(t *testing.T) {
	onShared(t, []string{"0", "1"}, func(t *testing.T, h *helped) {
		g, own := h.help(1), h.own()
		g.Part.Counts.Read = 5
		h.must(h.ReportPart(t.Context(), g.Hold(), g.Part))
		g.Part.State, g.Part.Counts.Read = syncline.PartDone, 7
		h.must(h.ReportPart(t.Context(), g.Hold(), g.Part))
		if again := h.own(); again == nil || again.Part != own.Part || again.Token <= own.Token {
			t.Errorf("a part whose answer got lost came as %+v after %+v", again, own)
		} else {
			own = again
		}
		own.State = syncline.PartDone
		for range 2 { // said again
			h.must(h.ReportPart(t.Context(), h.g.Hold(), *own))
		}
		h.is("0=done 1=done")
		if p, other := h.own("1"), h.help(2); p != nil || other != nil {
			t.Errorf("taken again: %+v, %+v", p, other)
		}
		ps, err := h.Parts(t.Context(), h.g.Run.ID, "public.orders")
		if err != nil || ps[0].Counts.Read != 7 || ps[0].Worker != "h/11" || ps[1].Worker != "h/1" {
			t.Errorf("parts %+v, %v", ps, err)
		}
	})
}

// TestWhoMayHelp: what a worker may not claim it does not help with, nor its own run.
func TestWhoMayHelp(t *testing.T) {
	onShared(t, []string{"0"}, func(t *testing.T, h *helped) {
		for what, change := range map[string]func(w *syncline.Worker){
			"the holder":             func(w *syncline.Worker) { w.ID = h.w.ID },
			"one of other kinds":     func(w *syncline.Worker) { w.Kinds = []string{"other"} },
			"one of other pipelines": func(w *syncline.Worker) { w.Only = []string{"p-b"} },
			"one of another run":     func(w *syncline.Worker) { w.Run = "other" },
		} {
			w := helper(1)
			change(&w)
			if g, err := h.Help(t.Context(), w); g != nil || err != nil {
				t.Errorf("%s helps: %+v, %v", what, g, err)
			}
		}
		if h.help(1) == nil {
			t.Error("nobody helps")
		}
	})
}

// TestAlone: a ledger of one process lends nothing, whatever is offered.
func TestAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		f.start(f.pipeline("a", nil), ledger.Order{})
		h := &helped{f, f.claim()}
		_, err := f.Plan(t.Context(), h.g.Hold(), []syncline.Task{{Name: "public.orders", Kind: "transfer"}})
		f.must(err)
		f.must(f.Offer(t.Context(), h.g.Hold(), syncline.Offer{Task: "public.orders", Parts: []string{"0", "1"}, Payload: []byte("1")}))
		if p := h.own(); p == nil || p.Part != "0" {
			t.Errorf("the holder got %+v", p)
		}
		if g := h.help(1); (g != nil) != f.Shares() {
			t.Errorf("lent %+v", g)
		}
	})
}
