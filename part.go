package syncline

import (
	"encoding/json"
	"net/url"
	"time"
)

// PartState is where a part stands that its run's holder has offered to other workers.
type PartState string

const (
	PartOpen     PartState = "open"     // anybody may take it
	PartReserved PartState = "reserved" // only the holder of the run may
	PartTaken    PartState = "taken"
	PartDone     PartState = "done"
)

// Offer is what the holder of a run lets others do of one of its tasks.
type Offer struct {
	Run   string   `json:"run"`
	Task  string   `json:"task"`
	Parts []string `json:"parts"` // in the order in which they are taken
	// Payload is what the task's kind needs to do one of them elsewhere.
	Payload json.RawMessage `json:"payload"`
}

// OfferedPart is a part of an offer.
type OfferedPart struct {
	Run     string    `json:"run"`
	Task    string    `json:"task"`
	Part    string    `json:"part"`
	Ordinal int       `json:"ordinal"`
	State   PartState `json:"state"`
	Worker  string    `json:"worker,omitempty"` // who has it, or had it last
	Token   int64     `json:"token"`            // under which it was taken last
	Losses  int       `json:"losses,omitempty"` // workers that fell silent over it
	Counts  Counts    `json:"counts"`           // durable at the destination
}

// Lease is the name of the part's lease within its run: of a helper, never of the run's
// own holder, whose lease is the run's.
func (p OfferedPart) Lease() string { return url.PathEscape(p.Task) + "/" + p.Part }

// PartGrant is a part that a worker has taken.
type PartGrant struct {
	Run        Run             `json:"run"`
	Definition Definition      `json:"definition"` // of the run's revision, secrets sealed
	Task       Task            `json:"task"`
	Part       OfferedPart     `json:"part"`
	Payload    json.RawMessage `json:"payload"`
	TTL        time.Duration   `json:"ttl"`
}

// Hold is the grant's own lease.
func (g PartGrant) Hold() Hold { return Hold{Run: g.Run.ID, Part: g.Part.Lease(), Token: g.Part.Token} }
