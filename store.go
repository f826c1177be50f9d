package syncline

import (
	"context"
	"encoding/json"
	"time"
)

// Store keeps the ledger. It stores and selects; it decides nothing and does not know
// what a lease means. Every call must be given a deadline by its caller; a store bounds
// calls without one at 10 s itself.
type Store interface {
	// View runs fn in one read-only snapshot.
	View(ctx context.Context, fn func(Tx) error) error
	// Update runs fn in one read-write transaction, durable when it returns nil. fn may
	// be called again after a collision with another writer, or when a write that was
	// taken on trust turns out to be refused: then all is undone and the second call is
	// answered exactly. So it must touch nothing outside the transaction but variables it
	// sets anew each time, and what it learned counts only when Update has returned. What fn returns is
	// returned unchanged and undoes everything fn did.
	Update(ctx context.Context, fn func(Tx) error) error
	// Beat extends the leases that are still held with the given token by ttl, in one
	// statement on a connection of its own, and answers for those; a lease missing from
	// the answer is lost. It need not be durable.
	Beat(ctx context.Context, held []Hold, ttl time.Duration) ([]BeatAnswer, error)
	// Report copies stats and extends the leases of their runs by ttl, where the token
	// still holds; it answers as Beat does. One batch is one transaction.
	Report(ctx context.Context, reports []TaskReport, ttl time.Duration) ([]BeatAnswer, error)
	// Now is the clock that leases live by, UTC, microseconds: the database's own
	// (PostgreSQL) or one that no clock jump moves (SQLite).
	Now(ctx context.Context) (time.Time, error)
	// Started is since when the database server runs; zero when it has no such notion.
	Started(ctx context.Context) (time.Time, error)
	// Shared reports whether other processes may write the same ledger.
	Shared() bool
	Close() error
}

// Hold names a lease and the token it was given with. Part "" is the run itself.
type Hold struct {
	Run   string `json:"run"`
	Part  string `json:"part,omitempty"`
	Token int64  `json:"token"`
}

// Ask is what a person wants from the holder of a run.
type Ask int

const (
	AskNothing Ask = 0
	AskCancel  Ask = 1
	AskHold    Ask = 2
)

// BeatAnswer says that a lease is still held, and what is asked of its holder.
type BeatAnswer struct {
	Run  string `json:"run"`
	Part string `json:"part,omitempty"`
	Ask  Ask    `json:"ask,omitempty"`
}

// TaskReport is how far one task has come, by the holder of its run.
type TaskReport struct {
	Run   string `json:"run"`
	Token int64  `json:"token"`
	Task  string `json:"task"`
	Stats Stats  `json:"stats"`
}

// Lease is a worker's hold on a run or a part.
type Lease struct {
	Run       string    `json:"run"`
	Part      string    `json:"part,omitempty"`
	Token     int64     `json:"token"`
	Worker    string    `json:"worker"`
	Session   string    `json:"session"`
	SeenAt    time.Time `json:"seen_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Ask       Ask       `json:"ask,omitempty"`
}

// Tally is what hangs on a run.
type Tally struct {
	Tasks      []*Task
	Rejects    int64
	Definition *Definition // of the run's revision; nil when the pipeline was deleted
}

// ScheduleRow is a schedule with its next due time, as the store keeps it.
type ScheduleRow struct {
	PipelineID string
	Schedule   Schedule
	NextSlot   time.Time // zero: never again
	Enabled    bool
}

// Slot is one due time of a schedule and the run (also a skipped one) it became.
type Slot struct {
	PipelineID string    `json:"pipeline_id"`
	ScheduleID string    `json:"schedule_id"`
	At         time.Time `json:"at"`
	RunID      string    `json:"run_id"`
}

// Doc is what a dialect keeps that is neither pipeline nor run.
type Doc struct {
	Dialect, Kind, ID string
	Revision          int64 // for compare-and-swap; 0: must not exist yet
	Body              json.RawMessage
}

// PipelineFilter selects pipelines in the order of their names.
type PipelineFilter struct {
	After string // names greater than this
	Limit int    // 0: 100; at most 1,000
}

// RunFilter selects runs, newest first by (created_at, id).
type RunFilter struct {
	PipelineID   string
	Pipelines    []string // any of these, by id; empty: all
	States       []State
	Aspects      []Aspect // any of these; empty: all
	Modes        []Mode   // any of these; empty: all
	ParentRun    string
	BeforeAt     time.Time // page: older than (BeforeAt, BeforeID)
	BeforeID     string
	Offset       int  // page: passing over that many
	Limit        int  // 0: 100; at most 1,000
	UnfinishedIn bool // only runs that have not ended
	Roots        bool // only runs that are nobody's child
}

// ClaimFilter selects claimable runs: heads of their lanes, owned by the engine, that
// are pending and due, or suspended with wait shutdown; in the order of priority,
// not_before, id.
type ClaimFilter struct {
	Kinds []string
	Host  string   // runs pinned to another host are left out
	Only  []string // pipeline ids; empty: all
	Run   string   // "": any
	Limit int
}

// Tx is what a transaction can do; it is good only inside its fn. In Update, a row
// that is read by id is locked until the end. A missing row is an *Error with code
// NotFound naming it; a broken unique constraint is AlreadyExists, and the transaction
// goes on unharmed.
type Tx interface {
	// Now is Store.Now, read at most once in a transaction.
	Now() (time.Time, error)
	PipelineTx
	RunTx
	TaskTx
	LeaseTx
	PartTx
	ScheduleTx
	JournalTx
	DocTx
}

// PipelineTx keeps pipelines, their revisions and their names in the dialects.
type PipelineTx interface {
	Pipeline(id string) (*Pipeline, error)
	PipelineNamed(name string) (*Pipeline, error)
	Pipelines(f PipelineFilter) ([]*Pipeline, error)
	// PutPipeline inserts when Version is 0, else replaces the row of that Version; it
	// is Aborted when the row has moved on. It stores Definition as an immutable
	// revision when there is none with p.Revision yet. It sets Version.
	PutPipeline(p *Pipeline) error
	Revision(pipelineID string, revision int64) (*Definition, error)
	// PutRevision stores a definition that is of the pipeline but never its own, for one of
	// its runs, under a number below 0 that no other has. The caller has locked the pipeline.
	PutRevision(pipelineID string, d *Definition) (revision int64, err error)
	// DeleteRevision removes such a one, if it is there.
	DeleteRevision(pipelineID string, revision int64) error
	// DeletePipeline removes the pipeline, its revisions, names, schedules and slots.
	// Its runs stay until retention takes them.
	DeletePipeline(id string) error
	// Name finds the pipeline that a dialect calls so.
	Name(dialect, name string) (pipelineID string, err error)
	PutName(dialect, name, pipelineID string) error
	DeleteName(dialect, name string) error
}

// RunTx keeps runs and the order of their lanes.
type RunTx interface {
	Run(id string) (*Run, error)
	Runs(f RunFilter) ([]*Run, error)
	// CountRuns counts what Runs lists of all pages: BeforeAt, Offset and Limit do not count.
	CountRuns(f RunFilter) (int64, error)
	// RunsLike finds runs whose id begins or ends so, at most limit.
	RunsLike(fragment string, limit int) ([]*Run, error)
	// RunByDedupeKey finds the run that was started with this key.
	RunByDedupeKey(key string) (*Run, error)
	// InsertRun stores a new run and sets Version to 1.
	InsertRun(r *Run) error
	// PutRun replaces the row of r.Version and sets the next; Aborted when it has moved on.
	PutRun(r *Run) error
	// DeleteRun removes the run with all that hangs on it.
	DeleteRun(id string) error
	// RunInLane is Run after LockLane of the run's lane: a transaction that may end a run
	// locks the lane before the run, so that two of them cannot deadlock.
	RunInLane(id string) (*Run, error)
	// RunsInLanes is RunInLane of many, passing over those that are absent or that others
	// have locked, run or lane.
	RunsInLanes(ids ...string) ([]*Run, error)
	// LockLane serializes those who start or end runs of a lane.
	LockLane(lane string) error
	// LaneHead is the lane's admitted run, nil if there is none.
	LaneHead(lane string) (*Run, error)
	// LaneNext is the next waiting run of the lane by (priority, not_before, id), nil if none.
	LaneNext(lane string) (*Run, error)
	// LaneWaiting counts the runs of the lane that wait before the given one.
	LaneWaiting(lane string, before *Run) (int, error)
	// Claimable selects and locks runs, passing over those others have locked.
	Claimable(f ClaimFilter) ([]*Run, error)
	// Orphans are the ids of unfinished runs, but for those asked to cancel, whose parent has
	// ended, was asked to cancel, or is gone.
	Orphans(limit int) ([]string, error)
	// Alarmed selects and locks unfinished runs whose Deadline, CancelBy or UpdateBy is past now.
	Alarmed(now time.Time, limit int) ([]*Run, error)
	// Prunable selects ids of a pipeline's final runs that ended before cutoff (zero:
	// no limit by age) or are not among its newest keep final runs (0: no limit by number).
	// Children do not count, and are never among them: they go with their parents.
	Prunable(pipelineID string, keep int, cutoff time.Time, limit int) ([]string, error)
}

// TaskTx keeps the tasks of a run.
type TaskTx interface {
	// Tally reads, for each run, what claiming and ending it looks at.
	Tally(rs ...*Run) ([]Tally, error)
	// Tasks are those of all the runs, each run's in the order of Ordinal, with their newest
	// Stats.
	Tasks(runIDs ...string) ([]*Task, error)
	Task(runID, name string) (*Task, error)
	// PutTask inserts or replaces; Stats are left to PutStats and Store.Report.
	PutTask(t *Task) error
	PutStats(runID, task string, s Stats) error
	// DeleteTasks removes all tasks of a run.
	DeleteTasks(runID string) error
}

// LeaseTx keeps leases. It compares no clock by itself but in Expired.
type LeaseTx interface {
	// PutLease inserts or replaces the lease of (Run, Part).
	PutLease(l Lease) error
	Lease(runID, part string) (*Lease, error) // nil if there is none
	Leases(runID string) ([]Lease, error)
	DeleteLease(runID, part string) error
	DeleteLeases(runID string) error
	// SetAsk tells all holders of a run.
	SetAsk(runID string, a Ask) error
	// ExpiredLeases selects and locks leases that ended before now, passing over locked ones.
	ExpiredLeases(now time.Time, limit int) ([]Lease, error)
	// Sessions lists the distinct sessions that hold leases.
	Sessions() ([]string, error)
	// SessionLeases selects the leases of one session.
	SessionLeases(session string) ([]Lease, error)
}

// PartTx keeps the parts of running runs that other workers may do.
type PartTx interface {
	PutOffer(o Offer) error
	Offer(runID, task string) (*Offer, error) // nil if there is none
	// PutParts inserts or replaces parts of an offer; the order of a part never changes.
	PutParts(ps ...OfferedPart) error
	// Parts lists and locks the parts of a task, in their order.
	Parts(runID, task string) ([]OfferedPart, error)
	// OpenParts lists, with nothing but their names, tasks that have a part in state open.
	OpenParts(limit int) ([]OfferedPart, error)
	// DeleteOffers removes the offers of a run with their parts, or those of one task.
	DeleteOffers(runID, task string) error
}

// ScheduleTx keeps schedules, their next due time, and the slots that were used.
type ScheduleTx interface {
	// PutSchedules replaces all schedules of a pipeline.
	PutSchedules(pipelineID string, rows []ScheduleRow) error
	Schedules(pipelineID string) ([]ScheduleRow, error)
	// DueSchedules selects and locks enabled schedules with NextSlot ≤ now, the longest
	// due first, passing over locked ones.
	DueSchedules(now time.Time, limit int) ([]ScheduleRow, error)
	// SetNextSlot moves one schedule on.
	SetNextSlot(pipelineID, scheduleID string, next time.Time) error
	// NearestSlot is the earliest NextSlot of all enabled schedules; zero if none.
	NearestSlot() (time.Time, error)
	// InsertSlot records a slot; false when it is there already.
	InsertSlot(s Slot) (bool, error)
	// SlotsBetween lists a pipeline's slots with from ≤ At ≤ to, newest first.
	SlotsBetween(pipelineID string, from, to time.Time, limit int) ([]Slot, error)
}

// JournalTx keeps what is only ever appended.
type JournalTx interface {
	AppendEvents(es ...Event) error
	Events(runID string, after int64, limit int) ([]Event, error)
	AppendMessages(ms ...Message) error
	Messages(runID string, after int64, limit int) ([]Message, error)
	// PutRejects keeps rejects; one that is there already (run, task, part, row) is left.
	// It returns how many are new.
	PutRejects(rs ...Reject) (int, error)
	// Rejects lists a run's rejects in the order of (task, part, row), from offset.
	Rejects(runID, task string, offset, limit int) ([]Reject, error)
	CountRejects(runID, task string) (int64, error)
}

// DocTx keeps the dialects' own documents.
type DocTx interface {
	Doc(dialect, kind, id string) (*Doc, error)
	Docs(dialect, kind, afterID string, limit int) ([]Doc, error)
	// PutDoc compares and swaps on d.Revision and sets the next; Aborted when it has moved on.
	PutDoc(d *Doc) error
	DeleteDoc(dialect, kind, id string) error
}
