package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
)

var raceChecks = []check{
	{"no run is handed out twice", claims},
	{"a lane never has two heads", heads},
	{"one of many swaps wins", swaps},
	{"what is read by its id is locked", locks},
	{"a slot is won once", slotRace},
	{"beats and reports get on with each other", beatRace},
}

// Together races two stores on one ledger as if they were one.
func Together(t *testing.T, a, b syncline.Store) {
	both := &pair{Store: a, other: b}
	for _, c := range raceChecks[:2] {
		c.do(&T{T: t, Store: both})
		t.Log(c.name)
	}
}

// pair sends every other change elsewhere.
type pair struct {
	syncline.Store
	other syncline.Store
	n     atomic.Int64
}

func (p *pair) Update(ctx context.Context, fn func(syncline.Tx) error) error {
	if p.n.Add(1)%2 == 0 {
		return p.other.Update(ctx, fn)
	}
	return p.Store.Update(ctx, fn)
}

// claims has 50 workers take and end runs.
func claims(t *T) {
	const runs, workers = 200, 50
	early := day.AddDate(-1, 0, 0)
	var all []*syncline.Run
	for i := range runs {
		all = append(all, run(name("c", i), func(r *syncline.Run) { r.NotBefore = early }))
	}
	t.insert(all...)
	o := &ops{t.Store, t}
	var taken sync.Map
	var n atomic.Int64
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for n.Load() < runs {
				for _, r := range o.claim(name("w", w), 1+w%3) {
					if was, twice := taken.LoadOrStore(r.ID, w); twice {
						t.Errorf("run %s was handed to %d and %v", r.ID, w, was)
					}
					n.Add(1)
					o.finish(r.ID)
				}
				if t.Failed() {
					return
				}
			}
		})
	}
	wg.Wait()
	equal(t.T, "succeeded", len(t.runs(syncline.RunFilter{States: []syncline.State{syncline.StateSucceeded}, Limit: 1000})), runs)
	equal(t.T, "leases", len(get(t, syncline.Tx.Sessions)), 0)
}

// heads starts runs on few lanes while others take and end them: all must get through,
// one at a time per lane.
func heads(t *T) {
	const runs, lanes = 120, 3
	o := &ops{t.Store, t}
	var wg sync.WaitGroup
	var ended atomic.Int64
	var alive [lanes]atomic.Int32
	for i := range runs {
		wg.Go(func() { o.start(name("r", i), fmt.Sprintf("l%d", i%lanes)) })
	}
	for w := range 8 {
		wg.Go(func() {
			for ended.Load() < runs && !t.Failed() {
				for _, r := range o.claim(name("w", w), 2) {
					lane := &alive[r.Lane[1]-'0']
					if lane.Add(1) != 1 {
						t.Errorf("lane %s has two runs", r.Lane)
					}
					time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
					lane.Add(-1)
					o.finish(r.ID)
					ended.Add(1)
				}
			}
		})
	}
	wg.Wait()
}

// swaps reads in a view and puts what it read: of those that read the same version only
// one may win, and every win counts.
func swaps(t *T) {
	t.insert(run("r"))
	t.put(pipeline("p"))
	var won [2]atomic.Int64
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 10 {
				r, p := t.run("r"), t.pipeline("p")
				r.Priority++
				t.swap(&won[0], func(tx syncline.Tx) error { return tx.PutRun(r) })
				p.Ext = nil
				t.swap(&won[1], func(tx syncline.Tx) error { return tx.PutPipeline(p) })
			}
		})
	}
	wg.Wait()
	equal(t.T, "version of the run", t.run("r").Version, 1+won[0].Load())
	equal(t.T, "its count", int64(t.run("r").Priority), won[0].Load())
	equal(t.T, "version of the pipeline", t.pipeline("p").Version, 1+won[1].Load())
}

func (t *T) swap(won *atomic.Int64, put func(syncline.Tx) error) {
	switch err := t.Update(t.Context(), put); syncline.CodeOf(err) {
	case "":
		won.Add(1)
	case syncline.Aborted:
	default:
		t.Errorf("swap: %v", err)
	}
}

// locks reads and puts in one transaction: nobody comes between.
func locks(t *T) {
	const n = 100
	t.insert(run("r"))
	t.put(pipeline("p"))
	t.update(func(tx syncline.Tx) error {
		must(t, tx.PutLease(syncline.Lease{Run: "r"}))
		must(t, tx.PutTask(&syncline.Task{RunID: "r", Name: "k"}))
		return tx.PutDoc(&syncline.Doc{Dialect: "d", Kind: "k", ID: "i", Body: []byte("0")})
	})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := t.Update(t.Context(), []func(syncline.Tx) error{addRun, addPipeline, addLease, addTask, addDoc}[i%5]); err != nil {
				t.Errorf("change %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	lease := get(t, func(tx syncline.Tx) (*syncline.Lease, error) { return tx.Lease("r", "") })
	doc := get(t, func(tx syncline.Tx) (*syncline.Doc, error) { return tx.Doc("d", "k", "i") })
	equal(t.T, "counts", []int{t.run("r").Priority, t.tasks("r")[0].Tries, int(lease.Token), int(doc.Revision) - 1, int(t.pipeline("p").Version) - 1},
		[]int{n / 5, n / 5, n / 5, n / 5, n / 5})
}

func addRun(tx syncline.Tx) error {
	r, err := tx.Run("r")
	if err != nil {
		return err
	}
	r.Priority++
	return tx.PutRun(r)
}

func addPipeline(tx syncline.Tx) error {
	p, err := tx.Pipeline("p")
	if err != nil {
		return err
	}
	return tx.PutPipeline(p)
}

func addLease(tx syncline.Tx) error {
	l, err := tx.Lease("r", "")
	if err != nil {
		return err
	}
	l.Token++
	return tx.PutLease(*l)
}

func addTask(tx syncline.Tx) error {
	k, err := tx.Task("r", "k")
	if err != nil {
		return err
	}
	k.Tries++
	return tx.PutTask(k)
}

func addDoc(tx syncline.Tx) error {
	d, err := tx.Doc("d", "k", "i")
	if err != nil {
		return err
	}
	return tx.PutDoc(d)
}

func slotRace(t *T) {
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for slot := range 20 {
				err := t.Update(t.Context(), func(tx syncline.Tx) error {
					first, err := tx.InsertSlot(syncline.Slot{PipelineID: "p", ScheduleID: "s", At: at(slot), RunID: name("r", i)})
					if err != nil || !first {
						return err
					}
					return tx.InsertRun(run(name("r", slot)))
				})
				if err != nil {
					t.Errorf("slot %d: %v", slot, err)
				}
				won.Add(1)
			}
		})
	}
	wg.Wait()
	equal(t.T, "runs", len(t.runs(syncline.RunFilter{})), 20)
}

// beatRace beats and reports the same leases in different orders while runs are asked to
// cancel: nothing may be lost, and nobody may wait for long.
func beatRace(t *T) {
	var held []syncline.Hold
	t.update(func(tx syncline.Tx) error {
		held = nil
		for i := range 40 {
			held = append(held, syncline.Hold{Run: name("r", i), Token: int64(i)})
			if err := tx.PutLease(syncline.Lease{Run: name("r", i), Token: int64(i)}); err != nil {
				return err
			}
		}
		return nil
	})
	ctx := within(t, 20*time.Second)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { t.beatAll(ctx, held) })
	}
	wg.Go(func() {
		for i := range 40 {
			if err := t.Update(ctx, func(tx syncline.Tx) error { return tx.SetAsk(name("r", i), syncline.AskCancel) }); err != nil {
				t.Errorf("ask: %v", err)
			}
		}
	})
	wg.Wait()
	for _, a := range must1(t.Beat(ctx, held, time.Second)) {
		equal(t.T, "asked", a.Ask, syncline.AskCancel)
	}
}

func (t *T) beatAll(ctx context.Context, held []syncline.Hold) {
	mine := append([]syncline.Hold(nil), held...)
	for range 15 {
		rand.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
		answers, err := t.Beat(ctx, mine, time.Second)
		if err != nil || len(answers) != len(held) {
			t.Errorf("beat: %d answers, %v", len(answers), err)
		}
		var rs []syncline.TaskReport
		for _, h := range mine {
			rs = append(rs, syncline.TaskReport{Run: h.Run, Token: h.Token, Task: "k"})
		}
		answers, err = t.Report(ctx, rs, time.Second)
		if err != nil || len(answers) != len(held) {
			t.Errorf("report: %d answers, %v", len(answers), err)
		}
	}
}
