package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
)

// A child is a run of its own, in a lane of its own, that stands among its parent's tasks
// with its state and its counts. Whoever changes a child locks it before its parent, and
// nobody who has locked a parent waits for a child.

// ChildTask is the kind of the task that stands for a child.
const ChildTask = "run"

// childRejects are those of a run's children.
func childRejects(tasks []*syncline.Task) (n int64) {
	for _, t := range tasks {
		if t.Kind == ChildTask {
			n += t.Stats.Counts.Rejected
		}
	}
	return n
}

// liveChildren counts the children that have not ended.
func liveChildren(tasks []*syncline.Task) (n int) {
	for _, t := range tasks {
		if t.Kind == ChildTask && !t.State.Final() {
			n++
		}
	}
	return n
}

// childless is nil when all children of a run have ended.
func childless(r *syncline.Run, tasks []*syncline.Task) error {
	if n := liveChildren(tasks); n > 0 {
		return syncline.Errorf(syncline.FailedPrecondition, "%d of the loads of run %s have not ended", n, r.ID).Because("children").
			Try("say that its source is done: the run ends with the last of them")
	}
	return nil
}

// relay tells a parent that its child has ended, or was sent back to go on.
func (l *Ledger) relay(tx syncline.Tx, before, after syncline.Run, m move) error {
	if after.Parent == nil || after.Parent.Task == "" || before.State.Final() == after.State.Final() {
		return nil
	}
	p, err := tx.RunInLane(after.Parent.Run)
	if syncline.CodeOf(err) == syncline.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	tasks, err := m.tasks(tx, &after)
	if err != nil {
		return err
	}
	if err := follow(tx, p, after, tasks); err != nil || !after.State.Final() {
		return err
	}
	return l.childEnded(tx, p, after, syncline.Totals(tasks))
}

// childEnded lets the next children go to work, or ends their parent after its last.
func (l *Ledger) childEnded(tx syncline.Tx, p *syncline.Run, child syncline.Run, c syncline.Counts) error {
	siblings, err := tx.Tasks(p.ID)
	if err != nil {
		return err
	}
	over := p.State.Final()
	if !over {
		p.Facts.Rejects = childRejects(siblings)
	}
	if err := appendMessages(tx, p, childMessage(child, howEnded(child, c))); err != nil || over {
		return err
	}
	if liveChildren(siblings) > 0 || !finishAsked(*p) {
		return setToWork(tx, p.ID)
	}
	_, err = l.endFinished(tx, *p)
	return err
}

func childMessage(r syncline.Run, text string) []syncline.Message {
	return []syncline.Message{{Severity: syncline.Info, Task: r.Parent.Name(), Text: text}}
}

func howEnded(r syncline.Run, c syncline.Counts) string {
	text := fmt.Sprintf("run %s, the load of %s, has ended: %s, %d rows read", r.ID, r.Parent.Name(), r.State, c.Read)
	if c.Rejected > 0 {
		text += fmt.Sprintf(", %d rejected", c.Rejected)
	}
	if r.Error != nil {
		text += ": " + r.Error.Message
	}
	return text
}

// follow brings the task that stands for a child in line with it. The counts are true even
// when the parent has ended before; its own end stays as it was.
func follow(tx syncline.Tx, p *syncline.Run, child syncline.Run, tasks []*syncline.Task) error {
	t, err := tx.Task(p.ID, child.Parent.Name())
	if err != nil {
		return err
	}
	t.Stats = summed(tasks)
	if err := tx.PutStats(p.ID, t.Name, t.Stats); err != nil || p.State.Final() {
		return err
	}
	t.State, t.Error, t.Tries = childState(child), childError(child), len(child.Attempts)
	if len(tasks) > 0 {
		t.Where = tasks[0].Where
	}
	if err := stamp(tx, t); err != nil {
		return err
	}
	if !t.State.Final() {
		t.EndedAt = time.Time{}
	}
	return tx.PutTask(t)
}

// summed is what a child's tasks say together.
func summed(tasks []*syncline.Task) syncline.Stats {
	s := syncline.Stats{Counts: syncline.Totals(tasks), Expected: -1}
	for i, t := range tasks {
		switch {
		case i == 0:
			s.Expected, s.TotalFrom, s.Path = t.Stats.Expected, t.Stats.TotalFrom, t.Stats.Path
		case t.Stats.Expected < 0 || s.Expected < 0:
			s.Expected = -1
		default:
			s.Expected += t.Stats.Expected
		}
		if t.Stats.At.After(s.At) {
			s.At = t.Stats.At
		}
	}
	return s
}

// childState is how a child looks as a task. One that succeeded in part has failed: its
// parent must not look as if all had been loaded.
func childState(r syncline.Run) syncline.TaskState {
	switch r.State {
	case syncline.StatePending:
		return syncline.TaskPending
	case syncline.StateSucceeded:
		if r.Facts.FailedTasks == 0 {
			return syncline.TaskSucceeded
		}
	case syncline.StateCanceled, syncline.StateSkipped:
		return syncline.TaskCanceled
	case syncline.StateRunning, syncline.StateSuspended:
		return syncline.TaskRunning
	}
	return syncline.TaskFailed
}

func childError(r syncline.Run) *syncline.Error {
	if r.State == syncline.StateCanceled {
		return syncline.Errorf(syncline.Canceled, "run %s, the load of %s, was canceled: %s", r.ID, r.Parent.Name(), cmp.Or(r.Facts.CancelReason, "somebody asked"))
	}
	return r.Error
}

// begun tells the parents of claimed children. Several are locked in the order of their
// ids, as everybody does who claims.
func begun(tx syncline.Tx, grants []syncline.Grant) error {
	children := slices.DeleteFunc(slices.Clone(grants), func(g syncline.Grant) bool { return g.Run.Parent == nil || g.Run.Parent.Task == "" })
	slices.SortStableFunc(children, func(a, b syncline.Grant) int { return strings.Compare(a.Run.Parent.Run, b.Run.Parent.Run) })
	for _, g := range children {
		p, err := tx.Run(g.Run.Parent.Run)
		if syncline.CodeOf(err) == syncline.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		if err := follow(tx, p, g.Run, g.Tasks); err != nil {
			return err
		}
		if len(g.Run.Attempts) > 1 {
			continue
		}
		text := fmt.Sprintf("run %s, the load of %s, has begun", g.Run.ID, g.Run.Parent.Name())
		if err := appendMessages(tx, p, childMessage(g.Run, text)); err != nil {
			return err
		}
	}
	return nil
}

// setToWork lets children of a run go to work: as many as may be beside each other, and of one
// task one at a time, in the order in which they were made.
func setToWork(tx syncline.Tx, parent string) error {
	live, err := tx.Runs(syncline.RunFilter{ParentRun: parent, UnfinishedIn: true, Limit: MaxChildren})
	if err != nil {
		return err
	}
	slices.Reverse(live)
	ids := admissible(live)
	if len(ids) == 0 {
		return nil
	}
	runs, err := tx.RunsInLanes(ids...) // one that somebody has locked is being ended or held
	for _, r := range runs {
		if r.Head || r.State != syncline.StatePending {
			continue
		}
		r.Head = true
		if err := tx.PutRun(r); err != nil {
			return err
		}
	}
	return err
}

// admissible are those of the living children, the oldest first, that may go to work.
func admissible(live []*syncline.Run) (ids []string) {
	busy, working := map[string]bool{}, 0
	for _, r := range live {
		if r.Head {
			busy[r.Parent.Task], working = true, working+1
		}
	}
	for _, r := range live {
		if r.Head || r.State != syncline.StatePending {
			continue
		}
		if room := r.Parent.Beside == 0 || working < r.Parent.Beside; room && !busy[r.Parent.Task] {
			ids, working = append(ids, r.ID), working+1
		}
		busy[r.Parent.Task] = true
	}
	return ids
}

// reap cancels children that nobody waits for any more.
func (l *Ledger) reap(ctx context.Context) (n int, err error) {
	var ids []string
	err = l.view(ctx, func(tx syncline.Tx) error {
		ids, err = tx.Orphans(scanBatch)
		return err
	})
	for _, id := range ids {
		_, err := l.ask(ctx, id, evRequestCancel, nil, "the run that it was a part of has ended")
		switch syncline.CodeOf(err) {
		case syncline.NotFound, syncline.FailedPrecondition:
			continue
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, err
}
