package elastic

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
)

// Projection keeps at a connector what Elastic's own service writes there of its jobs: what
// became of the last one. Of Syncline's own runs it writes all of it. The service of an
// outside worker writes that itself, so of such jobs it writes only what no service will:
// the end of one that Syncline took from its worker, and one that a call of the API ended
// while the connector still says that it runs.
var Projection = ledger.Projection{Dialect: Name, Project: project}

func project(p *syncline.Pipeline, before, after syncline.Run, tasks []*syncline.Task) {
	if p.Ext[Name] == nil || after.State == syncline.StateSkipped {
		return
	}
	l, err := lastSyncOf(p, after.Mode)
	if err != nil {
		return // a document that nobody can read is not made worse
	}
	l.write(before, after, tasks)
	l.keep(p)
}

// lastSync is a connector's document where a kind of job leaves its traces.
type lastSync struct {
	doc    map[string]any
	fields syncFields
}

// syncFields are the names of what a kind of job writes.
type syncFields struct{ status, failure, scheduled string }

var contentFields = syncFields{"last_sync_status", "last_sync_error", "last_sync_scheduled_at"}

var fieldsByMode = map[syncline.Mode]syncFields{
	syncline.ModeIncremental:   {"last_sync_status", "last_sync_error", "last_incremental_sync_scheduled_at"},
	syncline.ModeAccessControl: {"last_access_control_sync_status", "last_access_control_sync_error", "last_access_control_sync_scheduled_at"},
}

func lastSyncOf(p *syncline.Pipeline, m syncline.Mode) (*lastSync, error) {
	l := &lastSync{fields: contentFields}
	if f, ok := fieldsByMode[m]; ok {
		l.fields = f
	}
	return l, exactly(p.Ext[Name], &l.doc)
}

func (l *lastSync) keep(p *syncline.Pipeline) {
	if raw, err := json.Marshal(l.doc); err == nil && !bytes.Equal(raw, p.Ext[Name]) {
		p.Ext[Name] = raw
	}
}

func (l *lastSync) write(before, after syncline.Run, tasks []*syncline.Task) {
	ours := after.Owner == syncline.OwnerEngine
	switch {
	case ours && before.ID == "":
		l.made(after)
	case ours && after.State == syncline.StateRunning && before.State != syncline.StateRunning:
		l.begun()
	case ours && after.State == syncline.StateSuspended && jobWord(&after) == "suspended":
		l.set(l.fields.status, "suspended")
	case after.State.Final() && !before.State.Final() && (ours || taken(before, after) || l.stuck() && apiEnded(before, after)):
		l.ended(after, tasks)
	}
}

// made notes the slot of a run that its schedule started.
func (l *lastSync) made(r syncline.Run) {
	if r.Origin == syncline.OriginSchedule {
		at := r.DataTime
		if at.IsZero() {
			at = r.Due
		}
		l.set(l.fields.scheduled, jobTime(at))
	}
}

func (l *lastSync) begun() {
	l.set("status", "connected")
	l.unset("error", l.fields.failure)
	l.set(l.fields.status, "in_progress")
}

// ended writes what Elastic's service does at the end of a job.
func (l *lastSync) ended(r syncline.Run, tasks []*syncline.Task) {
	word, text := jobWord(&r), jobError(&r)
	l.set(l.fields.status, word)
	l.unset("error", l.fields.failure)
	l.set("status", "connected")
	if word == inError {
		text = cmp.Or(text, "unknown error")
		l.set("status", inError)
		l.set("error", text)
	}
	if text != "" {
		l.set(l.fields.failure, text)
	}
	if r.Mode == syncline.ModeAccessControl {
		return
	}
	n := syncline.Totals(tasks)
	l.set("last_synced", jobTime(r.EndedAt))
	l.set("last_indexed_document_count", jobIndexed(n))
	l.set("last_deleted_document_count", jobDeleted(n))
}

func (l *lastSync) set(name string, v any) { l.doc[name] = v }

// unset leaves a field out: some clients read null as a text.
func (l *lastSync) unset(names ...string) {
	for _, name := range names {
		delete(l.doc, name)
	}
}

// stuck reports whether the connector says that a job runs, or waits to go on.
func (l *lastSync) stuck() bool {
	status, _ := l.doc[l.fields.status].(string)
	return slices.Contains([]string{"in_progress", "canceling", "suspended"}, status)
}

// taken reports whether a run ended over the head of its worker: that raises its token.
func taken(before, after syncline.Run) bool {
	return before.State == syncline.StateRunning && after.Token > before.Token
}

// apiEnded reports whether a call of the API ended a run that had begun.
func apiEnded(before, after syncline.Run) bool {
	f, err := jobFileOf(&after)
	return before.State == syncline.StateSuspended || err == nil && f.Unended
}
