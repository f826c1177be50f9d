package datatransfer

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/synclinehq/syncline"
	pb "github.com/synclinehq/syncline/dialect/datatransfer/datatransferpb"
	"github.com/synclinehq/syncline/schedule"
)

const (
	grammar         = "appengine"
	defaultSchedule = "every 24 hours"
	shortest        = 15 * time.Minute
	day             = 24 * time.Hour
)

// timing is when a config runs by itself: the two families of members say the same.
type timing struct {
	text       string // "": the data source's default
	start, end time.Time
	manual     bool          // never
	least      time.Duration // between two runs
	usual      string        // what no text means; "": no runs
}

// timingOf reads both families, of which a config may use one.
func timingOf(c *pb.TransferConfig, s *pb.DataSource) (t timing, err error) {
	t.least, t.usual = leastOf(s), s.GetDefaultSchedule()
	v2 := c.GetScheduleOptionsV2()
	if v2.GetSchedule() != nil && (c.GetSchedule() != "" || c.GetScheduleOptions() != nil) {
		return t, syncline.Invalid("transfer_config.schedule_options_v2", "schedule_options_v2 cannot be given together with schedule or schedule_options")
	}
	if v2.GetEventDrivenSchedule() != nil {
		return t, syncline.Invalid("transfer_config.schedule_options_v2.event_driven_schedule", "data source %s has no events to run on", c.GetDataSourceId()).Try("give it a schedule")
	}
	start, end := c.GetScheduleOptions().GetStartTime(), c.GetScheduleOptions().GetEndTime()
	t.text, t.manual = c.GetSchedule(), c.GetScheduleOptions().GetDisableAutoScheduling() || v2.GetManualSchedule() != nil
	if based := v2.GetTimeBasedSchedule(); based != nil {
		t.text, start, end = based.GetSchedule(), based.GetStartTime(), based.GetEndTime()
	}
	if t.start, err = moment("start_time", start); err != nil {
		return t, err
	}
	if t.end, err = moment("end_time", end); err != nil {
		return t, err
	}
	if !t.start.IsZero() && !t.end.IsZero() && !t.start.Before(t.end) {
		return t, syncline.Invalid("transfer_config.schedule_options.end_time", "the end, %s, is not after the start, %s", t.end.Format(time.RFC3339), t.start.Format(time.RFC3339))
	}
	return t, nil
}

// leastOf is the shortest time between two runs of a source.
func leastOf(s *pb.DataSource) time.Duration {
	if least := s.GetMinimumScheduleInterval(); least != nil {
		return least.AsDuration()
	}
	return shortest
}

// moment is a given time; zero when there is none.
func moment(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, syncline.Invalid(field, "%s is no time: %s", field, err.Error())
	}
	return t.AsTime(), nil
}

// schedules are those of the pipeline. now is what a plain interval counts from.
func (t timing) schedules(now time.Time) ([]syncline.Schedule, error) {
	if t.manual || t.text == "" && t.usual == "" {
		return nil, nil
	}
	s := t.schedule(now)
	if err := schedule.Check(s); err != nil {
		return nil, under("transfer_config.schedule", err)
	}
	gap, err := schedule.Shortest(s)
	if err == nil && gap < t.least {
		err = syncline.Invalid("transfer_config.schedule", "the schedule %q runs every %s; the least is every %s", t.text, gap, t.least)
	}
	return []syncline.Schedule{s}, err
}

// schedule is the one that slots are counted by. The API's end is the first moment without
// a slot, ours the last with one.
func (t timing) schedule(now time.Time) syncline.Schedule {
	s := syncline.Schedule{ID: "schedule", Cron: t.text, Grammar: grammar, Anchor: now, Start: t.start, End: t.end}
	if s.Cron == "" {
		s.Cron = t.usual
	}
	if !s.End.IsZero() {
		s.End = s.End.Add(-time.Nanosecond)
	}
	return s
}

// bothSchedules adds to a config the other family of members: clients that know only one
// write back what they read.
func bothSchedules(c *pb.TransferConfig) {
	if v2 := c.GetScheduleOptionsV2(); v2 != nil {
		if based := v2.GetTimeBasedSchedule(); based != nil {
			c.Schedule = based.GetSchedule()
			c.ScheduleOptions = options(based.GetStartTime(), based.GetEndTime(), false)
		} else if v2.GetManualSchedule() != nil {
			c.ScheduleOptions = options(nil, nil, true)
		}
		return
	}
	c.ScheduleOptionsV2 = &pb.ScheduleOptionsV2{}
	if c.GetScheduleOptions().GetDisableAutoScheduling() {
		c.ScheduleOptionsV2.Schedule = &pb.ScheduleOptionsV2_ManualSchedule{ManualSchedule: &pb.ManualSchedule{}}
		return
	}
	c.ScheduleOptionsV2.Schedule = &pb.ScheduleOptionsV2_TimeBasedSchedule{TimeBasedSchedule: &pb.TimeBasedSchedule{
		Schedule: c.GetSchedule(), StartTime: c.GetScheduleOptions().GetStartTime(), EndTime: c.GetScheduleOptions().GetEndTime(),
	}}
}

func options(start, end *timestamppb.Timestamp, manual bool) *pb.ScheduleOptions {
	if start == nil && end == nil && !manual {
		return nil
	}
	return &pb.ScheduleOptions{StartTime: start, EndTime: end, DisableAutoScheduling: manual}
}
