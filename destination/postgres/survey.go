package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// survey is a look at the stage, and at the rows of the target that it is to replace.
type survey struct {
	staged, had int64
	gone        int64 // of those it had, the rows whose key the stage does not have
}

// surveying is the question. It holds while no key is twice in the stage.
func (p *publishing) surveying(have *table, within string) string {
	staged := "(select count(*) from " + p.stage.quoted() + ")"
	key := p.shape.key
	switch {
	case have == nil:
		return "select " + staged + ", 0::int8, 0::int8"
	case len(key) == 0:
		return fmt.Sprintf("select %s, count(*), greatest(count(*) - %[1]s, 0) from %s where %s", staged, p.name.quoted(), within)
	}
	return fmt.Sprintf("select %s, count(*), count(*) filter (where s.%s is null) from (select * from %s where %s) t left join %s s on %s",
		staged, quote(key[0]), p.name.quoted(), within, p.stage.quoted(), pairs(key, "s.%s = t.%[1]s", " and "))
}

func ask(ctx context.Context, tx pgx.Tx, sql string, args []any) (v survey, err error) {
	err = tx.QueryRow(ctx, sql, args...).Scan(&v.staged, &v.had, &v.gone)
	return v, err
}

// beside takes a survey in a session of its own, while this one does other things. That
// session has its locks when beside returns: if it came to wait for one of ours, nobody
// would see it. wait must be called, and stops it when the answer is of no use any more.
func (p *publishing) beside(ctx context.Context, sql string, args []any, over ...name) (wait func(stop bool) (survey, error), err error) {
	conn, err := p.db.connect(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	tx, err := conn.Begin(ctx)
	if err == nil {
		_, err = tx.Exec(ctx, spreadSQL, true)
	}
	for _, n := range over {
		if err == nil {
			_, err = tx.Exec(ctx, "lock table "+n.quoted()+" in access share mode")
		}
	}
	if err != nil {
		cancel()
		shut(conn)
		return nil, err
	}
	var v survey
	var failed error // the goroutine's own: err is written by this function's return
	done := make(chan struct{})
	go func() {
		defer close(done)
		if v, failed = ask(ctx, tx, sql, args); failed == nil {
			failed = tx.Commit(ctx) // lets go of the stage
		}
	}()
	return func(stop bool) (survey, error) {
		defer shut(conn)
		defer cancel()
		if stop {
			cancel()
		}
		if <-done; failed == nil {
			failed = flush(ctx, conn)
		}
		return v, failed
	}, nil
}

// flush commits with a transaction number, which brings all of the log so far to the disk,
// that of the keys too: the commit that readers wait for has little left to write then.
func flush(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "select txid_current()")
	return err
}
