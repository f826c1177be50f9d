package ledger

import (
	"context"
	"slices"

	"github.com/synclinehq/syncline"
)

// FinishOutside hears that the outside source of a running run is done with it: nothing
// more is accepted of it. Without children that live the run ends now: it has succeeded,
// or failed with the error of the first child that has. Else it ends as the last of them
// does, and nobody's silence ends it before. A second time it is FailedPrecondition.
func (l *Ledger) FinishOutside(ctx context.Context, id string, o Outside) (out syncline.Run, err error) {
	err = l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.RunInLane(id)
		if err != nil {
			return err
		}
		out, err = l.finishOutside(tx, r, o)
		return err
	})
	return out, err
}

func (l *Ledger) finishOutside(tx syncline.Tx, r *syncline.Run, o Outside) (syncline.Run, error) {
	before, m := *r, move{event: evFinish}
	next, err := told(tx, r, o, &m)
	if err != nil {
		return before, err
	}
	if _, err := count(tx, &next, o.Counts); err != nil {
		return before, err
	}
	if err := l.put(tx, before, &next, m); err != nil {
		return before, err
	}
	tasks, err := tx.Tasks(r.ID)
	if err != nil {
		return before, err
	}
	if liveChildren(tasks) == 0 {
		return l.endFinished(tx, next)
	}
	return next, tx.DeleteLease(r.ID, "") // nobody's silence counts any more
}

// told is a run after what its outside source says, which is a sign of life; m says what
// that is.
func told(tx syncline.Tx, r *syncline.Run, o Outside, m *move) (next syncline.Run, err error) {
	if m.now, err = tx.Now(); err != nil {
		return *r, err
	}
	m.issue = m.now.UnixMicro()
	if next, err = transition(*r, *m); err != nil {
		return next, err
	}
	if err := heard(tx, r, o, m.now); err != nil {
		return next, err
	}
	return next, edit(&next, o, m.now)
}

// endFinished ends a run whose source is done and whose children have ended, by what they
// came to.
func (l *Ledger) endFinished(tx syncline.Tx, r syncline.Run) (syncline.Run, error) {
	before := r
	now, err := tx.Now()
	if err != nil {
		return before, err
	}
	if err := outsideTasks(tx, &r, syncline.TaskSucceeded, nil, nil); err != nil {
		return before, err
	}
	m := move{now: now, issue: now.UnixMicro(), token: r.Token, last: true}
	had, err := l.tally(tx, &r, &m)
	if err != nil {
		return before, err
	}
	m.event, r.Facts.FailedTasks, m.err = outcome(syncline.OutcomeAll, had.Tasks)
	if m.event != evDone && canceling(r) {
		m.event = evAckCancel
	}
	next, err := transition(r, m)
	if err != nil {
		return before, err
	}
	return next, l.put(tx, before, &next, m)
}

// LogOutside appends to the log of a run what its outside source says, which is a sign of
// life if it says anything. It is FailedPrecondition when the run has ended or its source
// has said that it is done.
func (l *Ledger) LogOutside(ctx context.Context, id string, o Outside, ms []syncline.Message) error {
	return l.update(ctx, func(tx syncline.Tx) error {
		r, err := tx.Run(id)
		if err != nil {
			return err
		}
		if r.State.Final() {
			_, err := refuse(*r, move{event: evNote})
			return err
		}
		now, err := tx.Now()
		if err != nil {
			return err
		}
		next, err := transition(*r, move{event: evNote, now: now})
		if err != nil || len(ms) == 0 {
			return err
		}
		if err := heard(tx, r, o, now); err != nil {
			return err
		}
		if err := edit(&next, o, now); err != nil {
			return err
		}
		return appendMessages(tx, &next, slices.Clone(ms))
	})
}

// DeclineOutside fails a run that its outside source does not take: one that waits, or was
// laid down. It is FailedPrecondition when somebody holds it or it has ended.
func (l *Ledger) DeclineOutside(ctx context.Context, id string, o Outside, e *syncline.Error) (syncline.Run, error) {
	return l.change(ctx, id, evDecline, func(_ syncline.Tx, r *syncline.Run, m *move) error {
		m.err = e
		return edit(r, o, m.now)
	})
}
