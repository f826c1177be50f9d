package catalog

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/schedule"
)

// scheduleID derives an id from what the schedule says, so that it stays the same when
// others are added before it.
func scheduleID(s syncline.Schedule) string {
	said := fmt.Sprintf("%s|%d|%s|%s|%s|%s|%s", s.Mode, s.Every, s.Cron, s.Grammar, s.Zone, stamp(s.Start), stamp(s.End))
	kind := "cron"
	if s.Every != 0 {
		kind = "every"
	}
	return fmt.Sprintf("%s-%x", kind, sha256.Sum256([]byte(said)))[:len(kind)+9]
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// anchor gives what counts from an anchor its own: the one it had, or now when it is new or
// its timing has changed.
func anchor(schedules, before []syncline.Schedule, now time.Time) {
	for i := range schedules {
		s := &schedules[i]
		if !s.Anchor.IsZero() || !schedule.Counted(*s) {
			continue
		}
		was, ok := scheduleByID(before, s.ID)
		if s.Anchor = was.Anchor; !ok || timing(was) != timing(*s) {
			s.Anchor = now
		}
	}
}

func scheduleByID(schedules []syncline.Schedule, id string) (syncline.Schedule, bool) {
	for _, s := range schedules {
		if s.ID == id {
			return s, true
		}
	}
	return syncline.Schedule{}, false
}

// due makes the rows of schedules. One that says the same as before keeps its next slot,
// so that a change elsewhere neither skips a slot that is due nor repeats one.
func due(tx syncline.Tx, p *syncline.Pipeline, now time.Time) error {
	before, err := tx.Schedules(p.ID)
	if err != nil {
		return err
	}
	var rows []syncline.ScheduleRow
	for _, s := range p.Definition.Schedules {
		row := syncline.ScheduleRow{PipelineID: p.ID, Schedule: s, Enabled: !s.Off}
		if row.NextSlot, err = schedule.Next(s, now); err != nil {
			return err
		}
		for _, was := range before {
			if was.Schedule.ID == s.ID && was.Enabled && row.Enabled && timing(was.Schedule) == timing(s) {
				row.NextSlot = was.NextSlot
			}
		}
		rows = append(rows, row)
	}
	return tx.PutSchedules(p.ID, rows)
}

// timing is all that a schedule's slots depend on.
func timing(s syncline.Schedule) string {
	return strings.Join([]string{s.Every.String(), stamp(s.Anchor), s.Cron, s.Grammar, s.Zone, stamp(s.Start), stamp(s.End)}, "|")
}
