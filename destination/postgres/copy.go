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

// put copies a batch to where the lane writes, encoding it while the server takes it in.
// Rows that cannot be written are kept as rejects before it returns.
func (l *lane) put(ctx context.Context, b rows.Batch) error {
	if err := l.refuseOps(b); err != nil {
		return err
	}
	l.ordinals = b.Ordinals()
	l.enc.bind(b, l.ordinals)
	defer l.enc.release()
	c, err := l.code(ctx)
	if err != nil {
		return err
	}
	err = l.savepoint(ctx, func() error { return l.send(ctx, c, 0, l.tuples.len) })
	if c.err != nil {
		return c.err
	}
	refused := refusal(err) != nil
	if refused {
		err = c.rest()
	}
	if err == nil {
		err = c.keep()
	}
	if refused && err == nil {
		err = l.halves(ctx, 0, l.tuples.len(), l.sendAgain, func(n int, why *pgconn.PgError) error { return l.refuse(ctx, c, n, why) })
	}
	if err != nil {
		return err
	}
	l.bytes += len(l.tuples.buf)
	l.pending.Superseded += c.superseded
	if !l.w.sweeps() {
		return nil
	}
	return l.remember(ctx, c.bad)
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

// refuse keeps the one row that the server would not take.
func (l *lane) refuse(ctx context.Context, c *coding, n int, why *pgconn.PgError) error {
	i := l.tuples.rows[n]
	c.bad = append(c.bad, i)
	return l.reject(ctx, l.enc.reject(i, l.ordinals[i], codeOf(why), why.Message))
}

// reject keeps rows before the commit that passes them.
func (l *lane) reject(ctx context.Context, rejects ...rows.Reject) error {
	if len(rejects) == 0 {
		return nil
	}
	l.pending.Rejected += int64(len(rejects))
	return l.w.target.Keep(ctx, l.id, rejects)
}

// halves sends tuples from, …, to-1 again. When the server refuses a value it refuses all
// that come with it, so halves are tried until the row stands alone.
func (l *lane) halves(ctx context.Context, from, to int, send func(ctx context.Context, from, to int) error, refuse func(n int, why *pgconn.PgError) error) error {
	if from == to {
		return nil
	}
	err := l.savepoint(ctx, func() error { return send(ctx, from, to) })
	why := refusal(err)
	switch {
	case why == nil:
		return err
	case to-from == 1:
		return refuse(from, why)
	}
	mid := (from + to) / 2
	if err := l.halves(ctx, from, mid, send, refuse); err != nil {
		return err
	}
	return l.halves(ctx, mid, to, send, refuse)
}

func (l *lane) sendAgain(ctx context.Context, from, to int) error {
	return l.send(ctx, bytes.NewReader(l.tuples.slice(from, to)), from, func() int { return to })
}

// send copies a stream of tuples, which number from, …, to-1 when it has been read.
func (l *lane) send(ctx context.Context, tuples io.Reader, from int, to func() int) error {
	into, columns := l.w.stage.quoted(), l.w.shape.names()
	switch {
	case !l.w.direct:
		into, columns = private, append(columns, l.marks...)
	case l.w.target.Disposition == syncline.Append:
		into = l.w.name.quoted()
	}
	sent := func() int64 { return int64(to() - from) }
	if err := l.deliver(ctx, into, columns, l.enc.rows.Binary(), tuples, sent); err != nil {
		return err
	}
	if l.w.direct {
		l.pending.Inserted += sent()
		return nil
	}
	for _, i := range l.tuples.rows[from:to()] {
		l.staged = append(l.staged, l.ordinals[i])
	}
	return nil
}

// deliver copies a stream of tuples, which are sent when it has been read, and holds
// against that what the server says has arrived.
func (l *lane) deliver(ctx context.Context, into string, columns []string, binary bool, tuples io.Reader, sent func() int64) error {
	tag, err := copyIn(ctx, l.conn, into, columns, binary, tuples)
	if err == nil && tag.RowsAffected() != sent() {
		err = fmt.Errorf("%d rows were sent to %s, %d arrived", sent(), into, tag.RowsAffected())
	}
	return err
}

func copyIn(ctx context.Context, conn *pgx.Conn, into string, columns []string, binary bool, tuples io.Reader) (pgconn.CommandTag, error) {
	sql := "copy " + into + " (" + list("", columns) + ") from stdin"
	if binary {
		sql += " (format binary)"
		tuples = io.MultiReader(bytes.NewReader(pgcopy.Header), tuples, bytes.NewReader(pgcopy.Trailer))
	}
	return conn.PgConn().CopyFrom(ctx, tuples, sql)
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
	_, err := copyIn(ctx, l.conn, l.w.stage.quoted(), l.w.shape.key, l.enc.key.Binary(), bytes.NewReader(buf))
	return err
}
