package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// preamble fixes what the text forms of values depend on, for the transaction only: a
// pooler may give the next one another session. A reader sets its own pace, so the
// server's time limits do not count.
const preamble = `
set local datestyle = 'ISO, YMD'; set local intervalstyle = postgres; set local timezone = 'UTC';
set local extra_float_digits = 3; set local bytea_output = hex; set local lc_monetary = 'C';
set local standard_conforming_strings = on; set local statement_timeout = 0;
set local idle_in_transaction_session_timeout = 0; set local lock_timeout = '10s'`

// begin starts a transaction that reads one snapshot, that of an exported one if id is given.
func begin(ctx context.Context, c *pgx.Conn, snapshot string) error {
	sql := "begin isolation level repeatable read read only;"
	if snapshot != "" {
		sql += "set transaction snapshot " + quote(snapshot) + ";"
	}
	_, err := c.PgConn().Exec(ctx, sql+preamble).ReadAll()
	return err
}

// inTransaction runs do between begin and the end of the transaction.
func inTransaction(ctx context.Context, c *pgx.Conn, snapshot string, do func() error) error {
	defer func() {
		if c.IsClosed() {
			return
		}
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer stop()
		if _, err := c.Exec(ctx, "rollback"); err != nil {
			hangUp(c)
		}
	}()
	if err := begin(ctx, c, snapshot); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	return do()
}

// holder is a session whose transaction keeps a snapshot for others to read. It holds no
// lock on any table.
type holder struct {
	conn *pgx.Conn
	id   string
}

// newSnapshot exports a snapshot of now, which takes the place of the entity's last one,
// and lets look be the first to see it.
func (s *Source) newSnapshot(ctx context.Context, entity string, look func(c *pgx.Conn, id string) error) error {
	s.holding.Lock()
	defer s.holding.Unlock()
	id, err := s.hold(ctx, entity)
	if err == nil {
		err = s.explain(ctx, look(s.holders[entity].conn, id), "look at %s", entity)
	}
	return err
}

// snapshot is the entity's snapshot of this source, made when there is none.
func (s *Source) snapshot(ctx context.Context, entity string) (string, error) {
	s.holding.Lock()
	defer s.holding.Unlock()
	if h := s.holders[entity]; h != nil && !h.conn.IsClosed() {
		return h.id, nil
	}
	return s.hold(ctx, entity)
}

func (s *Source) hold(ctx context.Context, entity string) (string, error) {
	ctx, done := s.alive(ctx)
	defer done(nil)
	c, err := s.connect(ctx)
	if err != nil {
		return "", err
	}
	h := &holder{conn: c}
	err = begin(ctx, c, "")
	if err == nil {
		err = c.QueryRow(ctx, "select pg_export_snapshot()").Scan(&h.id)
	}
	if err != nil || s.life.Err() != nil {
		hangUp(c)
		return "", s.explain(ctx, err, "export a snapshot")
	}
	if old := s.holders[entity]; old != nil {
		hangUp(old.conn)
	}
	s.holders[entity] = h
	return h.id, nil
}
