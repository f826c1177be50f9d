package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
)

// connect opens the lane's session and enters it in the part's row, so that a successor
// knows what to terminate. Nothing is locked before that.
func (l *lane) connect(ctx context.Context) (err error) {
	doing := fmt.Sprintf("open part %s of %s", l.id, l.w.name.text())
	if l.conn, err = l.w.db.connect(ctx); err != nil {
		return err
	}
	if l.backend, err = self(ctx, l.conn); err != nil {
		return classed(ctx, err, "%s", doing)
	}
	if err := l.relieve(ctx); err != nil {
		return classed(ctx, err, "%s", doing)
	}
	if err := pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error { return l.register(ctx, tx) }); err != nil {
		return classed(ctx, err, "%s", doing)
	}
	if !l.w.direct {
		if err = l.spread(ctx); err == nil {
			_, err = l.conn.Exec(ctx, l.w.shape.createPrivate(l.marks))
		}
	}
	l.last = l.w.db.env.Now()
	return classed(ctx, err, "create a temporary table")
}

// relieve terminates whoever held the part under a token that is not above this one: it
// may be stopped with locks in hand.
func (l *lane) relieve(ctx context.Context) error {
	f, err := l.w.cp.fence(ctx, l.conn, l.w.stream, "")
	if err == nil {
		err = l.mine(f)
	}
	if err != nil {
		return err
	}
	found, err := l.conn.Query(ctx, "select pid, backend_start from "+l.w.cp.quoted+
		" where stream = $1 and part = $2 and token <= $3 and pid is not null and backend_start is not null", l.w.stream, l.id, l.token)
	if err != nil {
		return err
	}
	old, err := pgx.CollectRows(found, scanBackend)
	if err != nil {
		return err
	}
	return l.w.terminate(ctx, l.conn, old)
}

// mine reports whether the stream still belongs to this load and no newer holder.
func (l *lane) mine(f fence) error {
	if f.Token > l.token || f.Load != l.w.target.Load {
		return syncline.ErrLeaseLost
	}
	if f.Done {
		return syncline.Errorf(syncline.FailedPrecondition, "the load of %s is published already", l.w.name.text())
	}
	return nil
}

// register takes the part's row. The fence is locked against a takeover meanwhile: one
// that is under way sees the row, or this sees its token. seq moves on, so that an older
// lane of the same token is refused too.
func (l *lane) register(ctx context.Context, tx pgx.Tx) error {
	f, err := l.w.cp.fence(ctx, tx, l.w.stream, "for share")
	if err == nil {
		err = l.mine(f)
	}
	if err != nil {
		return err
	}
	err = tx.QueryRow(ctx, "insert into "+l.w.cp.quoted+` as cp (stream, part, load, token, seq, pid, backend_start) values ($1, $2, $3, $4, 1, $5, $6)
		on conflict (stream, part) do update set load = excluded.load, token = excluded.token, seq = cp.seq + 1, pid = excluded.pid, backend_start = excluded.backend_start
		where cp.token <= excluded.token returning seq, position, done, counts`,
		l.w.stream, l.id, l.w.target.Load, l.token, l.backend.pid, l.backend.start).Scan(&l.seq, &l.durable.Next, &l.durable.Done, &l.counts)
	if errors.Is(err, pgx.ErrNoRows) {
		return syncline.ErrLeaseLost
	}
	l.durable.Counts, l.next = l.counts.Counts, l.durable.Next
	return err
}
