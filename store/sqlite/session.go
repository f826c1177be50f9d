package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/sqlstore"
)

// conn is a connection with the statements it has prepared, by their shared words. The
// statements of a ledger are finite, so nothing is ever dropped.
type conn struct {
	*sql.Conn
	words *strings.Replacer
	stmts map[string]*sql.Stmt
}

func newConn(ctx context.Context, db *sql.DB, words *strings.Replacer) (*conn, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, words: words, stmts: map[string]*sql.Stmt{}}, nil
}

func (c *conn) Close() error {
	var err error
	for _, s := range c.stmts {
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, c.Conn.Close())
}

func (c *conn) stmt(text string) (*sql.Stmt, error) {
	if s, ok := c.stmts[text]; ok {
		return s, nil
	}
	s, err := c.PrepareContext(context.Background(), c.words.Replace(text))
	if err == nil {
		c.stmts[text] = s
	}
	return s, err
}

// run is for what the store itself says to its connection.
func (c *conn) run(text string) error {
	s, err := c.stmt(text)
	if err == nil {
		_, err = s.ExecContext(context.Background())
	}
	return err
}

var errOver = errors.New("the transaction is over")

// session is a transaction, or one savepoint of the writer's, as its owner sees it.
type session struct {
	*conn
	ctx context.Context
	// stmtCtx interrupts statements; the writer's are not: SQLite rolls the whole
	// transaction back, with everybody's changes, when it interrupts one that writes.
	stmtCtx context.Context

	mu   sync.Mutex // held while a statement runs
	over bool
}

var _ sqlstore.Session = (*session)(nil)

// end waits for the statement that runs and refuses all others.
func (s *session) end() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
}

// with runs one call on a prepared statement.
func (s *session) with(text string, call func(*sql.Stmt) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return errOver
	}
	if s.ctx.Err() != nil {
		return sqlstore.Late(s.ctx)
	}
	st, err := s.stmt(text)
	if err != nil {
		return explain(err)
	}
	return explain(call(st))
}

func (s *session) Exec(text string, args ...any) (n int64, err error) {
	if err := texts(args); err != nil {
		return 0, err
	}
	err = s.with(text, func(st *sql.Stmt) error {
		n, err = changed(st.ExecContext(s.stmtCtx, args...))
		return err
	})
	return n, err
}

// texts refuses what PostgreSQL does: SQLite would keep it, up to the NUL where it compares.
func texts(args []any) error {
	for _, a := range args {
		if t, ok := a.(string); ok && (strings.IndexByte(t, 0) >= 0 || !utf8.ValidString(t)) {
			return syncline.Errorf(syncline.InvalidArgument, "the ledger cannot keep this text: %q", t).Of(syncline.ClassData)
		}
	}
	return nil
}

func changed(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (s *session) Each(text string, args [][]any) (int64, error) {
	var sum int64
	for _, a := range args {
		n, err := s.Exec(text, a...)
		if err != nil {
			return sum, err
		}
		sum += n
	}
	return sum, nil
}

// Later does it now: there is no way to save.
func (s *session) Later(text string, args ...any) error {
	_, err := s.Exec(text, args...)
	return err
}

// Sure waits for its answer: it is there already.
func (s *session) Sure(text string, args ...any) (int64, error) { return s.Exec(text, args...) }

// Ask asks one after the other.
func (s *session) Ask(qs ...sqlstore.Question) error {
	for _, q := range qs {
		if err := s.Query(q.Row, q.Stmt, q.Args...); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) Query(row func(sqlstore.Scan) error, text string, args ...any) error {
	return s.with(text, func(st *sql.Stmt) error {
		rows, err := st.QueryContext(s.stmtCtx, args...)
		if err != nil {
			return err
		}
		for rows.Next() && err == nil {
			err = row(rows.Scan)
		}
		return errors.Join(err, rows.Err(), rows.Close())
	})
}
