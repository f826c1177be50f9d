package sqlite

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/sqlitetype"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
)

// screen rejects the rows that cannot be written whatever the table holds: those without
// a key, and those with a value that SQLite cannot hold.
func (l *lane) screen(ctx context.Context, b *rows.Batch) (*batch, error) {
	if b.Format != rows.Arrow || b.Record == nil {
		return nil, syncline.Errorf(syncline.Internal, "SQLite takes rows as Arrow, not as %s", b.Format)
	}
	good := &batch{record: b.Record, rows: make([]int, 0, b.Rows), ordinals: b.Ordinals}
	var rejects []rows.Reject
	checks := l.w.shape.checks(b.Record)
	var known []int // rejected rows that have a key
	for row := range int(b.Rows) {
		code, message := refusal(checks, row)
		if code == "" {
			good.rows = append(good.rows, row)
			continue
		}
		if code == rows.CodeNull {
			l.keyless++
		} else {
			known = append(known, row)
		}
		rejects = append(rejects, rows.Reject{Row: good.ordinal(row), Key: keyText(l.w.shape, b.Record, row), Code: code, Message: message, Sample: sample(b.Record, row)})
	}
	if b.Ops != nil {
		if err := good.takeOps(b.Ops, l.w.t.Disposition); err != nil {
			return nil, err
		}
	}
	if l.w.sweeps() {
		good.note(known, int(b.Rows))
	}
	return good, l.keep(ctx, rejects)
}

// note lets rows that are rejected still count as seen: they are not gone from the source.
func (b *batch) note(known []int, all int) {
	if len(known) == 0 {
		return
	}
	if b.ops == nil {
		b.ops = make([]int64, all)
	}
	for _, row := range known {
		b.ops[row] = seen
	}
	b.rows = append(b.rows, known...)
}

// What a row of the spool asks for.
const (
	put    = int64(rows.Put)
	remove = int64(rows.Delete)
	seen   = 2 // nothing: it is rejected, but its key was there
)

func (b *batch) ordinal(row int) int64 {
	if b.ord == nil {
		b.ord = b.ordinals()
	}
	return b.ord[row]
}

func (b *batch) takeOps(ops []rows.Op, d syncline.Disposition) error {
	b.ops = make([]int64, len(ops))
	for i, op := range ops {
		b.ops[i] = int64(op)
		if op == rows.Delete && d != syncline.Upsert {
			return syncline.Errorf(syncline.FailedPrecondition, "rows to delete cannot be written with --write %s", d).
				Of(syncline.ClassConfig).Try("write with --write upsert and a key")
		}
	}
	return nil
}

// keep stores rejects before the commit that passes them.
func (l *lane) keep(ctx context.Context, rejects []rows.Reject) error {
	if len(rejects) == 0 {
		return nil
	}
	if err := l.w.t.Keep(ctx, l.id, rejects); err != nil {
		return fmt.Errorf("keep rejected rows of %s: %w", l.w.t.Table, err)
	}
	l.pending.Rejected += int64(len(rejects))
	return nil
}

// check is what a column asks of its values.
type check struct {
	name   string
	column arrow.Array
	key    bool
	screen sqlitetype.Screen
}

// checks are those that a record can fail.
func (s *shape) checks(rec arrow.RecordBatch) []check {
	var all []check
	for _, p := range s.columns {
		c := check{name: p.field.Name, column: rec.Column(p.from), screen: sqlitetype.ScreenOf(p.field, p.Declared)}
		for _, k := range s.key {
			c.key = c.key || k == p.Name && c.column.NullN() > 0
		}
		if c.key || c.screen != nil {
			all = append(all, c)
		}
	}
	return all
}

func refusal(checks []check, row int) (code, message string) {
	for _, c := range checks {
		if c.column.IsNull(row) {
			if c.key {
				return rows.CodeNull, fmt.Sprintf("column %q of the key is NULL", c.name)
			}
			continue
		}
		if c.screen == nil {
			continue
		}
		if err := c.screen(c.column, row); err != nil {
			return rows.CodeOutOfRange, fmt.Sprintf("column %q holds %v", c.name, err)
		}
	}
	return "", ""
}

func keyText(s *shape, rec arrow.RecordBatch, row int) string {
	var values []string
	for _, k := range s.key {
		for _, p := range s.columns {
			if p.Name == k {
				values = append(values, valueText(rec.Column(p.from), row))
			}
		}
	}
	return strings.Join(values, ", ")
}

func valueText(column arrow.Array, row int) string {
	if column.IsNull(row) {
		return "NULL"
	}
	return short(string(text.Append(nil, column, row)))
}

const maxShown = 200

func short(v string) string { return strings.ToValidUTF8(v[:min(len(v), maxShown)], "\uFFFD") }

// sample is the beginning of a row: name=value, …
func sample(rec arrow.RecordBatch, row int) []byte {
	var b []byte
	for i, column := range rec.Columns() {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(b, rec.ColumnName(i)...), '=')
		b = append(b, valueText(column, row)...)
	}
	return b[:min(len(b), rows.MaxSample)]
}
