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
	// hopeful sessions take it on trust that what Sure was told changes a row.
	hopeful, deceived bool
}

// laterMost are what 64 runs that are claimed at once leave for later, and some.
const laterMost = 200

type queued struct {
	stmt string
	args []any
	sure bool
	many int // the argument that says how many rows are sure to change; 0: one is
}

var (
	errOver  = errors.New("the transaction is over")
	errReads = errors.New("a view only reads")
)

// send sends statements, each with its words, and hands over their answers.
func (s *session) send(qs []queued, read func(pgx.BatchResults) error) error {
	if err := s.usable(); err != nil {
		return err
	}
	b := s.batch()
	before := b.Len()
	for _, q := range qs {
		b.Queue(q.text(s.kind.words), q.args...)
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
	for _, q := range merged(s.later) {
		b.Queue(q.text(s.kind.words), q.args...)
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
	s.deceived = s.deceived || s.hopeful && divided(err)
	s.undone = s.undone || s.deceived || collided(err) || passes(err)
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
	qs := make([]queued, len(args))
	for i, a := range args {
		qs[i] = queued{stmt: stmt, args: a}
	}
	err = s.send(qs, func(res pgx.BatchResults) error {
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
	_, err := s.keep(queued{stmt: stmt, args: args})
	return err
}

// Sure keeps a statement as Later does, as long as there is hope.
func (s *session) Sure(stmt string, args ...any) (int64, error) {
	if !s.hopeful {
		return s.Exec(stmt, args...)
	}
	return s.keep(queued{stmt: stmt, args: args, sure: true})
}

func (s *session) keep(q queued) (int64, error) {
	switch err := s.usable(); {
	case err != nil:
		return 0, err
	case s.kind.words == reading:
		return 0, errReads
	case len(s.later) < laterMost:
		s.later = append(s.later, q)
		return 1, nil
	}
	return s.Exec(q.stmt, q.args...)
}

func (s *session) Query(row func(sqlstore.Scan) error, stmt string, args ...any) error {
	return s.Ask(sqlstore.Question{Row: row, Stmt: stmt, Args: args})
}

// Ask sends all questions before it reads the first answer.
func (s *session) Ask(qs ...sqlstore.Question) error {
	if len(qs) == 0 {
		return nil
	}
	all := make([]queued, len(qs))
	for i, q := range qs {
		all[i] = queued{stmt: q.Stmt, args: q.Args}
	}
	return s.send(all, func(res pgx.BatchResults) error {
		for _, q := range qs {
			if err := answer(res, q.Row); err != nil {
				return err
			}
		}
		return nil
	})
}

func answer(res pgx.BatchResults, row func(sqlstore.Scan) error) error {
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
}
