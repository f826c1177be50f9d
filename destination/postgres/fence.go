package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgurl"
)

// raise puts the writer's token over every older one. A holder that is stopped within the
// short time in which it has its own row locked would block that, so it is terminated and
// the raise tried again.
func (w *writer) raise(ctx context.Context, conn *pgx.Conn) ([]backend, error) {
	for try := 0; ; try++ {
		old, err := w.tryRaise(ctx, conn)
		if pgurl.State(err) != "55P03" || try == 5 {
			return old, err
		}
		held, err := w.holders(ctx, conn)
		if err == nil {
			err = w.terminate(ctx, conn, held)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (w *writer) tryRaise(ctx context.Context, conn *pgx.Conn) (old []backend, err error) {
	me, err := self(ctx, conn)
	if err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "set local lock_timeout = '500ms'"); err != nil {
			return err
		}
		fence, err := w.raiseFence(ctx, tx, me)
		if err != nil {
			return err
		}
		// A statement of its own, so that it sees parts that were opened while the fence
		// was waited for.
		parts, err := tx.Query(ctx, "update "+w.cp.quoted+" set token = $2 where stream = $1 and part <> '' and token <= $2 "+returningBackend, w.stream, w.token)
		if err != nil {
			return err
		}
		old, err = pgx.CollectRows(parts, scanBackend)
		old = append(old, fence)
		return err
	})
	return old, err
}

const returningBackend = "returning coalesce(pid, 0), coalesce(backend_start, 'epoch')"

func scanBackend(r pgx.CollectableRow) (b backend, err error) {
	err = r.Scan(&b.pid, &b.start)
	return b, err
}

// raiseFence takes the stream's row, and answers with the session that held it before.
func (w *writer) raiseFence(ctx context.Context, tx pgx.Tx, me backend) (old backend, err error) {
	_, err = tx.Exec(ctx, "insert into "+w.cp.quoted+" (stream, part, token) values ($1, '', $2) on conflict (stream, part) do nothing", w.stream, w.token)
	if err != nil {
		return old, err
	}
	var token int64
	err = tx.QueryRow(ctx, "select token, coalesce(pid, 0), coalesce(backend_start, 'epoch') from "+w.cp.quoted+
		" where stream = $1 and part = '' for update", w.stream).Scan(&token, &old.pid, &old.start)
	if err == nil && token > w.token {
		return old, syncline.ErrLeaseLost
	}
	if err != nil {
		return old, err
	}
	tag, err := tx.Exec(ctx, "update "+w.cp.quoted+" set token = $2, pid = $3, backend_start = $4, updated_at = now() where stream = $1 and part = '' and token <= $2",
		w.stream, w.token, me.pid, me.start)
	if err == nil && tag.RowsAffected() == 0 {
		return old, syncline.ErrLeaseLost
	}
	return old, err
}

// holders are the sessions that the stream's rows name, read without waiting for anybody.
func (w *writer) holders(ctx context.Context, conn *pgx.Conn) ([]backend, error) {
	found, err := conn.Query(ctx, "select pid, backend_start from "+w.cp.quoted+" where stream = $1 and token <= $2 and pid is not null and backend_start is not null", w.stream, w.token)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, scanBackend)
}

// terminate ends sessions of older holders: one that was stopped in the middle of a
// transaction, or of COPY, keeps its locks for as long as it is stopped, and no timeout
// of the server's ends it. It returns when they are gone.
func (w *writer) terminate(ctx context.Context, conn *pgx.Conn, old []backend) error {
	for _, b := range old {
		if b.pid == 0 || uint32(b.pid) == conn.PgConn().PID() {
			continue
		}
		if err := w.terminateOne(ctx, conn, b); err != nil {
			return fmt.Errorf("end session %d of an older holder: %w", b.pid, err)
		}
	}
	return nil
}

func (w *writer) terminateOne(ctx context.Context, conn *pgx.Conn, b backend) error {
	// backend_start is NULL of sessions that this role may not look into.
	var done *bool
	err := conn.QueryRow(ctx, `select case when backend_start = $2 then pg_terminate_backend(pid) end
		from pg_stat_activity where pid = $1 and (backend_start = $2 or backend_start is null)`, b.pid, b.start).Scan(&done)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // it is gone already
		return nil
	case err == nil && done == nil || pgurl.State(err) == "42501":
		w.target.Note(syncline.Warning, "session %d may be an older holder's, and this role may not end it: its locks last until it ends", b.pid)
		return nil
	case err != nil:
		return err
	}
	w.target.Note(syncline.Info, "terminated session %d of an older holder", b.pid)
	return gone(ctx, conn, b)
}

// gone waits until a session has let go of its locks.
func gone(ctx context.Context, conn *pgx.Conn, b backend) error {
	for deadline := time.Now().Add(10 * time.Second); ; {
		var alive bool
		err := conn.QueryRow(ctx, "select exists (select from pg_stat_activity where pid = $1 and backend_start = $2)", b.pid, b.start).Scan(&alive)
		if err != nil || !alive {
			return err
		}
		if time.Now().After(deadline) {
			return syncline.Errorf(syncline.Unavailable, "session %d does not end", b.pid).Of(syncline.ClassDestination).Again()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
