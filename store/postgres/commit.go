package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/synclinehq/syncline/store/sqlstore"
)

// commit ends a transaction. When the connection is lost on the way nobody knows whether
// it is durable, and only the caller can look.
func (s *session) commit() (_ error, again bool) {
	if len(s.kind.begin) == 0 || !s.begun && len(s.later) == 0 {
		return nil, false // nothing was begun
	}
	ctx, stop := grace(s.ctx)
	defer stop()
	tag, err := s.sendCommit(ctx)
	switch {
	case err == nil && tag.String() == "COMMIT":
		s.begun = false
		return nil, false
	case err == nil:
		s.begun = false
		return errors.New("a statement of this transaction had failed: it was rolled back"), false
	}
	if e, answered := errors.AsType[*pgconn.PgError](err); answered && e.Severity != "FATAL" {
		s.deceived = s.hopeful && divided(err)
		return fmt.Errorf("commit to the ledger: %w", explain(err)), s.deceived || collided(err)
	}
	return sqlstore.Unknown(bare(err)), false
}

// sendCommit sends what was left for later before it. The server skips the commit when
// one of those fails.
func (s *session) sendCommit(ctx context.Context) (tag pgconn.CommandTag, err error) {
	b := s.batch()
	b.Queue("commit")
	s.begun = true
	res := s.conn.SendBatch(ctx, b)
	for range b.Len() {
		if tag, err = res.Exec(); err != nil {
			break
		}
	}
	if closed := res.Close(); err == nil {
		err = closed
	}
	return tag, err
}

// grace is a context that ends a little after ctx.
func grace(ctx context.Context) (context.Context, func()) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(sqlstore.Grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() {
		stop()
		cancel()
	}
}

const rollbackTimeout = 500 * time.Millisecond

// rollback makes a connection fit for the next one, or closes it: the pool makes another.
func (s *session) rollback() {
	s.over = true
	if !s.begun || s.conn.IsClosed() {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(s.ctx), rollbackTimeout)
	defer stop()
	if _, err := s.conn.Exec(ctx, "rollback"); err != nil {
		_ = s.conn.Close(ctx)
	}
}
