package syncline

import (
	"encoding/json"
	"time"
)

// Owner says who executes a pipeline's runs.
type Owner string

const (
	OwnerEngine   Owner = "engine"
	OwnerExternal Owner = "external" // an outside worker that reports over a wire
)

// Mode is how an entity is read.
type Mode string

const (
	ModeFull        Mode = "full"
	ModeIncremental Mode = "incremental"
	// ModeAccessControl is of runs that outside workers do: who may see what.
	ModeAccessControl Mode = "access_control"
)

// Disposition is how rows are written.
type Disposition string

const (
	Append  Disposition = "append"
	Upsert  Disposition = "upsert"
	Replace Disposition = "replace"
)

// Columns is what happens when the source has a column that the target lacks.
type Columns string

const (
	ColumnsAdd    Columns = "add" // default
	ColumnsIgnore Columns = "ignore"
	ColumnsFreeze Columns = "freeze" // the run waits: schema_change
)

// Deletes is what an upsert with a full read does with rows it did not see.
type Deletes string

const (
	DeletesIgnore Deletes = "ignore" // default
	DeletesHard   Deletes = "hard"
)

// Overlap is what happens to a run that falls due while another of its pipeline lives.
type Overlap string

const (
	OverlapSkip  Overlap = "skip" // default: recorded as a skipped run
	OverlapQueue Overlap = "queue"
	OverlapAllow Overlap = "allow"
)

// Misfire is what happens to slots that fell due while no server ran.
type Misfire string

const (
	MisfireLatest Misfire = "latest" // default: the newest one runs, the others are recorded as skipped
	MisfireNone   Misfire = "none"   // all are recorded as skipped
)

// Outcome says how a run's state follows from its tasks' states.
type Outcome string

const (
	OutcomeAny Outcome = "any_success" // default: fails only when every task failed
	OutcomeAll Outcome = "all"         // any failed task fails the run
)

// Endpoint is a place to read from or write to. Settings are those of the kind's
// spec; secret ones are sealed, or `${env:X}` and `${file:path}` references that are
// resolved when a run opens the endpoint, never stored resolved.
type Endpoint struct {
	Kind     string          `json:"kind"`
	Settings json.RawMessage `json:"settings,omitempty"`
	// Shown is the endpoint as a person may see it, a URL without secrets.
	Shown string `json:"shown,omitempty"`
}

// EntitySpec chooses entities of the source and says how they travel.
type EntitySpec struct {
	Name    string            `json:"name"`            // a name or a pattern: "public.*"
	Table   string            `json:"table,omitempty"` // where it lands; only with a plain name. Default: the destination's choice
	Mode    Mode              `json:"mode,omitempty"`  // default: full
	Cursor  string            `json:"cursor,omitempty"`
	Key     []string          `json:"key,omitempty"`   // default: the source's primary key
	Write   Disposition       `json:"write,omitempty"` // default: replace for full, upsert for incremental with a key, append without
	Columns Columns           `json:"columns,omitempty"`
	Deletes Deletes           `json:"deletes,omitempty"`
	Overlap *time.Duration    `json:"overlap,omitempty"` // how far to read behind the mark again; default 5 min for timestamps, 0 else
	Types   map[string]string `json:"types,omitempty"`   // column → type word, where inference or the declared type is wrong
	Split   string            `json:"split,omitempty"`   // "key": cut parts by key even where that costs more
}

// Schedule says when a pipeline runs by itself. Exactly one of Every and Cron is set.
type Schedule struct {
	ID    string        `json:"id"` // stable within the pipeline
	Mode  Mode          `json:"mode,omitempty"`
	Every time.Duration `json:"every,omitempty"`
	// Anchor is what Every, and a pattern that says only an interval, count from. It is set
	// when the schedule is made, and when its timing changes.
	Anchor time.Time `json:"anchor,omitzero"`
	Cron   string    `json:"cron,omitempty"` // a pattern in the language of Grammar
	// Grammar names the language of Cron: "" is Unix cron, five fields or @daily and the like;
	// "quartz" six or seven; "appengine" words, such as "every 24 hours".
	Grammar string `json:"grammar,omitempty"`
	Zone    string `json:"zone,omitempty"` // IANA name; default UTC
	// Start: no slot before. In "appengine" an interval counts from it, less its seconds, which
	// is the first slot.
	Start   time.Time `json:"start,omitzero"`
	End     time.Time `json:"end,omitzero"` // no slot after
	Misfire Misfire   `json:"misfire,omitempty"`
	Off     bool      `json:"off,omitempty"`
}

// Definition is what a pipeline does. It is versioned: a change makes a new revision,
// old ones stay, and a run points at the one it was started with.
type Definition struct {
	Owner       Owner         `json:"owner"`
	Source      Endpoint      `json:"source"`
	Destination Endpoint      `json:"destination"`
	Entities    []EntitySpec  `json:"entities,omitempty"`
	Schedules   []Schedule    `json:"schedules,omitempty"`
	Overlap     Overlap       `json:"overlap,omitempty"`
	Outcome     Outcome       `json:"outcome,omitempty"`
	MaxTries    int           `json:"max_tries,omitempty"` // deaths and retryable failures without progress; default 5
	Deadline    time.Duration `json:"deadline,omitempty"`  // of one run, from its first claim; 0: none
	// UpdateWithin, of runs that outside workers do: how long nothing may be heard of one, be
	// it running or waiting for its worker; 0: as the worker's protocol has it.
	UpdateWithin time.Duration `json:"update_within,omitempty"`
	Parallel     int           `json:"parallel,omitempty"`  // entities, and parts of all of them, side by side; default 4
	KeepRuns     int           `json:"keep_runs,omitempty"` // final runs kept; 0: no limit by number
	KeepDays     int           `json:"keep_days,omitempty"` // 0: no limit by age
	// Host pins runs to one machine because an endpoint is local to it; "": any.
	Host string `json:"host,omitempty"`
	// Confined is of what was defined over the network, by somebody who is not the user of
	// this machine: it names neither the environment nor files outside the server's roots,
	// and no edit over the network takes that away.
	Confined bool `json:"confined,omitempty"`
	// Labels are a client's own, kept and given back.
	Labels map[string]string `json:"labels,omitempty"`
}

// Pipeline is a definition that can be run, with what is not versioned beside it.
type Pipeline struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`     // unique, shown to people
	Revision   int64      `json:"revision"` // of Definition, from 1
	Definition Definition `json:"definition"`
	PausedAt   time.Time  `json:"paused_at,omitzero"` // zero: not paused. A paused pipeline starts no scheduled runs
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
	// Ext holds what only one dialect understands, by the dialect's name.
	Ext map[string]json.RawMessage `json:"ext,omitempty"`
	// Version counts every stored change, for compare-and-swap. The store sets it.
	Version int64 `json:"-"`
}
