package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/format/pgurl"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// maxRejects is how many rejects a batch holds at most; each keeps a sample of its row.
const maxRejects = 256

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

	order   []string
	columns []int // of order, in the schema
	framer  *pgcopy.Framer
	decoder *pgcopy.Decoder

	row      int64 // ordinal of the next row
	first    int64 // of the batch being built
	filtered int64
	requests int64
	bytes    int64 // of rejected rows
	rejects  []rows.Reject
	at       []string // place of the last row, when it was a reject

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
	at, err := r.prepare(part, from)
	if err != nil {
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
	if err := r.countUnusable(ctx, c, rel, from); err != nil {
		return err
	}
	return r.copy(ctx, c, r.source.copySQL(rel, r.query, r.plan.Until, r.order, at))
}

func (r *reader) prepare(part source.Part, from []byte) (place, error) {
	var b bounds
	if part.Bounds != nil {
		if err := json.Unmarshal(part.Bounds, &b); err != nil {
			return place{}, fmt.Errorf("bounds of part %s: %w", part.ID, err)
		}
	}
	r.order = b.Order
	schema := r.query.Entity.Schema
	for _, name := range r.order {
		found := schema.FieldIndices(name)
		if len(found) != 1 {
			return place{}, schemaChanged("column %q of %s, which its parts are ordered by, is gone", name, r.query.Entity.Name)
		}
		r.columns = append(r.columns, found[0])
	}
	at, err := parsePlace(from, r.order)
	if err != nil {
		return at, err
	}
	r.row, r.first, r.requests = at.Rows, at.Rows, 1
	r.framer = pgcopy.NewFramer(schema.NumFields(), rows.MaxRowBytes)
	if r.decoder, err = pgcopy.NewDecoder(schema); err != nil {
		return at, syncline.Errorf(syncline.InvalidArgument, "%s: %w", r.query.Entity.Name, err).Of(syncline.ClassConfig).
			Try("give the column another type in the pipeline, or none")
	}
	return at, nil
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
func (r *reader) countUnusable(ctx context.Context, c *pgx.Conn, rel *relation, from []byte) error {
	if from != nil || !behindMark(r.query) {
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

// copy runs the statement. Only the server's CommandComplete, after the stream's trailer,
// for as many rows as came, says that there is no more.
func (r *reader) copy(ctx context.Context, c *pgx.Conn, sql string) error {
	before := r.row
	tag, err := c.PgConn().CopyTo(ctx, r, sql)
	if err != nil || r.failed != nil || r.stopped {
		return cmp.Or(r.failed, err)
	}
	if !r.framer.Ended() || tag.RowsAffected() != r.row-before {
		return fmt.Errorf("%w: %d rows came, the server counted %d", io.ErrUnexpectedEOF, r.row-before, tag.RowsAffected())
	}
	if r.row > r.first {
		r.hand()
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
			r.hand()
		}
	}
	if r.stopped || r.failed != nil {
		r.cancel()
	}
	return len(p), nil
}

func (r *reader) full() bool {
	return r.decoder.Full() || len(r.rejects) >= maxRejects || r.decoder.Bytes()+r.bytes >= rows.MaxBatchBytes
}

// take adds a row to the batch.
func (r *reader) take(tuple []byte, err error) error {
	if err == nil {
		err = r.decoder.Append(tuple)
	}
	switch e := err.(type) {
	case nil:
		r.at = nil
	case *pgcopy.ValueError:
		err = r.reject(tuple, int64(len(tuple)), e.Code, e.Error())
	case *pgcopy.TooLarge:
		err = r.reject(e.Trimmed, e.Size, rows.CodeTooLarge, fmt.Sprintf("row of %d bytes, the limit is %d", e.Size, rows.MaxRowBytes))
	default:
		return fmt.Errorf("row %d: %w", r.row, err)
	}
	r.row++
	return err
}

func (r *reader) reject(tuple []byte, size int64, code, message string) error {
	texts, err := r.decoder.Text(tuple, r.keyColumns())
	if err != nil {
		return err
	}
	sample, err := r.sample(tuple)
	if err != nil {
		return err
	}
	r.rejects = append(r.rejects, rows.Reject{Row: r.row, Key: joinKey(texts), Code: code, Message: message, Sample: sample})
	r.bytes += size
	r.at, err = r.placeOf(tuple)
	return err
}

// keyColumns are the entity's key in its schema.
func (r *reader) keyColumns() []int {
	var columns []int
	for _, k := range r.query.Entity.Key {
		columns = append(columns, r.query.Entity.Schema.FieldIndices(k)...)
	}
	return columns
}

func joinKey(texts [][]byte) string {
	var key []byte
	for i, t := range texts {
		if i > 0 {
			key = append(key, ',')
		}
		key = append(key, t[:min(len(t), 200)]...)
	}
	return string(key)
}

// sample draws the columns of a row as "name=value".
func (r *reader) sample(tuple []byte) ([]byte, error) {
	fields := r.query.Entity.Schema.Fields()
	all := make([]int, len(fields))
	for i := range all {
		all[i] = i
	}
	texts, err := r.decoder.Text(tuple, all)
	if err != nil {
		return nil, err
	}
	var sample []byte
	for i, t := range texts {
		if t == nil || len(sample) > rows.MaxSample {
			continue
		}
		sample = fmt.Appendf(sample, "%s=%q ", fields[i].Name, t[:min(len(t), 200)])
	}
	return sample[:min(len(sample), rows.MaxSample)], nil
}

// placeOf is a rejected row's place in the order; nil: it cannot be told.
func (r *reader) placeOf(tuple []byte) ([]string, error) {
	at := []string{}
	texts, err := r.decoder.Text(tuple, r.columns)
	for _, t := range texts {
		if t == nil {
			return []string{}, err
		}
		at = append(at, string(t))
	}
	return at, err
}

// hand gives the batch to the caller.
func (r *reader) hand() {
	b := rows.Batch{
		Format: rows.Arrow, Rows: int64(r.decoder.Rows()), Bytes: r.decoder.Bytes() + r.bytes,
		Requests: r.requests, Filtered: r.filtered, Rejects: r.rejects, First: r.first,
	}
	b.Record, b.Release = r.decoder.Take()
	b.Next = r.next(b)
	r.first, r.requests, r.filtered, r.bytes, r.rejects = r.row, 0, 0, 0, nil
	r.stopped = !r.yield(b, nil)
}

// next is the place after a batch, nil where the part has no order, or where the last
// row is a reject whose place cannot be told.
func (r *reader) next(b rows.Batch) []byte {
	at := r.at
	if at == nil && b.Rows > 0 {
		for _, c := range r.columns {
			at = append(at, string(pgcopy.AppendValue(nil, b.Record.Column(c), int(b.Rows-1))))
		}
	}
	if len(r.columns) == 0 || len(at) != len(r.columns) {
		return nil
	}
	next, err := json.Marshal(place{Rows: r.row, At: slices.Clone(at)})
	if err != nil {
		return nil // strings always encode
	}
	return next
}
