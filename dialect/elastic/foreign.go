package elastic

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/schedule"
)

// drawForeign draws a pipeline that was made elsewhere as a connector that is not an
// outside worker's.
func (a *API) drawForeign(p *syncline.Pipeline) map[string]any {
	doc := newDocument(jobTime(p.CreatedAt))
	s := foreignSummary(p)
	doc["name"], doc["is_native"], doc["status"], doc["service_type"] = s.Name, true, configured, s.Service
	if s.Index != "" {
		doc["index_name"] = s.Index
	}
	scheduling := doc["scheduling"].(map[string]any)
	for _, s := range p.Definition.Schedules {
		scheduling[jobType(s.Mode)] = drawSchedule(s, !s.Off && p.PausedAt.IsZero())
	}
	return doc
}

// foreignSummary is what a list asks of a pipeline that was made elsewhere: read by the
// kind of its source, written to what its destination shows.
func foreignSummary(p *syncline.Pipeline) summary {
	from, to := p.Definition.Source, p.Definition.Destination
	return summary{ID: catalog.NameIn(p), Name: p.Name, Service: cmp.Or(from.Kind, from.Shown), Index: to.Shown}
}

// recent completes a foreign connector with what its newest run says.
func (c *call) recent(k *connector) error {
	if !foreign(k.p) {
		return nil
	}
	newest, err := c.api.o.Ledger.Runs(c.ctx(), syncline.RunFilter{PipelineID: k.p.ID, Limit: 1})
	if err != nil || len(newest) == 0 {
		return err
	}
	drawRecent(k.doc, newest[0], k.p)
	return nil
}

func drawRecent(doc map[string]any, d ledger.Detail, p *syncline.Pipeline) {
	job := drawJob(d, p)
	doc["last_seen"], doc["last_sync_status"] = job["last_seen"], job["status"]
	doc["last_indexed_document_count"], doc["last_deleted_document_count"] = job["indexed_document_count"], job["deleted_document_count"]
	doc["status"] = "connected"
	if text, failed := job["error"]; failed && job["status"] == "error" {
		doc["status"], doc["error"], doc["last_sync_error"] = "error", text, text
	}
	if r := &d.Run; !r.EndedAt.IsZero() {
		doc["last_synced"] = jobTime(r.EndedAt)
	}
	if r := &d.Run; r.Origin == syncline.OriginSchedule {
		doc["last_sync_scheduled_at"] = jobTime(r.Due)
	}
}

func drawSchedule(s syncline.Schedule, on bool) map[string]any {
	return map[string]any{"enabled": on, "interval": quartz(s)}
}

// never is what the interval of a schedule reads that Quartz's grammar cannot say: a form
// wants one that can be read.
const never = "0 0 0 * * ?"

// quartz is a schedule in Quartz's grammar.
func quartz(s syncline.Schedule) string {
	said := s.Cron
	switch {
	case s.Every > 0:
		said = quartzEvery(s.Every)
	case s.Grammar == "":
		said = quartzUnix(s.Cron)
	}
	if checkCron(said) != nil {
		return never
	}
	return said
}

func checkCron(text string) error {
	if strings.TrimSpace(text) == "" {
		return syncline.Errorf(syncline.InvalidArgument, "it is empty").Try("for example %s", never)
	}
	return schedule.Check(syncline.Schedule{Cron: text, Grammar: "quartz"})
}

func quartzEvery(d time.Duration) string {
	switch m, h := int(d/time.Minute), int(d/time.Hour); {
	case d < time.Hour && d%time.Minute == 0 && m > 0 && 60%m == 0:
		return fmt.Sprintf("0 0/%d * * * ?", m)
	case d < 24*time.Hour && d%time.Hour == 0 && h > 0 && 24%h == 0:
		return fmt.Sprintf("0 0 0/%d * * ?", h)
	}
	return never
}

var quartzMacros = map[string]string{
	"@hourly": "0 0 * * * ?", "@daily": never, "@midnight": never, "@weekly": "0 0 0 ? * SUN",
	"@monthly": "0 0 0 1 * ?", "@yearly": "0 0 0 1 1 ?", "@annually": "0 0 0 1 1 ?",
}

// quartzUnix rewrites five fields. Quartz does not know days that fit one of two fields,
// and counts days of the week from another day.
func quartzUnix(text string) string {
	if macro, ok := quartzMacros[strings.ToLower(text)]; ok {
		return macro
	}
	f := strings.Fields(text)
	if len(f) != 5 {
		return never
	}
	day, weekday := f[2], f[4]
	switch {
	case weekday == "*":
		weekday = "?"
	case day == "*":
		day, weekday = "?", quartzWeekdays(weekday)
	default:
		return never
	}
	return strings.Join([]string{"0", f[0], f[1], day, f[3], weekday}, " ")
}

var weekdays = strings.NewReplacer("0", "SUN", "1", "MON", "2", "TUE", "3", "WED", "4", "THU", "5", "FRI", "6", "SAT", "7", "SUN")

func quartzWeekdays(field string) string {
	items := strings.Split(field, ",")
	for i, item := range items {
		days, step, stepped := strings.Cut(item, "/")
		items[i] = weekdays.Replace(days)
		if stepped {
			items[i] += "/" + step
		}
	}
	return strings.Join(items, ",")
}
