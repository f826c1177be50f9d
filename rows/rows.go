// Package rows is what travels between a source and a destination: batches, positions,
// counts, rejects, and the byte budget that bounds them. It knows no database and no run.
package rows

import (
	"github.com/synclinehq/syncline"

	"github.com/apache/arrow-go/v18/arrow"
)

// Limits that every source keeps when it cuts batches.
const (
	MaxBatchBytes = 8 << 20  // a batch is cut when it reaches this, so it is at most this plus one row
	MaxBatchRows  = 65_536   // a batch has at most this many rows
	MaxRowBytes   = 16 << 20 // a larger row is a reject, CodeTooLarge
	MaxSample     = 4 << 10  // bytes of a rejected row that are kept
)

// Format is how the rows of a batch are held.
type Format string

const (
	Arrow  Format = "arrow"  // Batch.Record
	PGCopy Format = "pgcopy" // Batch.Raw: tuples of PostgreSQL's binary COPY, without header and trailer
	NDJSON Format = "ndjson" // Batch.Raw: one JSON object a line
)

// Op is what one row asks for.
type Op uint8

const (
	Put Op = iota
	Delete
)

// Census says that a batch does not bring rows but names those that are there.
type Census uint8

const (
	NoCensus     Census = iota
	CensusBegins        // what an earlier census of this load has named is forgotten
	CensusGoesOn
)

// Batch is a bounded number of rows on their way. It is owned by the reader until it is
// yielded, then by whoever received it, until Release is called once; after that nobody
// may touch it.
type Batch struct {
	Format Format
	Record arrow.RecordBatch // Format Arrow; columns in the order of Entity.Schema
	Raw    []byte            // other formats: whole rows only
	Ops    []Op              // nil: all Put; else one per row
	// Census: the rows hold the entity's key columns only, in the order of Entity.Key, and
	// name rows that the source has now; they are not read a second time and count for
	// nothing. When the part that brings a census is done, what it does not name is gone.
	Census Census
	// Rows counts the rows in Record or Raw. Bytes is their size as the source saw it.
	// Requests and Filtered count since the last batch.
	Rows, Bytes, Requests, Filtered int64
	// Rejects are rows the source read and could not turn into the entity's types; they
	// are not in Record or Raw and not counted in Rows. Their Row is the ordinal in the part.
	Rejects []Reject
	// First is the ordinal in the part, from 0, of the first row read for this batch.
	First int64
	// Next is the position after this batch, opaque to all but the source; nil: no
	// checkpoint here, and the rows become durable with a later batch.
	Next    []byte
	Release func() // never nil
}

// Read is how many rows the source read for this batch: those in it, those it rejected
// and those it filtered.
func (b *Batch) Read() int64 {
	if b.Census != NoCensus {
		return 0
	}
	return b.Rows + int64(len(b.Rejects)) + b.Filtered
}

// Ordinals are the ordinals in the part of the rows in Record or Raw, in order: they count
// from First and leave out those of Rejects.
func (b *Batch) Ordinals() []int64 {
	gone := make(map[int64]bool, len(b.Rejects))
	for _, r := range b.Rejects {
		gone[r.Row] = true
	}
	all := make([]int64, 0, b.Rows)
	for n := b.First; int64(len(all)) < b.Rows; n++ {
		if !gone[n] {
			all = append(all, n)
		}
	}
	return all
}

// Position is how far a part has come, cumulative and durable with the data.
type Position struct {
	Next   []byte          `json:"next,omitempty"`
	Done   bool            `json:"done,omitempty"`
	Counts syncline.Counts `json:"counts"`
}

// Standing is what a destination knows of a stream when it is taken over.
type Standing struct {
	Load string // the load in progress, or the last one published; "" none
	// Published: Load was published already; a run of that load has only to finish.
	Published bool
	// Total and Swept are the published load's; Total is -1 when unknown.
	Total, Swept int64
	// Counts are the published load's, as Publish answered them.
	Counts syncline.Counts
	// Mark is the last published mark; nil when there is none or when the target is not
	// the one it was published for (dropped and made anew, emptied by TRUNCATE, moved).
	Mark  []byte
	Parts map[string]Position // of Load, while it is not published
}

// Reject is one row that could not be kept exactly, with the reason.
type Reject struct {
	Row     int64  // ordinal in the part, from 0
	Key     string // the key as text, when known; "file:line" for files
	Code    string
	Message string // names column and reason
	Sample  []byte // ≤ MaxSample bytes of the row, for a person
}

// Codes of rejects. Stable: scripts match them.
const (
	CodeMalformed   = "malformed"    // the source's bytes are not a row
	CodeType        = "type"         // a value is not of its column's type
	CodeOutOfRange  = "out_of_range" // the destination cannot hold the value exactly
	CodeEncoding    = "encoding"     // invalid UTF-8, or NUL in text where it cannot be kept
	CodeTooLarge    = "too_large"    // over MaxRowBytes
	CodeNull        = "null"         // NULL in a key or a NOT NULL column
	CodeConstraint  = "constraint"   // the destination's own rule
	CodeDuplicate   = "duplicate"    // a second row of a key where only one may be
	CodeNullCursor  = "null_cursor"  // incremental: no cursor value
	CodeTooManyCols = "columns"      // more or fewer fields than the header
)

// NativeKey is the Arrow field metadata key that carries the source's own type,
// "pg:inet" or "sqlite:VARCHAR(20)".
const NativeKey = "native"

// Native returns the source's own type of a field, "" when it is not known.
func Native(f arrow.Field) string {
	v, _ := f.Metadata.GetValue(NativeKey)
	return v
}

// Field makes a field with its source's own type.
func Field(name string, t arrow.DataType, nullable bool, native string) arrow.Field {
	f := arrow.Field{Name: name, Type: t, Nullable: nullable}
	if native != "" {
		f.Metadata = arrow.NewMetadata([]string{NativeKey}, []string{native})
	}
	return f
}

// Infinite dates and timestamps travel as the Arrow type's extreme values.
const (
	DateInfinity    = arrow.Date32(1<<31 - 1)
	DateNegInfinity = arrow.Date32(-1 << 31)
	TimeInfinity    = arrow.Timestamp(1<<63 - 1)
	TimeNegInfinity = arrow.Timestamp(-1 << 63)
)
