package syncline

import (
	"encoding/json"
	"time"
)

// TaskState is where one unit of a run stands.
type TaskState string

const (
	TaskPending   TaskState = "pending"
	TaskRunning   TaskState = "running"
	TaskRetryWait TaskState = "retry_wait"
	TaskSuspended TaskState = "suspended"
	TaskSucceeded TaskState = "succeeded"
	TaskFailed    TaskState = "failed"
	TaskSkipped   TaskState = "skipped"
	TaskCanceled  TaskState = "canceled"
)

// Final reports whether a task in this state has ended.
func (s TaskState) Final() bool {
	switch s {
	case TaskSucceeded, TaskFailed, TaskSkipped, TaskCanceled:
		return true
	}
	return false
}

// Counts say what became of the rows of a part, a task or a run. All are absolute,
// never increments. The books: Read = Inserted + Updated + Unchanged + Superseded +
// Deleted + Rejected + Filtered. Swept stands apart: rows a full sync removed because
// the source no longer has them.
type Counts struct {
	Read       int64 `json:"read"`
	Inserted   int64 `json:"inserted"`
	Updated    int64 `json:"updated"`
	Unchanged  int64 `json:"unchanged"`
	Superseded int64 `json:"superseded"`
	Deleted    int64 `json:"deleted"`
	Swept      int64 `json:"swept"`
	Rejected   int64 `json:"rejected"`
	Filtered   int64 `json:"filtered"`
	Bytes      int64 `json:"bytes"`
	Requests   int64 `json:"requests"`
}

// Add returns the sum of c and d.
func (c Counts) Add(d Counts) Counts {
	c.Read += d.Read
	c.Inserted += d.Inserted
	c.Updated += d.Updated
	c.Unchanged += d.Unchanged
	c.Superseded += d.Superseded
	c.Deleted += d.Deleted
	c.Swept += d.Swept
	c.Rejected += d.Rejected
	c.Filtered += d.Filtered
	c.Bytes += d.Bytes
	c.Requests += d.Requests
	return c
}

// Balanced reports whether every row that was read is accounted for.
func (c Counts) Balanced() bool {
	return c.Read == c.Inserted+c.Updated+c.Unchanged+c.Superseded+c.Deleted+c.Rejected+c.Filtered
}

// Part is one piece of a task that has a position of its own.
type Part struct {
	ID     string    `json:"id"`
	State  TaskState `json:"state"`
	Worker string    `json:"worker,omitempty"`
	Counts Counts    `json:"counts"`
	Done   bool      `json:"done,omitempty"`
}

// Stats is what a worker reports of a task once a second, and the ledger copies: it
// says what is durable at the destination, never what was merely read.
type Stats struct {
	Counts    Counts `json:"counts"`
	Expected  int64  `json:"expected"`             // rows this task will read; -1 unknown
	TotalFrom string `json:"total_from,omitempty"` // where Expected comes from: "count", "planner statistics", "file size", "last run"
	Phase     string `json:"phase,omitempty"`      // "read", "build key", "publish"
	Path      string `json:"path,omitempty"`       // which format travelled, and why
	BoundBy   string `json:"bound_by,omitempty"`   // "source", "destination" or "cpu"
	Parts     []Part `json:"parts,omitempty"`
	// Attempted is what this attempt itself has read, whether durable yet or not.
	Attempted int64 `json:"attempted"`
	// Fenced is how many stale writes of this task the destination refused.
	Fenced int64 `json:"fenced,omitempty"`
	// At moves only when read, inserted or rejected moved. The ledger sets it.
	At time.Time `json:"at,omitzero"`
}

// Task is one unit of a run: an entity to copy.
type Task struct {
	RunID     string          `json:"run_id"`
	Name      string          `json:"name"` // unique in its run; the entity's name
	Kind      string          `json:"kind"` // "transfer"
	Ordinal   int             `json:"ordinal"`
	Settings  json.RawMessage `json:"settings,omitempty"` // for its kind: the EntitySpec, resolved
	State     TaskState       `json:"state"`
	Tries     int             `json:"tries"`
	Stats     Stats           `json:"stats"`
	Where     string          `json:"where,omitempty"` // where it landed
	Memo      json.RawMessage `json:"memo,omitempty"`  // what its kind keeps across attempts: the plan of this load
	Error     *Error          `json:"error,omitempty"`
	StartedAt time.Time       `json:"started_at,omitzero"`
	EndedAt   time.Time       `json:"ended_at,omitzero"`
	StateAt   time.Time       `json:"state_at,omitzero"`
}

// Totals sums what tasks have made durable.
func Totals(tasks []*Task) (sum Counts) {
	for _, t := range tasks {
		sum = sum.Add(t.Stats.Counts)
	}
	return sum
}

// TaskEnd says how a task's attempt ended.
type TaskEnd struct {
	Name  string    `json:"name"`
	State TaskState `json:"state"` // succeeded, failed, retry_wait, suspended, or pending: handed back
	Where string    `json:"where,omitempty"`
	Stats Stats     `json:"stats"`
	Error *Error    `json:"error,omitempty"`
}
