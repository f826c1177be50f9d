package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/synclinehq/syncline"
)

// Order asks for a run.
type Order struct {
	PipelineID string
	ID         string // "" makes one
	Origin     syncline.Origin
	TriggerRef string
	Mode       syncline.Mode // overrides the entities' own; "" keeps them
	Due        time.Time     // earliest start; zero: now
	DataTime   time.Time
	Window     *syncline.Window // if the pipeline can have one: see catalog.Windowed
	DedupeKey  string           // a second Start with the same key answers the first one's run
	Parent     *syncline.Parent
	Labels     map[string]string
	// Ext is what only one dialect understands, by its name.
	Ext map[string]json.RawMessage
	// Tasks are those of a run that an outside worker does; others are planned.
	Tasks []syncline.Task
	// Adopt goes on with what is unfinished instead of starting anew: a waiting run, one
	// whose worker stopped, or the pipeline's newest run if it failed. Only Start does.
	Adopt bool
}

// How says what Start did.
type How string

const (
	Started  How = "started"
	Queued   How = "queued"   // behind another run of its pipeline
	Adopted  How = "adopted"  // an unfinished run goes on
	Repeated How = "repeated" // the dedupe key was known: the run of the first call
)

// ReasonBusy is the reason of the error that says another run of the pipeline lives.
const ReasonBusy = "busy"

// Start writes a new pending run, or adopts an unfinished one. It is FailedPrecondition
// with ReasonBusy when the pipeline's overlap policy is skip and another run lives.
func (l *Ledger) Start(ctx context.Context, o Order) (r syncline.Run, how How, err error) {
	err = l.update(ctx, func(tx syncline.Tx) error {
		r, how, err = l.start(tx, o)
		return err
	})
	return r, how, err
}

func (l *Ledger) start(tx syncline.Tx, o Order) (syncline.Run, How, error) {
	if err := checkOrder(o); err != nil {
		return syncline.Run{}, "", err
	}
	if err := lockLanes(tx, o.PipelineID, o.Mode); err != nil {
		return syncline.Run{}, "", err
	}
	p, err := tx.Pipeline(o.PipelineID)
	if err != nil {
		return syncline.Run{}, "", err
	}
	if first, err := repeated(tx, o); first != nil || err != nil {
		return deref(first), Repeated, err
	}
	r := l.draft(p, o)
	head, err := tx.LaneHead(r.Lane)
	if err != nil {
		return r, "", err
	}
	if o.Adopt {
		if adopted, err := l.adopt(tx, p, head); adopted != nil || err != nil {
			return deref(adopted), Adopted, err
		}
	}
	if head != nil && p.Definition.Overlap != syncline.OverlapQueue {
		return r, "", busy(p, head)
	}
	now, err := tx.Now()
	if err == nil {
		err = enter(tx, &r, now)
	}
	if err != nil {
		return r, "", err
	}
	how := Started
	if !r.Head {
		how = Queued
	}
	if err := l.insert(tx, &r, "created"); err != nil {
		return r, "", err
	}
	_, err = planned(tx, r.ID, o.Tasks)
	return r, how, err
}

// repeated finds the run that an earlier call with the same dedupe key started.
func repeated(tx syncline.Tx, o Order) (*syncline.Run, error) {
	if o.DedupeKey == "" {
		return nil, nil
	}
	r, err := tx.RunByDedupeKey(o.DedupeKey)
	if syncline.CodeOf(err) == syncline.NotFound {
		return nil, nil
	}
	return r, err
}

// adopt goes on with the pipeline's unfinished run; nil when there is none.
func (l *Ledger) adopt(tx syncline.Tx, p *syncline.Pipeline, head *syncline.Run) (*syncline.Run, error) {
	if head == nil {
		return l.adoptFailed(tx, p)
	}
	switch {
	case head.State == syncline.StateRunning:
		return nil, busy(p, head)
	case head.State == syncline.StatePending || head.Wait == syncline.WaitShutdown:
		return l.goOn(tx, p, head)
	}
	e := syncline.Errorf(syncline.FailedPrecondition, "run %s of pipeline %q waits: %s", head.ID, p.Name, cmp.Or(message(head.Error), "it was put on hold")).Because(string(head.Wait))
	hint := "syncline runs resume " + head.ID
	if head.Wait == syncline.WaitMassDelete {
		hint += " --confirm mass_delete"
	}
	return nil, e.Try("%s, or syncline runs cancel %s", hint, head.ID)
}

// goOn lets a run that waits go on now.
func (l *Ledger) goOn(tx syncline.Tx, p *syncline.Pipeline, r *syncline.Run) (*syncline.Run, error) {
	now, err := tx.Now()
	if err != nil {
		return nil, err
	}
	same, err := sameWork(tx, p, r)
	if err != nil {
		return nil, err
	}
	if !same {
		return nil, syncline.Errorf(syncline.FailedPrecondition, "run %s of pipeline %q was begun with another definition and has not ended", r.ID, p.Name).
			Because("definition").Try("end it: syncline runs cancel %s", r.ID)
	}
	if r.Revision == p.Revision && !r.NotBefore.After(now) {
		return r, nil
	}
	r.Revision, r.NotBefore = p.Revision, earlier(r.NotBefore, now)
	return r, tx.PutRun(r)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// sameWork reports whether a run's definition and the pipeline's present one move the same
// entities between the same places: then only secrets and policies differ, such as a
// password that was wrong, and the run may go on with the present one.
func sameWork(tx syncline.Tx, p *syncline.Pipeline, r *syncline.Run) (bool, error) {
	if r.Revision == p.Revision {
		return true, nil
	}
	was, err := tx.Revision(p.ID, r.Revision)
	if err != nil {
		return false, err
	}
	old, err := work(*was)
	if err != nil {
		return false, err
	}
	now, err := work(p.Definition)
	return old == now, err
}

func work(d syncline.Definition) (string, error) {
	doc, err := json.Marshal([]any{d.Source.Kind, d.Source.Shown, d.Destination.Kind, d.Destination.Shown, d.Entities})
	return string(doc), err
}

func (l *Ledger) adoptFailed(tx syncline.Tx, p *syncline.Pipeline) (*syncline.Run, error) {
	newest, err := tx.Runs(syncline.RunFilter{PipelineID: p.ID, Limit: 1})
	if err != nil || len(newest) == 0 || newest[0].State != syncline.StateFailed {
		return nil, err
	}
	if newest[0].Window != nil { // which is not what an order without one asks for
		return nil, nil
	}
	if same, err := sameWork(tx, p, newest[0]); err != nil || !same {
		return nil, err
	}
	now, err := tx.Now()
	if err != nil {
		return nil, err
	}
	m := move{event: evResume, now: now, issue: now.UnixMicro(), reason: "adopted by the same command"}
	next, err := transition(*newest[0], m)
	if err != nil {
		return nil, err
	}
	next.Revision = p.Revision
	return &next, l.put(tx, *newest[0], &next, m)
}

func busy(p *syncline.Pipeline, head *syncline.Run) error {
	return syncline.Errorf(syncline.FailedPrecondition, "pipeline %q has a run that is %s: %s", p.Name, head.State, head.ID).
		Because(ReasonBusy).Try("watch it: syncline runs watch %s, or stop it: syncline runs cancel %s", head.ID, head.ID)
}

// draft fills a new run from its pipeline and order.
func (l *Ledger) draft(p *syncline.Pipeline, o Order) syncline.Run {
	id := cmp.Or(o.ID, newID())
	return syncline.Run{
		ID: id, PipelineID: p.ID, Pipeline: p.Name, Revision: p.Revision, Load: id,
		Parent: o.Parent, Origin: cmp.Or(o.Origin, syncline.OriginManual), TriggerRef: o.TriggerRef, Mode: o.Mode,
		Owner: cmp.Or(p.Definition.Owner, syncline.OwnerEngine), Kind: "sync", Lane: lane(p, o.Mode, id), Priority: 100, Host: p.Definition.Host,
		DedupeKey: o.DedupeKey, State: syncline.StatePending, Max: cmp.Or(p.Definition.MaxTries, 5),
		Due: o.Due, DataTime: o.DataTime, Window: cut(o.Window), Labels: o.Labels, Ext: l.drawers(p, o),
		UpdateWithin: p.Definition.UpdateWithin,
	}
}

func contentLane(pipelineID string) string { return pipelineID + "/content" }

func accessLane(pipelineID string) string { return pipelineID + "/access_control" }

// lockLanes locks what a new run of a pipeline may be in, but for a lane of its own, before
// the pipeline itself: as whoever ends a run does, which may then write the pipeline.
func lockLanes(tx syncline.Tx, pipelineID string, m syncline.Mode) error {
	if err := tx.LockLane(contentLane(pipelineID)); err != nil || m != syncline.ModeAccessControl {
		return err
	}
	return tx.LockLane(accessLane(pipelineID))
}

func lane(p *syncline.Pipeline, m syncline.Mode, run string) string {
	if p.Definition.Overlap == syncline.OverlapAllow {
		return run
	}
	return queue(p, m)
}

// queue is the lane of runs that wait for each other.
func queue(p *syncline.Pipeline, m syncline.Mode) string {
	if m == syncline.ModeAccessControl { // which moves no rows and is in nobody's way
		return accessLane(p.ID)
	}
	return contentLane(p.ID)
}

// drawers are those of a new run: what its order brings, and one for each dialect that
// keeps something of it at the pipeline.
func (l *Ledger) drawers(p *syncline.Pipeline, o Order) map[string]json.RawMessage {
	ext := maps.Clone(o.Ext)
	for _, x := range l.proj {
		if p.Ext[x.Dialect] != nil && ext[x.Dialect] == nil {
			if ext == nil {
				ext = map[string]json.RawMessage{}
			}
			ext[x.Dialect] = json.RawMessage("{}")
		}
	}
	return ext
}

// insert stores a new run with its first event.
func (l *Ledger) insert(tx syncline.Tx, r *syncline.Run, kind string) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	r.CreatedAt, r.UpdatedAt, r.StateAt = now, now, now
	if r.Due.Before(now) {
		r.Due = now
	}
	r.NotBefore = r.Due
	if awaited(*r) {
		r.UpdateBy = unheardUntil(*r, now)
	}
	if r.State.Final() {
		r.EndedAt = now
	}
	r.LastEvent = 1
	if err := tx.InsertRun(r); err != nil {
		return err
	}
	e := syncline.Event{RunID: r.ID, Seq: 1, At: now, Kind: kind, Text: r.Why, State: r.State}
	if err := tx.AppendEvents(e); err != nil {
		return err
	}
	return l.project(tx, syncline.Run{}, *r)
}

func deref(r *syncline.Run) syncline.Run {
	if r == nil {
		return syncline.Run{}
	}
	return *r
}
