package sqlstore

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/synclinehq/syncline"
)

const schedules = `select pipeline_id, enabled, next_slot, doc from {schedules}`

func scheduleFrom(scan Scan) (syncline.ScheduleRow, error) {
	var r syncline.ScheduleRow
	var next *int64
	var doc []byte
	if err := scan(&r.PipelineID, &r.Enabled, &next, &doc); err != nil {
		return r, err
	}
	if next != nil {
		r.NextSlot = fromMicros(*next)
	}
	if err := json.Unmarshal(doc, &r.Schedule); err != nil {
		return r, fmt.Errorf("read a schedule's document: %w", err)
	}
	return r, nil
}

// PutSchedules replaces all schedules of a pipeline.
func (t *Tx) PutSchedules(pipelineID string, rows []syncline.ScheduleRow) error {
	if _, err := t.s.Exec(`delete from {schedules} where pipeline_id = $1`, pipelineID); err != nil {
		return wrapf(err, "replace the schedules of pipeline %s", pipelineID)
	}
	args := make([][]any, len(rows))
	for i, r := range rows {
		d, err := doc(r.Schedule)
		if err != nil {
			return err
		}
		args[i] = []any{pipelineID, r.Schedule.ID, i, r.Enabled, orNull(r.NextSlot), d}
	}
	n, err := t.s.Each(`insert into {schedules} (pipeline_id, schedule_id, ordinal, enabled, next_slot, doc)
		values ($1, $2, $3, $4, $5, $6) on conflict do nothing`, args)
	if err == nil && n < int64(len(rows)) {
		return syncline.Errorf(syncline.AlreadyExists, "two schedules of pipeline %q have the same id", pipelineID)
	}
	return wrapf(err, "replace the schedules of pipeline %s", pipelineID)
}

// Schedules lists a pipeline's schedules in the order they were put.
func (t *Tx) Schedules(pipelineID string) ([]syncline.ScheduleRow, error) {
	rows, err := list(t, scheduleFrom, schedules+` where pipeline_id = $1 order by ordinal`, pipelineID)
	return rows, wrapf(err, "list the schedules of pipeline %s", pipelineID)
}

// DueSchedules selects and locks those that are due, the longest due first.
func (t *Tx) DueSchedules(now time.Time, limit int) ([]syncline.ScheduleRow, error) {
	rows, err := list(t, scheduleFrom, schedules+` where enabled and next_slot is not null and next_slot <= $1
		order by next_slot limit $2{skip}`, micros(now), most(limit))
	return rows, wrapf(err, "select due schedules")
}

const (
	setNextSlot = `update {schedules} set next_slot = $1 where pipeline_id = $2 and schedule_id = $3`
	insertSlot  = `insert into {slots} (pipeline_id, schedule_id, slot_at, run_id) values ($1, $2, $3, $4) on conflict do nothing`
)

// SetNextSlot moves one schedule on.
func (t *Tx) SetNextSlot(pipelineID, scheduleID string, next time.Time) error {
	n, err := t.s.Sure(setNextSlot, orNull(next), pipelineID, scheduleID)
	if err == nil && n == 0 {
		return syncline.Errorf(syncline.NotFound, "pipeline %q has no schedule %q", pipelineID, scheduleID)
	}
	return wrapf(err, "move schedule %s of pipeline %s", scheduleID, pipelineID)
}

// NearestSlot is when the next of all schedules is due.
func (t *Tx) NearestSlot() (time.Time, error) {
	var us int64
	_, err := t.one(`select next_slot from {schedules} where enabled and next_slot is not null order by next_slot limit 1`, nil, &us)
	return fromMicros(us), wrapf(err, "read the nearest slot")
}

// InsertSlot records a slot, unless it is there already.
func (t *Tx) InsertSlot(s syncline.Slot) (bool, error) {
	n, err := t.s.Sure(insertSlot, s.PipelineID, s.ScheduleID, micros(s.At), s.RunID)
	return n > 0, wrapf(err, "store a slot of pipeline %s", s.PipelineID)
}

// SlotsBetween lists a pipeline's slots, the newest first.
func (t *Tx) SlotsBetween(pipelineID string, from, to time.Time, limit int) ([]syncline.Slot, error) {
	slots, err := list(t, func(scan Scan) (syncline.Slot, error) {
		var s syncline.Slot
		var at int64
		err := scan(&s.PipelineID, &s.ScheduleID, &at, &s.RunID)
		s.At = fromMicros(at)
		return s, err
	}, `select pipeline_id, schedule_id, slot_at, run_id from {slots} where pipeline_id = $1 and slot_at >= $2 and slot_at <= $3
		order by slot_at desc, schedule_id limit $4`, pipelineID, micros(from), micros(to), most(limit))
	return slots, wrapf(err, "list the slots of pipeline %s", pipelineID)
}
