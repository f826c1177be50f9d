package syncline

import (
	"encoding/json"
	"time"
)

// Event is one journal entry of a run; live views follow them. Seq counts from 1 in
// the run and is given out under the run's lock, so "after n" misses none.
type Event struct {
	RunID string          `json:"run_id"`
	Seq   int64           `json:"seq"`
	At    time.Time       `json:"at"`
	Kind  string          `json:"kind"` // "created", "claimed", "released", "succeeded", …
	Text  string          `json:"text,omitempty"`
	State State           `json:"state"`
	Data  json.RawMessage `json:"data,omitempty"`
}

// Severity of a message.
type Severity string

const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Failure Severity = "error"
)

// Message is one log line of a run. Append-only; Seq counts from 1 in the run.
type Message struct {
	RunID    string    `json:"run_id"`
	Seq      int64     `json:"seq"`
	At       time.Time `json:"at"`
	Severity Severity  `json:"severity"`
	Text     string    `json:"text"`
	Task     string    `json:"task,omitempty"`
	Attempt  int       `json:"attempt,omitempty"`
}

// Reject is one row that could not be kept exactly, with the reason. ID makes keeping
// it idempotent: the same row of the same part rejected again is the same reject.
type Reject struct {
	RunID   string    `json:"run_id"`
	Task    string    `json:"task"`
	Part    string    `json:"part"`
	Row     int64     `json:"row"` // ordinal in the part, from 0
	Key     string    `json:"key,omitempty"`
	Code    string    `json:"code"` // a short stable word: "malformed", "out_of_range"
	Message string    `json:"message"`
	Sample  []byte    `json:"sample,omitempty"` // ≤ 4 KiB
	At      time.Time `json:"at"`
}
