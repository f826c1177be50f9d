package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/format/pgurl"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// maxRejects is how many rejects a batch holds at most; each keeps a sample of its row.
const maxRejects = 256

// largeTuple is what is kept of the memory of a tuple.
const largeTuple = 1 << 20

// Read yields the rows of a part under the plan's snapshot, or, for a plan of an earlier
// attempt, under one of now that all parts of this source share.
func (s *Source) Read(ctx context.Context, q source.Query, p source.Plan, part source.Part, from []byte) iter.Seq2[rows.Batch, error] {
	return func(yield func(rows.Batch, error) bool) {
		r := &reader{source: s, query: q, plan: p, yield: yield}
		alive, cancel := s.alive(ctx)
		defer cancel(nil)
		r.cancel = func() { cancel(errStopped) }
		err := r.read(alive, part, from)
		switch {
		case r.stopped || err == nil:
		case r.failed != nil: // what came of stopping the statement is not the reason
			yield(rows.Batch{}, s.explain(ctx, r.failed, "read %s", q.Entity.Name))
		default:
			yield(rows.Batch{}, s.explain(alive, err, "read %s", q.Entity.Name))
		}
	}
}

// errStopped ends the statement when nobody wants its rows any more.
var errStopped = errors.New("reading was stopped")

// reader reads one part once. The driver calls its Write with what COPY sends, on the
// goroutine that Read was called on: batches are handed over without a step between.
type reader struct {
	source *Source
	query  source.Query
	plan   source.Plan
	yield  func(rows.Batch, error) bool
	cancel func() // ends the statement

	schema  *arrow.Schema // of the tuples
	census  rows.Census   // of the next batch
	order   []string
	columns []int // of order, in the schema
	framer  *pgcopy.Framer
	decoder *pgcopy.Decoder // draws rejects and places, also where rows are not decoded
	gather  gather

	row      int64 // ordinal of the next row
	first    int64 // of the batch being built
	filtered int64
	requests int64
	bytes    int64 // of rejected rows
	rejects  []rows.Reject
	tuple    []byte // the last one, where there is an order to find a place in
	block    *int64 // the first block that is not read yet, after a part's statement
	anywhere bool   // the read may be stopped after any batch, not only after a statement

	stopped bool  // the caller wants no more
	failed  error // what ended the read on this side
}

func (r *reader) read(ctx context.Context, part source.Part, from []byte) error {
	rel, err := r.source.relation(ctx, r.query.Entity.Name)
	if err == nil {
		err = rel.changed(r.query)
	}
	if err != nil {
		return err
	}
	b, at, err := parsePart(part, from)
	if err != nil {
		return err
	}
	if b.Void {
		return nil
	}
	if err := r.prepare(b, at); err != nil {
		return err
	}
	snapshot := string(r.plan.Session)
	if snapshot == "" {
		if snapshot, err = r.source.snapshot(ctx, r.query.Entity.Name); err != nil {
			return err
		}
	}
	c, err := r.source.connect(ctx)
	if err != nil {
		return err
	}
	defer hangUp(c)
	if err := begin(ctx, c, snapshot); err != nil {
		return r.snapshotGone(err)
	}
	if err := guard(ctx, c, rel); err != nil {
		return err
	}
	return r.pieces(ctx, c, rel, b, at, from == nil)
}

// pieces reads a part, statement by statement.
func (r *reader) pieces(ctx context.Context, c *pgx.Conn, rel *relation, b bounds, at place, first bool) error {
	switch {
	case b.Pages != nil:
		return r.pages(ctx, c, rel, *b.Pages, at)
	case b.Changed != nil:
		return r.changed(ctx, c, rel, b.Changed)
	case b.Census:
		r.census, r.block = rows.CensusBegins, new(int64)
		return r.copy(ctx, c, r.source.copySQL(rel, r.schema, nil, nil))
	}
	if err := r.countUnusable(ctx, c, rel, first); err != nil {
		return err
	}
	conditions := r.source.conditions(rel, r.query, r.plan.Until)
	if len(at.At) > 0 {
		conditions = append(conditions, rel.after(r.order, at.At))
	}
	return r.copy(ctx, c, r.source.copySQL(rel, r.schema, conditions, r.order))
}

func (r *reader) prepare(b bounds, at place) (err error) {
	r.schema, r.order = r.query.Entity.Schema, b.Order
	r.anywhere = b.Pages == nil && (len(b.Order) > 0 || b.Census || b.Changed != nil)
	if b.Census {
		r.schema = only(r.schema, r.query.Entity.Key)
	}
	for _, name := range r.order {
		found := r.schema.FieldIndices(name)
		if len(found) != 1 {
			return schemaChanged("column %q of %s, which its parts are ordered by, is gone", name, r.query.Entity.Name)
		}
		r.columns = append(r.columns, found[0])
	}
	r.row, r.first, r.requests = at.Rows, at.Rows, 1
	if r.decoder, err = pgcopy.NewDecoder(r.schema); err != nil {
		return syncline.Errorf(syncline.InvalidArgument, "%s: %w", r.query.Entity.Name, err).Of(syncline.ClassConfig).
			Try("give the column another type in the pipeline, or none")
	}
	r.gather = records{r.decoder}
	if r.query.Format == rows.PGCopy {
		r.gather = &chunks{free: r.source.spare}
	}
	return nil
}

// only is a schema of some of another's columns.
func only(schema *arrow.Schema, names []string) *arrow.Schema {
	var fields []arrow.Field
	for _, n := range names {
		found, _ := schema.FieldsByName(n)
		fields = append(fields, found...)
	}
	return arrow.NewSchema(fields, nil)
}

// snapshotGone: the session that held the plan's snapshot has ended. The next attempt
// takes a new one.
func (r *reader) snapshotGone(err error) error {
	if state := pgurl.State(err); state == "22023" || state == "55000" {
		e := syncline.Errorf(syncline.Unavailable, "the snapshot of %s is gone: the session that held it has ended", r.query.Entity.Name)
		return e.Of(syncline.ClassSource).Because("snapshot_gone").Again()
	}
	return err
}

// guardSQL finds tables whose rows are not those of the snapshot: a truncated or
// rewritten table is empty, without an error, to a snapshot that is older. What the
// catalog said then is compared with what is true now.
const guardSQL = `
select count(*) filter (where c.oid = $1), coalesce(string_agg(c.oid::regclass::text, ', ') filter (where c.relfilenode <> 0 and c.relfilenode is distinct from pg_relation_filenode(c.oid)), '')
from pg_class c where c.relkind in ('r', 'm', 'p', 'v', 'f') and (c.oid = $1 or c.oid in (select relid from pg_partition_tree($1)))`

// guard makes sure that the snapshot shows the table's rows: it stays as it is from here on.
func guard(ctx context.Context, c *pgx.Conn, r *relation) error {
	if r.isTable() {
		if _, err := c.Exec(ctx, "lock table "+r.from()+" in access share mode"); err != nil {
			return err
		}
	}
	var visible int
	var rewritten string
	if err := c.QueryRow(ctx, guardSQL, r.oid).Scan(&visible, &rewritten); err != nil {
		return err
	}
	switch {
	case visible == 0:
		return schemaChanged("%s was dropped and made again", r.name)
	case rewritten != "":
		return schemaChanged("%s was truncated or rewritten", rewritten)
	}
	return nil
}

// countUnusable counts the rows that the cursor cannot reach, once: they go into the
// first batch.
func (r *reader) countUnusable(ctx context.Context, c *pgx.Conn, rel *relation, first bool) error {
	if !first || !behindMark(r.query) {
		return nil
	}
	if err := c.QueryRow(ctx, r.source.unusableSQL(rel, r.query)).Scan(&r.filtered); err != nil {
		return err
	}
	if r.filtered > 0 {
		r.source.log.Warn("rows without a usable cursor value are not read incrementally; a full run reads them",
			"entity", r.query.Entity.Name, "cursor", r.query.Cursor, "rows", r.filtered)
	}
	r.row += r.filtered
	return nil
}

// copy runs one statement and hands over all of its rows, the last of them with a place
// to go on from.
func (r *reader) copy(ctx context.Context, c *pgx.Conn, sql string) error {
	err := r.stream(ctx, c, sql)
	if err == nil && !r.stopped && r.row > r.first {
		r.hand(true)
	}
	return err
}

// stream runs the statement. Only the server's CommandComplete, after the stream's
// trailer, for as many rows as came, says that there is no more.
func (r *reader) stream(ctx context.Context, c *pgx.Conn, sql string) error {
	r.framer = pgcopy.NewFramer(r.schema.NumFields(), rows.MaxRowBytes)
	before := r.row
	tag, err := c.PgConn().CopyTo(ctx, r, sql)
	if err != nil || r.failed != nil || r.stopped {
		return cmp.Or(r.failed, err)
	}
	if !r.framer.Ended() || tag.RowsAffected() != r.row-before {
		return fmt.Errorf("%w: %d rows came, the server counted %d", io.ErrUnexpectedEOF, r.row-before, tag.RowsAffected())
	}
	return nil
}

// Write takes a piece of the stream. When the read has ended on this side the rest is
// thrown away until the server has noticed.
func (r *reader) Write(p []byte) (int, error) {
	r.framer.Feed(p)
	for !r.stopped && r.failed == nil {
		tuple, err := r.framer.Next()
		if err == io.EOF || tuple == nil && err == nil {
			break
		}
		if r.failed = r.take(tuple, err); r.failed == nil && r.full() {
			r.hand(r.anywhere)
		}
	}
	if r.stopped || r.failed != nil {
		r.cancel()
	}
	return len(p), nil
}

func (r *reader) full() bool {
	n, bytes := r.gather.size()
	return n >= rows.MaxBatchRows || len(r.rejects) >= maxRejects || bytes+r.bytes >= rows.MaxBatchBytes
}

func (r *reader) halfFull() bool {
	n, bytes := r.gather.size()
	return n >= rows.MaxBatchRows/2 || len(r.rejects) > 0 || bytes+r.bytes >= rows.MaxBatchBytes/2
}

// take adds a row to the batch.
func (r *reader) take(tuple []byte, err error) error {
	if err == nil {
		err = r.gather.append(tuple)
	}
	kept := tuple
	switch e := err.(type) {
	case nil:
	case *pgcopy.ValueError:
		err = r.reject(tuple, int64(len(tuple)), e.Code, e.Error())
	case *pgcopy.TooLarge:
		kept = e.Trimmed
		err = r.reject(e.Trimmed, e.Size, rows.CodeTooLarge, fmt.Sprintf("row of %d bytes, the limit is %d", e.Size, rows.MaxRowBytes))
	default:
		return fmt.Errorf("row %d: %w", r.row, err)
	}
	if len(r.columns) > 0 {
		r.tuple = append(r.tuple[:0:min(cap(r.tuple), largeTuple)], kept...)
	}
	r.row++
	return err
}

func (r *reader) reject(tuple []byte, size int64, code, message string) error {
	key, err := r.decoder.Key(tuple, r.query.Entity.Key)
	if err != nil {
		return err
	}
	sample, err := r.decoder.Sample(tuple)
	if err != nil {
		return err
	}
	r.rejects = append(r.rejects, rows.Reject{Row: r.row, Key: key, Code: code, Message: message, Sample: sample})
	r.bytes += size
	return nil
}

// hand gives the batch to the caller, with the place after it where there is one.
func (r *reader) hand(placed bool) {
	n, bytes := r.gather.size()
	b := rows.Batch{
		Rows: int64(n), Bytes: bytes + r.bytes, Census: r.census,
		Requests: r.requests, Filtered: r.filtered, Rejects: r.rejects, First: r.first,
	}
	r.gather.take(&b)
	if placed {
		b.Next = r.next()
	}
	if r.census != rows.NoCensus {
		r.census = rows.CensusGoesOn
	}
	r.first, r.requests, r.filtered, r.bytes, r.rejects = r.row, 0, 0, 0, nil
	r.stopped = !r.yield(b, nil)
}

// next is the place after the last row, nil where it cannot be told: the part has no order,
// or the row was too large to keep what it is ordered by.
func (r *reader) next() []byte {
	p := place{Rows: r.row, Block: r.block}
	if p.Block == nil {
		if p.At = r.at(); p.At == nil {
			return nil
		}
	}
	next, err := json.Marshal(p)
	if err != nil {
		return nil // strings always encode
	}
	return next
}

// at is the last row's values of the columns that the part is ordered by.
func (r *reader) at() []string {
	if len(r.columns) == 0 {
		return nil
	}
	texts, err := r.decoder.Text(r.tuple, r.columns)
	if err != nil {
		return nil
	}
	var at []string
	for _, t := range texts {
		if t == nil {
			return nil
		}
		at = append(at, string(t))
	}
	return at
}
