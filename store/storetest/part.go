package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
)

var partChecks = []check{
	{"offers and parts keep every field", partFields},
	{"parts are listed in their order and go with their offer", partLists},
	{"tasks with open parts are found", openParts},
	{"who looks at parts locks them", partsLocked},
	{"parts that are not stored in the end leave nothing", partsUndone},
}

func partFields(t *T) {
	o, p := filled[syncline.Offer](t), filled[syncline.OfferedPart](t)
	p.Run, p.Task = o.Run, o.Task
	t.update(func(tx syncline.Tx) error {
		must(t, tx.PutOffer(*o))
		return tx.PutParts(*p)
	})
	equal(t.T, "offer", t.offer(o.Run, o.Task), o)
	equal(t.T, "parts", t.parts(o.Run, o.Task), []syncline.OfferedPart{*p})
	p.State, p.Token, p.Counts.Read = syncline.PartDone, 1<<60, 1<<50
	o.Payload = []byte(`{"again":true}`)
	t.update(func(tx syncline.Tx) error {
		must(t, tx.PutOffer(*o))
		must(t, tx.PutParts())
		return tx.PutParts(*p)
	})
	equal(t.T, "replaced offer", t.offer(o.Run, o.Task), o)
	equal(t.T, "replaced parts", t.parts(o.Run, o.Task), []syncline.OfferedPart{*p})
	if none := t.offer(o.Run, "absent"); none != nil {
		t.Fatalf("an offer that nobody made: %+v", none)
	}
}

func (t *T) offer(run, task string) *syncline.Offer {
	t.Helper()
	return get(t, func(tx syncline.Tx) (*syncline.Offer, error) { return tx.Offer(run, task) })
}

func (t *T) parts(run, task string) []syncline.OfferedPart {
	t.Helper()
	return get(t, func(tx syncline.Tx) ([]syncline.OfferedPart, error) { return tx.Parts(run, task) })
}

// partNames lists parts by their names alone.
func (t *T) partNames(run, task string) (names []string) {
	t.Helper()
	for _, p := range t.parts(run, task) {
		names = append(names, p.Part)
	}
	return names
}

// offered stores an offer of parts in the order of their names.
func (t *T) offered(run, task string, state syncline.PartState, parts ...string) {
	t.Helper()
	t.update(func(tx syncline.Tx) error {
		must(t, tx.PutOffer(syncline.Offer{Run: run, Task: task}))
		for i, p := range parts {
			must(t, tx.PutParts(syncline.OfferedPart{Run: run, Task: task, Part: p, Ordinal: i, State: state}))
		}
		return nil
	})
}

func partLists(t *T) {
	t.offered("r", "a", syncline.PartOpen, "z", "b", "Z", "10", "9")
	t.offered("r", "b", syncline.PartOpen, "z")
	t.offered("other", "a", syncline.PartOpen, "z")
	equal(t.T, "order", t.partNames("r", "a"), []string{"z", "b", "Z", "10", "9"})
	moved := t.parts("r", "a")[4]
	moved.Ordinal, moved.State = 0, syncline.PartDone
	t.update(func(tx syncline.Tx) error { return tx.PutParts(moved) })
	equal(t.T, "a part stays where it is", t.partNames("r", "a"), []string{"z", "b", "Z", "10", "9"})
	t.update(func(tx syncline.Tx) error { return tx.DeleteOffers("r", "a") })
	equal(t.T, "withdrawn", len(t.parts("r", "a")), 0)
	equal(t.T, "its offer", t.offer("r", "a"), nil)
	equal(t.T, "the other task's", t.partNames("r", "b"), []string{"z"})
	t.update(func(tx syncline.Tx) error {
		must(t, tx.DeleteOffers("absent", ""))
		return tx.DeleteOffers("r", "")
	})
	equal(t.T, "of the whole run", len(t.parts("r", "b")), 0)
	equal(t.T, "the other run's", t.partNames("other", "a"), []string{"z"})
}

func openParts(t *T) {
	t.offered("b", "k", syncline.PartOpen, "1", "2", "3")
	t.offered("a", "l", syncline.PartOpen, "1")
	t.offered("a", "k", syncline.PartOpen, "1")
	for _, s := range []syncline.PartState{syncline.PartTaken, syncline.PartReserved, syncline.PartDone} {
		t.offered("c", string(s), s, "1", "2")
	}
	open := func(limit int) (got []string) {
		for _, p := range get(t, func(tx syncline.Tx) ([]syncline.OfferedPart, error) { return tx.OpenParts(limit) }) {
			got = append(got, p.Run+"/"+p.Task)
		}
		return got
	}
	equal(t.T, "open", open(10), []string{"a/k", "a/l", "b/k"})
	equal(t.T, "the first two", open(2), []string{"a/k", "a/l"})
	p := t.parts("a", "k")[0]
	p.State = syncline.PartTaken
	t.update(func(tx syncline.Tx) error { return tx.PutParts(p) })
	equal(t.T, "when one is taken", open(10), []string{"a/l", "b/k"})
}

// partsLocked: of many who look for a free part at once, each finds another one.
func partsLocked(t *T) {
	const n = 8
	var names []string
	for i := range n {
		names = append(names, name("", i))
	}
	t.offered("r", "k", syncline.PartOpen, names...)
	var all sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for range n {
		all.Go(func() {
			p, err := t.takeAny(within(t, 20*time.Second))
			mu.Lock()
			defer mu.Unlock()
			if got[p]++; err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(got) != n {
		t.Fatalf("%d takers have the parts %v", n, got)
	}
}

// takeAny takes the first open part, again while others get in between.
func (t *T) takeAny(ctx context.Context) (took string, err error) {
	for err = syncline.Errorf(syncline.Aborted, "not tried"); syncline.CodeOf(err) == syncline.Aborted && ctx.Err() == nil; {
		err = t.Update(ctx, func(tx syncline.Tx) error {
			took = ""
			ps, err := tx.Parts("r", "k")
			for _, p := range ps {
				if took == "" && p.State == syncline.PartOpen {
					took, p.State = p.Part, syncline.PartTaken
					err = errors.Join(err, tx.PutParts(p))
				}
			}
			return err
		})
	}
	return took, err
}

func partsUndone(t *T) {
	t.offered("r", "k", syncline.PartOpen, "1")
	enough := errors.New("enough")
	err := t.Update(t.Context(), func(tx syncline.Tx) error {
		must(t, tx.DeleteOffers("r", ""))
		must(t, tx.PutOffer(syncline.Offer{Run: "r", Task: "new"}))
		must(t, tx.PutParts(syncline.OfferedPart{Run: "r", Task: "new", Part: "1", State: syncline.PartOpen}))
		return enough
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
	equal(t.T, "what was there", t.partNames("r", "k"), []string{"1"})
	equal(t.T, "what was not", t.offer("r", "new"), nil)
}
