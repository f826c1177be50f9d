package datatransfer

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
)

// entity is what the runs of a config say of one entity.
type entity struct {
	id    string
	run   *syncline.Run    // the newest that was to transfer it; nil: none yet
	tasks []*syncline.Task // its loads in that run; none: the run has not said what it transfers
	done  *syncline.Run    // the newest that has transferred all of it
}

// settled reports whether older runs have nothing to add.
func (e *entity) settled() bool { return e.run != nil && e.done != nil }

const (
	// farBack is how many runs are looked at for the last that succeeded.
	farBack = 1000
	// atOnce is how many runs are held in memory, and tasksAtOnce about how many tasks.
	atOnce, tasksAtOnce = 64, 20_000
)

// begun are the states of runs that count: one that was skipped has transferred nothing, and
// was never going to.
var begun = []syncline.State{
	syncline.StatePending, syncline.StateRunning, syncline.StateSuspended,
	syncline.StateSucceeded, syncline.StateFailed, syncline.StateCanceled,
}

// entities are those of a config whose id is wanted, in the order of their ids. They are what the
// newest run transfers that knows, and what else the definition names.
func (a *API) entities(ctx context.Context, c *config, wanted func(id string) bool) ([]*entity, error) {
	h := &history{c: c, wanted: wanted}
	f := syncline.RunFilter{PipelineID: c.p.ID, States: begun, Roots: true, Limit: 1}
	for looked, more := 0, true; more && looked < farBack && !h.settled(); {
		page, err := a.o.Ledger.Runs(ctx, f)
		if err != nil {
			return nil, err
		}
		for i := range page {
			h.add(page[i])
		}
		if more = len(page) == f.Limit; more {
			last := page[len(page)-1]
			f.BeforeAt, f.BeforeID = last.Run.CreatedAt, last.Run.ID
			f.Limit = max(1, min(2*f.Limit, atOnce, tasksAtOnce/(1+len(last.Tasks))))
		}
		looked += len(page)
	}
	if h.all == nil {
		h.begin(nil)
	}
	return h.sorted(), nil
}

// history puts entities together from runs, the newest first.
type history struct {
	c      *config
	wanted func(id string) bool
	blank  *syncline.Run      // the newest, if it has not said what it transfers
	all    map[string]*entity // by name; nil until a run has said which there are
}

func (h *history) settled() bool {
	if h.all == nil {
		return false
	}
	for _, e := range h.all {
		if !e.settled() {
			return false
		}
	}
	return true
}

func (h *history) add(d ledger.Detail) {
	loads := h.c.loads(d.Tasks)
	switch {
	case h.all == nil && len(loads) > 0:
		h.begin(loads)
	case h.all == nil && h.blank == nil && d.Run.State != syncline.StateSucceeded:
		h.blank = &d.Run // one that succeeded so had nothing to transfer
	}
	for name, tasks := range loads {
		if e := h.all[name]; e != nil {
			e.add(&d.Run, tasks)
		}
	}
}

func (e *entity) add(r *syncline.Run, tasks []*syncline.Task) {
	if e.run == nil {
		e.run, e.tasks = r, tasks
	}
	if e.done == nil && !slices.ContainsFunc(tasks, func(t *syncline.Task) bool { return t.State != syncline.TaskSucceeded }) {
		e.done = r
	}
}

// begin settles which entities there are, by the loads of the newest run that has any. A
// newer one without is to transfer them all.
func (h *history) begin(loads map[string][]*syncline.Task) {
	h.all = map[string]*entity{}
	for _, name := range slices.AppendSeq(h.c.without(loads), maps.Keys(loads)) {
		if id := resourceID(name); h.wanted(id) {
			h.all[name] = &entity{id: id, run: h.blank}
		}
	}
}

func (h *history) sorted() (out []*entity) {
	for _, e := range h.all {
		out = append(out, e)
	}
	slices.SortFunc(out, func(x, y *entity) int { return strings.Compare(x.id, y.id) })
	return out
}
