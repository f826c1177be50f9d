package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/ledger"
)

// silence is how long the worker of a job may be silent before the job is taken from it, as
// Elastic's own service does it.
const silence = 300 * time.Second

// jobFile is what a job's document has that the ledger has no word for: the run's drawer.
type jobFile struct {
	// Connector is the object as it was when the job was made, secrets sealed. Reports leave
	// it alone and come often, so that it is read where it is asked for.
	Connector json.RawMessage `json:"connector,omitempty"`
	Metadata  map[string]any  `json:"metadata,omitempty"`
	LastSeen  string          `json:"last_seen,omitempty"`               // as the client said; "": when it was made or claimed
	Volume    *int64          `json:"indexed_document_volume,omitempty"` // MiB, as given
	Total     int64           `json:"total_document_count,omitempty"`
	Host      string          `json:"worker_hostname,omitempty"`
	// Unended: the job's end has no completed_at, as one that was set to error over the API.
	Unended bool `json:"no_completed_at,omitempty"`
}

func jobFileOf(r *syncline.Run) (f jobFile, err error) {
	if raw := r.Ext[Name]; len(raw) > 0 {
		err = exactly(raw, &f)
	}
	return f, err
}

// connector reads the connector; nil when the file has none.
func (f jobFile) connector() (doc map[string]any, err error) {
	if len(f.Connector) > 0 {
		err = exactly(f.Connector, &doc)
	}
	return doc, err
}

// made reports whether the run was made as a job of this API: others' files have at most
// what a claim said.
func (f jobFile) made() bool {
	var k struct {
		ID json.RawMessage `json:"id"`
	}
	return len(f.Connector) > 0 && json.Unmarshal(f.Connector, &k) == nil && k.ID != nil
}

// mergeConnector lays more over the connector.
func (f *jobFile) mergeConnector(more map[string]any) error {
	doc, err := f.connector()
	if err == nil {
		f.Connector, err = json.Marshal(mergedInto(doc, more))
	}
	return err
}

// keep puts the file into the run's drawer.
func (f jobFile) keep(r *syncline.Run) error {
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	ext := maps.Clone(r.Ext)
	if ext == nil {
		ext = map[string]json.RawMessage{}
	}
	ext[Name] = raw
	r.Ext = ext
	return nil
}

// saying is what a client says of a job, over the API or as a change of its document. What
// is nil or "" is not said.
type saying struct {
	host     string         // claim: who
	cursor   map[string]any // claim: merged into the job's connector.sync_cursor
	deleted  *int64
	indexed  *int64
	volume   *int64 // MiB
	total    *int64
	lastSeen time.Time      // zero: now
	metadata map[string]any // merged
	unended  bool           // end: without completed_at
	guard
}

// outside says it to the ledger.
func (c *call) outside(s saying) ledger.Outside {
	return ledger.Outside{By: c.who().Key, Worker: s.host, Silence: silence, Counts: s.counts, Edit: s.edit}
}

// edit changes the job's file.
func (s saying) edit(r *syncline.Run, now time.Time) error {
	if err := s.check(r.ID, r.Version); err != nil {
		return err
	}
	f, err := jobFileOf(r)
	if err != nil {
		return err
	}
	if s.host != "" {
		f.Host, f.LastSeen = s.host, ""
	} else {
		f.LastSeen = instantText(orNow(s.lastSeen, now))
	}
	if s.cursor != nil {
		if err := f.mergeConnector(map[string]any{"sync_cursor": s.cursor}); err != nil {
			return err
		}
	}
	if s.metadata != nil {
		f.Metadata = mergedInto(f.Metadata, s.metadata)
	}
	if s.volume != nil {
		f.Volume = s.volume
	}
	if s.total != nil {
		f.Total = *s.total
	}
	f.Unended = s.unended
	return f.keep(r)
}

// mergedInto is merge for a map that may not be there yet.
func mergedInto(dst, src map[string]any) map[string]any {
	if dst == nil {
		dst = map[string]any{}
	}
	merge(dst, src)
	return dst
}

func orNow(t, now time.Time) time.Time {
	if t.IsZero() {
		return now
	}
	return t
}

// counts sets the ledger's to what the client says.
func (s saying) counts(n *syncline.Counts) {
	if s.deleted != nil {
		n.Deleted = *s.deleted
	}
	if s.indexed != nil {
		n.Inserted = *s.indexed
	}
	if s.volume != nil {
		n.Bytes = min(*s.volume, math.MaxInt64>>20) << 20
	}
	n.Read = saturated(n.Inserted, n.Deleted)
}

// job is a run, of any pipeline, with its pipeline.
type job struct {
	ledger.Detail
	p *syncline.Pipeline
}

// job reads a job if the caller may do this to it, without its tasks: workers report often,
// and nobody draws it then. One that is out of the caller's sight is absent.
func (c *call) job(id string, may auth.Action) (*job, error) {
	return c.allowedJob(id, may, func(ctx context.Context, id string) (ledger.Detail, error) {
		r, err := c.api.o.Ledger.Bare(ctx, id)
		return ledger.Detail{Run: r}, err
	})
}

// wholeJob reads a job with what it takes to draw it, if the caller may.
func (c *call) wholeJob(id string) (*job, error) {
	return c.allowedJob(id, auth.Read, c.api.o.Ledger.Run)
}

func (c *call) allowedJob(id string, may auth.Action, read func(context.Context, string) (ledger.Detail, error)) (*job, error) {
	if !storable(id) {
		return nil, notThere("%s", id)
	}
	d, err := read(c.ctx(), id)
	if syncline.CodeOf(err) == syncline.NotFound {
		return nil, notThere("%s", id)
	}
	if err != nil {
		return nil, err
	}
	p, err := c.api.pipelineOf(c.ctx(), &d.Run)
	if err != nil {
		return nil, err
	}
	if err := c.who().May(may, p.Name); err != nil {
		if c.who().Key != "" && !c.who().Sees(p.Name) {
			return nil, notThere("%s", id)
		}
		return nil, err
	}
	return &job{d, p}, nil
}

// pipelineOf is what a run's pipeline is needed for. One that was made as a job of this API
// remembers that itself, as does one whose pipeline was deleted.
func (a *API) pipelineOf(ctx context.Context, r *syncline.Run) (*syncline.Pipeline, error) {
	if f, err := jobFileOf(r); err == nil && f.made() {
		return &syncline.Pipeline{ID: r.PipelineID, Name: r.Pipeline}, nil
	}
	p, err := a.o.Catalog.Get(ctx, r.PipelineID)
	if syncline.CodeOf(err) == syncline.NotFound {
		return &syncline.Pipeline{ID: r.PipelineID, Name: r.Pipeline}, nil
	}
	return p, err
}

// showJob is a job as an answer has it.
func (c *call) showJob(d ledger.Detail, p *syncline.Pipeline) map[string]any {
	doc := drawJob(d, p)
	k, _ := doc["connector"].(map[string]any)
	if fields := configurationOf(k); fields != nil {
		k["configuration"] = c.configuration(p, fields)
	}
	return doc
}

// claimJob hands the job to the caller's worker.
func (c *call) claimJob(j *job, s saying) (syncline.Run, error) {
	r, err := c.api.o.Ledger.ClaimOutside(c.ctx(), j.Run.ID, c.outside(s))
	return r, jobFault(r, "in_progress", err)
}

// noteJob stores what the worker reports, in whatever state the job is.
func (c *call) noteJob(j *job, s saying) (syncline.Run, error) {
	if j.Run.Owner != syncline.OwnerExternal {
		return j.Run, oursFault(&j.Run)
	}
	return c.api.o.Ledger.NoteOutside(c.ctx(), j.Run.ID, c.outside(s))
}

// endJob ends the job as its worker says: succeeded, failed with a text, canceled, or
// suspended. One that has ended stays as it is: then changed is false and there is no error.
func (c *call) endJob(j *job, s saying, to syncline.State, text string) (r syncline.Run, changed bool, err error) {
	if j.Run.Owner != syncline.OwnerExternal {
		return j.Run, false, oursFault(&j.Run)
	}
	var e *syncline.Error
	if to == syncline.StateFailed {
		e = syncline.Errorf(syncline.Unknown, "%s", text).Of(syncline.ClassSource)
	}
	was := j.Run.State
	r, err = c.api.o.Ledger.EndOutside(c.ctx(), j.Run.ID, c.outside(s), to, e)
	return r, err == nil && !was.Final(), jobFault(r, jobStatus[syncline.Aspect(to)], err)
}

// cancelJob asks for the job's end. Nobody but a worker that has stopped makes it canceled
// when one is at it.
func (c *call) cancelJob(j *job) (syncline.Run, error) {
	if w := jobWord(&j.Run); w == "canceling" || j.Run.State.Final() {
		return j.Run, illegalMove(w, "canceling")
	}
	r, err := c.api.o.Ledger.Cancel(c.ctx(), j.Run.ID, "asked over Elastic's API by "+c.who().Name)
	return r, jobFault(j.Run, "canceling", err)
}

// jobFault draws the ledger's refusal of a change of state.
func jobFault(r syncline.Run, to string, err error) error {
	e, ok := errors.AsType[*syncline.Error](err)
	switch {
	case !ok:
		return err
	case e.Code == syncline.Aborted && e.Reason == ledger.ReasonHeld:
		return conflict("[%s]: %s", r.ID, e.Message)
	case e.Code == syncline.FailedPrecondition && e.Reason == "state" && r.Owner == syncline.OwnerExternal:
		return illegalMove(jobWord(&r), to)
	case e.Code == syncline.FailedPrecondition && r.ID != "" && r.Owner == syncline.OwnerEngine:
		return oursFault(&r)
	}
	return err
}

func illegalMove(from, to string) error {
	return rule("Invalid transition attempt from [%s] to [%s]. Such a ConnectorSyncStatus transition is not supported by the Connector Protocol.", from, to)
}

// oursFault refuses to an outside worker a job that Syncline does itself.
func oursFault(r *syncline.Run) error {
	return rule("Sync job [%s] is executed by Syncline itself: it is not for other workers to claim, report on or end.", r.ID)
}
