package sqlstore

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
)

// Runs lists runs, the newest first.
func (t *Tx) Runs(f syncline.RunFilter) ([]*syncline.Run, error) {
	bs := t.branches(f)
	if f.Offset > 0 {
		at, id, err := t.passed(bs, f.Offset)
		if err != nil || id == "" {
			return nil, err
		}
		f.BeforeAt, f.BeforeID = at, id
	}
	var all []*syncline.Run
	for _, b := range bs {
		some, err := t.runs(b, f)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b *syncline.Run) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(b.ID, a.ID))
	})
	return all[:min(len(all), page(f.Limit))], nil
}

// branch is what is true of a run, in several conditions.
type branch []condition

// condition has one argument.
type condition struct {
	text string
	arg  any
}

func (b branch) with(text string, arg any) branch {
	return append(slices.Clip(b), condition{text, arg})
}

// branches cut a filter into conditions that exclude each other, each of which finds its
// runs in their order by one index: that has the runs of one pipeline, aspect or mode in
// order, but not those of several.
func (t *Tx) branches(f syncline.RunFilter) []branch {
	pipelines, aspects := f.Pipelines, aspectsOf(f)
	if f.PipelineID != "" {
		pipelines = one(f.PipelineID, pipelines)
	}
	var rest branch
	if len(f.States) > 0 {
		rest = rest.with(`state {any} ? {end}`, t.f.List(words(f.States)))
	}
	if f.ParentRun != "" {
		rest = rest.with(`parent_run = ? and parent_run <> ''`, f.ParentRun)
	}
	if f.Roots {
		rest = rest.with(`(parent_run || '') = ?`, "")
	}
	switch {
	case pipelines != nil && len(pipelines) == 0 || aspects != nil && len(aspects) == 0:
		return nil
	case f.ParentRun != "":
		return []branch{t.among(t.among(t.among(rest, "pipeline_id", pipelines), "aspect", words(aspects)), "mode", words(f.Modes))}
	case len(pipelines) > 0 && !few(aspects):
		rest = t.among(t.among(rest, "aspect", words(aspects)), "mode", words(f.Modes))
		return each(rest, "pipeline_id", pipelines)
	case len(aspects) > 0:
		rest = t.among(t.among(rest, "pipeline_id", pipelines), "mode", words(f.Modes))
		return each(rest, "aspect", words(aspects))
	case len(f.Modes) > 0:
		return each(rest, "mode", words(f.Modes))
	}
	return []branch{rest}
}

// one leaves of others, if they are given at all, only id.
func one(id string, others []string) []string {
	if len(others) > 0 && !slices.Contains(others, id) {
		return []string{}
	}
	return []string{id}
}

// live are the aspects of runs that have not ended. They are few.
var live = []syncline.Aspect{
	syncline.AspectPending, syncline.AspectAgain, syncline.AspectRunning, syncline.AspectCanceling, syncline.AspectSuspended,
}

func few(aspects []syncline.Aspect) bool {
	return len(aspects) > 0 && !slices.ContainsFunc(aspects, func(a syncline.Aspect) bool { return !slices.Contains(live, a) })
}

// ofState are the aspects that a run in a state can have.
var ofState = map[syncline.State][]syncline.Aspect{
	syncline.StatePending:   {syncline.AspectPending, syncline.AspectAgain},
	syncline.StateRunning:   {syncline.AspectRunning, syncline.AspectCanceling},
	syncline.StateSuspended: {syncline.AspectSuspended, syncline.AspectAgain},
	syncline.StateSucceeded: {syncline.AspectSucceeded, syncline.AspectRejects, syncline.AspectPartly},
	syncline.StateFailed:    {syncline.AspectFailed},
	syncline.StateCanceled:  {syncline.AspectCanceled},
	syncline.StateSkipped:   {syncline.AspectSkipped},
}

// aspectsOf are all that a filter lets through, nil when that is every one.
func aspectsOf(f syncline.RunFilter) []syncline.Aspect {
	if len(f.Aspects) == 0 && len(f.States) == 0 && !f.UnfinishedIn {
		return nil
	}
	ok := make([]syncline.Aspect, 0, len(syncline.Aspects))
	for _, a := range syncline.Aspects {
		if (len(f.Aspects) == 0 || slices.Contains(f.Aspects, a)) && (!f.UnfinishedIn || slices.Contains(live, a)) && inStates(a, f.States) {
			ok = append(ok, a)
		}
	}
	return ok
}

func inStates(a syncline.Aspect, states []syncline.State) bool {
	return len(states) == 0 || slices.ContainsFunc(states, func(s syncline.State) bool { return slices.Contains(ofState[s], a) })
}

// each makes a branch of each value of the column that leads an index.
func each(rest branch, column string, values []string) (bs []branch) {
	for _, v := range slices.Compact(slices.Sorted(slices.Values(values))) {
		bs = append(bs, rest.with(column+` = ?`, v))
	}
	return bs
}

// among narrows a branch by a column that no index shall be used for.
func (t *Tx) among(b branch, column string, values []string) branch {
	if len(values) == 0 {
		return b
	}
	return b.with(`(`+column+` || '') {any} ? {end}`, t.f.List(values))
}

func (t *Tx) runs(b branch, f syncline.RunFilter) ([]*syncline.Run, error) {
	q := where{text: `select ` + runCols + ` from {runs}`}
	q.branch(b)
	if !f.BeforeAt.IsZero() {
		q.and(`(created_at, id) < (?, ?)`, micros(f.BeforeAt), f.BeforeID)
	}
	q.add(` order by created_at desc, id desc limit ?`, page(f.Limit))
	all, err := list(t, runFrom, q.text, q.args...)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	return all, nil
}

func (w *where) branch(b branch) {
	w.any = false
	for _, c := range b {
		w.and(c.text, c.arg)
	}
}

// passed is the last of the runs that a page passes over, found without reading them: an
// index has all that it takes. "" when there are fewer.
func (t *Tx) passed(bs []branch, offset int) (at time.Time, id string, err error) {
	if len(bs) == 0 {
		return at, "", nil
	}
	var q where
	for i, b := range bs {
		if i > 0 {
			q.text += ` union all `
		}
		q.text += `select created_at, id from {runs}`
		q.branch(b)
	}
	q.add(` order by created_at desc, id desc limit 1 offset ?`, offset-1)
	var us int64
	_, err = t.one(q.text, q.args, &us, &id)
	return fromMicros(us), id, wrapf(err, "pass over %d runs", offset)
}

// CountRuns counts the runs of all pages.
func (t *Tx) CountRuns(f syncline.RunFilter) (n int64, err error) {
	for _, b := range t.branches(f) {
		q := where{text: `select count(*) from {runs}`}
		q.branch(b)
		var some int64
		if _, err := t.one(q.text, q.args, &some); err != nil {
			return 0, fmt.Errorf("count runs: %w", err)
		}
		n += some
	}
	return n, nil
}
