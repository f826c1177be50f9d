package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/synclinehq/syncline/store/sqlstore"
)

const (
	acquireTimeout = 5 * time.Second
	longestPause   = time.Second
)

// run runs one transaction, again for as long as ctx lives when it is certain that it
// was undone: by another one, or with its connection.
func run(ctx context.Context, pool *pgxpool.Pool, k kind, fn func(*session) error) error {
	ctx, stop := sqlstore.Bound(ctx)
	defer stop()
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, longestPause) {
		err, again := once(ctx, pool, k, fn)
		if !again {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause/2 + rand.N(pause)):
		}
	}
}

func once(ctx context.Context, pool *pgxpool.Pool, k kind, fn func(*session) error) (_ error, again bool) {
	conn, err := acquire(ctx, pool)
	if err != nil {
		return err, ctx.Err() == nil && passes(err)
	}
	defer conn.Release()
	s := &session{ctx: ctx, conn: conn.Conn(), kind: k, opening: k.begin}
	defer s.rollback() // also when fn does not return
	err = fn(s)
	s.over = true
	switch {
	case s.undone:
		return err, true
	case err != nil:
		return err, false
	case ctx.Err() != nil:
		return sqlstore.Late(ctx), false
	}
	return s.commit()
}

func acquire(ctx context.Context, pool *pgxpool.Pool) (*pgxpool.Conn, error) {
	if ctx.Err() != nil {
		return nil, sqlstore.Late(ctx)
	}
	short, stop := context.WithTimeout(ctx, acquireTimeout)
	defer stop()
	conn, err := pool.Acquire(short)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("connect to the ledger: %w", sqlstore.Late(ctx))
	case short.Err() != nil:
		return nil, fmt.Errorf("wait for a connection to the ledger: %w", sqlstore.Late(short))
	}
	return nil, explain(err)
}

// commit ends a transaction. When the connection is lost on the way nobody knows whether
// it is durable, and only the caller can look.
func (s *session) commit() (_ error, again bool) {
	if len(s.opening) > 0 || len(s.kind.begin) == 0 {
		return nil, false // nothing was begun
	}
	ctx, stop := grace(s.ctx)
	defer stop()
	tag, err := s.conn.Exec(ctx, "commit")
	s.begun = false
	if err == nil && tag.String() != "COMMIT" {
		return errors.New("a statement of this transaction had failed: it was rolled back"), false
	}
	if err == nil {
		return nil, false
	}
	if e, answered := errors.AsType[*pgconn.PgError](err); answered && e.Severity != "FATAL" {
		return fmt.Errorf("commit to the ledger: %w", explain(err)), collided(err)
	}
	return sqlstore.Unknown(bare(err)), false
}

// grace is a context that ends a little after ctx.
func grace(ctx context.Context) (context.Context, func()) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var timer *time.Timer
	stop := context.AfterFunc(ctx, func() { timer = time.AfterFunc(sqlstore.Grace, cancel) })
	return longer, func() {
		if !stop() && timer != nil {
			timer.Stop()
		}
		cancel()
	}
}

// rollback makes a connection fit for the next one, or closes it: the pool makes another.
func (s *session) rollback() {
	s.over = true
	if !s.begun || s.conn.IsClosed() {
		return
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(s.ctx), sqlstore.Grace)
	defer stop()
	if _, err := s.conn.Exec(ctx, "rollback"); err != nil {
		_ = s.conn.Close(ctx)
	}
}

var _ sqlstore.Session = (*session)(nil)

// session is one open transaction. What begins it is sent with its first statement.
type session struct {
	ctx     context.Context
	conn    *pgx.Conn
	kind    kind
	opening []string
	begun   bool
	undone  bool // the database, or the end of the connection, has undone it
	over    bool
}

var (
	errOver  = errors.New("the transaction is over")
	errReads = errors.New("a view only reads")
)

// send sends statements together and hands over their answers.
func (s *session) send(stmt string, args [][]any, read func(pgx.BatchResults) error) error {
	if s.over {
		return errOver
	}
	if s.ctx.Err() != nil {
		return sqlstore.Late(s.ctx)
	}
	b := &pgx.Batch{}
	for _, o := range s.opening {
		b.Queue(o)
	}
	text := s.kind.words.text(stmt)
	for _, a := range args {
		b.Queue(text, a...)
	}
	s.begun = len(s.kind.begin) > 0
	res := s.conn.SendBatch(s.ctx, b)
	err := s.open(res)
	if err == nil {
		err = read(res)
	}
	if closed := res.Close(); err == nil {
		err = closed
	}
	return s.failed(err)
}

func (s *session) open(res pgx.BatchResults) error {
	for range s.opening {
		if _, err := res.Exec(); err != nil {
			return err
		}
	}
	s.opening = nil
	return nil
}

// failed remembers what a failure means for the transaction.
func (s *session) failed(err error) error {
	switch {
	case err == nil:
		return nil
	case s.ctx.Err() != nil:
		return sqlstore.Late(s.ctx)
	}
	s.undone = s.undone || collided(err) || passes(err)
	if readOnly(err) { // this server has become a standby
		_ = s.conn.Close(s.ctx)
	}
	return explain(err)
}

func (s *session) Exec(stmt string, args ...any) (int64, error) { return s.Each(stmt, [][]any{args}) }

// Each sends all statements before it reads the first answer.
func (s *session) Each(stmt string, args [][]any) (n int64, err error) {
	if len(args) == 0 {
		return 0, nil
	}
	if s.kind.words == reading {
		return 0, errReads // which the database would end the transaction for
	}
	err = s.send(stmt, args, func(res pgx.BatchResults) error {
		for range args {
			tag, err := res.Exec()
			if err != nil {
				return err
			}
			n += tag.RowsAffected()
		}
		return nil
	})
	return n, err
}

func (s *session) Query(row func(sqlstore.Scan) error, stmt string, args ...any) error {
	return s.send(stmt, [][]any{args}, func(res pgx.BatchResults) error {
		rows, err := res.Query()
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := row(rows.Scan); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
