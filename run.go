package syncline

import (
	"encoding/json"
	"strconv"
	"time"
)

// State is one of the seven stored run states. Everything else about a run is a fact
// beside it, so that no fact can hide the outcome.
type State string

const (
	StatePending   State = "pending"
	StateRunning   State = "running"
	StateSuspended State = "suspended"
	StateSucceeded State = "succeeded"
	StateFailed    State = "failed"
	StateCanceled  State = "canceled"
	StateSkipped   State = "skipped"
)

// Final reports whether a run in this state has ended.
func (s State) Final() bool {
	switch s {
	case StateSucceeded, StateFailed, StateCanceled, StateSkipped:
		return true
	}
	return false
}

// Wait says what a suspended run waits for.
type Wait string

const (
	WaitHold         Wait = "hold"          // a person
	WaitShutdown     Wait = "shutdown"      // its worker stopped gracefully; anybody may claim it
	WaitMassDelete   Wait = "mass_delete"   // a person must confirm that the rows may go
	WaitSchemaChange Wait = "schema_change" // a person must settle two types
	WaitExternal     Wait = "external"      // an outside worker laid it down; one may claim it again
)

// Origin says why a run exists.
type Origin string

const (
	OriginSchedule       Origin = "schedule"
	OriginManual         Origin = "manual"
	OriginInitialization Origin = "initialization"
	OriginResume         Origin = "resume"
	OriginChild          Origin = "child"
)

// Facts are what is true of a run beside its state.
type Facts struct {
	CancelAskedAt time.Time `json:"cancel_asked_at,omitzero"`
	CancelReason  string    `json:"cancel_reason,omitempty"`
	CancelBy      time.Time `json:"cancel_by,omitzero"` // when the worker has not answered by then, the run is canceled over its head
	HoldAskedAt   time.Time `json:"hold_asked_at,omitzero"`
	PausedAt      time.Time `json:"paused_at,omitzero"` // latest hold by a person
	Overrun       bool      `json:"overrun,omitempty"`  // a later run fell due while this one lived
	Rejects       int64     `json:"rejects,omitempty"`
	FailedTasks   int       `json:"failed_tasks,omitempty"`
	Fenced        int64     `json:"fenced,omitempty"`    // stale calls and writes refused
	Tokenless     bool      `json:"tokenless,omitempty"` // claimed over a wire without tokens: never handed out twice
	// FinishAskedAt: the outside source of the run has said that it is done. Nothing more is
	// heard of it, and the run ends with the last of its children.
	FinishAskedAt time.Time `json:"finish_asked_at,omitzero"`
	// Confirmed lists the waits a person has confirmed: "mass_delete".
	Confirmed []Wait `json:"confirmed,omitempty"`
}

// Confirms reports whether a person has confirmed w for this run.
func (f Facts) Confirms(w Wait) bool {
	for _, c := range f.Confirmed {
		if c == w {
			return true
		}
	}
	return false
}

// Parent says which task started a child run.
type Parent struct {
	Run  string `json:"run"`
	Task string `json:"task,omitempty"`
	// Iteration counts the children of one task, from 0. They run one after another.
	Iteration int `json:"iteration,omitempty"`
	// Beside is how many children of the run may be at work when this one begins, itself
	// counted; 0: any number.
	Beside int `json:"beside,omitempty"`
}

// Name is what the child is called among its parent's tasks.
func (p Parent) Name() string {
	if p.Iteration == 0 {
		return p.Task
	}
	return p.Task + " #" + strconv.Itoa(p.Iteration+1)
}

// Window is the stretch of a time cursor that a backfill means: [From, To).
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Run is one execution of a pipeline. Only package ledger changes one.
type Run struct {
	ID         string  `json:"id"` // UUIDv7 unless a client's protocol gives one
	PipelineID string  `json:"pipeline_id"`
	Pipeline   string  `json:"pipeline"` // its name when the run began
	Revision   int64   `json:"revision"` // of the pipeline's definition
	Load       string  `json:"load"`     // the run that began the load; names the stage at the destination
	Parent     *Parent `json:"parent,omitempty"`
	Origin     Origin  `json:"origin"`
	TriggerRef string  `json:"trigger_ref,omitempty"` // schedule text or trigger id
	Mode       Mode    `json:"mode,omitempty"`        // overrides the entities' own
	Owner      Owner   `json:"owner"`
	Kind       string  `json:"kind"` // what a worker must be able to do: "sync"
	Lane       string  `json:"lane"`
	Priority   int     `json:"priority"` // lower goes first
	Host       string  `json:"host,omitempty"`
	DedupeKey  string  `json:"dedupe_key,omitempty"`

	State State  `json:"state"`
	Wait  Wait   `json:"wait,omitempty"` // only while suspended
	Facts Facts  `json:"facts"`
	Head  bool   `json:"head"`  // at most one per lane; only a head is claimable
	Token int64  `json:"token"` // the fence: grows with every claim and whenever ownership is taken away
	Tries int    `json:"tries"` // claims without progress since
	Max   int    `json:"max_tries"`
	Why   string `json:"why,omitempty"` // why a skipped run did not run

	CreatedAt time.Time `json:"created_at"`
	Due       time.Time `json:"due"`                // earliest start
	NotBefore time.Time `json:"not_before"`         // Due, or the end of a retry's wait
	DataTime  time.Time `json:"data_time,omitzero"` // the moment the data is for
	Window    *Window   `json:"window,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"` // first claim
	EndedAt   time.Time `json:"ended_at,omitzero"`
	StateAt   time.Time `json:"state_at"`   // moves when state, overrun, cancel or retry-wait changes
	UpdatedAt time.Time `json:"updated_at"` // moves on any change but a beat
	Deadline  time.Time `json:"deadline,omitzero"`
	// UpdateWithin is how long the outside source of the run may say nothing of it; 0: any
	// time. UpdateBy is when it must have said something, while the run waits for it: of a
	// running one the lease says so.
	UpdateWithin time.Duration `json:"update_within,omitempty"`
	UpdateBy     time.Time     `json:"update_by,omitzero"`

	Worker   string            `json:"worker,omitempty"` // last holder
	Attempts []Attempt         `json:"attempts,omitempty"`
	Error    *Error            `json:"error,omitempty"` // the decisive one
	Labels   map[string]string `json:"labels,omitempty"`
	Input    json.RawMessage   `json:"input,omitempty"`
	Output   json.RawMessage   `json:"output,omitempty"`
	// LastEvent is the seq of the newest event, LastMessage of the newest message.
	LastEvent   int64                      `json:"last_event"`
	LastMessage int64                      `json:"last_message"`
	Ext         map[string]json.RawMessage `json:"ext,omitempty"`
	// Version counts every stored change, for compare-and-swap. The store sets it.
	Version int64 `json:"-"`
	// Issued is the largest token that was given to anybody for a part of this run.
	Issued int64 `json:"issued,omitempty"`
}

// Waits reports whether the run is to be claimed when its turn comes.
func (r *Run) Waits() bool {
	return r.State == StatePending || r.State == StateSuspended && r.Wait == WaitShutdown
}

// Stream names what this run and its successors write of an entity: one at a time, each
// with a larger token.
func (r *Run) Stream(entity string) string {
	if r.Parent == nil || r.Parent.Task == "" {
		return r.PipelineID + "/" + entity
	}
	return r.PipelineID + "/" + r.Parent.Task + "/" + entity
}

// Attempt is one try of a run: from a claim to whatever ended it.
type Attempt struct {
	N         int       `json:"n"` // from 1
	Worker    string    `json:"worker"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Cause     string    `json:"cause,omitempty"` // what ended it: "succeeded", "lease_lost", "shutdown", "retry", …
	Error     *Error    `json:"error,omitempty"`
	Read      int64     `json:"read"`      // rows this attempt read itself
	ReadBase  int64     `json:"read_base"` // rows earlier attempts had made durable when it began
	SeenAt    time.Time `json:"seen_at,omitzero"`
	// Helpers are the other workers that did parts of it.
	Helpers []string `json:"helpers,omitempty"`
}

// Worker is who claims runs.
type Worker struct {
	ID      string   `json:"id"`      // "host/pid/random", shown to people
	Session string   `json:"session"` // one per process life
	Host    string   `json:"host"`
	PID     int      `json:"pid"`
	Version string   `json:"version"`
	Kinds   []string `json:"kinds"` // run kinds it can do
	// Only limits it to these pipelines, by id; empty: all.
	Only []string `json:"only,omitempty"`
	// Run limits it to one run; "": any.
	Run string `json:"run,omitempty"`
}

// Grant is a claimed run with what its worker needs.
type Grant struct {
	Run        Run           `json:"run"`
	Definition Definition    `json:"definition"` // of the run's revision, secrets sealed
	Tasks      []*Task       `json:"tasks"`
	TTL        time.Duration `json:"ttl"` // of the lease
}

// Hold is the grant's own lease.
func (g Grant) Hold() Hold { return Hold{Run: g.Run.ID, Token: g.Run.Token} }
