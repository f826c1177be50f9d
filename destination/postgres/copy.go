package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/rows"
)

// put encodes a batch and copies it to where the lane writes. Rows that cannot be written
// are kept as rejects before it returns.
func (l *lane) put(ctx context.Context, b rows.Batch) error {
	if err := l.refuseOps(b); err != nil {
		return err
	}
	l.ordinals = b.Ordinals()
	l.enc.bind(b, l.ordinals)
	defer l.enc.release()
	bad, rejects, err := l.encode()
	if err == nil {
		err = l.reject(ctx, rejects...)
	}
	if err != nil {
		return err
	}
	l.bytes += len(l.tuples.buf)
	err = l.copy(ctx, 0, l.tuples.len(), func(n int, err *pgconn.PgError) error {
		i := l.tuples.rows[n]
		bad = append(bad, i)
		return l.reject(ctx, l.enc.reject(i, l.ordinals[i], codeOf(err), err.Message))
	})
	if err != nil || !l.w.sweeps() {
		return err
	}
	return l.remember(ctx, bad)
}

// refuseOps: only an upsert knows which row a delete means.
func (l *lane) refuseOps(b rows.Batch) error {
	if l.w.target.Disposition == syncline.Upsert {
		return nil
	}
	for _, op := range b.Ops {
		if op != rows.Put {
			return syncline.Errorf(syncline.InvalidArgument, "%s has rows that ask to be deleted, which only upsert can do", l.w.target.Entity.Name).
				Of(syncline.ClassConfig).Try("write with upsert")
		}
	}
	return nil
}

// encode fills l.tuples and answers with the rows that could not be encoded. Of rows with
// one key in a batch that replaces, the last one stays.
func (l *lane) encode() (bad []int, rejects []rows.Reject, err error) {
	l.tuples.reset()
	repeated, err := l.repeated(len(l.ordinals))
	if err != nil {
		return nil, nil, err
	}
	for i, at := range l.ordinals {
		if repeated != nil && repeated[i] {
			l.pending.Superseded++
			continue
		}
		r, ok, err := l.encodeRow(i, at)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			bad, rejects = append(bad, i), append(rejects, r)
		}
	}
	return bad, rejects, nil
}

func (l *lane) encodeRow(i int, ordinal int64) (rows.Reject, bool, error) {
	if k := l.enc.nullKey(i); k != "" && l.w.target.Disposition != syncline.Append {
		return l.enc.reject(i, ordinal, rows.CodeNull, fmt.Sprintf("column %q: NULL in the key", k)), false, nil
	}
	buf, err := appendRow(l.tuples.buf, l.enc.rows, i)
	if v, ok := errors.AsType[*pgcopy.ValueError](err); ok {
		return l.enc.reject(i, ordinal, v.Code, v.Error()), false, nil
	}
	if err != nil {
		return rows.Reject{}, false, err
	}
	l.tuples.add(buf, i)
	return rows.Reject{}, true, nil
}

// repeated marks the rows of a batch whose key comes again in it; nil when none does, or
// when something else sorts that out. The order within one batch is known only here.
func (l *lane) repeated(n int) ([]bool, error) {
	if l.enc.key == nil || l.w.target.Disposition != syncline.Replace {
		return nil, nil
	}
	var keys []byte
	ends := make([]int, 0, n)
	ascending, last := true, []byte(nil)
	for i := range n {
		start := len(keys)
		var err error
		if keys, err = appendRow(keys, l.enc.key, i); err != nil {
			if _, ok := errors.AsType[*pgcopy.ValueError](err); !ok {
				return nil, err
			}
			keys = append(keys, fmt.Sprint("row ", i)...) // becomes a reject, and equals none
		}
		key := keys[start:]
		// The order of keys that are read by their index, which need not be compared further.
		ascending = ascending && (i == 0 || bytes.Compare(last, key) < 0)
		last, ends = key, append(ends, len(keys))
	}
	if ascending {
		return nil, nil
	}
	return repeats(keys, ends), nil
}

func repeats(keys []byte, ends []int) []bool {
	var found []bool
	seen := make(map[string]bool, len(ends))
	for i := len(ends) - 1; i >= 0; i-- {
		start := 0
		if i > 0 {
			start = ends[i-1]
		}
		key := string(keys[start:ends[i]])
		if seen[key] && found == nil {
			found = make([]bool, len(ends))
		}
		if seen[key] {
			found[i] = true
		}
		seen[key] = true
	}
	return found
}

// reject keeps rows before the commit that passes them.
func (l *lane) reject(ctx context.Context, rejects ...rows.Reject) error {
	if len(rejects) == 0 {
		return nil
	}
	l.pending.Rejected += int64(len(rejects))
	return l.w.target.Keep(ctx, l.id, rejects)
}

// copy sends tuples from, …, to-1. When the server refuses a value it refuses all of them,
// so halves are tried until the row stands alone.
func (l *lane) copy(ctx context.Context, from, to int, refuse func(n int, err *pgconn.PgError) error) error {
	if from == to {
		return nil
	}
	err := l.savepoint(ctx, func() error { return l.send(ctx, from, to) })
	bad := refusal(err)
	switch {
	case bad == nil:
		return err
	case to-from == 1:
		return refuse(from, bad)
	}
	mid := (from + to) / 2
	if err := l.copy(ctx, from, mid, refuse); err != nil {
		return err
	}
	return l.copy(ctx, mid, to, refuse)
}

func (l *lane) send(ctx context.Context, from, to int) error {
	into, columns := l.w.stage.quoted(), l.w.shape.names()
	switch {
	case !l.w.direct:
		into, columns = private, append(columns, l.marks...)
	case l.w.target.Disposition == syncline.Append:
		into = l.w.name.quoted()
	}
	tag, err := copyIn(ctx, l.conn, into, columns, l.enc.rows.Binary(), l.tuples.slice(from, to))
	if err != nil {
		return err
	}
	if tag.RowsAffected() != int64(to-from) {
		return fmt.Errorf("%d rows were sent to %s, %d arrived", to-from, into, tag.RowsAffected())
	}
	if l.w.direct {
		l.pending.Inserted += tag.RowsAffected()
		return nil
	}
	for _, i := range l.tuples.rows[from:to] {
		l.staged = append(l.staged, l.ordinals[i])
	}
	return nil
}

func copyIn(ctx context.Context, conn *pgx.Conn, into string, columns []string, binary bool, data []byte) (pgconn.CommandTag, error) {
	sql := "copy " + into + " (" + list("", columns) + ") from stdin"
	var stream io.Reader = bytes.NewReader(data)
	if binary {
		sql += " (format binary)"
		stream = io.MultiReader(bytes.NewReader(pgcopy.Header), stream, bytes.NewReader(pgcopy.Trailer))
	}
	return conn.PgConn().CopyFrom(ctx, stream, sql)
}

// savepoint runs do so that an error of the server's leaves the transaction alive.
func (l *lane) savepoint(ctx context.Context, do func() error) error {
	if err := simple(ctx, l.conn, "savepoint s"); err != nil {
		return err
	}
	err := do()
	if err == nil {
		return simple(ctx, l.conn, "release savepoint s")
	}
	if _, server := errors.AsType[*pgconn.PgError](err); !server || l.conn.IsClosed() {
		return err
	}
	if back := simple(ctx, l.conn, "rollback to savepoint s; release savepoint s"); back != nil {
		return back
	}
	return err
}

func simple(ctx context.Context, conn *pgx.Conn, sql string) error {
	_, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// remember enters the keys of rows that were rejected among those that the load has seen:
// the source has them, so the target's are not swept.
func (l *lane) remember(ctx context.Context, bad []int) error {
	var buf []byte
	n := 0
	for _, i := range bad {
		if l.enc.nullKey(i) != "" {
			continue // equals no row's
		}
		key, err := appendRow(buf, l.enc.key, i)
		if err != nil {
			l.pending.Keyless++
			continue
		}
		buf, n = key, n+1
	}
	if n == 0 {
		return nil
	}
	_, err := copyIn(ctx, l.conn, l.w.stage.quoted(), l.w.shape.key, l.enc.key.Binary(), buf)
	return err
}
