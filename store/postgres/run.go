package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

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
	hopeful := true
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, longestPause) {
		err, again := once(ctx, pool, k, &hopeful, fn)
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

func once(ctx context.Context, pool *pgxpool.Pool, k kind, hopeful *bool, fn func(*session) error) (_ error, again bool) {
	conn, err := acquire(ctx, pool)
	if err != nil {
		return err, ctx.Err() == nil && passes(err)
	}
	defer conn.Release()
	s := &session{ctx: ctx, conn: conn.Conn(), kind: k, opening: k.begin, hopeful: *hopeful}
	defer s.rollback() // also when fn does not return
	defer func() { *hopeful = *hopeful && !s.deceived }()
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
