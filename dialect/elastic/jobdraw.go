package elastic

import (
	"cmp"
	"math"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/ledger"
)

// jobStatus is the one word for each aspect of a run.
// https://github.com/elastic/elasticsearch/blob/main/x-pack/plugin/ent-search/src/main/java/org/elasticsearch/xpack/application/connector/ConnectorSyncStatus.java
var jobStatus = map[syncline.Aspect]string{
	syncline.AspectPending:   "pending",
	syncline.AspectAgain:     "in_progress",
	syncline.AspectRunning:   "in_progress",
	syncline.AspectCanceling: "canceling",
	syncline.AspectSuspended: "suspended",
	syncline.AspectSucceeded: "completed",
	syncline.AspectRejects:   "completed",
	syncline.AspectPartly:    "error",
	syncline.AspectFailed:    "error",
	syncline.AspectCanceled:  "canceled",
	syncline.AspectSkipped:   "canceled",
}

func jobWord(r *syncline.Run) string { return jobStatus[r.Aspect()] }

// jobAspects are those that a status word shows.
func jobAspects(word string) (all []syncline.Aspect) {
	for _, a := range syncline.Aspects {
		if jobStatus[a] == word {
			all = append(all, a)
		}
	}
	return all
}

// jobTypes are the words for what a job reads, and the modes that each of them shows.
var jobTypes = map[string][]syncline.Mode{
	"full":           {syncline.ModeFull, ""},
	"incremental":    {syncline.ModeIncremental},
	"access_control": {syncline.ModeAccessControl},
}

func jobType(m syncline.Mode) string { return cmp.Or(string(m), string(syncline.ModeFull)) }

// jobTrigger says who asked for a run.
func jobTrigger(o syncline.Origin) string {
	if o == syncline.OriginSchedule {
		return "scheduled"
	}
	return "on_demand"
}

// jobTime writes an instant as Elasticsearch does.
func jobTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// drawJob draws a run of any pipeline as a sync job. Secrets in its configuration are as
// they are stored: showJob makes of them what the caller may read.
func drawJob(d ledger.Detail, p *syncline.Pipeline) map[string]any {
	r := &d.Run
	f, err := jobFileOf(r)
	if err != nil {
		f = jobFile{} // a drawer that nobody can read hides nothing else of the run
	}
	n := syncline.Totals(d.Tasks)
	doc := map[string]any{
		"id": r.ID, "connector": jobConnector(r, f, p), "created_at": jobTime(r.CreatedAt),
		"job_type": jobType(r.Mode), "trigger_method": jobTrigger(r.Origin), "status": jobWord(r),
		"indexed_document_count": jobIndexed(n), "deleted_document_count": jobDeleted(n),
		"indexed_document_volume": jobVolume(f, n), "total_document_count": f.Total,
		"metadata": map[string]any{}, "last_seen": jobSeen(d, f),
	}
	if f.Metadata != nil {
		doc["metadata"] = f.Metadata
	}
	if host := cmp.Or(f.Host, r.Worker); host != "" {
		doc["worker_hostname"] = host
	}
	if text := jobError(r); text != "" {
		doc["error"] = text
	}
	jobTimes(doc, r, f)
	return doc
}

// jobTimes draws when what happened to a job.
func jobTimes(doc map[string]any, r *syncline.Run, f jobFile) {
	set := func(name string, t time.Time) {
		if !t.IsZero() {
			doc[name] = jobTime(t)
		}
	}
	if n := len(r.Attempts); n > 0 {
		set("started_at", r.Attempts[n-1].StartedAt)
	}
	set("cancelation_requested_at", r.Facts.CancelAskedAt)
	if !f.Unended {
		set("completed_at", r.EndedAt)
	}
	if jobWord(r) == "canceled" {
		set("canceled_at", r.EndedAt)
	}
}

// jobSeen is what the client said of itself; of our own runs, what the ledger knows.
func jobSeen(d ledger.Detail, f jobFile) string {
	r := &d.Run
	if f.LastSeen != "" {
		return f.LastSeen
	}
	if r.Owner == syncline.OwnerEngine {
		return jobTime(heardOf(d))
	}
	if n := len(r.Attempts); n > 0 {
		return jobTime(r.Attempts[n-1].StartedAt)
	}
	return jobTime(r.CreatedAt)
}

// heardOf is when the ledger last heard of a run of its own.
func heardOf(d ledger.Detail) time.Time {
	for _, l := range d.Leases {
		if l.Part == "" {
			return l.SeenAt
		}
	}
	return d.Run.UpdatedAt
}

func jobError(r *syncline.Run) string {
	switch {
	case r.State == syncline.StateSkipped:
		return r.Why
	case r.Error == nil || !r.State.Final():
		return ""
	}
	return r.Error.Message
}

// jobVolume is in MiB: as it was given, or from what our own runs moved.
func jobVolume(f jobFile, n syncline.Counts) int64 {
	if f.Volume != nil {
		return *f.Volume
	}
	return n.Bytes >> 20
}

// jobConnector is the connector as it was when the job was made. Of a run that was not made
// over this API it is drawn from the pipeline as it is now.
func jobConnector(r *syncline.Run, f jobFile, p *syncline.Pipeline) map[string]any {
	if doc, err := f.connector(); err == nil && doc["id"] != nil { // it was made over this API
		return doc
	}
	k := &connector{id: catalog.NameIn(p), p: p, doc: map[string]any{}}
	if !foreign(p) {
		if made, err := document(p); err == nil {
			k = made
		}
	} else if s := p.Definition.Source.Kind; s != "" {
		k.doc["service_type"], k.doc["index_name"] = s, p.Definition.Destination.Shown
	}
	return snapshot(k, r.Mode)
}

// snapshotParts are what a job keeps of its connector, beside its id, filtering and index.
var snapshotParts = []string{"language", "pipeline", "service_type", "configuration"}

// snapshot is the part of a connector that a job keeps; what is null or absent is left out.
func snapshot(k *connector, m syncline.Mode) map[string]any {
	s := map[string]any{"id": k.id}
	for _, name := range snapshotParts {
		if v := k.doc[name]; v != nil {
			s[name] = v
		}
	}
	if list, _ := k.doc["filtering"].([]any); len(list) > 0 {
		if first, _ := list[0].(map[string]any); first["active"] != nil {
			s["filtering"] = first["active"]
		}
	}
	if index := indexOf(k.doc); index != "" {
		s["index_name"] = jobIndex(index, m)
	}
	return s
}

// jobIndex is where a job writes.
func jobIndex(index string, m syncline.Mode) string {
	if m == syncline.ModeAccessControl {
		return aclPrefix + index
	}
	return index
}

func jobIndexed(n syncline.Counts) int64 { return n.Inserted + n.Updated + n.Unchanged }
func jobDeleted(n syncline.Counts) int64 { return n.Deleted + n.Swept }

// saturated stops at the largest number rather than turn negative: clients may say
// anything.
func saturated(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
