package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/synclinehq/syncline"
)

// Next says when a schedule is due next after a time; zero: never again. It is package
// schedule's, handed in so that the ledger need not know grammars.
type Next func(s syncline.Schedule, after time.Time) (time.Time, error)

const (
	tickSchedules = 50  // schedules moved on in one transaction
	tickSlots     = 200 // missed slots of one schedule recorded in one transaction
)

// onTime is how late a slot may be taken and still count as met: a poll, a busy server.
const onTime = time.Minute

// Tick turns due slots into runs: one transaction inserts the slots, their runs, and the
// next due times, so any number of servers may tick and each slot becomes one run. A slot
// that does not run (pause, overlap, missed) becomes a skipped run with its reason.
// It returns how many slots it used.
func (l *Ledger) Tick(ctx context.Context, next Next) (n int, err error) {
	now, err := l.store.Now(ctx)
	if err != nil {
		return 0, err
	}
	due, err := l.NearestSlot(ctx)
	if err != nil || due.IsZero() || due.After(now) {
		return 0, err
	}
	err = l.update(ctx, func(tx syncline.Tx) error {
		n = 0
		now, err := tx.Now()
		if err != nil {
			return err
		}
		rows, err := tx.DueSchedules(now, tickSchedules)
		if err != nil {
			return err
		}
		for _, row := range rows {
			used, err := l.fire(tx, row, next, now)
			if err != nil {
				return fmt.Errorf("schedule %s of pipeline %s: %w", row.Schedule.ID, row.PipelineID, err)
			}
			n += used
		}
		return nil
	})
	return n, err
}

// NearestSlot is when the next schedule of any pipeline is due; zero: never.
func (l *Ledger) NearestSlot(ctx context.Context) (at time.Time, err error) {
	err = l.view(ctx, func(tx syncline.Tx) error {
		at, err = tx.NearestSlot()
		return err
	})
	return at, err
}

// fire uses all slots of one schedule that are due, and moves it on.
func (l *Ledger) fire(tx syncline.Tx, row syncline.ScheduleRow, next Next, now time.Time) (int, error) {
	if err := lockLanes(tx, row.PipelineID, row.Schedule.Mode); err != nil {
		return 0, err
	}
	p, err := tx.Pipeline(row.PipelineID)
	if err != nil {
		return 0, err
	}
	slots, following, err := dueSlots(row, next, now)
	if err != nil {
		return 0, err
	}
	for i, slot := range slots {
		newest := i == len(slots)-1 && following.After(now) || following.IsZero() && i == len(slots)-1
		if err := l.slot(tx, p, row.Schedule, slot, missed(row.Schedule, slot, newest, now)); err != nil {
			return i, err
		}
	}
	return len(slots), tx.SetNextSlot(row.PipelineID, row.Schedule.ID, following)
}

// dueSlots lists the slots up to now, at most tickSlots, and the one that follows them.
func dueSlots(row syncline.ScheduleRow, next Next, now time.Time) (slots []time.Time, following time.Time, err error) {
	following = row.NextSlot
	for !following.IsZero() && !following.After(now) && len(slots) < tickSlots {
		slots = append(slots, following)
		if following, err = next(row.Schedule, following); err != nil {
			return nil, following, err
		}
	}
	return slots, following, nil
}

// missed says why a slot is not run because of its age; "" means it runs.
func missed(s syncline.Schedule, slot time.Time, newest bool, now time.Time) string {
	switch late := now.Sub(slot); {
	case newest && (late <= onTime || s.Misfire != syncline.MisfireNone):
		return ""
	case newest:
		return fmt.Sprintf("missed: no server ran when it was due, %s ago, and misfire is none", late.Round(time.Second))
	}
	return "missed: no server ran when it was due, and a later slot stands for it"
}

// slot makes one run of one slot, unless another server did.
func (l *Ledger) slot(tx syncline.Tx, p *syncline.Pipeline, s syncline.Schedule, at time.Time, why string) error {
	r := l.draft(p, Order{Origin: syncline.OriginSchedule, TriggerRef: s.ID, Mode: s.Mode, Due: at, DataTime: at})
	fresh, err := tx.InsertSlot(syncline.Slot{PipelineID: p.ID, ScheduleID: s.ID, At: at, RunID: r.ID})
	if err != nil || !fresh {
		return err
	}
	head, err := tx.LaneHead(r.Lane)
	if err != nil {
		return err
	}
	r.Why, err = l.skips(tx, p, head, why)
	switch {
	case err != nil:
		return err
	case r.Why != "":
		r.State = syncline.StateSkipped
		return l.insert(tx, &r, string(evSkip))
	}
	now, err := tx.Now()
	if err == nil {
		err = enter(tx, &r, now)
	}
	if err != nil {
		return err
	}
	return l.insert(tx, &r, "created")
}

// skips says why a slot does not run; "" means it does. An overlap leaves its mark on the
// run that was in the way.
func (l *Ledger) skips(tx syncline.Tx, p *syncline.Pipeline, head *syncline.Run, why string) (string, error) {
	switch {
	case why != "":
		return why, nil
	case !p.PausedAt.IsZero():
		return "paused since " + p.PausedAt.UTC().Format(time.RFC3339), nil
	case head == nil || p.Definition.Overlap == syncline.OverlapQueue:
		return "", nil
	}
	why = fmt.Sprintf("overlap: run %s was still %s", head.ID, head.State)
	if head.Facts.Overrun {
		return why, nil
	}
	before := *head
	head.Facts.Overrun = true
	now, err := tx.Now()
	if err != nil {
		return "", err
	}
	head.StateAt, head.UpdatedAt = now, now
	if err := tx.PutRun(head); err != nil {
		return "", err
	}
	return why, l.project(tx, before, *head)
}
