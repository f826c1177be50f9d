package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline/store/sqlstore"
)

var _ sqlstore.Session = (*session)(nil)

// session is one open transaction. What begins it is sent with its first statement.
type session struct {
	ctx     context.Context
	conn    *pgx.Conn
	kind    kind
	opening []string
	later   []queued // what is sent before the next statement
	begun   bool
	undone  bool // the database, or the end of the connection, has undone it
	over    bool
}

const laterMost = 100

type queued struct {
	stmt string
	args []any
}

var (
	errOver  = errors.New("the transaction is over")
	errReads = errors.New("a view only reads")
)

// send sends statements together and hands over their answers.
func (s *session) send(stmt string, args [][]any, read func(pgx.BatchResults) error) error {
	if err := s.usable(); err != nil {
		return err
	}
	b := s.batch()
	before := b.Len()
	text := s.kind.words.text(stmt)
	for _, a := range args {
		b.Queue(text, a...)
	}
	s.begun = len(s.kind.begin) > 0
	res := s.conn.SendBatch(s.ctx, b)
	err := skip(res, before)
	if err == nil {
		err = read(res)
	}
	if closed := res.Close(); err == nil {
		err = closed
	}
	return s.failed(err)
}

func (s *session) usable() error {
	if s.over {
		return errOver
	}
	if s.ctx.Err() != nil {
		return sqlstore.Late(s.ctx)
	}
	return nil
}

// batch begins one with what has to go before anything else.
func (s *session) batch() *pgx.Batch {
	b := &pgx.Batch{}
	for _, o := range s.opening {
		b.Queue(o)
	}
	for _, q := range s.later {
		b.Queue(s.kind.words.text(q.stmt), q.args...)
	}
	s.opening, s.later = nil, nil
	return b
}

func skip(res pgx.BatchResults, n int) error {
	for range n {
		if _, err := res.Exec(); err != nil {
			return err
		}
	}
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

// Later keeps a statement for the next round trip, until there are many.
func (s *session) Later(stmt string, args ...any) error {
	switch err := s.usable(); {
	case err != nil:
		return err
	case s.kind.words == reading:
		return errReads
	case len(s.later) < laterMost:
		s.later = append(s.later, queued{stmt, args})
		return nil
	}
	_, err := s.Exec(stmt, args...)
	return err
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
