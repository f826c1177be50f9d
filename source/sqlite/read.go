package sqlite

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/synclinehq/syncline/format/record"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/sqlitetype"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// errStop ends a read whose reader asks for no more.
var errStop = errors.New("no more asked for")

// Read reads a part within one read transaction.
func (s *Source) Read(ctx context.Context, q source.Query, p source.Plan, part source.Part, from []byte) iter.Seq2[rows.Batch, error] {
	return func(yield func(rows.Batch, error) bool) {
		err := s.view(ctx, func(c *sqlitefile.Conn) error {
			sc, err := restore(c, q, p, part, from)
			if err != nil {
				return err
			}
			return sc.read(c, func(b rows.Batch) bool { return yield(b, nil) })
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(rows.Batch{}, failed(q.Entity.Name, err))
		}
	}
}

// maxBatchBytes bounds a batch more narrowly than it must be: three of them are held at a
// time, and a destination that commits larger pieces gathers them.
const maxBatchBytes = rows.MaxBatchBytes / 2

// reading is a scan under way.
type reading struct {
	*scan
	stmt     *sqlitefile.Stmt
	columns  []sqlitetype.Reader
	names    []string
	b        *record.Builder
	yield    func(rows.Batch) bool
	at       position // of the current row
	first    int64
	filtered int64
	bytes    int64 // of the batch so far
}

func (s *scan) read(c *sqlitefile.Conn, yield func(rows.Batch) bool) error {
	if s.from.End {
		return nil
	}
	r := &reading{scan: s, yield: yield, at: s.from, first: s.from.Rows}
	for _, f := range s.q.Entity.Schema.Fields() {
		read, err := sqlitetype.ReaderOf(f)
		if err != nil {
			return fmt.Errorf("%s: %w", s.t.name, err)
		}
		r.columns, r.names = append(r.columns, read), append(r.names, f.Name)
	}
	var err error
	if r.filtered, err = s.skipped(c); err != nil {
		return err
	}
	sql, args, err := s.sql()
	if err != nil {
		return err
	}
	if r.stmt, err = c.Prepare(sql); err != nil {
		return err
	}
	defer r.stmt.Close()
	for i, a := range args {
		r.stmt.Bind(i+1, a)
	}
	r.b = record.New(s.q.Entity.Schema)
	defer r.b.Release()
	return r.all()
}

func (r *reading) all() error {
	for {
		more, err := r.stmt.Step()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		r.row()
		if r.b.Full() || r.bytes >= maxBatchBytes {
			r.here()
			if err := r.cut(); err != nil {
				return err
			}
		}
	}
	if r.b.Empty() && r.filtered == 0 {
		return nil
	}
	r.at.End = true
	return r.cut()
}

// row takes the current row, or rejects it.
func (r *reading) row() {
	size := 0
	for i, read := range r.columns {
		n, err := read(r.stmt, i, r.b.Columns[i])
		if err != nil {
			r.reject(i, err)
			return
		}
		size += n
	}
	if size > rows.MaxRowBytes {
		r.reject(-1, sqlitetype.ErrTooLarge)
		return
	}
	r.b.End(int64(size))
	r.bytes += int64(size)
	r.at.Rows++
}

// here takes the place of the current row, while it still is the current one.
func (r *reading) here() {
	n := len(r.columns)
	r.at.Last = r.at.Last[:0:0]
	for i := range r.places() {
		r.at.Last = append(r.at.Last, valueOf(r.stmt, n+i))
	}
}

// cut hands the batch over.
func (r *reading) cut() error {
	taken, err := r.b.Take()
	if err != nil {
		return err
	}
	r.bytes = 0
	rec := taken.Record
	r.at.Rows, r.at.Filtered = r.at.Rows+r.filtered, r.at.Filtered+r.filtered
	b := rows.Batch{
		Format: rows.Arrow, Record: rec, Rows: rec.NumRows(), Bytes: taken.Bytes, Requests: 1, Filtered: r.filtered,
		Rejects: taken.Rejects, First: r.first, Next: r.at.encode(), Release: rec.Release,
	}
	r.first, r.filtered = r.at.Rows, 0
	next := roomOf(rec)
	if !r.yield(b) {
		return errStop
	}
	if !r.at.End {
		next.reserve(r.b.Columns) // not before the batch is taken: two would be held
	}
	return nil
}

func (r *reading) reject(column int, err error) {
	code := rows.CodeType
	switch {
	case errors.Is(err, text.ErrUTF8):
		code = rows.CodeEncoding
	case errors.Is(err, sqlitetype.ErrTooLarge):
		code = rows.CodeTooLarge
	}
	message := "the row: " + err.Error()
	if column >= 0 {
		message = fmt.Sprintf("column %q: %v", r.names[column], err)
	}
	sample := r.sample()
	r.b.Drop(int64(len(sample)), rows.Reject{Row: r.at.Rows, Key: r.key(), Code: code, Message: message, Sample: sample})
	r.at.Rows++
}

// key is the current row's key for a person.
func (r *reading) key() string {
	names := r.q.Entity.Key
	if len(names) == 0 {
		names = r.t.key
	}
	var shown []string
	for i, n := range r.names {
		for _, k := range names {
			if n == k {
				shown = append(shown, r.valueShown(i, 200))
			}
		}
	}
	return strings.Join(shown, ", ")
}

// sample is the beginning of the current row: name=value, …
func (r *reading) sample() []byte {
	var b []byte
	for i, n := range r.names {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(b, n...), '=')
		b = append(b, r.valueShown(i, rows.MaxSample)...)
		if len(b) >= rows.MaxSample {
			return b[:rows.MaxSample]
		}
	}
	return b
}

func (r *reading) valueShown(i, most int) string {
	switch r.stmt.Class(i) {
	case sqlitefile.Blob:
		v := r.stmt.Blob(i)
		return fmt.Sprintf("\\x%x", v[:min(most/2, len(v))])
	case sqlitefile.Text:
		v := r.stmt.Text(i)
		return strings.ToValidUTF8(string(v[:min(most, len(v))]), "\uFFFD")
	}
	return valueOf(r.stmt, i).shown()
}
