// Package source is the contract of a place to read from. A source knows nothing of
// runs, leases or destinations; sourcetest holds every one to the promises below.
package source

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"net"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/spec"
)

// Kind is what a source package hands to the registry, as its variable Kind.
type Kind struct {
	Spec spec.Spec
	// Open checks settings and connects. Errors are *syncline.Error with class config,
	// auth or network, naming the thing and the next step, never a secret.
	Open func(ctx context.Context, env Env, settings json.RawMessage) (Source, error)
}

// Env is how clock, network and log reach a plugin. All fields are set.
type Env struct {
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Now  func() time.Time
	Log  *slog.Logger
}

// Source is an open place to read from. Its methods may be called from several
// goroutines at once; Read runs for several parts side by side.
type Source interface {
	// Entities lists what can be read and matches patterns ("public.*", "orders",
	// "*.csv"; none: everything), in the order of their names. A pattern that matches
	// nothing is a NotFound error that names it and what there is instead.
	Entities(ctx context.Context, patterns []string) ([]Entity, error)
	// Plan splits the reading of one entity. The same query and source state give parts
	// with the same IDs. It also refuses what cannot be read: a cursor column that is not
	// there or has no order. transfer stores the plan with the load and hands it back to
	// a later attempt, which calls Read without calling Plan again unless Resume is Restart.
	Plan(ctx context.Context, q Query) (Plan, error)
	// Read yields the rows of one part, from a position that an earlier Read gave as
	// Batch.Next, or from the start when from is nil. The iterator ends without an error
	// only when the source said that there is no more: a cut connection is an error,
	// always. It yields at most one error, last. Columns come in the order and types of
	// q.Entity.Schema (or q.Format); a value that is not of its column's type makes its
	// row a Reject, never a guess. When ctx ends it returns within a second.
	Read(ctx context.Context, q Query, p Plan, part Part, from []byte) iter.Seq2[rows.Batch, error]
	// Close lets go of everything. It may be called while a Read is under way.
	Close() error
}

// Entity is one thing a source can read: a table, a view, a file.
type Entity struct {
	Name   string        // "public.orders", "orders.csv"; stable, shown to people
	Schema *arrow.Schema // field metadata rows.NativeKey = the source's own type
	Key    []string      // primary key columns, in order; nil: none known
	// Cursors can serve as incremental cursor, best first.
	Cursors []string
	// Rows and Bytes are estimates, -1 unknown, and EstimateFrom says from what:
	// "count", "planner statistics", "file size".
	Rows, Bytes  int64
	EstimateFrom string
}

// Query is what to read of one entity. Entity is as Entities gave it, save what the
// pipeline overrides: Key, and the types of single columns in Schema (then without
// native type), which Read must honour.
type Query struct {
	Entity Entity
	Mode   syncline.Mode
	// Format is the one transfer picked: rows.Arrow, or one of Formatter.Formats.
	Format rows.Format
	// Incremental: the cursor column, the last published mark (nil: none, read in full
	// and set one), and how far to read behind the mark again.
	Cursor  string
	Since   []byte
	Overlap time.Duration
	// Tail: the rows are appended without a key to absorb repeats, so read strictly
	// after Since, no overlap; Plan refuses where that could lose or repeat rows.
	Tail bool
	// Window limits the read to a stretch of the cursor; nil: no limit.
	Window *syncline.Window
	// SplitByKey asks for key ranges even where they cost more.
	SplitByKey bool
	// Corrects: the destination can put right what it has taken already (see
	// destination.Corrector), so a read need not be in the order of a key to be resumed.
	Corrects bool
	// Parallel is how many parts may be read side by side; at least 1.
	Parallel int
}

// Resume says what a later attempt may do with a plan.
type Resume string

const (
	// ResumeByPart: each part goes on from its last Next, under a new snapshot. If the
	// source is a Resumer, it is shown the plan first.
	ResumeByPart Resume = "by_part"
	// ResumeRestart: what was read cannot be continued; the entity starts anew.
	ResumeRestart Resume = "restart"
)

// Plan splits the reading of one entity. It is stored as JSON.
type Plan struct {
	Parts []Part `json:"parts"` // at least one
	// Until is the mark, fixed before the first row, in full mode too when there is a
	// cursor; it becomes the next Since when the load is published. nil: no cursor.
	Until  []byte `json:"until,omitempty"`
	Resume Resume `json:"resume"`
	// Why says in a few words why Resume is Restart, and what was chosen.
	Why string `json:"why,omitempty"`
	// Expected is how many rows the plan reads, -1 unknown, and From what says so.
	Expected     int64  `json:"expected"`
	ExpectedFrom string `json:"expected_from,omitempty"`
	// Session is the exported snapshot of this attempt; it is not stored.
	Session []byte `json:"-"`
}

// Part is one piece of a plan.
type Part struct {
	ID     string `json:"id"`               // stable, short: "0", "0001", "2024-01.csv"
	Bounds []byte `json:"bounds,omitempty"` // opaque to all but the source
	Rows   int64  `json:"rows"`             // estimate, -1 unknown
	// After: the part is begun only when all parts without it are done; its rows supersede
	// theirs.
	After bool `json:"after,omitempty"`
}

// Resumer is a Source that wants to see a plan again before it is gone on with: rows that
// were read under an older snapshot may have changed, moved or gone since.
type Resumer interface {
	// GoOn fixes a new snapshot, and amends p so that, when all its parts are done, the
	// load holds what that snapshot shows. at says how far the parts had come. Parts keep
	// their IDs and stay in the plan; a part that is no longer needed ends at once. An
	// error with reason "plan_void" says that only a new plan can be read.
	GoOn(ctx context.Context, q Query, p Plan, at map[string]rows.Position) (Plan, error)
}

// Sharer is a Source whose plan other processes may read parts of, beside the one that
// made it and as long as its Source is open.
type Sharer interface {
	// Shares reports whether all parts of p, wherever they are read, show the same state of
	// the source.
	Shares(p Plan) bool
}

// Formatter is a Source that can yield raw formats beside Arrow, cheapest first.
type Formatter interface {
	Formats(e Entity) []rows.Format
}

// Counter is a Source that can count a query's rows exactly and cheaply.
type Counter interface {
	Count(ctx context.Context, q Query) (int64, error)
}

// Checker is a Source or Destination that can say what works, for `syncline check`.
type Checker interface {
	Check(ctx context.Context) ([]Finding, error)
}

// Level of a finding.
type Level string

const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is one line of `syncline check`.
type Finding struct {
	Level  Level  `json:"level"`
	What   string `json:"what"`             // "connection", "privileges on public.orders"
	Text   string `json:"text"`             // what was found
	Remedy string `json:"remedy,omitempty"` // what to do
}
