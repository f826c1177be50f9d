// Package destination is the contract of a place to write to. A destination keeps rows,
// position and counts together, so that a crash cannot part them, and refuses holders of
// an older token. It knows nothing of runs or sources; destinationtest holds every one to
// the promises below.
package destination

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/spec"
)

// Kind is what a destination package hands to the registry, as its variable Kind.
type Kind struct {
	Spec spec.Spec
	// Open checks settings and connects; errors as source.Kind.Open.
	Open func(ctx context.Context, env source.Env, settings json.RawMessage) (Destination, error)
}

// Destination is an open place to write to. Its methods may be called from several
// goroutines at once.
type Destination interface {
	// Lands says where an entity lands when the pipeline does not: the table, the file.
	// Two entities of one pipeline that land in the same place are refused.
	Lands(entity string) string
	// Open prepares one entity. It creates or changes nothing that readers see, and
	// refuses early what cannot work: an unknown table's schema, a key that is missing,
	// a *SchemaChange that needs a person.
	Open(ctx context.Context, t Target) (Writer, error)
	Close() error
}

// Accepter is a Destination that takes raw formats beside Arrow, cheapest first. It may
// look at the existing target: the answer holds for this entity into this table now.
type Accepter interface {
	Accepts(ctx context.Context, t Target) []rows.Format
}

// Corrector is a Destination that can put right what a load has taken already, so that a
// source may be resumed that has no order to go on by.
type Corrector interface {
	// Corrects reports whether, for this target, of rows that repeat a key the one written
	// last stays, as often as they repeat and in whichever parts, and whether rows that a
	// census (rows.Batch.Census) does not name are gone at Publish, where the disposition
	// has rows go at all. Such rows are counted as superseded.
	Corrects(t Target) bool
}

// Joiner is a Writer that a helper can use beside the one who took the stream over.
type Joiner interface {
	// Join takes the place of Takeover for a helper, which holds single parts under tokens
	// of its own and nothing else: it changes nothing. Fence.Token is the run's token.
	// ErrLeaseLost when the stream is in newer hands or another load's.
	Join(ctx context.Context) error
}

// Placed is a Lane of a Joiner: others may have written the part since Takeover.
type Placed interface {
	// At is the position that is durable: after Part, where the part is gone on with.
	At() rows.Position
}

// Target is one entity of one run, on its way in.
type Target struct {
	Entity source.Entity // schema and key as the pipeline wants them
	Table  string        // where it lands, from the pipeline or Lands
	Load   string        // names the stage: the run that began this load
	Fence  Fence
	Format rows.Format // of the batches that Write will get

	Mode        syncline.Mode
	Disposition syncline.Disposition
	Columns     syncline.Columns
	Deletes     syncline.Deletes
	Guard       Guard
	// Window, with replace: only what the target holds of this stretch of Cursor is replaced.
	// A key is unique in all of the target: a row that stands outside with a key of the load
	// moves into the stretch. Open refuses where stretches cannot be told.
	Window *syncline.Window
	// Versions, with Window: rows are ordinarily appended, so where the target lets a key be
	// there more than once, rows are not told apart by it, and outside the stretch none moves.
	Versions bool
	// Cursor is the incremental cursor's column, "" if none.
	Cursor   string
	Parallel int // lanes side by side; at least 1
	// Corrects: rows that repeat a key may come, as corrections of what was read before.
	Corrects bool
	// Restart: what this load has staged so far cannot be gone on with (the source
	// cannot resume it): Takeover begins the load anew.
	Restart bool
	// Keep stores rejects before the commit that passes them; idempotent by (part, Row).
	Keep func(ctx context.Context, part string, r []rows.Reject) error
	// Note writes a message into the run's log: what was created, widened, terminated. It
	// never blocks, and may be called by several goroutines.
	Note func(s syncline.Severity, format string, args ...any)
}

// Fence is the stream that a token guards.
type Fence struct {
	Stream string // "<pipeline id>/<entity>"
	Token  int64
}

// Guard withholds deletes that look like an accident: an empty source over a target that
// is not, or more than half of the rows and more than 1,000 of them going.
type Guard struct {
	Confirmed bool // a person has confirmed it for this run
}

// Trips decides for gone of had rows going, when the source brought read rows.
func (g Guard) Trips(had, gone, read int64) bool {
	if g.Confirmed || gone <= 0 || had <= 0 {
		return false
	}
	return read == 0 || (gone > 1000 && gone*2 > had)
}

// Writer writes one entity. Takeover is called first, once; then lanes; then Publish.
type Writer interface {
	// Takeover makes every older token harmless: its later writes and publishes fail with
	// ErrLeaseLost, and its open transaction is ended so that it holds no lock. It says
	// where the load stands. It drops what another, unpublished load left behind. It is
	// ErrLeaseLost when a higher token was here; the same token may take over again.
	Takeover(ctx context.Context) (rows.Standing, error)
	// Part opens the lane of one part. Lanes may run on different goroutines, one lane on
	// one. token is the writer's own, or a higher one of a helper that holds just the part.
	Part(ctx context.Context, id string, token int64) (Lane, error)
	// Publish makes the load visible, at once and whole, to every statement that begins
	// after it (replace), or seals it (append, upsert); the mark becomes durable with it.
	// sum is what transfer counted over all parts. It is idempotent: a load published
	// before answers as it did. ErrMassDelete and ErrUnbalanced changed nothing.
	// phase, when not nil, is told what takes time: "build key", "publish".
	Publish(ctx context.Context, mark []byte, sum syncline.Counts, phase func(string)) (Published, error)
	// Discard removes the stage; only when the load is given up for good, never on retry,
	// Ctrl-C or failure.
	Discard(ctx context.Context) error
	Close() error
}

// Published is what Publish made visible.
type Published struct {
	Total int64  // rows in the target afterwards, -1 unknown
	Swept int64  // rows removed because the source no longer has them
	Where string // where it landed, for a person: "table public.orders", a path
	// Counts are what the load amounts to, absolute: sum as given to Publish, save that
	// rows which turned out to repeat a key have moved from Inserted to Superseded, and
	// with Swept. They balance.
	Counts syncline.Counts
}

// Lane writes one part.
type Lane interface {
	// Write takes a batch; the caller Releases it when Write has returned. Rows, counts
	// and position become durable together, at a batch with Next or in Finish, never
	// between. It returns the position that is durable now, which may be an earlier one.
	// The batch's own Rejects and Filtered go into the counts; rows the destination must
	// refuse are passed to Keep first and counted as rejected. When a commit's fate is
	// unknown the lane reconnects and looks. ErrLeaseLost: stop, nothing was written.
	Write(ctx context.Context, b rows.Batch) (rows.Position, error)
	// Finish makes the rest durable and marks the part done.
	Finish(ctx context.Context) (rows.Position, error)
	// Close ends the lane without making anything durable; after Finish it does nothing.
	Close() error
}

// ErrMassDelete stops a publish that would remove suspiciously many rows.
var ErrMassDelete = errors.New("mass delete")

// ErrUnbalanced stops a publish whose stage does not hold what was counted.
var ErrUnbalanced = errors.New("unbalanced")

// MassDelete is ErrMassDelete with its numbers.
type MassDelete struct {
	Table           string
	Had, Gone, Read int64
}

func (e *MassDelete) Error() string {
	return fmt.Sprintf("%d of %d rows of %s would be removed: the source brought %d", e.Gone, e.Had, e.Table, e.Read)
}

func (e *MassDelete) Is(target error) bool { return target == ErrMassDelete }

// Unbalanced is ErrUnbalanced with its numbers.
type Unbalanced struct {
	Table         string
	Staged, Count int64
}

func (e *Unbalanced) Error() string {
	return fmt.Sprintf("the stage of %s holds %d rows, %d were counted", e.Table, e.Staged, e.Count)
}

func (e *Unbalanced) Is(target error) bool { return target == ErrUnbalanced }

// SchemaChange says that source and target cannot be brought together without a person.
type SchemaChange struct {
	Table, Column string
	Source        string // the source's type; "" when the column is not there
	Target        string // the target's type; "" when the column is not there
	Policy        syncline.Columns
}

func (e *SchemaChange) Error() string {
	if e.Target == "" {
		return fmt.Sprintf("%s has no column %q (%s), and columns: freeze forbids to add it", e.Table, e.Column, e.Source)
	}
	if e.Source == "" {
		return fmt.Sprintf("column %q of %s is %s and has no default, the source does not have it", e.Column, e.Table, e.Target)
	}
	return fmt.Sprintf("column %q of %s is %s, the source has %s", e.Column, e.Table, e.Target, e.Source)
}
