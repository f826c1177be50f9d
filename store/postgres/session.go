package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/sqlstore"
)

// session is one open transaction.
type session struct {
	ctx   context.Context
	conn  *pgx.Conn
	words *strings.Replacer
	over  bool
}

var errOver = errors.New("a transaction of the ledger was used after its end")

func (s *session) Exec(stmt string, args ...any) (int64, error) {
	if s.over {
		return 0, errOver
	}
	tag, err := s.conn.Exec(s.ctx, s.words.Replace(stmt), args...)
	return tag.RowsAffected(), explain(err)
}

func (s *session) Query(row func(sqlstore.Scan) error, stmt string, args ...any) error {
	if s.over {
		return errOver
	}
	rows, err := s.conn.Query(s.ctx, s.words.Replace(stmt), args...)
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return explain(rows.Err())
}

// Each sends all statements before it reads the first answer.
func (s *session) Each(stmt string, args [][]any) (n int64, err error) {
	if s.over {
		return 0, errOver
	}
	if len(args) == 0 {
		return 0, nil
	}
	batch := &pgx.Batch{}
	for _, a := range args {
		batch.Queue(s.words.Replace(stmt), a...)
	}
	res := s.conn.SendBatch(s.ctx, batch)
	for range args {
		tag, err := res.Exec()
		if err != nil {
			_ = res.Close()
			return n, explain(err)
		}
		n += tag.RowsAffected()
	}
	return n, explain(res.Close())
}

// collided reports whether the database undid a transaction because of another one, and
// running it again is right.
func collided(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01")
}

// explain gives the errors that a person or a retry can do something about their code.
// The errors of pgx may repeat a connection string, so their text is replaced.
func explain(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return syncline.Errorf(syncline.DeadlineExceeded, "the ledger did not answer in time").Of(syncline.ClassNetwork).Again()
	}
	e, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok:
		return syncline.Errorf(syncline.Unavailable, "the ledger's database is away: %w", lost(err)).Of(syncline.ClassNetwork).Again()
	case collided(err):
		return err
	case e.Code == "53100":
		return syncline.Errorf(syncline.ResourceExhausted, "the disk of the ledger's database is full: %w", err).Because("ledger_full").
			Try("free space on the database server; nothing is half-written").Again()
	case e.Code == "28P01" || e.Code == "28000":
		return syncline.Errorf(syncline.Unauthenticated, "the ledger's database refuses user or password: %s", e.Message).Of(syncline.ClassAuth).Try("check the URL given with --ledger")
	case e.Code == "42501":
		return syncline.Errorf(syncline.PermissionDenied, "the ledger's database: %s", e.Message).Of(syncline.ClassAuth).
			Try("create the schema syncline and give it to the user of --ledger")
	case e.Code == "3D000":
		return syncline.Errorf(syncline.NotFound, "the ledger's database: %s", e.Message).Of(syncline.ClassConfig).Try("create it, or check the URL given with --ledger")
	case temporary(e.Code):
		return syncline.Errorf(syncline.Unavailable, "the ledger's database: %s", e.Message).Of(syncline.ClassNetwork).Again()
	}
	return err
}

// temporary are the classes of errors that pass: connections, shutdown and start-up, too
// many connections, a standby, lock and statement timeouts.
func temporary(code string) bool {
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P0") || strings.HasPrefix(code, "53") ||
		code == "25006" || code == "55P03" || code == "57014" || code == "25P03"
}

// lost keeps of a connection error what it was, and nothing of what it was called with.
func lost(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return errors.New(e.Message)
	}
	if e, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return innermost(e)
	}
	return innermost(err)
}

func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
