package storetest

import (
	"time"

	"github.com/synclinehq/syncline"
)

var scheduleChecks = []check{
	{"a schedule keeps every field", scheduleFields},
	{"schedules fall due in their order", schedulesDue},
	{"a slot is used once", slots},
}

func (t *T) schedules(id string) []syncline.ScheduleRow {
	t.Helper()
	return get(t, func(tx syncline.Tx) ([]syncline.ScheduleRow, error) { return tx.Schedules(id) })
}

func scheduleFields(t *T) {
	full := *filled[syncline.ScheduleRow](t)
	full.PipelineID = "p"
	bare := syncline.ScheduleRow{PipelineID: "p", Schedule: syncline.Schedule{ID: "a"}}
	t.update(func(tx syncline.Tx) error {
		must(t, tx.PutSchedules("q", []syncline.ScheduleRow{{PipelineID: "q", Schedule: syncline.Schedule{ID: "a"}}}))
		return tx.PutSchedules("p", []syncline.ScheduleRow{full, bare})
	})
	equal(t.T, "in the order they were put", t.schedules("p"), []syncline.ScheduleRow{full, bare})
	twice := []syncline.ScheduleRow{bare, bare}
	refused(t.T, t.Update(t.Context(), func(tx syncline.Tx) error { return tx.PutSchedules("p", twice) }), syncline.AlreadyExists, `"p"`)
	t.update(func(tx syncline.Tx) error { return tx.PutSchedules("p", []syncline.ScheduleRow{bare}) })
	equal(t.T, "replaced", t.schedules("p"), []syncline.ScheduleRow{bare})
	t.update(func(tx syncline.Tx) error { return tx.PutSchedules("p", nil) })
	equal(t.T, "none", len(t.schedules("p")), 0)
	equal(t.T, "the other pipeline's", len(t.schedules("q")), 1)
}

func schedulesDue(t *T) {
	equal(t.T, "nearest of none", get(t, syncline.Tx.NearestSlot), time.Time{})
	row := func(id string, on bool, next time.Time) syncline.ScheduleRow {
		return syncline.ScheduleRow{PipelineID: "p", Schedule: syncline.Schedule{ID: id}, Enabled: on, NextSlot: next}
	}
	t.update(func(tx syncline.Tx) error {
		return tx.PutSchedules("p", []syncline.ScheduleRow{
			row("late", true, at(5)), row("off", false, at(1)), row("never", true, time.Time{}), row("early", true, at(2)), row("future", true, at(9)),
		})
	})
	due := func(now time.Time, limit int) (got []string) {
		t.update(func(tx syncline.Tx) error {
			got = nil
			rows, err := tx.DueSchedules(now, limit)
			for _, r := range rows {
				got = append(got, r.Schedule.ID)
			}
			return err
		})
		return got
	}
	equal(t.T, "due", due(at(5), 10), []string{"early", "late"})
	equal(t.T, "the longest due", due(at(5), 1), []string{"early"})
	equal(t.T, "nearest", get(t, syncline.Tx.NearestSlot), at(2))
	got := t.answers(
		func(tx syncline.Tx) error { return tx.SetNextSlot("p", "absent", day) },
		func(tx syncline.Tx) error { return tx.SetNextSlot("p", "late", time.Time{}) },
		func(tx syncline.Tx) error { return tx.SetNextSlot("p", "early", at(7)) },
	)
	refused(t.T, got[0], syncline.NotFound, "absent")
	must(t, got[1])
	must(t, got[2])
	equal(t.T, "moved on", due(at(5), 10), nil)
	equal(t.T, "nearest then", get(t, syncline.Tx.NearestSlot), at(7))
}

func slots(t *T) {
	put := func(s syncline.Slot) (first bool) {
		t.update(func(tx syncline.Tx) (err error) {
			first, err = tx.InsertSlot(s)
			return err
		})
		return first
	}
	slot := *filled[syncline.Slot](t)
	equal(t.T, "first", put(slot), true)
	again := slot
	again.RunID = "another"
	equal(t.T, "again", put(again), false)
	between := func(p string, from, to time.Time, limit int) []syncline.Slot {
		return get(t, func(tx syncline.Tx) ([]syncline.Slot, error) { return tx.SlotsBetween(p, from, to, limit) })
	}
	equal(t.T, "kept", between(slot.PipelineID, slot.At, slot.At, 10), []syncline.Slot{slot})
	var want []syncline.Slot
	for i := 5; i >= 1; i-- {
		s := syncline.Slot{PipelineID: "p", ScheduleID: "s", At: at(i), RunID: "r"}
		put(s)
		want = append(want, s)
	}
	equal(t.T, "both ends count", between("p", at(2), at(4), 10), want[1:4])
	equal(t.T, "the newest", between("p", at(1), at(5), 2), want[:2])
}
